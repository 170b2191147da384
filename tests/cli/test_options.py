"""Wrong usage is told in one line before a model is looked for, and help costs nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

WRONG = {
    "preset": (("--sampler", "calibratd"), "did you mean 'calibrated'?"),
    "setting": (("--set", "temperatur=1"), "did you mean 'temperature'?"),
    "setting of another preset": (("--sampler", "greedy", "--set", "top_p=1"), "'top_p'"),
    "no value": (("--set", "temperature"), "give KEY=VALUE"),
    "value": (("--set", "temperature=hot"), "give a number from 0.01 to 10"),
    "no number": (("--set", "temperature=nan"), "give a number"),
    "value out of range": (("--set", "top_k=0"), "give a whole number from 1 to 100"),
    "huge value": (("--set", "top_k=" + "9" * 5000), "give a whole number"),
    "word": (("--set", "clarify=perhaps"), "give off, insert, ask or guide"),
    "truth": (("--set", "capture=perhaps"), "give true or false"),
    "layers": (("--set", "layers=x"), "give 'all' or numbers"),
    "layers in superscript": (("--set", "layers=²"), "give 'all' or numbers"),
    "layers backwards": (("--set", "layers=5-3"), "are numbered 0 to"),
    "layers beyond belief": (("--set", "layers=" + "9" * 5000), "give 'all' or numbers"),
    "flag": (("--sed", "7"), "--seed"),
    "device": (("--device", "tpu"), "'tpu' is not one of 'auto'"),
    "no size": (("--memory-limit", "much"), "'much' is no size: give one like 4GB or 512MB"),
    "size without a unit": (("--memory-limit", "4"), "'4' is no size"),
    "no memory": (("--memory-limit", "0GB"), "'0GB' is no size"),
    "more memory than there is": (("--memory-limit", "9000TB"), "more than this machine has"),
    "format": (("--format", "html"), "'html' is not one of 'auto'"),
    "seed": (("--seed", "seven"), "'seven'"),
    "negative seed": (("--seed", "-1"), "-1"),
    "huge seed": (("--seed", str(2**63)), "9223372036854775808"),
    "negative length": (("--max-tokens", "-1"), "-1"),
    "date": (("--date", "2024-02-30"), "2024-02-30"),
    "raw and system": (("--raw", "--system", "x"), "--raw takes no --system"),
    "second prompt": (("two",), "unexpected extra argument"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_usage(call: Call, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    trace = tmp_path / "run.jsonl"
    result = call("generate", "hello", "--model", "no-such-model", "--trace", trace, *arguments)
    assert (result.status, result.out) == (2, b"")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert not trace.exists()


def test_a_device_that_is_not_here(call: Call, tiny_model: Path) -> None:
    import mlx.core as mx

    absent = "metal" if not mx.metal.is_available() else "cuda"
    result = call("generate", "hello", "--model", tiny_model, "--device", absent)
    assert result.status == 2
    assert result.err.startswith(f"error: device '{absent}' is not available here; use --device ")


@pytest.mark.parametrize(
    ("size", "bytes_"), [("64MB", 64 * 10**6), ("1.5 gib", 3 * 2**29), ("2g", 2 * 10**9)]
)
def test_memory_is_limited(
    call: Call, monkeypatch: pytest.MonkeyPatch, size: str, bytes_: int
) -> None:
    import mlx.core as mx

    limits = {"memory": 8 * 10**9, "cache": 10**8, "wired": 0}

    def keep(name: str) -> Callable[[int], int]:
        def limit(size: int) -> int:
            before, limits[name] = limits[name], size
            return before

        return limit

    for name in limits:
        monkeypatch.setattr(mx, f"set_{name}_limit", keep(name))
    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    monkeypatch.setattr(mx, "device_info", lambda _: {"max_recommended_working_set_size": 10**9})
    # An empty text is refused after all options were read.
    assert call("generate", "", "--memory-limit", size).status == 2
    expected = {"memory": bytes_, "cache": min(bytes_, 10**8), "wired": min(bytes_, 10**9)}
    assert limits == expected


@pytest.mark.slow
def test_nothing_is_compiled_where_that_is_asked(
    call: Call, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlx.core as mx

    from entropix_models import devices

    done: list[str] = []
    monkeypatch.setattr(mx, "disable_compile", lambda: done.append("nothing is compiled"))
    choose = devices.choose

    def chosen(name: str) -> devices.Device:
        done.append("device chosen")
        return choose(name)

    monkeypatch.setattr(devices, "choose", chosen)
    command = ("generate", "Hello", "--model", tiny_model, "--seed", "3", "--max-tokens", "12")
    usual = call(*command)
    assert done == ["device chosen", "nothing is compiled"], "as on a CPU always"
    done.clear()
    without = call(*command, "--no-compile")
    assert done[:2] == ["nothing is compiled", "device chosen"]
    assert without.out == usual.out


def test_layers_that_the_model_lacks_leave_no_trace(
    call: Call, tiny_model: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "run.jsonl"
    arguments = ("--model", tiny_model, "--trace", trace, "--set", "layers=0,7")
    result = call("generate", "hello", *arguments)
    assert result.status == 2
    assert result.err.splitlines()[-1].startswith("error: layers='0,7'")
    assert not trace.exists()


@pytest.mark.usefixtures("private_cache")
def test_an_unknown_model_is_answered_with_a_suggestion(call: Call, tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    for command in ("generate", "score"):
        result = call(command, "hello", "--model", "smollm2-135", "--trace", trace)
        assert (result.status, result.out) == (1, b"")
        assert result.err.startswith("error: smollm2-135: no model of that name")
        assert "smollm2-135m" in result.err
        assert result.err.count("\n") == 1
        assert not trace.exists()


@pytest.mark.slow
def test_an_unreachable_hub(
    spawn: Call, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        child = spawn("generate", "hello", "--model", "llama-3.2-1b", "--device", "cpu")
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (1, b"")
    last = err.decode().splitlines()[-1]
    assert last.startswith("error: ")
    assert "127.0.0.1" in last
    assert b"Traceback" not in err
    assert not list((private_cache / "entropix").rglob("*.part"))


COMMANDS = ("", "generate", "score", "samplers", "doctor", "models", *(
    f"models {name}" for name in ("list", "pull", "show", "import")
))  # fmt: skip
HEAVY = ("mlx", "mlx_lm", "transformers", "textual", "torch", "numpy", "huggingface_hub")
PROBE = f"""
import sys
from {{module}} import main
sys.argv = [{{program!r}}, *{{arguments!r}}, "--help"]
try:
    main()
