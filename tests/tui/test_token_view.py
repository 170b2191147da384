"""The token view: the cursor, scrolling what was never laid out, looks, highlights."""

import math

import pytest
from harness import scenario
from scripted import token
from textual import events
from viewing import Viewing, prompt, viewing

from entropix_tui.look import color_scale
from entropix_tui.look.styles import Colours
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript import sections
from entropix_tui.transcript.transcript import Place
from entropix_tui.widgets.text.token_view import TokenView

pytestmark = pytest.mark.filterwarnings("error")


def on_screen(v: Viewing) -> bool:
    """Whether the cursor is in view, and marked there."""
    assert v.view.cursor is not None
    row = v.texts.transcript.row_of_place(v.view.cursor) - v.view.scroll_offset.y
    return 0 <= row < v.view.size.height and v.rows(v.view)[row].lstrip().startswith("▸")


@scenario
async def test_the_cursor_goes_over_prompts_and_answers() -> None:
    async with viewing(turns=2) as v:
        await v.press("left")
        moved = v.heard(TokenView.CursorMoved)
        assert (moved.place, moved.ref) == (Place(4, 89), TokenRef(181, 0))
        assert moved.record.index == 181
        await v.press("home")
        moved = v.heard(TokenView.CursorMoved)
        assert (moved.place, moved.ref) == (Place(0, 0), TokenRef(0, 1))
        assert moved.record.text == "Say"
        assert v.view.scroll_offset.y == 0
        await v.press("right", "right", "right")
        assert v.view.ref == TokenRef(1)
        assert v.view.move_to(TokenRef(91, 2))
        assert v.view.cursor == Place(3, 1)
        assert not v.view.move_to(TokenRef(500))
        assert v.view.cursor == Place(3, 1)
        assert on_screen(v)
        v.view.move_cursor(None)
        await v.pilot.pause()
        assert v.heard(TokenView.CursorMoved) == TokenView.CursorMoved(None, None, None)


@scenario
async def test_motions() -> None:
    async with viewing() as v:
        transcript = v.texts.transcript
        transcript.score(prompt(0, "Tell", " me", "!"))
        answer = transcript.begin_answer()
        texts = [" The", " ro", "bot", ",", " it", "'s", "\n", "中", "文", " end"]
        for n, text in enumerate(texts, 1):
            # No doubt where one of two has exactly half, whatever entropy and quadrant are.
            most = {3: 0.49, 7: 0.5, 8: 0.3}.get(n, 0.9)
            quadrant = "HEHV" if n in (4, 5) else "LELV"
            listed = [(1, text, math.log(most), 1.0), (2, "x", math.log(0.2), 0.0)]
            answer.add(token(n, text, entropy=9.0, quadrant=quadrant, candidates=listed))
        answer.mark_valley(6)
        answer.mark_valley(2)
        v.view.update()

        async def places(key: str) -> list[int]:
            found: list[int] = []
            for _ in range(20):
                before = v.view.ref
                await v.press(key)
                if v.view.ref == before:
                    return found
                assert v.view.ref is not None
                found.append(v.view.ref.index + v.view.ref.nth / 10)
            raise AssertionError("it never ends")

        v.view.move_to(TokenRef(0, 1))
        assert await places("w") == [0.2, 1, 2, 5, 8, 9, 10]
        assert await places("b") == [9, 8, 5, 2, 1, 0.2, 0.1]
        assert [notice.message for notice in v.app._notifications] == []
        assert await places("v") == [2, 6]
        assert await places("V") == [2]
        assert [notice.message for notice in v.app._notifications] == [
            "There is no next valley.",
            "There is no previous valley.",
        ]
        v.view.move_to(TokenRef(0, 1))
        assert [place for place in await places("f") if place >= 1] == [3, 8]
        assert v.app._notifications
        assert [notice.message for notice in v.app._notifications][-1] == "There is no next doubt."
        v.view.move_to(TokenRef(1))
        assert await places("r") == [4, 6]
        assert await places("R") == [4, *([0.3, 0.2] if v.view.ref == TokenRef(0, 2) else [])]


