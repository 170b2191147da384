"""A given text in all instruments, on a scripted scorer: by itself, and over a chat."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from driving import chatting
from harness import HOSTILE, LARGE, SIZES, SMALL, Driver, running, scenario
from scripted import HEADER, Gate, ScriptedFactory, ScriptedSession, inspection, token
from test_offers import missing, offered, told_of
from textual.events import Paste

from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import End, Event, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_models.errors import UsageError
from entropix_models.progress import Progress
from entropix_tui.app import EntropixApp
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import TurnRecord
from entropix_tui.engine.protocol import Complain, SessionLike
from entropix_tui.screens.chat.chat import ChatScreen
from entropix_tui.screens.open_text import OpenText
from entropix_tui.screens.score.score import ScoreScreen
from entropix_tui.screens.vocabulary import Vocabulary
from entropix_tui.tokens.token_ref import TokenRef

SPAIN = "The capital of Spain is banana."
BITS = {" banana": 22.6, " capital": 9.9, " Spain": 5.0}
EXPECTED = {" banana": " Madrid", " capital": " first", " Spain": " the"}


@dataclass
class ScriptedScorer:
    """Scores word by word: what `BITS` has is surprising, everything else was expected."""

    gate: Gate = field(default_factory=Gate)
    valleys: Sequence[int] = ()
    texts: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    error: Exception | None = None
    closed: bool = False
    header = msgspec.structs.replace(HEADER, sampler={}, seed=None)

    def __post_init__(self) -> None:
        self.tree = Tree()

    def make(self, _: SessionLike, progress: Progress, complain: Complain) -> "ScriptedScorer":
        self.progress, self.complain = progress, complain
        return self

    def score(self, text: str) -> Iterator[TurnRecord]:
        self.gate.reset()
        self.texts.append(text)
        pieces = re.findall(r" ?\w+|[^\w]", text)
        first, reason = self.tree.newest + 1, "stop"
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        for n, piece in enumerate(pieces):
            self.progress("scoring", n, len(pieces), unit="tokens")
            if not self.gate.wait():
                reason = "interrupted"
                break
            yield self._kept(self._record(first, n, piece))
            if n in self.valleys:
                yield self._kept(Event(kind="valley", index=first + n, at=first + n - 2))
        leaf = self.tree.leaf
        yield self._kept(
            End(leaf=leaf, finish_reason=reason, tokens=n, seconds=1.0, prefill_seconds=0.0)
        )

    def _record(self, first: int, n: int, piece: str) -> TokenRecord:
        bits = BITS.get(piece, 0.1)
        expected = EXPECTED.get(piece, piece)
        candidates = [(7, expected, -1.0, 0.37)]
        if expected != piece:
            candidates.append((100 + n, piece, -bits * 0.6931, 0.0))
        fields: dict[str, Any] = {
            "id": 100 + n if expected != piece else 7,
            "logprob": -bits * 0.6931471805599453,
            "rank": 40 if expected != piece else 0,
            "candidates": candidates,
        }
        if n == 0:
            fields |= {"logprob": None, "rank": None, "entropy": None, "candidates": []}
        drawn = dict.fromkeys(("strategy", "temperature", "top_k", "top_p", "min_p", "ms"))
        parent = first + n - 1 if n else -1
        return token(first + n, piece, **{**drawn, **fields, "parent": parent})

    def _kept(self, record: Any) -> Any:
        self.tree.add(record)
        return record

    def inspect(self, index: int) -> Inspection:
        self.asked.append(index)
        node = self.tree[index]
        assert isinstance(node, TokenRecord)
        if node.entropy is None:
            raise UsageError("nothing came before a first token")
        return inspection(node, [(n, 0) for n in range(index)])

    def stop(self) -> None:
        self.gate.stop()

    def close(self) -> None:
        self.closed = True


@dataclass
class Scoring(Driver):
    """The application with a scored text."""

    app: EntropixApp
    screen: ScoreScreen
    scorer: ScriptedScorer

    async def scored(self) -> None:
        """Wait until a text is scored and its greatest surprise has the cursor."""
        await self.until(lambda: self.screen.conversation.phase == "ready")
        await self.until(lambda: self.cursor is None or not self.screen.view._behind)
        await self.pilot.pause()

    @property
    def cursor(self) -> str | None:
        """The token under the text's cursor."""
        ref = self.screen.view.tokens.ref
        return None if ref is None else self.screen.conversation.tree[ref.index].text

    def ranking(self) -> list[str]:
        return [one.token for one in self.screen.panel.ranked.listed]


