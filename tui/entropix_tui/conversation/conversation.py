"""What the screen knows of a conversation: everything that came out of the engine, taken in."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Literal

from entropix_mlx.records.record import (
    End,
    Event,
    PromptRecord,
    RunHeader,
    TokenRecord,
)
from entropix_mlx.records.tree import ROOT, Node, Tree
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.settings import Settings
from entropix_tui.conversation.comparison import Side
from entropix_tui.conversation.notes import Notes
from entropix_tui.conversation.settings_history import Samplers, changed, possible
from entropix_tui.engine.garbage import uncollected
from entropix_tui.engine.outputs import (
    Failed,
    Loading,
    Output,
    Ready,
    Renewed,
    Restored,
    TurnRecord,
    Unsaved,
)
from entropix_tui.transcript.transcript import Transcript

Phase = Literal["loading", "ready", "reading", "generating", "failed"]
"""`reading`: the prompt is being read; `failed`: there is no session to send to."""


@dataclass
class Conversation:
    """One conversation as a tree, the transcript of its present branch, its figures.

    No widget, no model. `branch` counts how often the branch in view was replaced by another.
    """

    transcript: Transcript = field(default_factory=Transcript)
    tree: Tree = field(default_factory=Tree)
    phase: Phase = "loading"
    loading: Loading | None = None
    header: RunHeader | None = None
    context: int | None = None
    settings: Settings | None = None
    """Those of the next token."""
    seed: int | None = None
    name: str | None = None
    """What it is saved under."""
    note: str = ""
    system: str = ""
    calibration: Calibration | None = None
    unsaved: str | None = None
    """Why it is not saved any more."""
    used: int = 0
    """Tokens in the model's context."""
    pending: str | None = None
    """What the user has said and the model has not read yet."""
    unsent: str | None = None
    """What was said in vain: the turn failed before it was read."""
    aside: int = 0
    """How many turns make other branches than the one in view, which stays in view."""
    leaving: bool = False
    """Whether another conversation has been asked for, and this one is still ending."""
    branch: int = 0
    branches: int = 0
    """How many ways it has gone."""
    failures: list[Failed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._ms: deque[float] = deque(maxlen=24)
        self.branches = 0
        self._parents: set[int] = set()
        self._events: list[Event] = []  # in the order in which they happened
        self._path: list[Node] | None = None  # what was last rebuilt
        self.notes = Notes()
        self.samplers = Samplers()

    @property
    def busy(self) -> bool:
        return self.phase in ("reading", "generating")

    @property
    def can_send(self) -> bool:
        return self.phase in ("ready", "failed") and not self.leaving

    @property
    def can_go_on(self) -> bool:
        """Whether the branch in view ends in mid-answer."""
        leaf = self.tree.leaf
        return (
            self.phase == "ready"
            and not self.leaving
            and leaf != ROOT
            and self.notes.reasons.get(leaf) not in ("stop", "exit")
        )

    def side(self, leaf: int) -> Side:
        """The branch that ends at a record, to be compared."""
        return Side(leaf, self.samplers.at(leaf), self.notes.reasons.get(leaf, ""))

    @property
    def rate(self) -> float | None:
        """Tokens per second over the last two dozen."""
        total = sum(self._ms)
        return 1000 * len(self._ms) / total if total else None

    @property
    def is_empty(self) -> bool:
        return not self.transcript.blocks

    def about(self) -> list[str]:
        """What it is held with, what there is to say about that, where it is kept."""
        if self.header is None or self.settings is None:
            return []
        kept = self.unsaved is None and self.name is not None
        return [
            f"{self.header.model} on {self.header.device}",
            self.note or f"a context of {self.context} tokens",
            f"sampler {self.settings.preset}",
            f"seed {self.seed}",
            f"saved as {self.name}" if kept else "not saved",
        ]

    # What the user does.

    def say(self, text: str, after: int | None = None) -> None:
        """The user's turn, shown before the model has read it, after record `after`."""
        self.continue_(after)
        self.pending, self.unsent = text, None
        self.transcript.say(text)

    def switch_to(self, leaf: int) -> None:
        """Show another branch; what is said next is said there."""
        self.tree.leaf = leaf
        self.rebuild()

    def continue_(self, after: int | None = None) -> None:
        """The model is to go on after record `after`."""
        if after is not None and after != self.tree.leaf:
            self.switch_to(after)
        self.phase = "loading" if self.phase == "failed" else "reading"
        self.loading = None
        self._ms.clear()

    def set_beside(self) -> None:
        """The model is to make another branch, to be compared with the one in view."""
        self.continue_()
        self.aside += 1

    # What comes out of the engine.

    def apply(self, output: Output) -> None:
        """Take in one output of the engine."""
        match output:
            case TokenRecord() | PromptRecord() | Event() | End():
                self._record(output)
            case Loading():
                self.loading = output  # of the model, or of the prompt while that is read
                if self.phase in ("ready", "failed"):
                    self.phase = "loading"
            case Ready():
                self._ready(output)
            case Renewed():
                self._restart()
            case Restored():
                self._restore(output)
            case Unsaved():
                self.unsaved = output.message
            case Failed():
                self._failed(output)

    def _ready(self, ready: Ready) -> None:
        self.header, self.context, self.loading = ready.header, ready.context, None
        self.samplers.header = ready.header
        self.settings, self.seed = ready.settings, ready.header.seed
        self.name, self.note, self.system = ready.name, ready.note, ready.system
        self.calibration, self.unsaved = ready.calibration, None
        # A turn that had to load first goes on from here.
        self.phase = "ready" if self.pending is None else "reading"

    def _restart(self) -> None:
        """Forget everything said; there is another session."""
        self.tree = Tree()
        self._forget()
        self.pending = self.unsent = self.unsaved = None
        self.phase, self.loading, self.leaving, self.aside = "loading", None, False, 0
        self.rebuild()

    def _restore(self, restored: Restored) -> None:
        self._forget()
        self.header = self.samplers.header = restored.header
        with uncollected():
            self.tree = Tree.of(restored.records)
            for record in restored.records:
                self._remember(record)
            self.rebuild()

    def _failed(self, failed: Failed) -> None:
        self.failures.append(failed)
        if failed.scope == "aside":
            return
        self.phase = "failed" if failed.scope == "load" else "ready"
        self.loading, self.leaving = None, False
        if self.aside:
            self._aside_ended()
            self.notes.forget()
            return
        self.transcript.answer = None
        self.notes.fail(self.tree.leaf, failed.message)
        if self.pending is not None:
            self.unsent, self.pending = self.pending, None
            self.rebuild()
        else:
            self.transcript.say(failed.message, "error")

    def _record(self, record: TurnRecord) -> None:
        """One record as it comes: into the tree, and at the end of what is in view."""
        leaf = self.tree.leaf
        self.tree.add(record)
        note = self._remember(record)
        if isinstance(record, TokenRecord):
            self.phase, self.loading = "generating", None
            if record.ms is not None:
                self._ms.append(record.ms)
        if self.aside:
            self.tree.leaf = leaf
            if isinstance(record, End):
                self._aside_ended()
            elif isinstance(record, Event) and record.kind == "setting":
                self._event(record)
            return
        match record:
            case TokenRecord() | PromptRecord():
                if self.tree.parent(record.index) != leaf or self._continues(record):
                    self.rebuild()
                else:
                    self._append(record)
                if isinstance(record, PromptRecord) and record.role == "user":
                    self.pending = None
            case Event():
                self._event(record)
                if self.tree.leaf != leaf:
                    self.rebuild()
            case End():
                self.phase, self.loading, self.pending = "ready", None, None
                self.transcript.answer = None
                if self.tree.leaf != leaf:  # of another branch than the one in view
                    self.rebuild()
                elif note is not None:
                    self.transcript.say(note, "note")

    def _aside_ended(self) -> None:
        self.aside -= 1
        self.phase, self.loading = "reading" if self.aside else "ready", None

    def _continues(self, record: PromptRecord | TokenRecord) -> bool:
        """Whether a token goes on with an answer that had ended: its summary has to go."""
        parent = self.tree.parent(record.index)
        return (
            self.transcript.answer is None
            and parent != ROOT
            and isinstance(record, TokenRecord)
            and (isinstance(self.tree[parent], TokenRecord) or bool(self.notes.at(parent)))
        )

    def _event(self, event: Event) -> None:
        if event.kind == "valley" and event.at is not None:
            if (answer := self.transcript.answer) is not None:
                answer.mark_valley(event.at)
        elif event.kind == "setting" and event.detail:
            if self.settings is not None:
                self.settings = changed(self.settings, event)
            self.seed = possible(event.detail).get("seed", self.seed)

    def _remember(self, record: TurnRecord) -> str | None:
        """What there is to know of a record besides its place in the tree; an end's note."""
        if isinstance(record, Event):
            self._events.append(record)
            self.samplers.add(record)
        elif not isinstance(record, End):
            parents, parent = self._parents, record.parent
            if parent in parents or not parents:
                self.branches += 1
            parents.add(parent)
        return self.notes.take(record, self.tree)

    # The branch in view.

    def rebuild(self) -> None:
        """Show the branch that the tree stands at, from the root."""
        self.branch += 1
        self.transcript.clear()
        self.used = 0
        path = self._path = self.tree.path()
        self._say_notes(ROOT)
        for run, following in pairwise((*_runs(path), [])):
            self._append(*run)
            # The summary of an answer that goes on is no summary any more.
            goes_on = following and isinstance(following[0], TokenRecord)
            if self.notes.at(run[-1].index) and not goes_on:
                self._say_notes(run[-1].index)
                self.transcript.answer = None
        for event in self._events_on(path):
            if event.kind == "valley" and event.at is not None:
                self.transcript.mark_valley(event.at)

    def in_view(self) -> tuple[list[Node], list[Event | End]]:
        """The records of the branch in view; what happened at them, in its order, then the turns
        that ended at them.
        """
        path, self._path = self._path, None
        if path is None or (path[-1].index if path else ROOT) != self.tree.leaf:
            path = self.tree.path()
        ends = [end for node in path for end in self.tree.ends(node.index)]
        return path, [*self._events_on(path), *ends]

    def _events_on(self, path: list[Node]) -> list[Event]:
        indices = {node.index for node in path}
        return [event for event in self._events if event.index in indices]

    def _say_notes(self, index: int) -> None:
        for text, kind in self.notes.at(index):
            self.transcript.say(text, kind)

    def _append(self, *nodes: Node) -> None:
        """One more prompt, or more tokens, at the end of what is in view."""
        self.transcript.add(*nodes)
        prompt = nodes[0]
        self.used += len(prompt.ids) if isinstance(prompt, PromptRecord) else len(nodes)


def _runs(path: list[Node]) -> Iterator[list[Node]]:
    """The prompts of a path one by one, its tokens as far as they follow each other."""
    for are_tokens, run in groupby(path, lambda node: isinstance(node, TokenRecord)):
        if are_tokens:
            yield list(run)
        else:
            yield from ([prompt] for prompt in run)
