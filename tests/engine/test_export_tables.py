"""Tables and texts of a passage: exact where they are data, harmless where they are shown."""

import csv
import io
import json
import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import SAMPLED, Page, asked, passage, said
from test_export_page import HOSTILE, escapees
from traces import END
from traces import write as write_trace

from entropix_mlx.export import svg, tables, text
from entropix_mlx.export.formats import FORMATS, by_ending, write
from entropix_mlx.export.passage import Passage
from entropix_mlx.records.record import End, Event
from entropix_mlx.records.tree import Tree
from entropix_mlx.terminal.glyphs import shown
from entropix_mlx.trace.trace import Trace, read_trace
from entropix_models.errors import TraceError, UsageError

WRONG = (b"-1", b"1e308", b"9" * 40, b"NaN", b"<", b'"', b"\\u202e", b"\x9b")
SVG = "{http://www.w3.org/2000/svg}"
texts = st.one_of(
    st.sampled_from((*HOSTILE, "=1+1", "NA", "", '"a",b', "a\rb", "\r", "\x85")),
    st.text(max_size=12),
)


def small() -> Passage:
    scored = [said(n, word, strategy=None, temperature=None) for n, word in enumerate("ab")]
    return passage(
        asked(3, "ab", role="system", records=scored),
        said(4, "It", rank=None, entropy=None, top_k=None),
        said(5, " is", temperature=1.0),
        Event(kind="valley", index=5, at=4),
    )


def test_a_row_for_each_token() -> None:
    table = list(tables.rows(small()))
    assert [(r["index"], r["nth"], r["parent"], r["role"], r["text"]) for r in table] == [
        (3, 0, 2, "system", "a"),
        (3, 1, 2, "system", "b"),
        (4, 0, 3, "assistant", "It"),
        (5, 0, 4, "assistant", " is"),
    ]
    assert [r["valley"] for r in table] == [False, False, True, False]
    assert all(tuple(row) == tables.COLUMNS for row in table)


def test_json_has_scalars_of_one_type_a_column() -> None:
    source = tables.json_table(small())
    found = json.loads(source)
    assert found == list(tables.rows(small()))
    assert source.count("\n") == len(found) + 2, "an object a line"
    for column in tables.COLUMNS:
        kinds = {type(row[column]) for row in found} - {type(None)}
        assert len(kinds) <= 1, column
        assert kinds <= {str, int, float, bool}
    assert json.loads(tables.json_table(passage())) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, max_size=4))
def test_a_table_gives_back_what_went_in(words: list[str]) -> None:
    made = passage(*(said(n, word) for n, word in enumerate(words)))
    read = list(csv.DictReader(io.StringIO(tables.csv_table(made), newline="")))
    assert [row["text"] for row in read] == words
    assert [float(row["entropy"]) for row in read] == [1.25] * len(words)
    assert [row["text"] for row in json.loads(tables.json_table(made))] == words


def test_a_row_is_a_row_for_every_reader() -> None:
    """A carriage return, a line of Unicode's, a turned direction: within one cell, on one line."""
    words = ["a\rb", "\r", "\r\n", "\x85\u2028\u202e\u061c", "c"]
    made = passage(*(said(n, word) for n, word in enumerate(words)))
    source = tables.csv_table(made)
    for newline in ("", None):
        read = list(csv.DictReader(io.StringIO(source, newline=newline)))
        assert [row["index"] for row in read] == ["0", "1", "2", "3", "4"]
    data = tables.json_table(made)
    assert data.replace("\n", "").isprintable()
    assert len(data.splitlines()) == len(words) + 2
    assert [row["text"] for row in json.loads(data)] == words


def test_what_is_not_known_is_an_empty_cell() -> None:
    read = list(csv.DictReader(io.StringIO(tables.csv_table(small()), newline="")))
    assert (read[2]["rank"], read[2]["entropy"], read[3]["temperature"]) == ("", "", "1.0")
    assert (read[2]["valley"], read[3]["valley"]) == ("True", "False")


