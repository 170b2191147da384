"""Downloads from a server on the loopback that speaks the Hub's protocol; the library is real."""

import dataclasses
import hashlib
import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entropix_models.errors import DownloadError, EntropixError, ModelNotFoundError, UsageError
from entropix_models.gguf.importer import import_gguf
from entropix_models.progress import quiet
from entropix_models.sources import catalogue, hub, hub_fetch, sources

REPOSITORY = "someone/tiny-llama"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def served(hub_server: Any, make_gguf: Callable[..., object], tmp_path: Path) -> dict[str, bytes]:
    """A tiny Llama that the server offers as REPOSITORY, with files that must stay there."""
    make_gguf(tmp_path / "tiny.gguf", kind="F16")
    import_gguf(tmp_path / "tiny.gguf", tmp_path / "tiny")
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    files = {name: (tmp_path / "tiny" / name).read_bytes() for name in names}
    unwanted = {"pytorch_model.bin": b"pickle", "modeling.py": b"code", "README.md": b"words"}
    hub_server.repositories[REPOSITORY] = files | unwanted
    return files


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def unfinished(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.suffix in (".incomplete", ".part")]


def one_line(error: BaseException) -> str:
    assert "\n" not in str(error)
    assert 20 < len(str(error)) < 400
    return str(error)