@asynccontextmanager
async def scoring(
    text: str | None = SPAIN,
    *,
    size: tuple[int, int] = SMALL,
    scorer: ScriptedScorer | None = None,
    factory: ScriptedFactory | None = None,
) -> AsyncIterator[Scoring]:
    scorer = scorer or ScriptedScorer()
    factory = factory or ScriptedFactory([ScriptedSession()])
    engine = Engine(factory, make_scorer=scorer.make)
    app = EntropixApp(ScoreScreen(engine, text))
    try:
        async with running(app, size) as pilot:
            screen = app.screen
            assert isinstance(screen, ScoreScreen)
            yield Scoring(pilot, app, screen, scorer)
    finally:
        assert engine.quit(30), "the engine thread did not end"
    assert scorer.closed or not scorer.texts


@SIZES
def test_it_points_at_what_was_not_expected(size: tuple[int, int]) -> None:
    @scenario
    async def run() -> None:
        async with scoring(size=size, scorer=ScriptedScorer(valleys=[4])) as view:
            await view.scored()
            assert view.ranking() == [" banana", " capital", " Spain"]
            assert view.cursor == " banana"
            row = view.rows(view.screen.panel.ranked)[1]
            assert row.split()[:5] == ["1", "␣banana", "22.60", "␣Madrid", "36.8%"]
            assert "surprisal (bits)" in view.text()
            assert not {"inserted", "prompt"} & set(view.rows(view.screen.view.legend)[0].split())
            assert "banana" in "".join(view.rows(view.screen.view.tokens)), "the cursor is in view"
            assert "■ scored" in view.rows()[0]
            assert view.screen.conversation.transcript.blocks
            assert "▾" in view.text()
            timeline = view.screen.view.strips.timeline
            assert [record.text for record in timeline.records[-3:]] == [" is", " banana", "."]

    run()


@scenario
async def test_the_cursor_stays_in_view_when_its_panel_opens() -> None:
    async with scoring("word " * 200 + "banana and more " * 60) as view:
        await view.scored()
        assert view.cursor == " banana"
        assert "banana" in "".join(view.rows(view.screen.view.tokens))


@scenario
async def test_the_list_moves_the_text_s_cursor() -> None:
    async with scoring() as view:
        await view.scored()
        assert view.screen.focused is view.screen.panel.ranked
        await view.press("down")
        assert view.cursor == " capital"
        await view.press("end")
        assert view.cursor == " Spain"
        await view.press("enter", "right")
        assert view.screen.focused is view.screen.view.tokens
        assert view.cursor == " is"


@scenario
async def test_colours_go_round_from_surprisal() -> None:
    async with scoring() as view:
        await view.scored()
        assert view.screen.view.tokens.colour == "surprisal"
        await view.press("ctrl+l")
        assert view.screen.view.tokens.colour == view.screen.view.legend.colour == "rank"


@pytest.mark.slow
@scenario
async def test_a_text_is_typed_scored_and_changed() -> None:
    async with scoring(None) as view:
        await view.until(lambda: view.screen.conversation.phase == "ready")
        assert "□ nothing is scored yet" in view.rows()[0]
        # As a terminal without bracketed paste sends it: line by line, tabs and all.
        await view.press(*"One", "enter", "tab", *"two", "ctrl+j", *"banana")
        assert view.scorer.texts == []
        await view.press("ctrl+r")
        await view.scored()
        assert view.scorer.texts == ["One\n\ttwo\nbanana"]
        await view.press("e")
        assert view.screen.panel.editor.text == "One\n\ttwo\nbanana"
        view.screen.panel.editor.load_text("The capital")
        await view.press("ctrl+r")
        await view.until(lambda: len(view.scorer.texts) == 2)
        await view.scored()
        assert view.ranking() == [" capital"]
        await view.press("ctrl+b", "home", "enter")
        await view.until(lambda: "banana" in view.text())
        await view.press("ctrl+up")
        assert view.screen.panel.editor.text == "One\n\ttwo\nbanana"
        await view.press("escape")
        assert not view.screen.is_writing


