"""What comes from a file passes one door before a terminal, and there is no other."""

import ast
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.terminal.visible import STEERING, escaped

ROOT = Path(__file__).parents[2]
STEERS = "\x1b]0;evil\x07\x9b31m\x85\u202e\u061c"
"""An escape sequence, a bell, an introducer of one byte, a line break, turned directions."""

WRITERS = {
    "entropix_mlx/cli/say.py": "the door",
    "entropix_mlx/cli/output.py": "generated text, with colours, escaped where it is coloured",
    "entropix_mlx/cli/exit_status.py": "carries what the door has let through",
    "models/entropix_models/sources/hub_fetch.py": "talks to its parent, in JSON",
}


def writings(tree: ast.AST) -> Iterator[int]:
    """Lines on which something is written to standard output or error, or notified as markup."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input")):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id="click"), attr=name)):
                if name in ("echo", "secho", "echo_via_pager", "prompt", "confirm", "progressbar"):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id="traceback"), attr=name)):
                if name.startswith("print"):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(attr="write" | "writelines", value=stream)):
                if "sys.std" in ast.unparse(stream):
                    yield node.lineno
            case ast.Call(func=ast.Attribute(attr="notify"), keywords=keywords):
                if "markup=False" not in map(ast.unparse, keywords):
                    yield node.lineno


@pytest.mark.slow
def test_nothing_is_written_beside_the_door() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("entropix_mlx", "models/entropix_models", "tui/entropix_tui")
        for path in (ROOT / package).rglob("*.py")
        if str(path.relative_to(ROOT)) not in WRITERS
        for line in writings(ast.parse(path.read_text("utf-8")))
    }
    assert not found, "use entropix_mlx.cli.say, or notify(..., markup=False)"


def test_the_static_test_sees_what_it_is_for() -> None:
    code = (
        "print(x); click.echo(x); sys.stderr.write(x); sys.stdout.buffer.write(x);"
        "traceback.print_exc(); self.notify(x)"
    )
    assert len(list(writings(ast.parse(code)))) == 6


def test_the_door_lets_nothing_through() -> None:
    told = escaped(STEERS + "\ud800")
    assert not STEERING.search(told)
    assert "evil" in told
    assert "‹1B›" in told
    assert "‹D800›" in told
    assert escaped(told) == told


@pytest.fixture
def hostile_model(tiny_model: Path, private_cache: Path) -> Path:
    """A model that works, and steers the terminal wherever a file of it has a string; it lies
    where imported models do."""
    folder = private_cache / "entropix" / "models" / "mine"
    shutil.copytree(tiny_model, folder)
    facts = dict.fromkeys(("name", "source", "revision", "quantization"), STEERS)
    (folder / "entropix.json").write_text(json.dumps(facts))
    config = json.loads((folder / "config.json").read_text())
    strings = ("torch_dtype", "dtype", "hidden_act", "transformers_version", "_name_or_path")
    config |= {"architectures": [STEERS], STEERS: STEERS} | dict.fromkeys(strings, STEERS)
    (folder / "config.json").write_text(json.dumps(config))
    spec = json.loads((folder / "tokenizer.json").read_text())
    for token in spec["added_tokens"]:
        spec["model"]["vocab"][token["content"] + STEERS] = spec["model"]["vocab"].pop(
            token["content"]
        )
        token["content"] += STEERS
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    settings: dict[str, Any] = json.loads((folder / "tokenizer_config.json").read_text())
    settings["bos_token"] = spec["added_tokens"][0]["content"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"x": STEERS}))
    return folder


def broken(folder: Path, what: str) -> Path:
    """A copy whose error message says what the file says."""
    copy = folder.with_name(f"broken-{what}")
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    match what:
        case "type":
            config["model_type"] = STEERS
        case "layers":
            config["num_hidden_layers"] = STEERS
        case "context":
            config["max_position_embeddings"] = STEERS
        case "rope":
            config["rope_scaling"] = {"type": STEERS, "factor": STEERS}
        case "template":
            settings = json.loads((copy / "tokenizer_config.json").read_text())
            settings["chat_template"] = "{{ raise_exception(" + repr(STEERS) + ") }}"
            (copy / "tokenizer_config.json").write_text(json.dumps(settings))
        case "syntax":
            settings = json.loads((copy / "tokenizer_config.json").read_text())
            settings["chat_template"] = "{{ '" + STEERS + "' | " + STEERS
            (copy / "tokenizer_config.json").write_text(json.dumps(settings))
        case "tokenizer":
            (copy / "tokenizer.json").write_text(json.dumps({"model": {"type": STEERS}}))
        case "json":
            (copy / "config.json").write_text('{"a": ' + STEERS)
            return copy
    (copy / "config.json").write_text(json.dumps(config))
    return copy


DAMAGES = ("type", "layers", "context", "rope", "template", "syntax", "tokenizer", "json")


@pytest.mark.slow
def test_no_command_lets_a_model_folder_steer_the_terminal(
    hostile_model: Path,
    call: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Screen(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "dumb")  # no bars and no colours: whatever steers is the folder's
    trace, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    prompts = tmp_path / "prompts"
    prompts.write_text("Hi\n" * 4)
    short = ("--max-tokens", "6", "--seed", "1")
    lines: list[tuple[Any, ...]] = [
        ("models", "list"),
        ("models", "show", hostile_model),
        ("models", "show", "mine"),
        ("generate", "Hi", "--model", hostile_model, *short, "--trace", trace),
        ("generate", STEERS, "--raw", "--model", "mine", *short, "--trace", other),
        ("generate", "Hi", "--model", hostile_model, *short, "--break", "step > 2"),
        ("score", STEERS, "--model", hostile_model),
        ("trace", "show", trace),
        ("trace", "show", trace, "--format", "steps"),
        ("trace", "verify", trace, "--model", hostile_model),
        ("trace", "diff", trace, other),
        ("trace", "export", trace, "--to", "csv", "-o", "-"),
        ("trace", "export", trace, "--to", "md", "-o", "-"),
        ("doctor", "--model", hostile_model, "--no-speed"),
        ("calibrate", "--model", hostile_model, "--tokens", "2", "--prompts", prompts),
        ("--debug", "models", "show", STEERS),
        *(("models", "show", broken(hostile_model, what)) for what in DAMAGES),
        *(("generate", "Hi", "--debug", "--model", broken_model, *short)
          for broken_model in (hostile_model.with_name(f"broken-{what}") for what in DAMAGES)),
    ]  # fmt: skip
    seen = 0
    for line in lines:
        out = Screen(io.BytesIO(), encoding="utf-8", errors="surrogateescape")
        error = Screen(io.BytesIO(), encoding="utf-8", errors="surrogateescape")
        result = call(*line, stdout=out, stderr=error)
        for screen in (out, error):
            screen.flush()
            told = screen.buffer.getvalue().decode("utf-8", "surrogateescape")
            assert not STEERING.search(told), (line, told)
            assert "a bug" not in told, (line, told)
            seen += "‹1B›" in told
        assert result.status in (0, 1, 2), line
    assert seen > 15, "the folder's words are shown, by their numbers"


@pytest.mark.slow
def test_the_debuggers_script_neither(
    hostile_model: Path, call: Callable[..., Any], tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(f'ask "Hi"\nstep\ninject "{STEERS[:8]}"\nstep\ninfo\n', "utf-8")
    result = call("step", "--script", script, "--model", hostile_model, "--seed", "1", tui=True)
    assert not STEERING.search(result.text + result.err)
    assert "‹1B›" in result.text
    assert "‹1B›" in result.err