def drawn(source: str) -> list[tuple[float, float, str, str]]:
    """Every text of a drawing: x, y, style, words."""
    return [
        (float(e.get("x", 0)), float(e.get("y", 0)), e.get("class", ""), e.text or "")
        for e in ET.fromstring(source).iter(f"{SVG}text")
    ]


def lines(source: str) -> list[str]:
    found: dict[float, str] = {}
    for _, y, _, words in drawn(source):
        found[y] = found.get(y, "") + words
    return [line.rstrip() for line in found.values()]


def test_a_drawing_has_every_token_in_its_style() -> None:
    source = svg.svg(
        passage(
            asked(0, "Which?"),
            said(1, "It"),
            said(2, " is", quadrant="HEHV", forced="user"),
            said(3, " so\n\nEnd", quadrant="HELV"),
            Event(kind="valley", index=3, at=1),
        )
    )
    at = svg.MARGIN
    assert drawn(source) == [
        (at, 27, "who", "You"),
        (at, 45, "n", "Which?"),
        (at, 81, "who", "smollm2-135m"),
        (at, 99, "a", "It"),
        (pytest.approx(at + 2 * svg.CELL, abs=0.1), 99, "mark", "▾†"),
        (pytest.approx(at + 4 * svg.CELL, abs=0.1), 99, "d", " is"),
        (pytest.approx(at + 7 * svg.CELL, abs=0.1), 99, "b", " so"),
        (at, 135, "b", "End"),
    ]
    grounds = [e.get("class") for e in ET.fromstring(source).iter(f"{SVG}rect")]
    assert grounds == ["ground"], "no quadrant has a ground of its own"


def test_a_prompts_valleys_are_marked_too() -> None:
    tokens = [said(n, f" w{n}") for n in range(4)]
    read = passage(asked(9, "w", records=tokens, valleys=[(1, 3)]), said(10, "It"))
    assert [read.is_valley(cell) for cell in read.cells] == [False, True, False, False, False]
    before = passage(asked(9, "w", records=tokens), said(10, "It"))
    assert not any(map(before.is_valley, before.cells)), "a trace that knows of none"


def test_lines_are_wrapped_at_spaces() -> None:
    made = passage(*(said(n, f" word{n}") for n in range(6)), said(6, " " + "x" * 30))
    found = lines(svg.svg(made, 20))[1:]
    assert found == [" word0 word1 word2", "word3 word4 word5", "x" * 20, "x" * 10]
    wide = passage(said(0, "漢" * 15))
    assert lines(svg.svg(wide, 20))[1:] == ["漢" * 10, "漢" * 5]
    tabbed = passage(said(0, "a\tb"))
    assert lines(svg.svg(tabbed, 20))[1:] == ["a       b"]


@settings(max_examples=100, deadline=None)
@given(texts, texts, st.integers(2, 30))
def test_a_drawing_is_only_a_drawing(prompt: str, word: str, width: int) -> None:
    source = svg.svg(passage(asked(0, prompt, role=word), said(1, word)), width)
    assert not escapees(source)
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(source).iter()}
    assert tags <= {"svg", "title", "style", "rect", "text"}
    expected = [shown(text) for text in (prompt, word)]
    joined = "".join(words for *_, style, words in drawn(source) if style not in ("who", "mark"))
    assert "".join(joined.split()) == "".join("".join(expected).split())


@given(texts)
def test_markdown_and_text_steer_nothing(word: str) -> None:
    made = passage(asked(0, word, role=word), said(1, word))
    assert not escapees(text.markdown(made))
    assert not escapees(text.plain(made))


def test_figures_of_a_branch() -> None:
    records = [asked(0, "Which?"), said(1, "a"), said(2, "b"), said(3, "c", parent=1)]
    tree = Tree.of([*records, Event(kind="valley", index=3, at=2)])
    made = Passage.of(small().header, tree, 2)
    assert [token.text for token in made.answers] == ["a", "b"]
    source = text.markdown(made)
    assert "| tokens generated | 2 |" in source
    assert "| valleys | 0 |" in source, "it was found on another branch"
    with pytest.raises(UsageError, match=r"no record 9: name .* end at 2, 3"):
        Passage.of(small().header, tree, 9)