@scenario
async def test_what_is_pasted_is_made_harmless_and_what_was_given_stays_as_it_is() -> None:
    async with scoring("a\r\nb \x1b[31m banana") as view:
        await view.scored()
        assert not view.steering()
        await view.press("e", "ctrl+r")
        await view.until(lambda: len(view.scorer.texts) == 2)
        assert view.scorer.texts[1] == view.scorer.texts[0] == "a\r\nb \x1b[31m banana"
        await view.scored()
        await view.press("ctrl+n")
        view.screen.panel.editor.post_message(Paste(HOSTILE))
        await view.until(lambda: view.screen.panel.editor.text)
        assert not view.steering()


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
@scenario
async def test_stopping_keeps_what_was_scored(key: str) -> None:
    scorer = ScriptedScorer(Gate(5))
    async with scoring(scorer=scorer) as view:
        await view.until(lambda: view.cursor is None and len(view.screen.conversation.tree) == 5)
        assert "◌ scoring" in view.rows()[0]
        await view.press("ctrl+n")
        assert "Esc stops it" in view.told()
        await view.press(key)
        await view.scored()
        assert view.ranking() == [" capital", " Spain"]
        assert "stopped" in view.text()


@pytest.mark.slow
@scenario
async def test_ctrl_c_stops_the_scoring_here_and_over_a_chat() -> None:
    async with scoring(scorer=ScriptedScorer(Gate(3))) as view:
        await view.until(lambda: len(view.screen.conversation.tree) == 3)
        await view.press("ctrl+c")
        await view.scored()
        assert "stopped" in view.text()
    scorer = ScriptedScorer(Gate(3))
    async with chatting(ScriptedSession()) as chat:
        chat.engine._make_scorer = scorer.make
        await chat.phase("ready")
        await chat.press("f8", *"one two three four", "ctrl+r")
        screen = chat.app.screen
        assert isinstance(screen, ScoreScreen)
        await chat.until(lambda: len(screen.conversation.tree) == 3)
        await chat.press("ctrl+c")
        await chat.until(lambda: screen.conversation.phase == "ready")
        assert "stopped" in chat.text()
        assert chat.app.screen is screen


@scenario
async def test_progress_of_the_model_and_what_it_can_t_load() -> None:
    gate = Gate(2)
    factory = ScriptedFactory([UsageError("there is no such model"), ScriptedSession()], gate)
    async with scoring(factory=factory) as view:
        await view.until(lambda: "downloading smollm2-135m 20 %" in view.rows()[0])
        gate.open()
        await view.until(lambda: "there is no such model" in view.told())
        assert view.screen.is_writing
        assert view.screen.panel.editor.text == SPAIN
        await view.press("ctrl+r")
        await view.until(lambda: view.scorer.texts)
        await view.scored()
        assert view.cursor == " banana"


@pytest.mark.slow
@scenario
async def test_a_text_that_comes_to_nothing_can_be_changed() -> None:
    scorer = ScriptedScorer(error=UsageError("there is nothing to score: it has no tokens"))
    async with scoring(scorer=scorer) as view:
        await view.until(lambda: view.screen.is_writing)
        assert "there is nothing to score" in view.told()
        await view.press("ctrl+r")
        await view.until(lambda: view.ranking())


@pytest.mark.slow
@scenario
async def test_every_token_can_be_looked_into() -> None:
    async with scoring(size=LARGE) as view:
        await view.scored()
        await view.press("a")
        await view.until(lambda: view.screen.view.inspector.inspection)
        await view.press("x")
        await view.until(lambda: isinstance(view.app.screen, Vocabulary))
        assert "logit" in view.text()
        assert "take" not in view.rows()[-1]
        await view.press("down", "enter", "escape")
        await view.until(lambda: view.app.screen is view.screen)
        assert set(view.scorer.asked) == {5}


