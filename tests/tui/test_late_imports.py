"""What the first screen does without is not imported before it."""

import subprocess
import sys

import pytest

LATE = ("numpy", "markdown_it", "mlx", "transformers", "tokenizers")


@pytest.mark.slow
def test_the_first_screen_comes_before_them() -> None:
    code = (
        f"import sys, entropix_tui.app; print(*[name for name in {LATE!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
