"""Fixtures of the engine's tests; makes this folder's helpers importable."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`scripted(text)`: every decoder chooses the bytes of this text, then ends."""
    from entropix_mlx.decoding.batch import Batch

    read = Batch._read

    def script(text: str) -> None:
        ids: list[int] = []

        def choose(self: Any, row: Any, step: Any) -> Any:
            if not ids:
                ids.extend([*self.model.tokenizer.encode(text), min(self.model.tokenizer.stop_ids)])
            return read(self, row, step)._replace(id=ids.pop(0), forced=None)

        monkeypatch.setattr(Batch, "_read", choose)

    return script


@pytest.fixture
def compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLX compiles, which it does no more once the CPU was chosen."""
    import mlx.core as mx

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    mx.enable_compile()
    yield
    mx.disable_compile()
