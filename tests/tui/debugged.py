"""A debugger from a script, without a thread: it answers a line at once, or when it is told to."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from conversations import asked, id_of
from harness import HOSTILE
from scripted import SETTINGS, STORY, inspection, token

from entropix_mlx.debugger.breakpoints import Action, Breakpoints, Hit
from entropix_mlx.debugger.commands import command_of
from entropix_mlx.debugger.outputs import (
    Changed,
    Displays,
    Done,
    Finished,
    Futures,
    Halt,
    Lens,
    Listed,
    Looking,
    Output,
    Refused,
)
from entropix_mlx.records.inspection import Future, LayerSaid, Stage, Waterfall
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_models.errors import EntropixError
from entropix_tui.debugger.model import Debugging
from entropix_tui.engine.outputs import Failed
from entropix_tui.screens.step.step import StepScreen

LISTED = [" the", " a", "\n", " [red]", "\x1b[2J", "9", " larger", " one", " two", " three"]
"""Candidates beside the one that the script proposes."""


def waterfall(record: TokenRecord) -> Waterfall:
    """Three tokens of ten are left in the end, of which the script's is drawn most often."""
    tokens = [(id_, text) for id_, text, *_ in record.candidates]
    raw = [0.5 / 2**n for n in range(len(tokens))]
    hot = [0.56 / 2**n for n in range(len(tokens))]
    cut = [p if n < 6 else 0.0 for n, p in enumerate(hot)]
    few = [p if n < 3 else 0.0 for n, p in enumerate(cut)]
    final = [p / sum(few) for p in few]
    stages = [
        Stage("raw", None, raw, 49_152, 0.0),
        Stage("temperature", 0.875, hot, 49_152, 0.0),
        Stage("min-p", 0.03, cut, 6, 0.0175),
        Stage("top-k", 27, cut, 6, 0.0),
        Stage("top-p", 0.9, few, 3, 0.122),
        Stage("draws", 12, final, 3, 0.0),
    ]
    drawn = [tokens[n][0] for n in (1, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0)]
    scores = [-0.6 - [id_ for id_, _ in tokens].index(id_) for id_ in drawn]
    return Waterfall("MID", "adaptive", tokens, stages, drawn, scores, tokens[0][0])


