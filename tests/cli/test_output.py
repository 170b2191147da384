"""What text looks like: plain, in colour, on a terminal, in a pipe."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style

from entropix_mlx.cli.output import Output, theme
from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.terminal.visible import escaped

Call = Callable[..., Any]
SGR = re.compile(rb"\x1b\[[0-9;]*m")


def token(text: str, **fields: Any) -> TokenRecord:
    names = (
        "logprob rank entropy varentropy attn_entropy attn_varentropy agreement "
        "interaction_strength quadrant region strategy"
    )
    nothing = dict.fromkeys(names.split())
    fixed = {"index": 0, "parent": -1, "id": 0, "bytes": ""}
    return TokenRecord(**{**nothing, **fixed, "text": text, **fields})


@pytest.fixture
def on_terminal(
    clean_environment: None,  # noqa: ARG001
    terminal: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., bytes]:
    """`on_terminal(format, *records)`: what a terminal receives."""

    def show(format: Any, *records: TokenRecord) -> bytes:
        monkeypatch.setattr("sys.stdout", terminal.file)
        output = Output(format)
        for record in records:
            output.write(record)
        output.finish()
        data: bytes = terminal.read()
        return data

    return show


@pytest.fixture
def in_pipe(
    clean_environment: None,  # noqa: ARG001
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Callable[..., bytes]:
    """`in_pipe(format, *records)`: what a pipe receives."""

    def show(format: Any, *records: TokenRecord) -> bytes:
        output = Output(format)
        for record in records:
            output.write(record)
        output.finish()
        return capfdbinary.readouterr().out

    return show


HOSTILE = "a\x1b]0;title\x07b\rc\x9b31m\u202ed\x7f\te\n"


def test_a_pipe_gets_the_text_as_it_is(in_pipe: Callable[..., bytes]) -> None:
    records = (token(HOSTILE, quadrant="HEHV"), token(""), token("é", forced="clarify"))
    assert in_pipe("plain", *records) == (HOSTILE + "é\n").encode()
    assert in_pipe("auto", *records) == (HOSTILE + "é\n").encode()


def test_a_terminal_gets_no_control_characters(on_terminal: Callable[..., bytes]) -> None:
    shown = on_terminal("plain", token(HOSTILE))
    assert shown == "a‹1B›]0;title‹07›b‹0D›c‹9B›31m‹202E›d‹7F›\te\n".encode()


@pytest.mark.parametrize("where", ["on_terminal", "in_pipe"])
def test_colour_is_the_only_control(where: str, request: pytest.FixtureRequest) -> None:
    show = request.getfixturevalue(where)
    shown = show("color", token(HOSTILE, quadrant="HEHV"), token("z", quadrant="LELV"))
    assert SGR.search(shown)
    assert SGR.sub(b"", shown).removesuffix(b"\n").decode() == escaped(HOSTILE) + "z"


def test_colour_ends_before_the_line_does(in_pipe: Callable[..., bytes]) -> None:
    shown = in_pipe("color", token("a\n\nb", quadrant="HEHV"))
    first, empty, last = shown.removesuffix(b"\n").split(b"\n")
    for line in (first, last):
        assert line.startswith(b"\x1b[")
        assert line.endswith(b"\x1b[0m")
    assert empty == b""


def test_quadrants_differ_and_forced_tokens_stand_in_brackets(
    in_pipe: Callable[..., bytes],
) -> None:
    corners = ("LELV", "HELV", "LEHV", "HEHV")
    assert len({in_pipe("color", token("x", quadrant=corner)) for corner in corners}) == 4
    assert in_pipe("color", token("x")) == b"x\n"
    assert "⟨ ...⟩".encode() in in_pipe("color", token(" ...", quadrant="HELV", forced="clarify"))


@pytest.mark.parametrize("where", ["on_terminal", "in_pipe"])
@pytest.mark.parametrize(
    ("texts", "ending"),
    [(("a",), b"a\n"), (("a\n",), b"a\n"), (("a", ""), b"a\n"), ((), b""), (("",), b"")],
)
def test_the_last_line_ends(
    where: str, request: pytest.FixtureRequest, texts: tuple[str, ...], ending: bytes
) -> None:
    assert request.getfixturevalue(where)("plain", *map(token, texts)) == ending


@pytest.mark.parametrize(
    ("environment", "format", "coloured"),
    [
        ({}, "auto", True),
        ({"NO_COLOR": ""}, "auto", True),
        ({"NO_COLOR": "1", "TERM": "dumb"}, "auto", False),
        ({"TERM": "dumb"}, "auto", False),
        ({}, "plain", False),
        ({"NO_COLOR": "1", "TERM": "dumb"}, "color", True),
    ],
)
def test_when_a_terminal_gets_colour(
    on_terminal: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    format: str,
    coloured: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown = on_terminal(format, token("x", quadrant="HEHV"))
    assert bool(SGR.search(shown)) is coloured


@pytest.mark.parametrize(
    "environment",
    [{"NO_COLOR": "1"}, {"NO_COLOR": "1", "COLORTERM": "truecolor"}, {"TERM": "xterm"}],
)
def test_weight_and_slant_tell_quadrants_apart_without_colour(
    on_terminal: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Style.parse.cache_clear()
    shown = on_terminal("auto", *(token(q, quadrant=q) for q in QUADRANTS)).decode()
    Style.parse.cache_clear()
    codes = {q: "".join(re.findall(rf"\x1b\[([0-9;]*)m{q}", shown)) for q in QUADRANTS}
    cues = {q: [c for c in re.findall(r"\d+", s) if c in "123"] for q, s in codes.items()}
    assert cues == {"LELV": ["2"], "HELV": ["3"], "LEHV": [], "HEHV": ["1"]}
    if "NO_COLOR" in environment:
        assert not re.search(r"[349]\d", ";".join(codes.values()))
    else:
        assert re.search(r"3\d", codes["LEHV"])


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"COLORTERM": "truecolor"}, rb"\x1b\[[0-9;]*38;2;"),
        ({"TERM": "xterm-256color"}, rb"\x1b\[[0-9;]*38;5;"),
        ({"TERM": "xterm"}, rb"\x1b\[([0-9];)*[349][0-7]m"),
    ],
)
def test_colours_are_those_that_the_terminal_has(
    on_terminal: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    kind: bytes,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Style.parse.cache_clear()  # a style remembers the colours of the first terminal it met
    shown = on_terminal("color", token("x", quadrant="HELV"))
    Style.parse.cache_clear()
    assert re.search(kind, shown)


@pytest.mark.parametrize(
    ("background", "expected"),
    [(None, "dark"), ("15;0", "dark"), ("0;15", "light"), ("0;default;7", "light"), ("", "dark")],
)
def test_the_theme_suits_the_background(
    monkeypatch: pytest.MonkeyPatch, background: str | None, expected: str
) -> None:
    monkeypatch.delenv("COLORFGBG", raising=False)
    if background is not None:
        monkeypatch.setenv("COLORFGBG", background)
    assert theme() == expected


@pytest.mark.slow
def test_generate_on_a_terminal_and_in_a_pipe(
    call: Call, terminal: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = ("generate", "hello", "--model", tiny_model, "--seed", 3, "--max-tokens", 12)
    plain = call(*fixed, "--sampler", "temperature").text
    monkeypatch.setenv("NO_COLOR", "1")
    piped = call(*fixed, "--sampler", "temperature", "--format", "color").out
    assert SGR.search(piped)
    assert SGR.sub(b"", piped).decode() == escaped(plain)
    monkeypatch.delenv("NO_COLOR")
    assert call(*fixed, "--sampler", "temperature", stdout=terminal.file).status == 0
    shown = terminal.read()
    assert SGR.search(shown)
    assert SGR.sub(b"", shown).decode() == escaped(plain)
