"""mlx-lm's wish for more open files, where the system's limit is fixed."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from entropix_models.open_files import limit_kept_if_fixed

PROGRAM = """
import resource, sys
FILES = resource.RLIMIT_NOFILE
resource.setrlimit(FILES, (1024, 1024))
try:
    resource.setrlimit(FILES, (2048, 4096))
except ValueError:
    pass
else:
    sys.exit("privileged")
setrlimit = resource.setrlimit
import {first}
assert resource.setrlimit is setrlimit
assert resource.getrlimit(FILES) == (1024, 1024)
import entropix_mlx as ex
model = ex.load(sys.argv[1], device="cpu")
print(len([token.id for token in ex.generate(model, "Hello", seed=1, max_tokens=3)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", ["entropix_mlx.api", "entropix_mlx.checks.speed"])
def test_a_fixed_limit_of_1024_files(llama_folder: Path, first: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first), str(llama_folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.stderr == "privileged\n":
        pytest.skip("this user may raise any limit")
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def refuse(_kind: int, _limits: tuple[int, int], /) -> None:
    raise ValueError("refused")


def no_memory(_kind: int, _limits: tuple[int, int], /) -> None:
    raise OSError("no memory")


@pytest.mark.parametrize(
    ("refusal", "kind", "hard"),
    [
        (refuse, resource.RLIMIT_CORE, 2**62),
        (refuse, resource.RLIMIT_NOFILE, 1),  # not for the height of the limit
        (no_memory, resource.RLIMIT_NOFILE, 2**62),
    ],
)
def test_any_other_error_is_told(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., None], kind: int, hard: int
) -> None:
    monkeypatch.setattr(resource, "setrlimit", refusal)
    with pytest.raises((ValueError, OSError), match=r"refused|no memory"), limit_kept_if_fixed():
        resource.setrlimit(kind, (1, hard))
    assert resource.setrlimit is refusal
