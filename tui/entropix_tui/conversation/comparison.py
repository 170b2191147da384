"""Two branches of a conversation side by side: what is in each, and which tokens face each other.

No widget. One of the two may still be growing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.records.tree import ROOT, Node, Tree
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_tui.conversation.alignment import (
    BranchToken,
    Pair,
    Stretch,
    add,
    align,
    divergence,
    shift,
    stretches,
)
from entropix_tui.engine.outputs import Failed, TurnRecord
from entropix_tui.tokens import labels
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.transcript import Transcript


@dataclass(frozen=True)
class Again:
    """The same prompt answered once more, `after` its record; `seed`, `settings`: None where they
    stay. `against`: settings with which the other side is answered once more, too; None: it is the
    present answer.
    """

    after: int
    seed: int | None = None
    settings: Settings | None = None
    against: Settings | None = None

    def requests(self, tree: Tree, max_tokens: int) -> list[TurnRequest]:  # noqa: ARG002
        """The turns that make it, the left side's first."""
        return [
            TurnRequest(max_tokens=max_tokens, after=self.after, seed=self.seed, settings=settings)
            for settings in ([self.against] if self.against else []) + [self.settings]
        ]


@dataclass(frozen=True)
class Reworded:
    """Another text in place of that of prompt record `prompt`."""

    prompt: int
    text: str

    def requests(self, tree: Tree, max_tokens: int) -> list[TurnRequest]:
        """The turn that makes it."""
        return [TurnRequest(self.text, max_tokens=max_tokens, after=tree.parent(self.prompt))]


@dataclass(frozen=True)
class Existing:
    """A branch that is there already, by its leaf."""

    leaf: int


Comparison = Again | Reworded | Existing
"""What can be set beside the present branch of a conversation."""

GROWTH = 32
"""A branch that grows is aligned anew whenever it is longer by one part in so many."""


@dataclass(frozen=True)
class Side:
    """A branch to be compared: its `leaf`, or the record that what is `growing` follows.

    `sampler`: settings by name that drew it, with its seed. `finish`: why it ended, if known.
    """

    leaf: int
    sampler: Mapping[str, Any] = field(default_factory=dict)
    finish: str = ""
    growing: bool = False


