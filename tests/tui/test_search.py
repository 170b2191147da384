"""Searching the text: across tokens, lines and cases, marked on screen, fast."""

from collections.abc import Callable

import pytest
from growth import LINEAR, ratio
from harness import scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import token
from textual.widgets import Input
from viewing import prompt, viewing

from entropix_tui.transcript import sections
from entropix_tui.transcript.search import Finder, Match
from entropix_tui.transcript.transcript import Place, Transcript
from entropix_tui.widgets.text.search import SearchBar

pytestmark = pytest.mark.filterwarnings("error")
PARTS = st.sampled_from(["a", "A", "b", "ab", " ", "\n", "\n\n", "aé", "İ", "ß"])


def transcript_of(*answers: list[str]) -> Transcript:
    transcript = Transcript(10)
    index = 0
    for texts in answers:
        answer = transcript.begin_answer()
        for text in texts:
            answer.add(token(index, text))
            index += 1
    return transcript


def matches(finder: Finder) -> list[Match]:
    return [finder.match(number) for number in range(finder.count)]


@pytest.mark.slow
@given(
    st.lists(st.lists(PARTS, max_size=20), max_size=4), st.text("abA\né", min_size=1, max_size=3)
)
@settings(max_examples=200, deadline=None)
def test_every_place_is_found_while_the_text_grows(answers: list[list[str]], query: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "PIECES", 2)
        transcript = transcript_of([])
        finder = Finder(transcript)
        finder.search(query)
        index = 0
        for number, texts in enumerate(answers):
            answer = transcript.begin_answer() if number else transcript.blocks[0]
            for text in texts:
                answer.add(token(index, text))  # type: ignore[attr-defined]
                index += 1
                finder.extend()
        grown = matches(finder)
        finder.search(query)
    expected = []
    for number, block in enumerate(transcript.blocks):
        text, at = block.text.lower() if len(block.text.lower()) == len(block.text) else None, 0
        if text is None:
            continue
        while (at := text.find(query.lower(), at)) >= 0:
            expected.append(Match(number, at, at + len(query)))
            at += len(query)
    found = [
        match
        for match in matches(finder)
        if len(transcript.blocks[match.block].text.lower())
        == len(transcript.blocks[match.block].text)
    ]
    assert found == expected
    assert grown == matches(finder)


def test_going_from_place_to_place() -> None:
    transcript = transcript_of(["one", " tw", "o", " three"], ["Two", "\n", "ONE"])
    finder = Finder(transcript)
    finder.search("TWO")
    assert finder.go(1, Place(0, 0)) == Place(0, 1)
    assert finder.go(1) == Place(1, 0)
    assert finder.go(1) == Place(0, 1), "around the end"
    assert finder.go(-1) == Place(1, 0)
    finder.search("one")
    assert finder.go(1, Place(0, 1)) == Place(1, 2)
    finder.search("one")
    assert finder.go(-1, Place(0, 1)) == Place(0, 0)
    finder.search("none")
    assert finder.go(1) is None
    finder.search("")
    assert finder.count == 0


def test_what_is_found_on_a_line() -> None:
    transcript = transcript_of(["aaa", " bb", "bb", " cc", "\n", "dd"])
    transcript.reach(0, 10)
    finder = Finder(transcript)
    finder.search("bb cc\nd")
    rows = [row for row in transcript.rows(0, 9) if row]
    drawn = ["".join(run.source for run in row.line.runs) for row in rows if row.line]
    assert drawn == ["aaa bbbb ", "cc\n", "dd"]
    finder.go(1)
    assert [finder.on(row) for row in rows] == [[(6, 13, True)], [(-3, 4, True)], [(-6, 1, True)]]


@pytest.mark.serial
@pytest.mark.slow
def test_ten_times_the_conversation_is_searched_in_ten_times_the_time() -> None:
    def searched(count: int) -> Callable[[], None]:
        words = [f" wörd{n % 100}" if n % 9 else "\n" for n in range(count)]
        finder = Finder(transcript_of(words))

        def search() -> None:
            finder.search("")
            finder.search("WÖRD7 wörd8 ")
            assert finder.count == 666 * count // 100_000

        return search

    assert ratio(searched(100_000), searched(10_000)) < LINEAR


@pytest.mark.slow
@scenario
async def test_the_search_bar() -> None:
    async with viewing(turns=10, length=100) as v:
        assert not v.texts.search.display
        await v.press("slash", *"WORD5 w")
        assert v.texts.search.display
        assert "1/1" in v.text()
        assert "word5 word6" in v.text(), "it is scrolled to"
        await v.press("backspace", "backspace")
        count = sum(block.text.count("word5") for block in v.texts.transcript.blocks)
        await v.until(lambda: f"1/{count}" in v.text())
        await v.press("enter", "enter", "up")
        assert f"2/{count}" in v.text()
        assert v.style_of("word5") != v.style_of("word6")
        await v.press("up", "up")
        assert f"{count}/{count}" in v.text()
        assert "word599" in v.text()
        y = v.view.scroll_offset.y
        await v.press("escape")
        assert not v.texts.search.display
        assert v.heard(SearchBar.Closed) is not None
        assert v.view.finder.count == 0
        assert v.view.scroll_offset.y == y
        await v.press("n")
        v.texts.search.open()
        await v.pilot.pause()
        assert v.app.query_one(Input).value == "WORD5", "the last one is there again"
        await v.press(*"nowhere")
        assert "not found" in v.text()


@scenario
async def test_matches_are_gone_through_in_the_text_too() -> None:
    async with viewing(turns=3, length=100) as v:
        v.view.find("it!")
        await v.press("n")
        assert v.view.finder.current is not None
        first = v.view.finder.current
        await v.press("N")
        assert v.view.finder.current == (first - 1) % 3


@pytest.mark.parametrize("colours", ["true", "sixteen", "none"])
@scenario
async def test_matches_are_marked_across_tokens(colours: str) -> None:
    async with viewing(colours=colours) as v:  # type: ignore[arg-type]
        v.texts.transcript.score(prompt(0, "un", "mark", "ed"))
        answer = v.texts.transcript.begin_answer()
        for n, text in enumerate((" mar", "ked", "\n", "m"), 1):
            answer.add(token(n, text, quadrant="HEHV"))
        v.view.update()
        await v.pilot.pause()
        before = v.style_of("ked")
        v.view.find("MARKED")
        await v.pilot.pause()
        assert v.style_of("ked") != before
        assert v.style_of("un") != v.style_of("mark")
        v.view.action_match(1)
        answer.add(token(5, "arked"))
        v.view.update()
        await v.pilot.pause()
        assert v.view.finder.count == 3
