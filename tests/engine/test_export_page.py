"""The page: all that a run said is there as text, and nothing of it is markup."""

import base64
import hashlib
import json
import math
import re
import unicodedata
from html import unescape
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import SAMPLED, Page, asked, passage, said

from entropix_mlx.export import details
from entropix_mlx.export.page import LONGEST, fragment, page
from entropix_mlx.records.quadrants import KINDS, sentence, usual, word
from entropix_mlx.records.record import Event, RunHeader
from entropix_mlx.sampling.calibration import GUIDE, PROVISIONAL
from entropix_mlx.terminal.glyphs import one_line, shown

HOSTILE = (
    "</script><script>alert(1)</script>",
    "</i></div><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "&lt;b&gt;&#x3c;",
    "<!--",
    "]]>",
    "\x1b[31m\x00\x9b\u202e\u2028\ufeff\x85",
    "a\r\nb\rc\td\n\n",
    "\u0301\u200d\ufe0f",
    "</style><style>*{display:none}",
    "{{constructor}}${x}",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 漢字",
)


def test_the_text_is_what_was_said() -> None:
    read = Page(
        page(
            passage(
                asked(0, "Which\none?"),
                said(1, "It"),
                said(2, " is", quadrant="HEHV"),
                said(3, "\n\n9.9", quadrant=None, forced="clarify"),
                Event(kind="valley", index=3, at=2),
            )
        )
    )
    assert read.blocks == ["Which\none?", "It is\n\n9.9"]
    assert read.tokens == [("a", "It"), ("d v", " is"), ("n fc l", "\n\n9.9")]
    assert [row["text"] for row in read.data] == ["It", " is", "\n\n9.9"]
    assert [row["valley"] for row in read.data] == [False, True, False]


def test_what_is_known_of_a_token() -> None:
    (row,) = Page(page(passage(said(0, "<x>", logprob=-1.0, rank=2, candidates=CANDIDATES)))).data
    assert row["entropy"] == 1.25
    assert row["surprisal"] == pytest.approx(1 / 0.6931, abs=1e-3)
    assert (row["rank"], row["p"], row["role"]) == (3, 3679, "assistant")
    assert row["drawn"] == 1
    assert row["candidates"] == [("↵", 9999.5, 2500), ("<x>", 3679, 7500)]
    assert row["bytes"] is None, "the text's own"


CANDIDATES = [(1, "\n", 0.0, 0.25), (504, "<x>", -1.0, 0.75)]


def test_bytes_are_told_where_the_text_does_not_say_them() -> None:
    rows = Page(page(passage(said(0, "", bytes="e4b8"), said(1, "\x1b")))).data
    assert [row["bytes"] for row in rows] == ["e4b8", "1b"]


def test_scored_prompts_are_tokens_too() -> None:
    scored = [said(n, text, strategy=None) for n, text in enumerate(("<|u|>", "Hi", "\n"))]
    read = Page(page(passage(asked(0, "Hi", records=scored), said(1, "Ho"))))
    assert read.blocks == ["<|u|>Hi\n", "Ho"]
    assert [(row["index"], row["nth"], row["role"]) for row in read.data] == [
        (0, 0, "user"),
        (0, 1, "user"),
        (0, 2, "user"),
        (1, 0, "assistant"),
    ]
    assert any(e.get("class") == "asked" and e["d"] for _, e in read.elements)


@pytest.mark.slow
def test_long_texts_are_blocks_that_end_with_lines() -> None:
    words = [said(n, f" w{n}" + "\n" * (n % 90 == 89)) for n in range(1000)]
    read = Page(page(passage(*words)))
    assert len(read.blocks) > 3
    assert all(block.endswith("\n") for block in read.blocks[:-1])
    assert "".join(read.blocks) == "".join(word.text for word in words)
    firsts = [int(e["data-n"] or 0) for _, e in read.elements if e.get("class") == "t"]
    sizes = [block.count("w") for block in read.blocks]
    assert firsts == [sum(sizes[:n]) for n in range(len(sizes))]
    endless = Page(page(passage(*(said(n, "x") for n in range(LONGEST + 5)))))
    assert [len(block) for block in endless.blocks] == [LONGEST, 5]
    long = "\n".join(map(str, range(1000))) + "\n"
    assert "".join(Page(page(passage(asked(0, long)))).blocks) == long