@pytest.mark.slow
def test_a_model_is_fetched_whole_and_nothing_else(
    hub_server: Any, served: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, int, int | None]] = []
    folder = sources.resolve(REPOSITORY, progress=lambda *step: seen.append(step))
    assert contents(folder.path) == served
    assert (folder.name, folder.revision, folder.source) == (
        REPOSITORY,
        COMMIT,
        f"hub {REPOSITORY}",
    )
    assert set(hub_server.downloads()) == served.keys()
    done = [step[1] for step in seen]
    assert done == sorted(done)
    assert seen[-1] == (f"fetching {REPOSITORY}", *(2 * [sum(map(len, served.values()))]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_what_is_cached_is_used_without_the_network(
    hub_server: Any, served: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sources.resolve(REPOSITORY)
    hub_server.requests.clear()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert sources.resolve(REPOSITORY, offline=True) == first
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert sources.pull(REPOSITORY).path == first.path
    assert hub_server.requests == []
    assert contents(first.path) == served


@pytest.mark.slow
@pytest.mark.usefixtures("served")
def test_a_commit_is_what_it_was_and_a_branch_is_asked_for(hub_server: Any) -> None:
    first = hub.fetch(REPOSITORY, "main", quiet)
    assert (first[0].name, first[1]) == (COMMIT, True)
    hub_server.requests.clear()
    known = (first[0], False)
    assert hub.fetch(REPOSITORY, COMMIT, quiet) == known
    assert hub_server.requests == []
    assert hub.fetch(REPOSITORY, "main", quiet) == known
    asked = [path for _, path, _ in hub_server.requests]
    assert f"/api/models/{REPOSITORY}/revision/main" in asked
    assert hub_server.downloads() == []


@pytest.mark.slow
@pytest.mark.usefixtures("served")
def test_mlx_lm_loads_what_was_fetched() -> None:
    from mlx_lm.utils import load_model

    model, config = load_model(sources.resolve(REPOSITORY).path)
    assert config["num_hidden_layers"] == len(model.layers) == 2


def test_an_unreachable_hub_is_one_line(
    private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="could not be reached") as caught:
        sources.resolve("llama-3.2-1b")
    assert "http://127.0.0.1:9" in one_line(caught.value)
    assert not unfinished(private_cache)


@pytest.mark.usefixtures("hub_server")
def test_offline_mode_without_the_model_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE") as caught:
        sources.resolve(REPOSITORY)
    one_line(caught.value)
    with pytest.raises(DownloadError, match=f"models pull {REPOSITORY}"):
        sources.resolve(REPOSITORY, offline=True)


@pytest.mark.slow
def test_a_gated_model_names_the_licence_the_login_and_the_copy(hub_server: Any) -> None:
    gated = "meta-llama/Llama-3.2-1B-Instruct"
    hub_server.repositories[gated] = {"config.json": b"{}"}
    hub_server.gated.add(gated)
    with pytest.raises(DownloadError, match="gated") as caught:
        sources.resolve(gated)
    text = one_line(caught.value)
    assert f"https://huggingface.co/{gated}" in text
    assert "`hf auth login`" in text
    assert '"llama-3.2-1b"' in text


@pytest.mark.slow
@pytest.mark.usefixtures("served")
def test_missing_repositories_and_revisions_are_told_apart() -> None:
    with pytest.raises(ModelNotFoundError, match="no such model on the Hub") as caught:
        sources.resolve("someone/smollm2-135")
    assert "did you mean smollm2-135m" in one_line(caught.value)
    with pytest.raises(ModelNotFoundError, match="no revision v9") as caught:
        hub.fetch(REPOSITORY, "v9", quiet)
    one_line(caught.value)


@pytest.mark.slow
def test_a_repository_without_weights_is_no_model(hub_server: Any) -> None:
    hub_server.repositories[REPOSITORY] = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    with pytest.raises(ModelNotFoundError, match="safetensors") as caught:
        sources.resolve(REPOSITORY)
    one_line(caught.value)


def test_an_answer_that_is_an_error_is_named(hub_server: Any) -> None:
    hub_server.status = 403
    with pytest.raises(DownloadError, match="HTTP status 403") as caught:
        sources.resolve(REPOSITORY)
    one_line(caught.value)


@pytest.mark.slow
def test_a_broken_connection_is_resumed(hub_server: Any) -> None:
    name = "model.safetensors"
    # The library keeps whole pieces of 10 MiB.
    files = {
        "config.json": b"{}",
        "tokenizer.json": b"{}",
        name: random.Random(3).randbytes(15 << 20),
    }
    hub_server.repositories[REPOSITORY] = files
    hub_server.break_off[name] = 12 << 20
    folder = sources.resolve(REPOSITORY)
    assert contents(folder.path) == files
    ranges = [r for m, path, r in hub_server.requests if m == "GET" and path.endswith(name)]
    assert ranges == [None, f"bytes={10 << 20}-"]


@pytest.mark.slow
def test_a_body_that_is_too_short_is_refused(
    hub_server: Any, served: dict[str, bytes], private_cache: Path
) -> None:
    hub_server.shorten["model.safetensors"] = 5_000
    with pytest.raises(DownloadError, match="download failed") as caught:
        sources.resolve(REPOSITORY)
    one_line(caught.value)
    assert not unfinished(private_cache)
    assert sources.locate(REPOSITORY) is None
    hub_server.shorten.clear()
    assert contents(sources.resolve(REPOSITORY).path) == served


@pytest.mark.slow
@pytest.mark.parametrize("exception", [KeyboardInterrupt, EntropixError])
def test_an_interrupted_download_leaves_nothing_half_made_and_goes_on_later(
    exception: type[BaseException],
    hub_server: Any,
    served: dict[str, bytes],
    private_cache: Path,
) -> None:
    hub_server.hold["model.safetensors"] = 20_000

    def interrupt(_stage: str, done: int, _total: int | None) -> None:
        small = sum(len(data) for name, data in served.items() if name != "model.safetensors")
        if done >= small:
            raise exception("enough")

    with pytest.raises(exception):
        sources.resolve(REPOSITORY, progress=interrupt)
    assert not unfinished(private_cache)
    assert sources.locate(REPOSITORY) is None
    hub_server.hold.clear()
    hub_server.go.set()
    before = len(hub_server.downloads())
    assert contents(sources.resolve(REPOSITORY).path) == served
    again = hub_server.downloads()[before:]
    assert "model.safetensors" in again
    assert len(again) < len(served)


@pytest.mark.slow
@pytest.mark.usefixtures("served")
def test_the_download_ends_with_the_process_that_asked_for_it(
    hub_server: Any, private_cache: Path
) -> None:
    hub_server.hold["model.safetensors"] = 20_000
    request = {
        "repo_id": REPOSITORY,
        "repo_type": "model",
        "revision": "main",
        "cache_dir": str(hub.cache_folder()),
    }
    child = subprocess.Popen(
        [sys.executable, "-m", hub_fetch.__name__, json.dumps(request)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    with child.stdout:
        assert any(json.loads(line)["done"] > 0 for line in child.stdout), "it has begun"
    assert child.wait(30) == 128 + 15
    assert not unfinished(private_cache)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, served: dict[str, bytes]) -> Iterator[catalogue.Entry]:
    """An entry of the catalogue that the server has."""
    weights = served["model.safetensors"]
    entry = catalogue.Entry(
        name="tiny",
        title="Tiny",
        family="llama",
        source="hub",
        origin=REPOSITORY,
        revision=COMMIT,
        file="model.safetensors",
        size=len(weights),
        sha256=hashlib.sha256(weights).hexdigest(),
        context=128,
        chat=False,
        quantization="float16",
    )
    catalogue.entries.cache_clear()
    monkeypatch.setitem(catalogue.entries(), "tiny", entry)
    yield entry
    catalogue.entries.cache_clear()


@pytest.mark.slow
def test_a_pinned_model_is_checked_against_the_catalogue(
    known: catalogue.Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(known, sha256="0" * 64)
    monkeypatch.setitem(catalogue.entries(), "tiny", other)
    with pytest.raises(DownloadError, match="not the file that was expected") as caught:
        sources.resolve("tiny")
    one_line(caught.value)
    assert sources.locate("tiny") is None
    monkeypatch.setitem(catalogue.entries(), "tiny", known)
    folder = sources.resolve("tiny")
    assert (folder.name, folder.revision, folder.clarify) == ("tiny", COMMIT, " ...")
    assert [f.name for f in sources.installed()] == ["tiny"]


@pytest.mark.slow
@pytest.mark.usefixtures("known")
def test_out_is_a_whole_copy_or_nothing(
    served: dict[str, bytes], hub_server: Any, tmp_path: Path
) -> None:
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "mine").write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        sources.pull("tiny", occupied)
    assert hub_server.requests == []

    def interrupt(stage: str, _done: int, _total: int | None) -> None:
        if stage.startswith("copying"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sources.pull("tiny", tmp_path / "out", progress=interrupt)
    assert not (tmp_path / "out").exists()
    assert not unfinished(tmp_path)
    folder = sources.pull("tiny", tmp_path / "out")
    assert folder.path == tmp_path / "out"
    copied = contents(folder.path)
    assert copied.pop("entropix.json")
    assert copied == served
    assert not any(path.is_symlink() for path in folder.path.iterdir())
    assert sources.resolve(str(tmp_path / "out")).revision == COMMIT


@pytest.mark.slow
@pytest.mark.usefixtures("served")
def test_a_full_disk_is_one_line(private_cache: Path) -> None:
    # A limit on the size of files fails writes as a full disk does.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(DownloadError, match="is full") as caught:
            sources.resolve(REPOSITORY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    one_line(caught.value)
    assert not unfinished(private_cache)
