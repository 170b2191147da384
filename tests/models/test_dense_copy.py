"""What a CPU computes with is made once: the second load reads it, and computes the same."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from entropix_models import dense_copy, devices, loader
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources


@pytest.fixture
def folder(
    make_llama: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("ENTROPIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(dense_copy, "SMALLEST", 1)
    return make_llama(tmp_path / "tiny", dtype="float16")


def load(folder: Path, told: list[str] | None = None) -> LanguageModel:
    def progress(stage: str, done: int, total: int | None) -> None:
        del done, total
        if told is not None:
            told.append(stage)

    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"), progress)


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "dense").glob("*"))


def same(one: LanguageModel, other: LanguageModel) -> bool:
    """Every weight, and what is computed with them."""
    mine, yours = (dict(tree_flatten(model.network.parameters())) for model in (one, other))
    ids = mx.array([3, 1, 4, 1, 5])
    logits = [model.step(ids, model.new_cache()).logits for model in (one, other)]
    return (
        mine.keys() == yours.keys()
        and all(mx.array_equal(mine[name], yours[name]) for name in mine)
        and bool(mx.array_equal(*logits))
        and one.info == other.info
    )


def test_the_second_load_reads_what_the_first_made(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    first = load(folder, told)
    assert told[-1] == "keeping the weights for the next start"
    monkeypatch.setattr(loader, "build", None)  # the folder's weights are not wanted again
    told.clear()
    assert same(load(folder, told), first)
    assert set(told) == {"loading weights"}
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_files_have_another_copy(folder: Path, tmp_path: Path, name: str) -> None:
    load(folder)
    path = folder / name
    path.touch()
    load(folder)
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize("size", [0, 7, 1000, -4])
def test_a_torn_copy_is_made_again(folder: Path, tmp_path: Path, size: int) -> None:
    first = load(folder)
    (copy,) = kept(tmp_path)
    whole = copy.read_bytes()
    copy.write_bytes(whole[:size])
    assert same(load(folder), first)
    assert kept(tmp_path) == [copy]
    assert copy.read_bytes() == whole


def test_a_copy_of_something_else_is_made_again(folder: Path, tmp_path: Path) -> None:
    first = load(folder)
    (copy,) = kept(tmp_path)
    mx.save_safetensors(str(copy), {"model.norm.weight": mx.zeros(3)})
    assert same(load(folder), first)


def test_few_are_kept(make_llama: Callable[..., Path], folder: Path, tmp_path: Path) -> None:
    load(folder)
    (first,) = kept(tmp_path)
    for n in range(dense_copy.KEPT):
        load(make_llama(tmp_path / f"other{n}"))
    assert len(kept(tmp_path)) == dense_copy.KEPT
    assert not first.exists()


def test_what_a_killed_process_left_goes(folder: Path, tmp_path: Path) -> None:
    left = tmp_path / "cache" / "dense" / ".x.0123.part.safetensors"
    left.parent.mkdir(parents=True)
    left.touch()
    load(folder)
    assert not left.exists()
    assert len(kept(tmp_path)) == 1


def test_a_disk_that_refuses(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room, no folder: the model is there all the same."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "dense").touch()
    load(folder)
    (tmp_path / "cache" / "dense").unlink()
    free = SimpleNamespace(free=1000)
    monkeypatch.setattr(dense_copy.shutil, "disk_usage", lambda _: free)
    load(folder)
    assert kept(tmp_path) == []


def test_large_and_tiny_models_are_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert dense_copy.place(folder, dense_copy.SMALLEST - 1) is None
    assert dense_copy.place(folder, dense_copy.LARGEST + 1) is None
    assert dense_copy.place(folder, dense_copy.LARGEST) is not None