@pytest.mark.slow
def test_charts_are_as_small_for_many_tokens() -> None:
    def of(count: int) -> int:
        made = passage(*(said(n, "x", entropy=n * 37 % 61 / 10) for n in range(count)))
        return sum(len(e.get("d") or "") for _, e in Page(page(made)).elements)

    assert of(20_000) < 1.5 * of(5000)


def test_levels_are_those_of_the_split_and_none_of_the_sampler() -> None:
    words = [said(n, "x") for n in range(4)]
    change = Event(kind="setting", index=1, detail={"helv_entropy": 3.0, "seed": 9})
    calibrated = PROVISIONAL.split_of("calibrated")
    for split, told in ((calibrated, ["2"]), (GUIDE, ["0.1", "3", "5", "0.1", "5"]), (None, [])):
        header = msgspec.structs.replace(SAMPLED, quadrant_split=split)
        read = Page(page(passage(*words[:2], change, *words[2:], header=header)))
        drawn = [e["d"] or "" for _, e in read.elements if e.get("class") == "level"]
        named = re.findall(r", split ([\d. ]+) \(dashed\)", " ".join(read.words))
        assert " ".join(named).split() == told
        lines = "".join(drawn)
        assert re.fullmatch(r"(M-.5 [\d.]+H4)*", lines)
        assert lines.count("M") == len(told)
        assert ("wide from what is usual" in " ".join(read.words)) is (split is calibrated)
    assert "helv_entropy, from token 3" in read.words
    assert any("seed 9" in words for words in read.words)


def test_quadrants_are_told_by_the_split_of_the_header() -> None:
    words = [said(0, "x", quadrant="LEHV"), said(1, "y", quadrant=None)]
    calibrated = PROVISIONAL.split_of("calibrated")
    for split in (calibrated, GUIDE, None):
        header = msgspec.structs.replace(SAMPLED, quadrant_split=split)
        source = page(passage(*words, header=header))
        read = Page(source)
        text = " ".join(read.words)
        for quadrant, kind in KINDS.items():
            assert word(quadrant, split) in read.words, "the legend"
            assert f"({quadrant}): {sentence(quadrant, split)}" in text
            assert kind.caption in read.words
        assert f"share of {word('LEHV', split)} (LEHV)" in read.words
        assert f"Tokens: 1 {word('LEHV', split)}, 1 in none." in text
        first = next(text for kind, text in read.scripts if kind == "application/json")
        assert json.loads(first)["words"]["LEHV"] == word("LEHV", split)
        drawn = [e for _, e in read.elements if (e.get("class") or "").startswith("corner")]
        lines = [e["d"] or "" for e in drawn if "d" in e]
        assert len(drawn) - len(lines) == (4 if split else 0), "a word in each"
        if split is calibrated:
            upwards, curve = lines
            assert upwards.startswith(f"M{400 * math.sqrt(2.0 / 4):.1f} 0V")
            points = [tuple(map(float, p.split())) for p in curve[1:].split("L")]
            for x, y in points:
                entropy = 4 * (x / 400) ** 2
                expected = 300 * (1 - math.sqrt(min(usual(entropy, calibrated) / 8, 1)))
                assert y == pytest.approx(expected, abs=0.06)
        else:
            assert len(lines) == (4 if split else 0)