@pytest.mark.slow
@scenario
async def test_up_and_down_go_by_line_and_scroll_without_a_cursor() -> None:
    async with viewing(turns=2) as v:
        end = v.view.scroll_offset.y
        await v.press("up")
        assert v.view.scroll_offset.y == end - 1
        assert not v.view.follow
        await v.press("down")
        assert v.view.follow
        await v.press("left")
        before = v.texts.transcript.row_of_place(v.view.cursor or Place(0, 0))
        for _ in range(28):
            await v.press("up")
            assert on_screen(v)
        assert v.view.cursor is not None
        assert v.view.cursor.block == 0
        assert v.texts.transcript.row_of_place(v.view.cursor) == 0
        await v.press("down")
        assert v.view.cursor.block == 1
        for _ in range(28):
            await v.press("down")
        assert v.texts.transcript.row_of_place(v.view.cursor) == before


@scenario
async def test_keys_of_others_are_asked_for() -> None:
    async with viewing(turns=2) as v:
        await v.press("enter")
        assert v.heard(TokenView.ForkWanted) is None
        await v.press("e")
        assert v.heard(TokenView.EditWanted).index == 91
        v.view.move_to(TokenRef(5))
        await v.press("enter", "e", "m")
        assert v.heard(TokenView.ForkWanted).ref == TokenRef(5)
        assert v.heard(TokenView.EditWanted).index == 0
        assert v.heard(TokenView.MarkdownWanted) is not None
        answer = v.view.answer()
        assert answer is not None
        assert answer.startswith(" word1 word2")


@scenario
async def test_the_mouse() -> None:
    async with viewing(turns=1, length=20) as v:
        await v.pilot.click(v.view, offset=(3, 1))
        assert v.view.ref == TokenRef(1)
        assert v.heard(TokenView.ForkWanted) is None
        await v.pilot.click(v.view, offset=(10, 1), times=2)
        await v.pilot.pause()
        assert v.heard(TokenView.ForkWanted).ref == TokenRef(2)
        await v.pilot.click(v.view, offset=(3, 0))
        assert v.view.ref == TokenRef(0, 1)
        await v.pilot.click(v.view, offset=(70, 15))
        assert v.view.ref == TokenRef(0, 1), "nothing stands there"


@scenario
async def test_selecting_with_the_mouse() -> None:
    async with viewing(turns=8, length=29) as v:
        await v.press("up", "up")
        rows = v.rows(v.view)
        y = next(y for y in range(3, 20) if all("word" in row for row in rows[y : y + 2]))
        await v.pilot.mouse_down(v.view, offset=(2, y))
        await v.pilot.hover(v.view, offset=(9, y + 1))
        await v.pilot.mouse_up(v.view, offset=(9, y + 1))
        text = v.app.screen.get_selected_text()
        assert text is not None
        assert " ".join(text.split()) == f"{rows[y].strip()} {rows[y + 1][:10].strip()}"
        assert "\n" not in text, "a wrapped line is one"
        background = v.app.screen.get_component_rich_style("screen--selection").bgcolor
        strips = v.app.screen._compositor.render_strips()
        marked = [
            "".join(s.text for s in strip if s.style and s.style.bgcolor == background)
            for strip in strips
        ]
        assert marked[v.view.region.y + y].strip() == rows[y].strip()
        assert marked[v.view.region.y + y + 1].strip() == rows[y + 1][:10].strip()
        assert not any(marked[: v.view.region.y + y])


@scenario
async def test_the_cell_beside_the_scroll_bar_stays_empty() -> None:
    async with viewing(turns=2) as v:
        left = set()
        for width in range(31, 41):
            await v.pilot.resize_terminal(width, 24)
            await v.pilot.pause()
            cells = v.view.scrollable_content_region.width
            left |= {cells - len(row) for row in v.rows(v.view)}
        assert min(left) == 1


@scenario
async def test_a_cursor_stays_in_view_while_the_answer_grows() -> None:
    async with viewing(turns=1) as v:
        answer = v.texts.transcript.begin_answer()
        index = 200

        async def grow() -> None:
            nonlocal index
            for _ in range(200):
                answer.add(token(index, f" word{index}"))
                index += 1
            v.view.update()
            await v.pilot.pause()

        await grow()
        assert v.view.scroll_y == v.view.max_scroll_y
        v.view.move_to(TokenRef(390))
        before = v.rows(v.view)
        await grow()
        assert v.rows(v.view)[:20] == before[:20]
        assert on_screen(v)
        v.view.move_cursor(None)
        assert v.view.follow, "as before there was a cursor"
        await grow()
        assert v.view.scroll_y == v.view.max_scroll_y
        assert f"word{index - 1}" in v.text()