finally:
    heavy = [name for name in {HEAVY!r} if name in sys.modules]
    assert not heavy, heavy
"""


@pytest.mark.parametrize(
    ("module", "program", "command"),
    [
        *(("entropix_mlx.cli.main", "entropix-mlx", command) for command in COMMANDS),
        ("entropix_tui.cli.main", "entropix-tui", ""),
        ("entropix_tui.cli.main", "entropix-tui", "chat"),
    ],
)
def test_help_imports_nothing_heavy(module: str, program: str, command: str) -> None:
    code = PROBE.format(module=module, program=program, arguments=command.split())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    shown = " ".join(done.stdout.decode().split())
    assert shown.startswith(f"Usage: {program}{' ' * bool(command)}{command} [OPTIONS]")


def test_samplers_lists_presets_and_settings(call: Call) -> None:
    assert "calibrated" in call("samplers").text
    shown = call("samplers", "entropixplained")
    assert shown.status == 0
    lines = dict(line.split(maxsplit=1) for line in shown.text.splitlines())
    assert lines["resample_floor"].startswith("2.0 ")
    assert all(len(line) <= 80 for line in shown.text.splitlines())
    wrong = call("samplers", "greddy")
    assert (wrong.status, wrong.err.count("\n")) == (2, 1)
    assert "did you mean 'greedy'?" in wrong.err


@pytest.mark.parametrize("arguments", [(), ("models",)])
def test_no_command_is_answered_with_help(call: Call, arguments: tuple[str, ...]) -> None:
    result = call(*arguments)
    assert (result.status, result.out) == (2, b"")
    assert result.err.startswith("Usage: entropix-mlx")
