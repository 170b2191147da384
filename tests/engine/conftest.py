"""Fixtures of the engine's tests; makes this folder's helpers importable."""

import logging
import os
import shlex
import shutil
import subprocess
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


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `g++` that has read MLX's header once: a kernel is a few lines after it."""
    import mlx.core as mx

    folder, found = tmp_path_factory.mktemp("compiler"), shutil.which("g++")
    if found is None:
        return folder
    include = Path(mx.__file__).parent / "include"
    header = Path("mlx", "backend", "cpu", "compiled_preamble.h")
    read = (folder / header).with_suffix(".h.gch")
    read.parent.mkdir(parents=True)
    # As MLX calls it: one that was read with other options, or by clang, is not used.
    options = ("-std=c++17", "-O3", "-Wall", "-fPIC", "-shared", "-I", include)
    subprocess.run(
        [found, *options, "-x", "c++-header", include / header, "-o", read], capture_output=True
    )
    script = folder / "g++"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(found)} -I {shlex.quote(str(folder))} "$@"\n')
    script.chmod(0o755)
    return folder


@pytest.fixture
def harness_logs() -> Iterator[None]:
    """What a harness makes of the process's logs is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def compilation(tmp_path: Path, compiler: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLX compiles, which it does no more once the CPU was chosen."""
    import mlx.core as mx

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{compiler}{os.pathsep}{os.environ['PATH']}")
    mx.enable_compile()
    yield
    mx.disable_compile()