def test_nothing_is_loaded_and_only_its_own_program_runs() -> None:
    source = page(passage(asked(0, "a"), said(1, "b")))
    read = Page(source)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub("http://www.w3.org", "", source))
    policy = next(e["content"] or "" for t, e in read.elements if "http-equiv" in e)
    (program,) = [text for kind, text in read.scripts if kind is None]
    style = source.partition("<style>")[2].partition("</style>")[0]
    for text, kind in ((program, "script-src"), (style, "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    names = {name for _, attributes in read.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "href")}


def test_people_who_do_not_see_it_are_told() -> None:
    source = page(passage(asked(0, "a"), said(1, "b"), Event(kind="valley", index=1, at=1)))
    read = Page(source)
    by_id = {e["id"] for _, e in read.elements if "id" in e}
    for tag, attributes in read.elements:
        if tag == "svg" and attributes.get("role") == "img":
            assert set((attributes["aria-labelledby"] or "").split()) <= by_id
        if tag in ("button", "input", "aside"):
            assert attributes.get("aria-label") or attributes.get("id") == "theme"
    assert source.count("<desc") == 3
    assert "1 valley, at tokens 1." in source
    assert 'aria-live="polite"' in source
    assert '<html lang="en">' in source


def escapees(source: str) -> list[str]:
    """Characters that steer terminals or the direction of writing."""
    return [
        char
        for char in source
        if char not in "\n\t"
        and (
            unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
            or (unicodedata.category(char) == "Cf" and char not in "\u200c\u200d")
        )
    ]


TAGS = [tag for tag, _ in Page(page(passage(asked(0, "a"), said(1, "b")))).elements]

texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(prompt=texts, token=texts, candidate=texts, model=texts, note=texts, role=texts)
def test_no_text_becomes_markup(
    prompt: str, token: str, candidate: str, model: str, note: str, role: str
) -> None:
    header = RunHeader(
        **{
            **{name: getattr(SAMPLED, name) for name in SAMPLED.__struct_fields__},
            "model": model,
            "device": note,
            "created": candidate,
            "revision": role,
            "sampler": {**SAMPLED.sampler, "preset": prompt, candidate: [token, {note: role}]},
        }
    )
    made = passage(
        asked(0, prompt, role=role),
        said(1, token, candidates=[(504, candidate, -1.0, 0.5)]),
        Event(kind="setting", index=0, detail={candidate: token}),
        Event(kind=note, index=1, at=99, detail={}),
        header=header,
        notes=[note],
    )
    source = page(made)
    assert not escapees(source)
    read = Page(source)
    assert read.blocks == [shown(prompt), shown(token)]
    assert read.tokens == [(read.tokens[0][0], shown(token))]
    assert one_line(model) in read.title
    extra = ("details", "summary", "ul", "li", "tr", "th", "td")
    assert [t for t, _ in read.elements if t not in extra] == [t for t in TAGS if t not in extra]
    (row,) = read.data
    assert row["text"] == shown(token)
    assert [c[0] for c in row["candidates"]] == [one_line(candidate)]


numbers = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e308, -1e308, 5e-324, 0.0, -0.0, 2.0**60]),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(values=st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=6), level=numbers)
def test_no_number_is_too_much(values: list[tuple[Any, ...]], level: float | None) -> None:
    names = ("entropy", "varentropy", "logprob", "ms")
    header = RunHeader(
        **{
            **{name: getattr(SAMPLED, name) for name in SAMPLED.__struct_fields__},
            "sampler": {**SAMPLED.sampler, "lelv_entropy": level, "hehv_varentropy": 10**400},
        }
    )
    tokens = [
        said(
            n,
            "x",
            **dict(zip(names, four, strict=True)),
            rank=10**30,
            candidates=[(10**40, "y", four[0] or 0.0, four[1] or 0.0)],
            agreement=four[2],
        )
        for n, four in enumerate(values)
    ]
    read = Page(page(passage(*tokens, header=header)))
    for _, attributes in read.elements:
        for value in attributes.values():
            assert not re.search(r"\b(nan|inf)\b", value or "")
    assert len(read.tokens) == len(values)


def test_a_passage_of_nothing() -> None:
    read = Page(page(passage()))
    assert read.tokens == []
    assert "tokens generated" in read.words
    assert [kind for kind, _ in read.scripts] == [None]


def test_a_text_that_was_scored() -> None:
    header = RunHeader(
        **{
            **{name: getattr(SAMPLED, name) for name in SAMPLED.__struct_fields__},
            "sampler": {},
            "seed": None,
        }
    )
    first = said(0, "a", entropy=None, varentropy=None, logprob=None, rank=None, quadrant=None)
    read = Page(page(passage(first, said(1, "b"), header=header)))
    assert read.title.startswith("A text under")
    assert "tokens scored" in read.words
    assert [row["role"] for row in read.data] == ["text", "text"]
    assert read.data[0]["entropy"] is None


def test_details_come_in_pieces() -> None:
    made = passage(*(said(n, f"w{n}") for n in range(details.PIECE + 1)))
    assert len(list(details.pieces(made))) == 2
    assert Page(page(made)).data[details.PIECE]["text"] == f"w{details.PIECE}"


def test_a_fragment_holds_the_page_and_lets_nothing_out() -> None:
    made = passage(asked(0, '"><script>'), said(1, "&quot;"))
    frame = fragment(made)
    match = re.fullmatch(
        r'<iframe title="[^"<>]*" width="100%" height="\d+" sandbox="allow-scripts"'
        r' srcdoc="([^"]*)"></iframe>',
        frame,
    )
    assert match
    assert unescape(match[1]) == page(made)