def test_settings_are_those_that_drew_the_branch() -> None:
    """A change acts on what was made after it, wherever the conversation stood."""
    tree = Tree.of(
        [
            asked(0, "?"),
            said(1, "a"),
            said(2, "b"),
            Event(kind="setting", index=0, detail={"temperature": 2.0}),
            said(3, "c", parent=0),
            Event(kind="setting", index=3, detail={"temperature": 3.0}),
        ]
    )
    header = small().header
    assert Passage.of(header, tree, 2).changes == []
    assert Passage.of(header, tree, 3).changes == [(0, {"temperature": 2.0})]
    assert Passage.of(header, tree, 3).sampler["temperature"] == 2.0


def test_a_trace_with_holes() -> None:
    """What follows a lost record begins anew; an end that leads nowhere does nothing."""
    end = End(leaf=77, finish_reason="stop", tokens=1, seconds=1, prefill_seconds=0)
    trace = Trace(small().header, b"", [said(5, "x", parent=3), end], [], ["line 2: torn"])
    made = Passage.of_trace(trace)
    assert ([t.text for t in made.answers], made.notes) == (["x"], ["line 2: torn"])
    for format in FORMATS.values():
        assert format.make(made)
        assert isinstance(format.make(Passage.of_trace(Trace(small().header, b""))), str)


def test_formats_by_the_name_of_a_file(tmp_path: Path) -> None:
    assert by_ending(tmp_path / "a.HTM") == "html"
    assert by_ending(tmp_path / "a.b.csv") == "csv"
    assert by_ending(tmp_path / "a") is None
    assert len({e for f in FORMATS.values() for e in f.endings}) == sum(
        len(f.endings) for f in FORMATS.values()
    )


def test_files_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write(path, "a\r\nb\ud800")
    assert path.read_bytes() == b"a\r\nb\\ud800"
    with pytest.raises(OSError, match="No such file"):
        write(tmp_path / "none" / "a", "")
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert not re.search("part", str(list(tmp_path.iterdir())))


@pytest.mark.slow
def test_mutated_traces_are_exported_or_refused(file: Path) -> None:
    """Bytes flipped, files cut, lines swapped: nothing crashes, nothing gets through."""
    change = Event(kind="setting", index=4, detail={"helv_entropy": 3.5, "seed": 2})
    sound = write_trace(file, SAMPLED, *small().nodes, change, said(6, "é\n"), END).read_bytes()
    spread = random.Random(11)
    exported = 0
    for _ in range(300):
        lines = sound.split(b"\n")
        for _ in range(spread.randrange(3)):
            at, other = (spread.randrange(1, len(lines)) for _ in range(2))
            lines[at], lines[other] = lines[other], lines[at]
        data = bytearray(b"\n".join(lines))
        for _ in range(spread.randrange(6)):
            begin = spread.randrange(len(data))
            put = spread.choice(
                [b"-1", b"1e308", b"9" * 40, b"NaN", b"<", b'"', b"\\u202e", b"\x9b"]
            )
            data[begin : begin + spread.randrange(3)] = put
        file.write_bytes(data[: spread.randrange(len(data))] if spread.random() < 0.2 else data)
        try:
            made = Passage.of_trace(read_trace(file))
        except TraceError:
            continue
        exported += 1
        sources = {name: format.make(made) for name, format in FORMATS.items()}
        assert not escapees(sources["html"] + sources["svg"] + sources["md"] + sources["txt"])
        assert [text for _, text in Page(sources["html"]).tokens] == [
            shown(cell.token.text) for cell in made.cells
        ]
        ET.fromstring(sources["svg"])
        assert len(json.loads(sources["json"])) == len(made.cells)
    assert exported > 100
