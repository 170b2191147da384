"""Conversations as Markdown and plain text: no text gets out of its place."""

import re

import pytest
from pages import SAMPLED, asked, passage, said

from entropix_mlx.export.passage import Passage
from entropix_mlx.export.text import escaped, fenced, markdown, plain
from entropix_mlx.records.record import Event

HOSTILE = "x [red]y[/] <b>z</b>\x1b[31m\r\n```\n# no heading\n````\n| a | b |\n\ttab\u202e"


@pytest.fixture
def talk() -> Passage:
    return passage(
        asked(0, "Which?"),
        said(1, "It", ms=80.0),
        said(2, " is", ms=80.0),
        Event(kind="valley", index=2, at=1),
        said(3, " 9.9.", ms=80.0),
        asked(4, HOSTILE),
        Event(kind="setting", index=4, detail={"temperature": 0.5}),
        said(5, HOSTILE, ms=80.0),
        said(6, " end", ms=80.0),
    )


def blocks(text: str) -> list[str]:
    """What stands in fences, by CommonMark's rule for their ends."""
    found, fence, inside = [], "", []
    for line in text.split("\n"):
        if not fence:
            match = re.match(r"(`{3,})text$", line)
            fence, inside = (match[1], []) if match else ("", [])
        elif re.fullmatch(rf"`{{{len(fence)},}}\s*", line):
            found.append("\n".join(inside))
            fence = ""
        else:
            inside.append(line)
    assert not fence, "a block has no end"
    return found


def test_markdown_holds_every_turn_and_nothing_breaks_out(talk: Passage) -> None:
    text = markdown(talk)
    hostile = HOSTILE.replace("\x1b", "‹1B›").replace("\r\n", "\n").replace("\u202e", "‹U+202E›")
    assert blocks(text) == ["Which?", "It is 9.9.", hostile, hostile + " end"]
    outside = re.sub(r"(`{3,})text\n.*?\n\1\n", "", text, flags=re.DOTALL)
    assert [line for line in outside.split("\n") if line.startswith("#")] == [
        r"# A conversation with smollm2\-135m",
        "## You (3 tokens)",
        r"## smollm2\-135m (3 tokens)",
        "## You (3 tokens)",
        r"## smollm2\-135m (2 tokens)",
        "## Summary",
        "## Settings",
    ]
    assert "| tokens generated | 5 |" in text
    assert "| valleys | 1 |" in text
    assert r"| tokens per second | 12\.5 |" in text
    assert "| seed | 7 |" in text
    assert r"| helv\_entropy | 4 |" in text
    assert r"| temperature, from token 4 | 0\.5 |" in text
    assert all(char >= " " or char in "\n\t" for char in text)


def test_values_of_a_table_stay_in_their_cells() -> None:
    assert escaped("a|b\n<i>`*_[x](y)") == r"a\|b↵\<i\>\`\*\_\[x\]\(y\)"


def test_plain_text() -> None:
    words = [said(n + 1, word) for n, word in enumerate(("It", " is", " 9.9."))]
    assert plain(passage(asked(0, "Which?"), *words, asked(4, "a\x1b[2J\r\nb\tc"))) == (
        "You:\nWhich?\n\nsmollm2-135m:\nIt is 9.9.\n\nYou:\na‹1B›[2J\nb\tc\n"
    )


def test_an_empty_conversation() -> None:
    assert plain(passage()) == ""
    assert "| tokens generated | 0 |" in markdown(passage())


def test_a_text_that_was_scored() -> None:
    header = type(SAMPLED)(
        **{
            **{name: getattr(SAMPLED, name) for name in SAMPLED.__struct_fields__},
            "sampler": {},
            "seed": None,
        }
    )
    text = markdown(passage(said(0, "a"), said(1, "b"), header=header))
    assert text.startswith(r"# A text under smollm2\-135m")
    assert "| tokens scored | 2 |" in text
    assert r"| log\-perplexity minus mean entropy |" in text


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fenced("a") == "```text\na\n```"
    assert fenced("`````").startswith("``````text\n")