@pytest.mark.slow
@scenario
async def test_it_offers_nothing_that_it_forbids() -> None:
    async with scoring(size=LARGE) as view:
        await view.scored()
        assert missing(view.screen) == []
        asked = " ".join(offered(view.screen))
        assert not [word for word in ("sampler", "regenerate", "fork", "step") if word in asked]
        view.screen.view.tokens.focus()
        await view.pilot.pause()
        assert not {"another token", "take instead"} & told_of(view.screen)
        view.screen.view.inspector.focus()
        await view.pilot.pause()
        assert "take instead" not in told_of(view.screen)
        before = len(view.screen.conversation.tree)
        await view.press("enter")
        assert len(view.screen.conversation.tree) == before


@scenario
async def test_a_file_is_opened_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"Spain\r\nbanana\n")
    async with scoring(None) as view:
        await view.press("ctrl+o", *"nowhere.txt", "enter")
        assert isinstance(view.app.screen, OpenText)
        assert "cannot read nowhere.txt" in view.text()
        view.app.screen.query_one("Words").value = str(path)  # type: ignore[attr-defined]
        await view.press("enter")
        await view.until(lambda: view.scorer.texts)
        assert view.scorer.texts == ["Spain\r\nbanana\n"]


@pytest.mark.slow
@scenario
async def test_from_the_chat_and_back() -> None:
    scorer = ScriptedScorer()
    factory = ScriptedFactory([ScriptedSession()])
    async with chatting(factory=factory) as chat:
        chat.engine._make_scorer = scorer.make
        await chat.ask()
        before = chat.text()
        await chat.press("f8")
        screen = chat.app.screen
        assert isinstance(screen, ScoreScreen)
        await chat.press(*"A banana", "ctrl+r")
        await chat.until(lambda: screen.panel.ranked.listed)
        assert "␣Madrid" in chat.text()
        await chat.until(lambda: screen.view.tokens.ref == TokenRef(1))
        await chat.press("a")
        await chat.until(lambda: scorer.asked == [1])
        await chat.press("escape", "escape")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
        assert chat.text() == before
        assert chat.screen.scoring is None
        await chat.ask("More?")
        assert len(chat.screen.conversation.tree) > 0
        assert factory.made == 1, "one model is there for both"


@pytest.mark.slow
@scenario
async def test_texts_and_a_draft_are_kept_while_one_is_in_the_chat() -> None:
    scorer = ScriptedScorer()
    async with chatting(ScriptedSession()) as chat:
        chat.engine._make_scorer = scorer.make
        await chat.ask()
        await chat.press("f8", *"A banana", "ctrl+r")
        screen = chat.app.screen
        assert isinstance(screen, ScoreScreen)
        await chat.until(lambda: screen.panel.ranked.listed and not screen.view._behind)
        await chat.press("ctrl+n", *"more", "escape")
        assert "What you have written is kept" in chat.told()
        await chat.press("escape", "escape")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
        await chat.ask("More?")
        await chat.press("f8")
        await chat.until(lambda: isinstance(chat.app.screen, ScoreScreen))
        assert "␣banana" in chat.text()
        assert "Madrid" in chat.text()
        await chat.press("ctrl+n")
        assert screen.panel.editor.text == "more"
        await chat.press("ctrl+r")
        await chat.until(lambda: scorer.texts == ["A banana", "more"])
        await chat.until(lambda: screen.conversation.phase == "ready")
        assert screen.texts == ["A banana", "more"]
        await chat.press("ctrl+b", "home", "enter")
        await chat.until(lambda: screen.text == "A banana")


@pytest.mark.slow
@scenario
async def test_what_is_not_scored_is_dropped_only_when_that_is_asked_for_twice() -> None:
    async with scoring() as view:
        await view.scored()
        editor = view.screen.panel.editor
        await view.press("ctrl+n", *"draft")
        await view.press("ctrl+n")
        assert editor.text == "draft"
        assert "not scored yet: Ctrl+R scores it, Ctrl+N drops it" in view.told()
        await view.press("s", "ctrl+n")
        assert editor.text == "drafts", "it was asked about another text"
        await view.press("escape", "e")
        assert view.screen.is_writing
        assert editor.text == "drafts"
        await view.press("escape", "ctrl+n")
        assert editor.text == "drafts", "it was asked about before"
        await view.press("ctrl+n")
        assert editor.text == ""
        await view.press("escape", "e")
        assert editor.text == SPAIN


