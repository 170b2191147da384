"""`entropix-mlx calibrate` end to end, on random models that are sure, and that are not."""

import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from entropix_mlx.records.quadrants import KINDS
from entropix_mlx.sampling.calibration import PROVISIONAL, own_file, parse
from entropix_models.errors import UnsupportedError

Call = Callable[..., Any]

LINES = [f"prompt {7 * n}" for n in range(32)]


@pytest.fixture(scope="module")
def model(make_model: Callable[..., Path]) -> Path:
    """A random model whose logits are steep enough to be sure now and then."""
    folder = make_model()
    file = str(folder / "model.safetensors")
    weights = mx.load(file)
    assert isinstance(weights, dict)
    weights["model.norm.weight"] *= 3
    mx.eval(weights)
    mx.save_safetensors(file, weights)
    return folder


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join(["", *LINES, "  ", ""]), encoding="utf-8")
    return file


@pytest.mark.slow
def test_a_file_of_ones_own(call: Call, model: Path, prompts: Path) -> None:
    arguments = ("--model", model, "--device", "cpu", "--prompts", prompts, "--tokens", 40)
    made = call("calibrate", *arguments)
    assert made.status == 0, made.err
    file = own_file("tiny@unversioned@unknown")
    assert made.err.splitlines()[-1] == f"written: {file}"
    assert list(file.parent.iterdir()) == [file]
    found = parse(file.read_bytes(), "it")
    assert found.split is not None
    assert (found.schema, found.model, found.split.name) == (2, "tiny", "calibrated")
    assert (found.source["prompts"], found.source["tokens"]) == (32, 32 * 40)
    assert found.source["held_out"] == sum(c.tokens for c in found.held_out.values()) == 8 * 40
    for quadrant, kind in KINDS.items():
        counted = found.held_out[quadrant]
        (line,) = [line for line in made.text.splitlines() if line.startswith(kind.word)]
        assert f" {quadrant} " in line
        assert f"({counted.holds} of {counted.tokens})" in line
        chosen = found.split.sentences[quadrant]
        (text,) = [sentence.text for sentence in kind.sentences if sentence.id == chosen]
        assert line.endswith(text)
    assert f"from {found.split.entropy:.2f} bits" in made.text
    for name, value in found.thresholds.items():
        assert [name, f"{value:.2f}"] in [line.split() for line in made.text.splitlines()]
    progress = [line for line in made.err.splitlines() if " prompts · " in line]
    assert progress[0] == "0 of 32 prompts · 0 tokens"
    assert 1 < len(progress) <= 20, "a twentieth of them, or more, between two lines"
    answered, tokens = (int(part.split()[0]) for part in progress[1].split(" · ")[:2])
    assert answered < 8 < tokens - 300, "eight are answered side by side"
    assert all(line.endswith(" left") for line in progress[1:])

    # It is used from then on, and the same seed makes the same file.
    run = call("generate", "Hi", "--model", model, "--device", "cpu", "--seed", 1, "--max-tokens",
               3, "--format", "jsonl")  # fmt: skip
    assert "no calibration" not in run.err
    header = run.records[0]
    assert header["calibration"] == "tiny@unversioned@unknown"
    assert header["quadrant_split"] == json.loads(file.read_text())["split"]
    other = prompts.with_name("other.json")
    again = call("calibrate", *arguments, "-o", other)
    assert again.status == 0
    assert other.read_bytes() == file.read_bytes()
    assert again.text == made.text


@pytest.mark.slow
def test_a_split_that_fails_is_refused(call: Call, tiny_model: Path, prompts: Path) -> None:
    """Whatever it says, it has hardly a favourite: no sentence can be counted."""
    made = call("calibrate", "--model", tiny_model, "--device", "cpu", "--prompts", prompts,
                "--tokens", 6)  # fmt: skip
    assert made.status == 1
    assert made.out == b""
    error = made.err.splitlines()[-1]
    assert error.startswith("error: tiny is not calibrated: ")
    assert "calibrate on more prompts, or on longer answers" in error
    assert not own_file("x").parent.exists()


def test_prompts_that_cannot_be_used(call: Call, tiny_model: Path, tmp_path: Path) -> None:
    contents = {
        "empty": (b"", 2, "is empty"),
        "blank": (b" \n\n", 2, "is empty"),
        "latin": ("Où?\n".encode("latin-1"), 2, "is not UTF-8 text"),
        "few": (b"One\nTwo\n\nThree\n", 2, "3 prompts are too few"),
        "missing": (None, 1, "there is no such file"),
    }
    for name, (content, status, words) in contents.items():
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        made = call("calibrate", "--model", tiny_model, "--device", "cpu", "--prompts", file)
        error = made.err.splitlines()[-1]
        assert (made.status, made.out) == (status, b""), name
        assert error.startswith("error: ")
        assert words in error or "no such file" in error