@pytest.mark.slow
@pytest.mark.parametrize("fill", [sections.FILL, 0.4, 3.0])
@scenario
async def test_reading_back_through_what_was_never_laid_out(
    fill: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "FILL", fill)  # heights are estimated too high, too low
    async with viewing(turns=12, length=200) as v:
        laid = [s.is_laid_out for b in v.texts.transcript.blocks for s in b.sections]
        assert sum(laid) < 10
        await v.press("up")
        while v.view.scroll_offset.y:
            before = v.rows(v.view)
            await v.press("pageup")
            after = v.rows(v.view)
            at_top = v.view.scroll_offset.y == 0
            assert at_top or after[-1] == before[0], "one line of the page before stays"
        assert v.rows(v.view)[0] == "▌ Say it!"
        await v.press("end")
        assert v.view.follow
        assert "200 tokens" in v.rows(v.view)[-1]


@pytest.mark.slow
@pytest.mark.parametrize("fill", [sections.FILL, 0.4, 3.0])
@scenario
async def test_the_wheel_moves_the_text_by_as_many_rows_as_ever(
    fill: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "FILL", fill)
    async with viewing(turns=8, length=200) as v:
        animator, moved = v.app.animator, int(v.app.scroll_sensitivity_y)
        for _ in range(40):
            before = v.rows(v.view)
            await v.pilot._post_mouse_events([events.MouseScrollUp], v.view, offset=(5, 5))
            await v.until(lambda: not animator.is_being_animated(v.view, "scroll_y"))
            assert v.rows(v.view)[moved:] == before[:-moved]


@pytest.mark.slow
@scenario
async def test_following_goes_on_over_resizes_and_what_is_read_stays() -> None:
    async with viewing(turns=10, length=200) as v:
        for width in (50, 100, 80):
            await v.pilot.resize_terminal(width, 20)
            await v.pilot.pause()
            assert "200 tokens" in v.rows(v.view)[-1]
        v.view.move_to(TokenRef(700))
        await v.press("up", "down")
        for width in (50, 100, 31):
            place = v.texts.transcript.place_of_row(v.view.scroll_offset.y)
            await v.pilot.resize_terminal(width, 20)
            await v.until(lambda width=width: v.view.size.width == width)
            assert place is not None
            assert v.texts.transcript.row_of_place(place) == v.view.scroll_offset.y


@scenario
async def test_only_what_changed_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    async with viewing(turns=1, length=200) as v:
        painter = type(v.view.painter)
        plain = painter._segments
        monkeypatch.setattr(
            painter, "_segments", lambda self, row: drawn.append(row.at) or plain(self, row)
        )
        answer = v.texts.transcript.begin_answer()
        answer.add(token(300, " one"))
        v.view.update()
        await v.pilot.pause()
        drawn.clear()
        answer.add(token(301, " two"))
        v.view.update()
        await v.pilot.pause()
        assert len(drawn) == 1
        assert "one two" in v.text()
        drawn.clear()
        v.view.move_to(TokenRef(301))
        await v.pilot.pause()
        assert len(drawn) == 1


@pytest.mark.parametrize("colours", ["true", "sixteen", "none"])
@scenario
async def test_colour_by_every_measure(colours: Colours) -> None:
    async with viewing(colours=colours) as v:
        answer = v.texts.transcript.begin_answer()
        for n, entropy in enumerate((0.5, 3.0, 5.0, 8.0, 40.0)):
            answer.add(token(n, f" t{n}", entropy=entropy, rank=4**n - 1))
        v.view.update()
        seen = []
        for name in color_scale.COLOURS[1:] + color_scale.COLOURS[:1]:
            await v.press("c")
            assert v.view.colour == name == v.texts.legend.colour
            seen.append(name)
            if name in ("entropy", "rank"):
                styles = [v.style_of(f"t{n}") for n in range(5)]
                assert len({str(style) for style in styles}) == 5
                if colours == "none":
                    assert v.rows(v.view)[0].startswith("5 "), "the highest class of the line"
                    assert "5=" in v.rows(v.texts.legend)[0]
        assert seen[-1] == "quadrant"
        await v.press("C")
        assert v.view.colour == "plain"
        assert v.style_of("t0").color == v.style_of("t4").color