class Way:
    """One side: its transcript, its tokens and its figures."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.leaf = side.leaf
        self.growing = side.growing
        self.finish = side.finish
        self.transcript = Transcript()
        self.tokens: list[BranchToken] = []
        self.summary = Summary()
        self._numbers: dict[TokenRef, int] = {}

    @property
    def is_begun(self) -> bool:
        """Whether there is a branch to go on with."""
        return not self.side.growing or self.leaf != self.side.leaf

    def add(self, node: Node) -> None:
        known = len(self.tokens)
        add(self.tokens, node)
        for number in range(known, len(self.tokens)):
            self._numbers[self.tokens[number].ref] = number
        self.transcript.add(node)
        if isinstance(node, TokenRecord):
            self.summary.add(node)

    def mark(self, event: Event) -> None:
        """A valley, if that is what happened."""
        if event.kind == "valley" and event.at is not None:
            self.transcript.mark_valley(event.at)

    def token(self, ref: TokenRef | None) -> BranchToken | None:
        """A token by its name."""
        number = None if ref is None else self._numbers.get(ref)
        return None if number is None else self.tokens[number]

    def number(self, ref: TokenRef) -> int:
        """How many tokens of its own part stand before a token."""
        number = self._numbers[ref]
        part = self.tokens[number].part
        first = number
        while first and self.tokens[first - 1].part == part:
            first -= 1
        return number - first

    def spelling(self, refs: Iterable[TokenRef | None]) -> str:
        """Tokens as text, drawn safely."""
        return "".join(labels.token(t.record) for t in map(self.token, refs) if t and t.record)


class Difference(NamedTuple):
    """Rows `start` to `stop` differ: `old` became `new`; `stay` tokens after them are the same.

    `entropy`, `surprisal`: how these stayed tokens' means changed, bits; None if nothing was
    measured. `most`: the row on which surprisal changed most, and by how much.
    """

    start: int
    stop: int
    old: str
    new: str
    stay: int
    entropy: float | None
    surprisal: float | None
    most: tuple[int, float] | None


class Comparing:
    """Two branches from the turn on in which they part.

    `rows` are the pairs that can be seen: the tokens of a chat template cannot.
    """

    def __init__(self, tree: Tree, a: Side, b: Side) -> None:
        self.ways = (Way(a), Way(b))
        self.rows: list[Pair] = []
        self.apart: tuple[TokenRef | None, TokenRef | None] | None = None
        """The tokens at which the branches part, once they have."""
        self._row_of: dict[TokenRef, int] = {}
        self._aligned = -1
        paths = tree.path(a.leaf), tree.path(b.leaf)
        self.earlier = _shared_before(tree.common(a.leaf, b.leaf), *paths)
        """Records before that turn, which are not shown."""
        for way, path in zip(self.ways, paths, strict=True):
            for node in path[self.earlier :]:
                way.add(node)
                for event in tree.events(node.index):
                    way.mark(event)
        self.refresh()

    @property
    def is_counterfactual(self) -> bool:
        """Whether it is the prompt in which they differ."""
        first = self.apart[0] if self.apart is not None else None
        token = self.ways[0].token(first)
        return token is not None and token.part % 2 == 0

    def take(self, record: TurnRecord | Failed) -> bool:
        """One more record of the side that grows, or why there will be none; False if it is not of
        that side. Where both grow, they do one after the other.
        """
        way = next((way for way in self.ways if way.growing), None)
        if way is None:
            return False
        match record:
            case TokenRecord() | PromptRecord():
                if record.parent != way.leaf:
                    return False
                way.leaf = record.index
                way.add(record)
            case Event():
                way.mark(record)
            case End():
                self._end(way, record.finish_reason)
            case Failed(scope=scope):
                if scope == "aside":
                    return False
                self._end(way, "error")
        return True

    def _end(self, way: Way, finish: str) -> None:
        way.growing, way.finish = False, finish
        self._aligned = -1  # what is missing now is missing for good
        self.refresh()

    def refresh(self, *, soon: bool = False) -> bool:
        """Align what is there now; `soon`: if that is worth its time yet. True if it was done."""
        a, b = (way.tokens for way in self.ways)
        size = len(a) + len(b)
        if size == self._aligned or (soon and size - self._aligned < len(b) // GROWTH):
            return False
        self._aligned = size
        self.rows = [pair for pair in align(a, b) if self._is_seen(pair)]
        self._row_of = {}
        for number, (one, other, _) in enumerate(self.rows):
            for ref in (one, other):
                if ref is not None:
                    self._row_of[ref] = number
        self.apart = divergence(a, b)
        if self.is_growing and self.apart is not None and None in self.apart:
            self.apart = None  # the one that grows has only not come so far
        return True

    @property
    def is_growing(self) -> bool:
        return any(way.growing for way in self.ways)

    @property
    def newest(self) -> int | None:
        """The row of the last token of the side that grows."""
        grown = next((way.tokens[-1].ref for way in self.ways if way.growing and way.tokens), None)
        return None if grown is None else self._row_of.get(grown)

    def row_of(self, ref: TokenRef) -> int | None:
        """The row on which a token stands."""
        return self._row_of.get(ref)

    @property
    def parting(self) -> int | None:
        """The row on which the branches part."""
        if self.apart is None:
            return None
        rows = [self._row_of[ref] for ref in self.apart if ref in self._row_of]
        return min(rows, default=None)

    def differences(self) -> list[Difference]:
        """What differs, in order, and what that did to what stayed."""
        parts = list(self._parts())
        found = []
        for number, part in enumerate(parts):
            if part.same:
                continue
            rows = self.rows[part.start : part.stop]
            if self.is_growing and number == len(parts) - 1 and all(None in row for row in rows):
                continue  # it has not come so far
            after = parts[number + 1] if number + 1 < len(parts) else None
            stays = range(after.start, after.stop) if after and after.same else range(0)
            found.append(
                Difference(
                    part.start,
                    part.stop,
                    self.ways[0].spelling(row.a for row in rows),
                    self.ways[1].spelling(row.b for row in rows),
                    len(stays),
                    *self._shifts(stays),
                )
            )
        return found

    def _parts(self) -> Iterator[Stretch]:
        """Stretches; differences in a prompt are others than those in its answer."""
        for part in stretches(self.rows):
            start = part.start
            for row in range(part.start + 1, part.stop):
                if not part.same and self._part(row) != self._part(row - 1):
                    yield Stretch(start, row, False)
                    start = row
            yield part._replace(start=start)

    def _part(self, row: int) -> int:
        """The number of the prompt or answer that a row belongs to."""
        one, other, _ = self.rows[row]
        token = self.ways[0].token(one) or self.ways[1].token(other)
        return token.part if token is not None else -1

    def _shifts(self, rows: range) -> tuple[float | None, float | None, tuple[int, float] | None]:
        """Means over rows that are the same, and the greatest change of surprisal."""
        entropies, surprisals = [], []
        for number in rows:
            row = self.rows[number]
            one, other = self.ways[0].token(row.a), self.ways[1].token(row.b)
            change = shift(one and one.record, other and other.record)
            if change.entropy is not None:
                entropies.append(change.entropy)
            if change.surprisal is not None:
                surprisals.append((number, change.surprisal))
        return (
            sum(entropies) / len(entropies) if entropies else None,
            sum(s for _, s in surprisals) / len(surprisals) if surprisals else None,
            max(surprisals, key=lambda found: abs(found[1]), default=None),
        )

    def _is_seen(self, pair: Pair) -> bool:
        for way, ref in zip(self.ways, (pair.a, pair.b), strict=True):
            token = way.token(ref)
            if token is None:
                continue
            if token.part % 2 or way.transcript.place_of(token.ref) is not None:
                return True
        return False


def _shared_before(common: int, a: list[Node], b: list[Node]) -> int:
    """How many records stand before the turn in which two paths part."""
    shared = next((n for n, node in enumerate(a, 1) if node.index == common), 0)
    following = [path[shared] for path in (a, b) if len(path) > shared]
    if common == ROOT or (following and all(isinstance(n, PromptRecord) for n in following)):
        return shared
    prompts = [n for n, node in enumerate(a[:shared]) if isinstance(node, PromptRecord)]
    return prompts[-1] if prompts else 0
