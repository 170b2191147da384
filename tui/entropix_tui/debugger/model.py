"""What a debugger has told: where it stands, what it showed of the place, its breakpoints.

No widget, no model.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from entropix_mlx.debugger import text
from entropix_mlx.debugger.breakpoints import BreakpointInfo
from entropix_mlx.debugger.outputs import (
    Branches,
    Changed,
    Decisions,
    Displays,
    Done,
    Finished,
    Futures,
    Halt,
    Help,
    Lens,
    Listed,
    Looking,
    Message,
    Output,
    Refused,
)
from entropix_mlx.records.inspection import Future, Inspection, LayerSaid, Waterfall
from entropix_mlx.records.measures import shown
from entropix_mlx.records.record import Event, PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_mlx.sampling.settings import Settings
from entropix_tui.conversation.settings_history import changed, possible
from entropix_tui.debugger.draft import Draft
from entropix_tui.engine.outputs import Failed

if TYPE_CHECKING:
    from entropix_mlx.debugger.commands import Command

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


class Sent(NamedTuple):
    """A line that has not been answered. What a `silent` one says is of no interest."""

    line: str
    silent: bool

    @property
    def command(self) -> "Command | None":
        """Imports the commands, and MLX with them, which are there once a session is."""
        from entropix_mlx.debugger.commands import command_of

        return command_of(self.line)

    @property
    def name(self) -> str:
        """The command's full name; empty for what is none."""
        return "" if self.command is None else self.command.name


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
    waiting: str = ""
    """How far the model, or the reading of a prompt, is; empty if it waits for neither."""
    proposal: TokenRecord | None = None
    """What would be taken where it halts; None where it does not."""
    cursor: int | None = None
    """The recorded token that is looked at."""
    reason: str = ""
    """Why it stands where it does, if a breakpoint is the reason."""
    finish: str | None = None
    displays: Sequence[str] = field(default_factory=list)
    points: Sequence[BreakpointInfo] = field(default_factory=list)
    waterfall: Waterfall | None = None
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
        self.sent: deque[Sent] = deque()
        self._fresh: set[str] = set()  # what was shown, or refused, of this very place

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
    def told(self) -> TokenRecord | None:
        """The token that there is most to say of: while it goes on the one that was taken last,
        which the proposal of the halt before is not any more.
        """
        if self.running and self.leaf in self.tree:
            node = self.tree[self.leaf]
            return node if isinstance(node, TokenRecord) else None
        return self.record

    @property
    def running(self) -> str:
        """The line that takes its time just now, or waits for a model; empty if none does."""
        if self.waiting:
            return self.sent[0].line if self.sent else ""
        command = self.sent[0].command if self.sent else None
        return self.sent[0].line if command is not None and command.kind == "long" else ""

    @property
    def pinned(self) -> list[str]:
        """The pinned fields of the record that is looked at, each with its value."""
        if self.record is None:
            return []
        return [f"{name} {_plain(shown(self.record, name))}" for name in self.displays]

    @property
    def number(self) -> int:
        """Which token of its answer is proposed or looked at, from 1; 0 if there is none."""
        record, tree = self.record, self.tree
        if record is None:
            return 0
        taken = record.index in tree
        last = record.index if taken else record.parent
        return (len(tree.answer(last)) if last in tree else 0) + (not taken)

    @property
    def has_before(self) -> bool:
        """Whether the answer has a token before the one that is proposed or looked at."""
        if self.record is not None:
            return self.number > 1
        return self.leaf in self.tree and isinstance(self.tree[self.leaf], TokenRecord)

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
            if self.waiting:
                return "the model is loading"
            return "computing …" if self.running else "nothing is under way: ask something"
        if self.phase == "over":
            return "the answer is over: rewind to see this of one of its tokens"
        if self.phase == "looking" and what != "attention":
            return "this token was taken: rewind to it to see this"
        return ""

    def send(self, line: str, *, silent: bool = False) -> None:
        """A line is on its way; `silent`: only for what it shows."""
        self.sent.append(Sent(line.strip(), silent))

    # What comes.

    def take(self, output: Output | Failed) -> None:
        """Take in one output."""
        match output:
            case TokenRecord() | PromptRecord():
                self.draft.take(output)
                self.branching += 1
                self._fresh.discard("points")
            case Event():
                self._event(output)
            case Halt():
                self._halt(output)
            case Looking(index=index, reason=reason):
                self.phase, self.cursor = "looking", index
                self._place(*([reason] if reason else []))
            case Finished(reason=finish):
                self.phase = "over" if finish else "waiting"
                self.proposal, self.cursor, self.finish = None, None, finish
                self.draft.withdraw()
                self._place()
            case Waterfall():
                self.waterfall = output
                self._fresh.add("waterfall")
            case Inspection():
                self.inspection = output
                self._fresh.add("attention")
            case Lens(layers=layers):
                self.lens = layers
                self._fresh.add("lens")
            case Futures(futures=futures):
                self.futures = futures
                self._fresh.add("futures")
            case Displays(fields=fields):
                self.displays = fields
            case Listed(breakpoints=points):
                self.points = points
                self._fresh.add("points")
                self._answer(*text.told(output))
            case Changed():
                self._fresh.discard("points")
                self._answer(*text.told(output))
            case Branches() | Decisions() | Help() | Message():
                self._answer(*text.told(output))
            case Refused(message=message):
                self._refuse(message)
            case Failed(message=message, scope=scope):
                self.say("refused", message)
                if scope != "aside" and self.sent:
                    self.sent.popleft()
            case Done(command=name):
                # What was sent before this began is answered by another command.
                if self.sent and self.sent[0].name == name:
                    self.sent.popleft()

    def _halt(self, halt: Halt) -> None:
        self.phase, self.finish, self.cursor, self.proposal = "halted", None, None, halt.proposal
        self.draft.propose(halt.proposal)
        self._place(*(f"breakpoint {hit.number}: {hit.reason}" for hit in halt.hits))
        if halt.reread:
            self.say("said", f"{halt.reread} tokens read again: the cache can't be trimmed to here")

    def _place(self, *reasons: str) -> None:
        """Another place: nothing of it is known, but the breakpoints if nothing was met."""
        self.reason = "; ".join(reasons)
        self._fresh &= set() if reasons else {"points"}
        self.refused.clear()
        for reason in reasons:
            self.say("hit", reason)

    def _event(self, event: Event) -> None:
        if event.kind == "valley" and event.at is not None:
            self.draft.transcript.mark_valley(event.at)
        elif event.kind == "setting" and event.detail:
            if self.settings is not None:
                self.settings = changed(self.settings, event)
            self.seed = possible(event.detail).get("seed", self.seed)
        elif event.kind in ("branch", "prune"):
            self.branching += 1

    @property
    def _is_silent(self) -> bool:
        """Whether nobody wants to read what comes."""
        return bool(self.sent) and self.sent[0].silent

    def _answer(self, *lines: str) -> None:
        if not self._is_silent:
            for line in lines:
                self.say("said", line)

    def _refuse(self, message: str) -> None:
        command = self.sent[0].command if self.sent else None
        if command is not None and command.kind == "view":
            self.refused[command.name] = message
            self._fresh.add(command.name)
        if not self._is_silent:
            self.say("refused", message)

    def say(self, tone: Tone, text: str) -> None:
        """Put a line into the log."""
        self.log.append(Line(tone, text))
        self.logged += 1


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None else str(value)
