"""Names, catalogue and folders; nothing here downloads."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from entropix_models.errors import (
    DamagedFileError,
    DownloadError,
    EntropixError,
    ModelNotFoundError,
    UnsupportedError,
    UsageError,
)
from entropix_models.paths import atomic_folder, disk_errors
from entropix_models.sources import catalogue, sources

MakeGGUF = Callable[..., object]


def test_the_catalogue_pins_every_model() -> None:
    entries = catalogue.entries()
    assert {"llama-3.2-1b", "llama-3.2-1b-base", "llama-3.2-3b"} <= entries.keys()
    assert {"smollm2-135m", "smollm2-360m", "smollm2-1.7b"} <= entries.keys()
    for entry in entries.values():
        pinned = r"[0-9a-f]{40}" if entry.source == "hub" else r"\d+(\.\d+)+"
        assert re.fullmatch(pinned, entry.revision), entry.name
        assert entry.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.clarify == " ..."
    assert catalogue.find("LLAMA-3.2-1B") is entries["llama-3.2-1b"]
    assert catalogue.closest("lama3.2-1b")[0] == "llama-3.2-1b"


def test_the_default_depends_on_the_device() -> None:
    assert sources.default_name("cpu") == "smollm2-135m"
    assert sources.default_name("metal") == sources.default_name("cuda") == "llama-3.2-1b"


@pytest.mark.usefixtures("private_cache")
@pytest.mark.parametrize(
    "name", ["smolm2-135m", "./nowhere", "/no/such/folder", "a\0b", "x" * 5000], ids=repr
)
def test_unknown_names_are_one_line(name: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        sources.resolve(name)
    assert "\n" not in str(caught.value)
    assert "smollm2-135m" in str(caught.value) or "models list" in str(caught.value)


@pytest.mark.usefixtures("private_cache")
def test_an_empty_name_is_wrong_usage() -> None:
    with pytest.raises(UsageError):
        sources.resolve(" ")


@pytest.mark.usefixtures("private_cache")
def test_offline_asks_for_a_pull() -> None:
    with pytest.raises(DownloadError, match="models pull smollm2-135m"):
        sources.resolve("smollm2-135m", offline=True)


@pytest.mark.usefixtures("private_cache")
def test_folders_and_files(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf")
    with pytest.raises(UnsupportedError, match=r"models import .*m\.gguf --name NAME"):
        sources.resolve(str(tmp_path / "m.gguf"))
    (tmp_path / "plain.txt").write_text("x")
    with pytest.raises(ModelNotFoundError, match="is a file"):
        sources.resolve(str(tmp_path / "plain.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFoundError, match=r"config\.json"):
        sources.resolve(str(tmp_path / "empty"))
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"quantization": {"bits": 4}}))
    found = sources.resolve(str(folder))
    assert (found.name, found.revision, found.quantization) == ("mine", None, "4-bit")
    for hostile in ("[1]", "{", '{"a": ' + "[" * 100_000, "\xff"):
        (folder / "config.json").write_text(hostile, "latin-1")
        with pytest.raises(DamagedFileError, match=r"config\.json") as caught:
            sources.resolve(str(folder))
        assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("private_cache")
def test_an_imported_model_goes_by_its_name(make_gguf: MakeGGUF, tmp_path: Path) -> None:
    make_gguf(tmp_path / "m.gguf", kind="Q8_0")
    folder = sources.import_file(tmp_path / "m.gguf", "my-model")
    assert sources.resolve("my-model") == folder
    assert folder.quantization == "Q8_0"
    assert folder.source == "gguf m.gguf"
    assert [f.name for f in sources.installed()] == ["my-model"]
    with pytest.raises(UsageError, match="there already"):
        sources.import_file(tmp_path / "m.gguf", "my-model")
    with pytest.raises(UsageError, match="nothing to pull"):
        sources.pull("my-model")
    with pytest.raises(ModelNotFoundError, match="did you mean my-model"):
        sources.resolve("my-modle")


@pytest.mark.usefixtures("private_cache")
@pytest.mark.parametrize(
    "name", ["llama-3.2-1b", "smollm2-135m-0.1.2", "a/b", "", "../x", ".x", "A", "x.gguf", "a\n"]
)
def test_names_that_cannot_be_given(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        sources.import_file(tmp_path / "m.gguf", name)
    assert "\n" not in str(caught.value)


def test_an_atomic_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"
    with pytest.raises(KeyboardInterrupt), atomic_folder(target) as unfinished:
        raise KeyboardInterrupt((unfinished / "a").write_text("a"))
    assert list(target.parent.iterdir()) == []
    with atomic_folder(target) as unfinished:
        (unfinished / "a").write_text("a")
        assert not target.exists()
    assert [path.name for path in target.parent.iterdir()] == ["folder"]
    with pytest.raises(UsageError), atomic_folder(target):
        pass


def test_disk_errors_name_the_place(tmp_path: Path) -> None:
    with pytest.raises(EntropixError, match="disk is full"), disk_errors(tmp_path):
        raise OSError(28, "No space left on device")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EntropixError, match="could not be written"),
        atomic_folder(tmp_path / "file" / "folder"),
    ):
        pass
