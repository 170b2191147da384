"""The debugger's screen on the debugger itself, with a small random model."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness import LARGE, SMALL, hosted, press, scenario, settled, until

from entropix_mlx.debugger.commands import execute
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_tui.debugger.model import Debugging
from entropix_tui.screens.compare.compare import Compare
from entropix_tui.screens.step.step import StepScreen
from entropix_tui.tokens.token_ref import TokenRef

if TYPE_CHECKING:
    from entropix_mlx.session.session import Session
    from entropix_models.language_model import LanguageModel

pytestmark = [pytest.mark.usefixtures("_turns"), pytest.mark.slow]


@pytest.fixture
def _turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine's helpers can be imported."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "engine"))
    yield
    sys.modules.pop("turns", None)


class Chat:
    """What the chat does: keeps the tree, and hands everything on at once."""

    def __init__(self, model: "LanguageModel") -> None:
        from turns import session

        made: Session = session(model, "temperature", overrides={"temperature": "3"})
        self.debugger = Debugger(made, max_tokens=60)
        self.tree = Tree()
        self.lines: list[str] = []
        self.screen: StepScreen | None = None

    def make(self) -> StepScreen:
        session = self.debugger.session
        self.screen = StepScreen(
            Debugging(self.tree, session.settings, session.seed),
            session.context_length,
            ["ask Hello"],
            debug=self.debug,
            stop=self.debugger.stop,
        )
        return self.screen

    def debug(self, line: str) -> None:
        self.lines.append(line)
        assert self.screen is not None
        for output in execute(self.debugger, line):
            if isinstance(output, TokenRecord | PromptRecord | Event | End):
                self.tree.add(output)
            self.screen.take(output)
        self.screen.flush()

    def agree(self) -> None:
        """The screen says what the debugger has."""
        assert self.screen is not None
        said, stepper = self.screen.debugging, self.debugger.stepper
        session = self.debugger.session
        assert not said.sent
        assert said.cursor == self.debugger.cursor
        assert said.leaf == session.tree.leaf
        assert said.draft.used == len(session.ids)
        live = stepper is not None and not stepper.ended
        proposal = self.debugger.live.proposal() if live else None
        assert said.proposal == proposal
        if said.settings is not None:
            assert said.settings.to_dict() == session.settings.to_dict()
        answer: list[TokenRecord] = []
        for node in reversed(session.tree.path()):
            if isinstance(node, PromptRecord):
                break
            answer.insert(0, node)
        proposed = [] if proposal is None else [proposal]
        blocks = said.draft.transcript.blocks
        assert (blocks[-1].records if answer or proposed else []) == [*answer, *proposed]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_every_key(llama: "LanguageModel", size: tuple[int, int]) -> None:
    @scenario
    async def run() -> None:
        chat = Chat(llama)
        async with hosted(chat.make, size) as (app, pilot):
            chat.agree()
            for keys in (
                ["s", "s", "2", "n"],
                ["down", "down", "enter"],
                ["b", "b", "d", "d"],
                ["left", "left", "right"],
                ["3"],  # a branch
                ["s", "w", "w", "s"],
                ["t", *"Wait, ", "enter"],
                ["p", *"temperature=0.5", "enter"],
                ["left", "left", "p", *"temperature=2", "enter"],
                ["B", *"rank > 90", "enter", "c"],
                ["R", "s", "c"],
                ["left", "left", "left", "b"],
                ["D", *"entropy rank", "enter"],
                ["e"],
                ["w", "u"],
                ["a", *"More", "enter"],
                ["g"],
                ["f"],
            ):
                await press(pilot, *keys)
                chat.agree()
                assert not app.steering()
        assert chat.debugger.displays == ["entropy", "rank"]

    run()


@scenario
async def _pages(model: "LanguageModel") -> None:
    chat = Chat(model)
    async with hosted(chat.make, LARGE) as (app, pilot):
        for _ in range(3):
            await press(pilot, "s")
        screen = chat.screen
        assert screen is not None
        said = screen.debugging
        for key, line in (
            ("W", "waterfall"),
            ("A", "attention"),
            ("L", "lens"),
            ("F", "futures 8"),
        ):
            if screen.pages.page != line.split()[0]:
                await press(pilot, key)
            await until(pilot, lambda line=line: said.is_fresh(line.split()[0]))  # type: ignore[misc]
            await settled(pilot)
            chat.agree()
            assert not app.steering()
        assert len(said.lens) == model.info.layers
        assert screen.pages.lens.count == model.info.layers
        assert screen.pages.waterfall.table.count >= 32
        assert screen.pages.futures.count == 8
        await press(pilot, "B", *"entropy > 0", "enter", "c", "P")
        await until(pilot, lambda: said.points)
        assert [(point.number, point.hits) for point in said.points] == [(1, 1)]
        await press(pilot, "left", "A")
        await until(pilot, lambda: said.is_fresh("attention"))
        assert said.inspection is not None
        assert said.inspection.index == said.cursor
        assert chat.debugger.cursor is not None
        # A branch, beside the first one.
        await press(pilot, "2", "T")
        assert screen.pages.branches.count == 2
        await press(pilot, "up", "d")
        assert isinstance(app.screen, Compare)
        await press(pilot, "2")  # go on with the other one
        assert isinstance(app.screen, StepScreen)
        assert chat.lines[-1] == "branch 1" or "branch 1" in chat.lines
        chat.agree()
        await press(pilot, "x")
        assert screen.text.transcript.place_of(TokenRef(said.leaf)) is not None
        await press(pilot, "escape", "escape")
        assert app.answers == [None]


def test_every_page(llama: "LanguageModel") -> None:
    _pages(llama)
