"""mlx-lm's modules without mlx-lm: for runs nothing else is imported, for others all is there."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("transformers", "huggingface_hub", "torch", "mlx_lm.utils")

RUN = f"""
import sys
import entropix_mlx as ex
model = ex.load(sys.argv[1], device="cpu")
print(len([token.id for token in ex.generate(model, "Hello", seed=1, max_tokens=3)]))
assert not [name for name in {HEAVY!r} if name in sys.modules]
"""

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
"""
"""As most have it: it is no dependency of ours, and the half of what importing mlx-lm takes."""

AFTER = """
import inspect
import mlx_lm
assert inspect.isfunction(mlx_lm.generate)
from mlx_lm import generate, load
assert generate is mlx_lm.generate
import mlx_lm.models.llama
assert type(model.network) is mlx_lm.models.llama.Model
assert not hasattr(mlx_lm, "nothing_of_the_kind")
"""

BARE = """
from entropix_mlx.checks import speed
assert speed.bare(model, 8, 2) > 0
"""

BEFORE = """
import mlx_lm
had = mlx_lm.generate
import entropix_mlx as ex
model = ex.load(sys.argv[1], device="cpu")
assert mlx_lm.generate is had
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (RUN, "3\n"),
        (RUN + WITHOUT_TORCH + AFTER, "3\n"),
        (RUN + WITHOUT_TORCH + BARE + AFTER, "3\n"),
        (WITHOUT_TORCH + BEFORE, ""),
    ],
    ids=["alone", "mlx-lm after it", "mlx-lm's loop, then mlx-lm", "mlx-lm before it"],
)
def test_what_a_run_imports(llama_folder: Path, program: str, printed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, str(llama_folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, printed), done.stderr