@scenario
async def test_strategies_have_the_regions_looks_and_a_neutral_one() -> None:
    async with viewing() as v:
        answer = v.texts.transcript.begin_answer()
        for n, strategy in enumerate(color_scale.STRATEGIES):
            answer.add(token(n, f" t{n}", strategy=strategy))
        v.view.colour_by("strategy")
        v.view.update()
        await v.pilot.pause()
        styles = [v.style_of(f"t{n}") for n in range(6)]
        assert len({s.color for s in styles}) == 5
        assert styles[4] == styles[5] or styles[4].color == styles[5].color
        assert "adaptive" in v.rows(v.texts.legend)[0]


@pytest.mark.parametrize("colours", ["true", "sixteen", "none"])
@scenario
async def test_highlights_have_three_strengths(colours: Colours) -> None:
    async with viewing(colours=colours, turns=1, length=20) as v:
        plain = [v.style_of(f"word{n}") for n in (2, 3, 4, 5)]
        weights = {
            TokenRef(2): 0.5,
            TokenRef(3): 0.12,
            TokenRef(4): 0.03,
            TokenRef(5): 0.001,
            TokenRef(99): 0.1,
        }
        v.view.highlight(weights | {TokenRef(0, 2): 0.4})
        await v.pilot.pause()
        marked = [v.style_of(f"word{n}") for n in (2, 3, 4, 5)]
        looks = {str(style) for style in marked[:3]}
        assert len(looks) == 3
        assert all(a != b for a, b in zip(plain[:3], marked[:3], strict=True))
        if colours == "none":
            assert not marked[3].underline, "no other cues meanwhile"
            assert not marked[3].reverse
        else:
            assert marked[3] == plain[3]
        assert v.style_of("it").bgcolor == marked[0].bgcolor
        v.view.highlight(None)
        await v.pilot.pause()
        assert [v.style_of(f"word{n}") for n in (2, 3, 4, 5)] == plain


@scenario
async def test_the_first_divergence_is_marked() -> None:
    async with viewing(turns=1, length=20) as v:
        v.view.mark_divergence(TokenRef(4))
        await v.pilot.pause()
        assert "word3 ≠word4" in v.text()
        v.view.mark_divergence(TokenRef(6))
        await v.pilot.pause()
        assert "word3 word4 word5 ≠word6" in v.text()
        v.view.mark_divergence(None)
        await v.pilot.pause()
        assert "≠" not in v.text()


@scenario
async def test_letters_of_the_gutter() -> None:
    async with viewing(turns=1, length=20) as v:
        assert not v.rows(v.view)[1].startswith(("o", " f"))
        await v.press("l")
        assert v.texts.legend.letters
        assert v.rows(v.view)[1][:4].strip()
        await v.press("l")
        assert not v.view.letters


@scenario
async def test_a_cleared_transcript() -> None:
    async with viewing(turns=3) as v:
        await v.press("left")
        v.texts.transcript.clear()
        v.view.reset()
        await v.pilot.pause()
        assert v.heard(TokenView.CursorMoved).record is None
        assert "".join(v.rows(v.view)).strip() == ""
        await v.press("left", "up", "e", "enter", "v", "n")
        v.texts.transcript.say("fresh")
        v.view.update()
        await v.pilot.pause()
        assert v.rows(v.view)[0] == "▌ fresh"


@scenario
async def test_hostile_tokens_reach_the_screen_harmless() -> None:
    hostile = [
        "[/",
        "[red]x[/red]",
        "\x1b[31m",
        "\u202eabc",
        "👨‍👩‍👧‍👦",
        "\x07",
        "שלום",
        "x" * 2000,
    ]
    async with viewing() as v:
        transcript = v.texts.transcript
        transcript.say("".join(hostile))
        transcript.score(prompt(0, *hostile))
        answer = transcript.begin_answer()
        for n, text in enumerate(hostile, 1):
            answer.add(token(n, text))
        v.view.update()
        await v.press("home")
        for _ in range(5):
            text = v.text()
            assert not set(text) & {"\x1b", "\u202e", "\x07"}
            await v.press("pagedown")
        await v.press("home", "left", "home")
        assert "[/[red]x[/red]‹1B›[31m‹U+202E›abc" in v.text()
