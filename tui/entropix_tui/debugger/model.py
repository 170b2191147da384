"""What a debugger has told: where it stands, what it showed of the place, its breakpoints.

No widget, no model.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from entropix_mlx.debugger.outputs import Finished, Halt, Looking, Output, Refused, Said, Shown
from entropix_mlx.records.inspection import Future, Inspection, LayerSaid
from entropix_mlx.records.record import Event, PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_mlx.sampling.settings import Settings
from entropix_tui.conversation.settings_history import changed, possible
from entropix_tui.debugger.asking import SHOWING, Outstanding
from entropix_tui.debugger.draft import Draft
from entropix_tui.engine.outputs import Failed

if TYPE_CHECKING:
    from entropix_mlx.records.inspection import Waterfall

ASKED: dict[str, str] = {
    "waterfall": "waterfall",
    "attention": "attention",
    "lens": "lens",
    "futures": "futures 8",
}
"""The line that asks for each thing that is computed on demand."""

Phase = Literal["waiting", "halted", "looking", "over"]
"""`waiting`: there is no answer yet; `looking`: back at a recorded token."""

Tone = Literal["typed", "said", "hit", "refused"]
LINES = 500
"""Lines of the log that are kept."""

_POINT = re.compile(
    r" *([0-9]+)  (.*)  \((?:hit once|hit ([0-9]+) times)(?:, passes ([0-9]+) more)?"
    r"(, disabled)?\)",
    re.DOTALL,
)


class Point(NamedTuple):
    """A breakpoint as the debugger lists it; `passes`: so many more hits only count."""

    number: int
    line: str
    hits: int
    passes: int
    enabled: bool

    @classmethod
    def of(cls, line: str) -> "Point | None":
        """The one that a line tells of, if it does."""
        found = _POINT.fullmatch(line)
        if found is None:
            return None
        number, made, hits, passes, disabled = found.groups()
        return cls(int(number), made, int(hits or 1), int(passes or 0), disabled is None)


class Line(NamedTuple):
    """A line of the log."""

    tone: Tone
    text: str


@dataclass
class Debugging:
    """Takes in what a debugger gives, in order. `tree` belongs to somebody else, who has added each
    record to it before it is taken here.
    """

    tree: Tree
    settings: Settings | None = None
    """Those of the next token."""
    seed: int | None = None
    phase: Phase = "waiting"
    proposal: TokenRecord | None = None
    """What would be taken where it halts; None where it does not."""
    cursor: int | None = None
    """The recorded token that is looked at."""
    reason: str = ""
    """Why it stands where it does, if a breakpoint is the reason."""
    finish: str | None = None
    displays: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    waterfall: "Waterfall | None" = None
    inspection: Inspection | None = None
    lens: list[LayerSaid] = field(default_factory=list)
    futures: list[Future] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Why something that is computed on demand can't be had here."""
    branching: int = 0
    """Changes whenever the list of branches may have."""

    def __post_init__(self) -> None:
        self.log: deque[Line] = deque(maxlen=LINES)
        self.logged = 0
        """Lines that were ever logged."""
        self.draft = Draft(self.tree)
        self.draft.rebuild(self.tree.leaf)
        self.sent = Outstanding()
        self._fresh: set[str] = set()  # what was shown, or refused, of this very place
        self._returned = False  # whether the line being answered has come back to where it halts

    # Where it stands.

    @property
    def leaf(self) -> int:
        """The last record that was taken on this path."""
        return self.draft.leaf

    @property
    def record(self) -> TokenRecord | None:
        """The token that is looked at: recorded, or proposed."""
        if self.cursor is None:
            return self.proposal
        node = self.tree[self.cursor]
        return node if isinstance(node, TokenRecord) else None

    @property
    def running(self) -> str:
        """The line that takes its time just now; empty if none does."""
        head = self.sent.head
        return head.line if head is not None and head.is_long else ""

    @property
    def pinned(self) -> list[str]:
        """The pinned fields of the record that is looked at, each with its value."""
        if self.record is None:
            return []
        return [f"{name} {_plain(getattr(self.record, name, None))}" for name in self.displays]

    def steps_to(self, index: int) -> int | None:
        """How many recorded tokens further a token of this answer is: negative, back. None for
        what is no token of it.
        """
        answer = []
        for at in self.tree.up(self.leaf) if self.leaf in self.tree else ():
            if isinstance(self.tree[at], PromptRecord):
                break
            answer.append(at)
        if index not in answer:
            return None
        here = -1 if self.cursor is None else answer.index(self.cursor)
        return here - answer.index(index)

    # What is asked for.

    def wants(self, what: str) -> str | None:
        """The line that asks for what is not known of this place and can be; None if there is
        none, or another line has to be answered first.
        """
        if self.sent or what in self._fresh:
            return None
        if what == "points":
            return "breakpoints"
        return ASKED[what] if what in ASKED and not self.why_not(what) else None

    def is_fresh(self, what: str) -> bool:
        """Whether what is known was asked for at this very place."""
        return what in self._fresh

    def why_not(self, what: str) -> str:
        """Why something can't be computed here; empty if it can."""
        if what in self.refused:
            return self.refused[what]
        if self.phase == "waiting":
            return "nothing is under way: ask something"
        if self.phase == "over":
            return "the answer is over: rewind to see this of one of its tokens"
        if self.phase == "looking" and what != "attention":
            return "this token was taken: rewind to it to see this"
        return ""

    # What comes.

    def take(self, output: Output | Failed) -> None:
        """Take in one output."""
        match output:
            case TokenRecord() | PromptRecord():
                self.draft.take(output)
                self.branching += 1
                self._fresh.discard("points")
                return
            case Failed(message=message):
                self.say("refused", message)
                self.sent.forget()
                return
            case Refused(message=message):
                self._refuse(message)
                return
            case Event():
                self._event(output)
            case Halt():
                self._halt(output)
            case Looking(index=index, reason=reason):
                self.phase, self.cursor, self.reason = "looking", index, reason
                self._place()
                if reason:
                    self.say("hit", reason)
            case Finished(reason=finish):
                self.phase = "over" if finish else "waiting"
                self.proposal, self.cursor, self.finish, self.reason = None, None, finish, ""
                self.draft.withdraw()
                self._place()
            case Shown():
                self._shown(output)
            case Said(lines=lines):
                self._said(lines)
        done = self.sent.answered(output, returned=self._returned)
        if done is not None and done.name == "display":
            self.displays = done.line.split()[1:]
        self._returned = False

    def _halt(self, halt: Halt) -> None:
        again = self.phase == "halted" and self.proposal == halt.proposal
        self._returned = self.cursor is not None
        self.phase, self.finish, self.cursor, self.proposal = "halted", None, None, halt.proposal
        self.draft.propose(halt.proposal)
        reasons = [f"breakpoint {hit.number}: {hit.reason}" for hit in halt.hits]
        if not (again and self.sent.is_for("display")):
            self.reason = "; ".join(reasons)
            self._place()
        for reason in reasons:
            self.say("hit", reason)
        if halt.reread:
            self.say("said", f"{halt.reread} tokens read again: the cache can't be trimmed to here")

    def _place(self) -> None:
        """Another place: nothing of it is known, but the breakpoints if nothing was met."""
        self._fresh &= {"points"}
        self.refused.clear()
        if self.reason:
            self._fresh.clear()

    def _event(self, event: Event) -> None:
        if event.kind == "valley" and event.at is not None:
            self.draft.transcript.mark_valley(event.at)
        elif event.kind == "setting" and event.detail:
            if self.settings is not None:
                self.settings = changed(self.settings, event)
            self.seed = possible(event.detail).get("seed", self.seed)
        elif event.kind in ("branch", "prune"):
            self.branching += 1

    def _shown(self, shown: Shown) -> None:
        what = shown.what
        if isinstance(what, Inspection):
            self._fresh.add("attention")
            self.inspection = what
        elif not isinstance(what, list):
            self._fresh.add("waterfall")
            self.waterfall = what
        elif self.sent.is_for("lens"):
            self._fresh.add("lens")
            self.lens = [one for one in what if isinstance(one, LayerSaid)]
        else:
            self._fresh.add("futures")
            self.futures = [one for one in what if not isinstance(one, LayerSaid)]

    def _said(self, lines: list[str]) -> None:
        """Lines; what they tell of breakpoints is taken in."""
        head = self.sent.head
        if head is not None and head.name == "breakpoints":
            self.points = [point for line in lines if (point := Point.of(line)) is not None]
            self._fresh.add("points")
        else:
            self._fresh.discard("points")
        if head is None or not head.silent:
            for line in lines:
                self.say("said", line)

    def _refuse(self, message: str) -> None:
        head = self.sent.refused()
        if head is not None and head.name in SHOWING:
            self.refused[head.name] = message
            self._fresh.add(head.name)
        if head is None or not head.silent:
            self.say("refused", message)

    def say(self, tone: Tone, text: str) -> None:
        """Put a line into the log."""
        self.log.append(Line(tone, text))
        self.logged += 1


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None else str(value)
