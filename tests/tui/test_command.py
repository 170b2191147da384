"""The command `entropix-tui chat`: what it refuses, and a real pseudo-terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from terminals import MAIN, ended, left_alone, terminal, wait_for


def run(*args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """The command without a terminal."""
    return subprocess.run(
        [*MAIN, *args],
        env={**os.environ, "TERM": "xterm-256color", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_a_terminal_it_names_the_other_command() -> None:
    done = run("chat")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "error: standard input is not a terminal: use `entropix-mlx generate` instead\n"
    )


@pytest.mark.parametrize("redirected", ["| cat", "< /dev/null", "2> /dev/null"])
def test_a_redirected_stream_is_refused(redirected: str, tmp_path: Path) -> None:
    status = tmp_path / "status"
    command = " ".join(f"'{part}'" for part in (*MAIN, "chat"))
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", f"{{ {command}; echo $? > {status}; }} {redirected}"],
        env={**os.environ, "TERM": "xterm-256color"},
        encoding="utf-8",
        timeout=60,
    )
    output = ended(child)[1]
    assert status.read_text() == "2\n"
    assert "\x1b[?1049h" not in output, "no screen was opened"
    assert ("entropix-mlx generate" in output) is ("2>" not in redirected)


def test_a_dumb_terminal_is_refused() -> None:
    status, output = ended(terminal("chat", TERM="dumb"))
    assert status == 2
    assert "TERM=dumb" in output
    assert "entropix-mlx generate" in output
    assert "\x1b" not in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--sampler", "calibratd"], 2, ["calibratd", "calibrated"]),
        (["--set", "temperature"], 2, ["temperature", "KEY=VALUE"]),
        (["--set", "temprature=1"], 2, ["temprature", "temperature"]),
        (["--set", "temperature=hot"], 2, ["temperature", "hot"]),
        (["--max-tokens", "0"], 2, ["--max-tokens"]),
        (["--seed", "-1"], 2, ["--seed"]),
        (["--date", "today"], 2, ["--date"]),
        (["--demo", "nothing"], 2, ["numbers"]),
        (["--frobnicate"], 2, ["--frobnicate"]),
        (["--trace", "/nonexistent/run.jsonl"], 1, ["/nonexistent/run.jsonl"]),
    ],
)
def test_what_is_wrong_is_said_before_the_screen_opens(
    args: list[str], status: int, words: list[str]
) -> None:
    code, output = ended(terminal("chat", *args))
    assert code == status
    assert output.startswith("error: ")
    assert output.count("\n") <= 2, "one line, which the terminal may wrap"
    assert "Traceback" not in output
    unwrapped = output.replace("\r\n", "")
    assert all(word in unwrapped for word in words)


@pytest.mark.parametrize(
    "args", [["--help"], ["chat", "--help"], ["replay", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['entropix-tui', *sys.argv[1:]]\n"
        "from entropix_tui.cli.main import main\n"
        "try: main()\n"
        "finally:\n"
        "    heavy = {'textual', 'mlx', 'mlx_lm', 'transformers', 'numpy', 'rich'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "[]\n"
    assert done.returncode == 0
    assert "entropix-tui" in done.stdout


@pytest.mark.slow
def test_a_model_that_is_not_found_is_told_on_the_screen(tmp_path: Path) -> None:
    child = terminal("chat", "--model", str(tmp_path / "no-such-model"))
    child.expect("(?s)no-such-model.*Enter tries to load|Enter tries to load.*no-such-model")
    child.send("\x11")
    assert ended(child)[0] == 0


@pytest.mark.slow
def test_a_terminal_that_is_gone_without_a_signal_ends_it(tmp_path: Path) -> None:
    command = [*MAIN, "chat", "--model", str(tmp_path / "no-such-model")]
    assert left_alone(command, b"Enter tries to load") == 1


@pytest.mark.model
@pytest.mark.slow
def test_a_conversation_with_the_real_model(tmp_path: Path) -> None:
    trace = tmp_path / "chat.jsonl"
    child = terminal(
        *("chat", "--model", "smollm2-135m", "--seed", "7", "--max-tokens", "12"),
        *("--trace", str(trace)),
        timeout=300,
    )
    child.expect("ay something to the model")  # the cursor is on its first letter
    child.expect("● ready")
    for turn, question in enumerate(("What is the capital of France?", "And of Italy?"), 1):
        child.send(question + "\r")
        wait_for(child, trace, "end", turn)
        child.expect("mean entropy")
    child.send("\x11")
    assert ended(child)[0] == 0
    records = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    kinds = [record["type"] for record in records if record["type"] != "event"]
    assert kinds[0] == "header"
    assert kinds.count("prompt") == kinds.count("end") == 2
    assert kinds[-1] == "end"
    assert 2 <= kinds.count("token") <= 24


UP, DOWN, LEFT = "\x1b[A", "\x1b[B", "\x1b[D"
AGAIN, BRANCHES, QUIT = "\x12", "\x02", "\x11"


@pytest.mark.model
@pytest.mark.slow
def test_regenerate_fork_and_resume_with_the_real_model(tmp_path: Path) -> None:
    options = ("chat", "--model", "smollm2-135m", "--max-tokens", "8", "--session", "trip")
    saved = tmp_path / "sessions" / "trip.jsonl"
    child = terminal(*options, "--seed", "7", timeout=90, ENTROPIX_DATA=str(tmp_path))
    child.expect("● ready")
    child.expect("saved as trip")
    child.send("What is the capital of France?\r")
    wait_for(child, saved, "end", 1)
    child.expect("mean entropy")
    child.send(AGAIN)
    wait_for(child, saved, "end", 2)
    child.expect("2 branches")
    child.send("\t")  # to the text
    child.expect("another token|next valley")
    child.send(LEFT + LEFT + LEFT + "\r")
    child.expect("another token here")
    child.send(DOWN + "\r")
    wait_for(child, saved, "end", 3)
    child.expect("3 branches")
    child.send(QUIT)
    assert ended(child)[0] == 0
    before = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    kinds = [record["type"] for record in before]
    assert kinds.count("prompt") == 1
    assert kinds.count("end") == 3
    forced = [record for record in before if record.get("forced") == "user"]
    assert len(forced) == 1
    assert [e["index"] for e in before if e.get("kind") == "fork"][-1] == forced[0]["index"]
    assert any("seed" in (record.get("detail") or {}) for record in before)
    assert before[1]["records"], "the prompt was scored"

    child = terminal(*options, timeout=90, ENTROPIX_DATA=str(tmp_path))
    child.expect("3 branches")  # what was said is there before the model is
    child.expect("● ready")
    child.send("And of Italy?\r")
    wait_for(child, saved, "end", 4)
    child.expect("mean entropy")
    child.send(QUIT)
    assert ended(child)[0] == 0
    after = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    assert after[: len(before)] == before, "what was said before stands as it was"
    prompts = [record for record in after if record["type"] == "prompt"]
    assert prompts[-1]["text"] == "And of Italy?"
    assert prompts[-1]["parent"] == before[-1]["leaf"], "it goes on where it stopped"


@pytest.mark.model
@pytest.mark.slow
def test_debugging_with_the_real_model(tmp_path: Path) -> None:
    """Halt, step, look, force a candidate, go back, decide otherwise: all of it is in the trace."""
    trace = tmp_path / "step.jsonl"
    child = terminal(
        *("step", "Which number is larger, 9.9 or 9.11?", "--model", "smollm2-135m"),
        *("--seed", "7", "--sampler", "greedy", "--trace", str(trace)),
        ENTROPIX_DATA=str(tmp_path),
    )
    child.expect("halted before token 1")
    child.send("ss")
    child.expect("halted before token 3")
    child.send(LEFT)
    child.expect("looking back at token 2")
    third = r"halted before token 3 \(@4\)"
    for line, told in (("take 2", third), ("break entropy > 0", "hit 0 times")):
        child.send(":")
        child.expect("complete")  # the field has the keys
        child.send(line)
        child.expect(line[-3:])
        child.send("\r")
        child.expect(told)
        child.send("\x1b")
        child.expect("continue")
    child.send("c")
    child.expect(r"halted before token 4 \(@5\)")
    child.send(QUIT)
    assert ended(child)[0] == 0
    records = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    drawn = [record for record in records if record["type"] == "token"]
    assert [record["forced"] for record in drawn[:3]] == [None, None, "user"]
    assert drawn[2]["parent"] == drawn[1]["parent"] == drawn[0]["index"], "a branch"
    assert drawn[2]["rank"] == 1
    assert records[-1]["type"] == "end"
