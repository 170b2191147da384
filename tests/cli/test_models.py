"""The commands of `entropix-mlx models`, without a network."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from click.testing import CliRunner, Result

from entropix_mlx.cli.models import models
from entropix_models.errors import EntropixError, ModelNotFoundError, UsageError

pytestmark = pytest.mark.usefixtures("private_cache")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(models, arguments)


@pytest.fixture
def imported(
    private_cache: Path,  # noqa: ARG001
    make_gguf: Callable[..., object],
    tmp_path: Path,
) -> Path:
    make_gguf(tmp_path / "m.gguf", kind="Q4_1")
    result = run("import", str(tmp_path / "m.gguf"), "--name", "mine")
    assert result.exit_code == 0
    assert result.stderr == "converting m.gguf\n"
    return Path(result.stdout.strip())


@pytest.mark.usefixtures("imported")
def test_list_shows_catalogue_and_imported_models() -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["NAME", "TITLE", "WEIGHTS", "SIZE", "INSTALLED"]
    assert max(map(len, lines)) <= 80
    by_name = {line.split()[0]: line for line in lines[1:]}
    assert by_name["llama-3.2-1b"].split()[-4:] == ["4-bit", "695.3", "MB", "-"]
    assert by_name["mine"].split()[-1] == "yes"
    assert result.stderr == ""


def test_list_as_json(imported: Path) -> None:
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows["smollm2-135m"]["revision"] == "0.1.2"
    assert rows["smollm2-135m"]["path"] is None
    assert rows["llama-3.2-1b"]["gated_original"] == "meta-llama/Llama-3.2-1B-Instruct"
    assert rows["mine"]["path"] == str(imported)
    assert rows["mine"]["size"] == sum(p.stat().st_size for p in imported.iterdir())


def test_show_reads_the_folder(imported: Path) -> None:
    facts = json.loads(run("show", "mine", "--json").stdout)
    assert facts["architecture"] == "llama"
    assert (facts["layers"], facts["hidden"], facts["heads"], facts["kv_heads"]) == (2, 64, 4, 2)
    assert (facts["context"], facts["quantization"]) == (128, "Q4_1")
    assert facts["path"] == str(imported)
    text = run("show", "mine").stdout
    assert f"path           {imported}\n" in text
    assert "architecture   llama\n" in text
    assert facts == json.loads(run("show", str(imported), "--json").stdout)


def test_show_of_a_model_that_is_not_here() -> None:
    result = run("show", "llama-3.2-1b")
    assert result.exit_code == 0
    assert "08231374eeacb049a0eade7922910865b8fce912" in result.stdout
    assert "models pull llama-3.2-1b" in result.stdout
    assert json.loads(run("show", "someone/model", "--json").stdout)["path"] is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("show", "smollm2-135"), ModelNotFoundError),
        (("pull", "nothing-like-it"), ModelNotFoundError),
        (("import", "none.gguf", "--name", "x"), ModelNotFoundError),
        (("import", "none.gguf", "--name", "llama-3.2-1b"), UsageError),
        (("import", "none.gguf", "--name", "a/b"), UsageError),
    ],
)
def test_errors_are_for_the_program_to_print(
    arguments: tuple[str, ...], error: type[EntropixError]
) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert "\n" not in str(result.exception)


def test_progress_on_a_terminal_is_a_bar_and_goes_away() -> None:
    program = (
        "from entropix_mlx.cli.progress import stderr_progress\n"
        "with stderr_progress() as progress:\n"
        "    progress('fetching [it]', 10, 100)\n"
        "    progress('fetching [it]', 50, 100)\n"
        "    progress('waiting', 0, None)\n"
        "print('done')\n"
    )
    child = pexpect.spawn(sys.executable, ["-c", program], timeout=20, dimensions=(24, 100))
    child.expect(pexpect.EOF)
    output = child.before.decode()
    child.close()
    assert child.exitstatus == 0
    assert "done" in output
    assert "Traceback" not in output