@pytest.mark.slow
@scenario
async def test_an_opened_file_leaves_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("Spain")
    async with scoring(None) as view:
        await view.until(lambda: view.screen.conversation.phase == "ready")
        await view.press(*"draft", "ctrl+o")
        view.app.screen.query_one("Words").value = str(path)  # type: ignore[attr-defined]
        await view.press("enter")
        await view.until(lambda: view.scorer.texts)
        await view.scored()
        assert "What you have written is kept" in view.told()
        view.scorer.error = UsageError("no tokens")
        await view.press("ctrl+o")
        view.app.screen.query_one("Words").value = str(path)  # type: ignore[attr-defined]
        await view.press("enter")
        await view.until(lambda: view.screen.is_writing)
        assert "no tokens" in view.told()
        assert view.screen.panel.editor.text == "draft"


@pytest.mark.slow
@scenario
async def test_a_scorer_that_cannot_be_made_is_told_and_asked_again() -> None:
    scorer = ScriptedScorer()
    async with chatting(ScriptedSession()) as chat:
        refused = []

        def make(*given: Any) -> Any:
            if not refused:
                refused.append(True)
                raise OSError("no room for the trace")
            return scorer.make(*given)

        chat.engine._make_scorer = make
        await chat.ask()
        before = len(chat.screen.conversation.failures)
        await chat.press("f8", *"A banana", "ctrl+r")
        screen = chat.app.screen
        assert isinstance(screen, ScoreScreen)
        await chat.until(lambda: screen.is_writing)
        assert "no room for the trace" in chat.told()
        assert screen.conversation.phase == "ready"
        assert len(chat.screen.conversation.failures) == before, "no turn of it failed"
        await chat.press("ctrl+r")
        await chat.until(lambda: screen.panel.ranked.listed)


@pytest.mark.slow
@scenario
async def test_another_conversation_begins_another_list() -> None:
    scorers = [ScriptedScorer(), ScriptedScorer()]
    made = iter(scorers)
    factory = ScriptedFactory([ScriptedSession(), ScriptedSession()])
    async with chatting(factory=factory) as chat:
        chat.engine._make_scorer = lambda *a: next(made).make(*a)
        await chat.phase("ready")
        await chat.press("f8", *"A banana", "ctrl+r")
        screen = chat.app.screen
        assert isinstance(screen, ScoreScreen)
        await chat.until(lambda: screen.panel.ranked.listed and not screen.view._behind)
        await chat.press("escape", "escape", "ctrl+n")
        await chat.until(lambda: factory.made == 2)
        await chat.phase("ready")
        await chat.press("f8")
        assert "␣banana" in chat.text()
        screen.view.tokens.move_to(TokenRef(1))
        await chat.press("a")
        await chat.until(lambda: "that scored this text is gone" in chat.text())
        await chat.press("ctrl+n", *"Spain", "ctrl+r")
        await chat.until(lambda: scorers[1].texts == ["Spain"])
        await chat.until(lambda: screen.conversation.phase == "ready")
        assert screen.texts == ["Spain"]
        assert screen.text == "Spain"
        assert "begins here" in chat.told()


@pytest.mark.slow
@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    scorer = ScriptedScorer(valleys=[4])
    engine = Engine(ScriptedFactory([ScriptedSession()]), make_scorer=scorer.make)
    app = EntropixApp(ScoreScreen(engine, SPAIN))

    async def steps(pilot: Any) -> None:
        view = Scoring(pilot, app, app.first, scorer)  # type: ignore[arg-type]
        await view.until(lambda: view.cursor == " banana")
        await view.scored()

    try:
        assert looks(app, size, steps)
    finally:
        assert engine.quit(30)