@dataclass
class Scripted:
    """What it says token by token; `answers`: the outputs of lines that it does not know itself.

    `hold`: lines that stay unanswered until `go` is called. `lines`: all that were sent.
    """

    texts: Sequence[str] = tuple(STORY)
    answers: dict[str, list[Output | Failed]] = field(default_factory=dict)
    hold: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    stops: int = 0
    tree: Tree = field(default_factory=Tree)
    breakpoints: Breakpoints = field(default_factory=Breakpoints)
    screen: StepScreen | None = None

    def __post_init__(self) -> None:
        self._cursor: int | None = None
        self._newest = -1
        self._held: list[str] = []

    def make(self, first: Sequence[str] = ("ask Which?",)) -> StepScreen:
        self.screen = StepScreen(
            Debugging(self.tree, SETTINGS, 7), 2048, first, debug=self.debug, stop=self.stop
        )
        return self.screen

    def debug(self, line: str) -> None:
        self.lines.append(line)
        if line in self.hold:
            self._held.append(line)
        else:
            self._serve(line)

    def stop(self) -> None:
        self.stops += 1

    def go(self) -> None:
        """Answer what was held."""
        held, self._held = self._held, []
        for line in held:
            self._serve(line)

    def give(self, *outputs: Output | Failed) -> None:
        """Outputs, as a chat would hand them on."""
        assert self.screen is not None
        for output in outputs:
            if isinstance(output, TokenRecord | PromptRecord | Event | End):
                self.tree.add(output)
            self.screen.take(output)
        self.screen.flush()

    def record(self, step: int | None = None, **fields: Any) -> TokenRecord:
        """The token of the script that follows `step` others, as the next record."""
        said = self._said() if step is None else step
        text = fields.pop("text", self.texts[said % len(self.texts)])
        others = [(id_of(other), other, -1.5 - n, 0.1 / 2**n) for n, other in enumerate(LISTED)]
        candidates = [(id_of(text), text, -0.5, 0.75), *others]
        values: dict[str, Any] = {
            "id": id_of(text),
            "parent": self.tree.leaf,
            "candidates": candidates,
            "rank": 0,
            "logprob": -0.5,
        }
        return token(self._newest + 1, text, **(values | fields))

    def halt(self, *reasons: str) -> Halt:
        hits = [Hit(n, Action(), reason) for n, reason in enumerate(reasons, 1)]
        return Halt(self.record(), hits)

    def _said(self) -> int:
        up = list(self.tree.up(self.tree.leaf))
        return sum(isinstance(self.tree[index], TokenRecord) for index in up)

    def _more(self, **fields: Any) -> None:
        record = self.record(**fields)
        self._newest += 1
        self.give(record)

    def _serve(self, line: str) -> None:
        command = command_of(line)
        if line in self.answers:
            self.give(*self.answers[line])
        else:
            self._do(line if command is None else command.name, line.partition(" ")[2])
        if not any(isinstance(output, Failed) for output in self.answers.get(line, ())):
            self.give(Done("" if command is None else command.name))

    def _do(self, name: str, rest: str) -> None:
        serve: Callable[[str], None] | None = getattr(self, f"_{name.replace('-', '_')}", None)
        if serve is not None:
            serve(rest)
        elif name in ("break", "tbreak", "watch", "catch", "enable", "disable", "delete", "ignore"):
            try:
                self.give(Changed(name, self.breakpoints.command(f"{name} {rest}")))
            except EntropixError as error:
                self.give(Refused(str(error)))
        else:
            self.give(Refused(f"unknown command {name!r}"))

    def _ask(self, rest: str) -> None:
        self._newest += 1
        text = json.loads(rest) if rest.startswith('"') else rest
        self.give(asked(self._newest, text, self.tree.leaf))
        self.give(self.halt())

    def _step(self, rest: str) -> None:
        if self._cursor is not None:
            self._cursor += int(rest or 1)
            self._cursor = None if self._cursor > self.tree.leaf else self._cursor
            self.give(self.halt() if self._cursor is None else Looking(self._cursor))
            return
        for _ in range(int(rest or 1)):
            self._more()
        self.give(self.halt())

    def _continue(self, _rest: str) -> None:
        for _ in range(5):
            self._more()
        self.give(self.halt("entropy 5.1 > 3"))

    _run = _next = _until = _continue

    def _finish(self, _rest: str) -> None:
        self._more()
        self.give(Finished("stop"))

    _end = _finish

    def _take(self, rest: str) -> None:
        listed = self.record().candidates
        text = listed[int(rest) - 1][1] if rest.isdigit() else json.loads(rest)
        self._more(text=text, id=id_of(text), bytes=text.encode().hex(), forced="user")
        self.give(self.halt())

    def _type(self, rest: str) -> None:
        text = json.loads(rest)
        self._more(text=text, id=id_of(text), bytes=text.encode().hex(), forced="user")
        self.give(self.halt())

    def _back(self, rest: str) -> None:
        at = self.tree.leaf + 1 if self._cursor is None else self._cursor
        self._cursor = max(at - int(rest or 1), 0)  # as the debugger, not before the beginning
        self.give(Looking(self._cursor))

    def _rewind(self, _rest: str) -> None:
        at = self.tree.leaf if self._cursor is None else self._cursor
        self._cursor = None
        self.tree.leaf = self.tree.parent(at)
        self.give(self.halt())

    def _waterfall(self, _rest: str) -> None:
        self.give(waterfall(self.record()))

    def _attention(self, _rest: str) -> None:
        places = [(0, 3), *((index, 0) for index in range(1, self.tree.leaf + 1))]
        self.give(inspection(self.record(), places))

    def _lens(self, _rest: str) -> None:
        listed = self.record().candidates
        layers = [
            LayerSaid(11.0 - n, [listed[(n + k) % 9] for k in range(4)], 8 - n) for n in range(9)
        ]
        self.give(Lens(layers))

    def _futures(self, _rest: str) -> None:
        listed = self.record().candidates
        self.give(
            Futures([Future(one, 1.5 * n, 4.0 * n, listed[:3]) for n, one in enumerate(listed[:8])])
        )

    def _breakpoints(self, _rest: str) -> None:
        self.give(Listed(self.breakpoints.infos()))

    def _display(self, rest: str) -> None:
        self.give(Displays(rest.split(), self.halt()))

    def _ban(self, _rest: str) -> None:
        self.give(self.halt())

    _redraw = _set = _preset = _ban


def hostile() -> Scripted:
    """Every token is one that could do harm."""
    return Scripted(texts=[HOSTILE, "\x1b[2J", "[/red]", "\x9b2J", "\u202eabc", "\x07"])