def test_places_that_cannot_be_written_are_told_first(
    call: Call, tiny_model: Path, tmp_path: Path
) -> None:
    for out, words in ((tmp_path, "regular file"), (tmp_path / "no" / "x", "make that folder")):
        made = call("calibrate", "--model", tiny_model, "-o", out)
        assert made.status in (1, 2)
        assert words in made.err
        assert made.err.count("\n") == 1, "before anything was loaded"
    assert call("calibrate", "--model", "no-such-model").status == 1
    assert call("calibrate", "--model", tiny_model, "--tokens", 0).status == 2


def test_a_place_of_ones_own_that_cannot_be_written_is_told_first(
    call: Call, tiny_model: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("ENTROPIX_DATA", str(data))
    arguments = ("--model", tiny_model, "--device", "cpu", "--prompts", prompts, "--tokens", 2)
    own_file("tiny@unversioned@unknown").mkdir(parents=True)
    made = call("calibrate", *arguments)
    assert made.status == 2
    assert "is no regular file" in made.err.splitlines()[-1]
    assert " prompts" not in made.err, "before anything was measured"
    data.rename(tmp_path / "other")
    data.write_text("a file, where a folder is to be")
    made = call("calibrate", *arguments)
    assert made.status == 1
    assert made.err.startswith(f"error: {data}")
    assert made.err.count("\n") == 1, "before anything was loaded"


@pytest.mark.slow
def test_attention_that_cannot_be_captured_stays_provisional(
    call: Call, model: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(*_: object) -> None:
        raise UnsupportedError("attention was captured in 0 of 2 layers")

    monkeypatch.setattr("entropix_models.attention.Capture.statistics", hidden)
    made = call("calibrate", "--model", model, "--device", "cpu", "--prompts", prompts,
                "--tokens", 40)  # fmt: skip
    assert made.status == 0, made.err
    found = parse(own_file("tiny@unversioned@unknown").read_bytes(), "it")
    unknown = ("attn_entropy", "attn_varentropy", "agreement", "interaction_strength")
    assert found.source["provisional ranges"] == ", ".join(unknown)
    assert {name: found.ranges[name] for name in unknown} == {
        name: PROVISIONAL.ranges[name] for name in unknown
    }
    assert found.ranges["entropy"] != PROVISIONAL.ranges["entropy"]
    last = made.text.splitlines()[-1]
    assert last == f"not measured, ranges provisional: {', '.join(unknown)}"
    run = call("generate", "Hi", "--model", model, "--device", "cpu", "--set", "capture=false",
               "--max-tokens", 3, "--format", "jsonl")  # fmt: skip
    assert run.records[0]["calibration"] == "tiny@unversioned@unknown"


@pytest.mark.slow
def test_a_full_disk_leaves_nothing(
    spawn: Callable[..., Any],
    model: Path,
    prompts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # of which 100 bytes would stay
    out = tmp_path / "found.json"
    child = spawn(
        "calibrate", "--model", model, "--device", "cpu", "--prompts", prompts, "--tokens", 40,
        "-o", out,
        preexec_fn=lambda: (
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        ),
    )  # fmt: skip
    _, err = child.communicate()
    assert child.returncode == 1
    assert err.decode().splitlines()[-1] == (
        f"error: {out}: the disk is full; free some space and try again"
    )
    assert [*tmp_path.glob("*found*")] == []


@pytest.mark.slow
def test_an_interrupt_leaves_nothing(
    spawn: Callable[..., Any], model: Path, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found.json"
    child = spawn("calibrate", "--model", model, "--device", "cpu", "--prompts", prompts, "-o", out)
    said = []
    for line in child.stderr:
        said.append(line.decode())
        if b" prompts " in line and not line.startswith(b"0 of"):
            child.send_signal(signal.SIGINT)
            break
    rest, err = child.communicate()
    assert child.returncode == 130
    assert (rest, err.decode().splitlines()[-1]) == (b"", "interrupted")
    assert [*tmp_path.glob("*found*")] == []


def test_on_a_terminal_one_line_is_written_over(
    call: Call, model: Path, tmp_path: Path, terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entropix_mlx.cli.estimate._OFTEN", 0.0)
    prompts = tmp_path / "prompts"
    prompts.write_text("\n".join(LINES[:4]))
    made = call("calibrate", "--model", model, "--device", "cpu", "--prompts", prompts,
                "--tokens", 5, stderr=terminal.file)  # fmt: skip
    assert made.status == 1, "so few tokens are not enough"
    said = terminal.read()
    shown = [part for part in said.split(b"\r") if b" of 4 prompts" in part]
    assert len(shown) == 1 + 4 * 5 + 3, "first, at each token, and as each but the last ends"
    assert all(part.endswith(b"\x1b[K") for part in shown)
    assert b"\r\x1b[Kerror: tiny is not calibrated: " in said
