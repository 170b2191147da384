"""One way through a conversation, with everything that an export tells about it."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, repeat
from typing import Any

from msgspec import UNSET

from entropix_mlx.records.record import End, Event, PromptRecord, RunHeader, TokenRecord
from entropix_mlx.records.tree import ROOT, Node, Tree
from entropix_mlx.trace.trace import Trace

_SPEAKERS = {"user": "You", "system": "System"}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said.

    `count`: in how many tokens. `tokens` are their records; of a prompt, if it was scored, the
    template's included. `node` is the prompt, None in an answer. `speaker` is as the trace has it:
    nothing is escaped.
    """

    speaker: str
    role: str
    text: str
    count: int
    tokens: Sequence[TokenRecord]
    node: PromptRecord | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A token in its place: record `index`, or the `nth` token of the prompt `index`."""

    token: TokenRecord
    index: int
    nth: int
    role: str


@dataclass(frozen=True)
class Passage:
    """The records from the root to a leaf, and what is known of them.

    `changes`: changed settings by name, each with the number of generated tokens on the way that
    came before. `ends`: those of its turns. `valleys`: indices of the records where the entropy had
    a valley's minimum. `notes`: what is wrong with the file, a line each.
    """

    header: RunHeader
    nodes: list[Node]
    changes: list[tuple[int, dict[str, Any]]]
    events: list[Event]
    ends: list[End]
    notes: list[str]

    @classmethod
    def of(
        cls, header: RunHeader, tree: Tree, leaf: int | None = None, notes: Sequence[str] = ()
    ) -> "Passage":
        """The way to `leaf` (default: where the conversation stands). Raises UsageError."""
        nodes = tree.path(tree.end(leaf))
        events = [event for i in (ROOT, *(n.index for n in nodes)) for event in tree.events(i)]
        ends = [end for node in nodes for end in tree.ends(node.index)]
        return cls(header, nodes, list(_changes(tree, nodes)), events, ends, list(notes))

    @classmethod
    def of_trace(cls, trace: Trace, leaf: int | None = None) -> "Passage":
        """The same of a file that was read."""
        return cls.of(trace.header, Tree.of(trace.records), leaf, trace.problems)

    @cached_property
    def answers(self) -> list[TokenRecord]:
        """The tokens of all answers, or of the text that was scored."""
        return [node for node in self.nodes if isinstance(node, TokenRecord)]

    @cached_property
    def cells(self) -> list[Cell]:
        """Every token that has a record, those of scored prompts included."""
        return [
            Cell(token, token.index if turn.node is None else turn.node.index, nth, turn.role)
            for turn in self.turns
            for nth, token in zip(
                repeat(0) if turn.node is None else count(), turn.tokens, strict=False
            )
        ]

    @cached_property
    def valleys(self) -> frozenset[int]:
        return frozenset(e.at for e in self.events if e.kind == "valley" and e.at is not None)

    @cached_property
    def _prompt_valleys(self) -> frozenset[tuple[int, int]]:
        """The record of a prompt, and the place of the token in it."""
        prompts = [n for n in self.nodes if isinstance(n, PromptRecord) and n.valleys is not UNSET]
        return frozenset((n.index, at) for n in prompts for at, _ in n.valleys or ())

    @property
    def is_scored(self) -> bool:
        """Whether nothing was sampled: a given text was measured."""
        return not self.header.sampler

    @property
    def title(self) -> str:
        what = "A text under" if self.is_scored else "A conversation with"
        return f"{what} {self.header.model}"

    @property
    def sampler(self) -> dict[str, Any]:
        """The settings that drew the last token, by name, the seed included."""
        found = dict(self.header.sampler) | {"seed": self.header.seed}
        for _, detail in self.changes:
            found |= detail
        return found

    def is_valley(self, cell: Cell) -> bool:
        """Whether the smoothed entropy had its minimum there."""
        if cell.role in ("assistant", "text"):
            return cell.index in self.valleys
        return (cell.index, cell.nth) in self._prompt_valleys

    @cached_property
    def turns(self) -> list[Turn]:
        """What was said, in order."""
        found: list[Turn] = []
        answer: list[TokenRecord] = []
        for node in self.nodes:
            if isinstance(node, TokenRecord):
                answer.append(node)
                continue
            if answer:
                found.append(self._answer(answer))
                answer = []
            speaker = _SPEAKERS.get(node.role, node.role)
            tokens = node.records or ()
            found.append(Turn(speaker, node.role, node.text, len(node.ids), tokens, node))
        if answer:
            found.append(self._answer(answer))
        return found

    def _answer(self, tokens: list[TokenRecord]) -> Turn:
        text = "".join(token.text for token in tokens)
        if self.is_scored:
            return Turn("Text", "text", text, len(tokens), tokens, None)
        return Turn(self.header.model, "assistant", text, len(tokens), tokens, None)


def number(value: object) -> float | None:
    """A finite number, or None: what stands in a header or an event may be anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= sys.float_info.max else None


def _changes(tree: Tree, nodes: Sequence[Node]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Changes that tokens on the way were drawn after."""
    waiting = [(after, event.detail) for after, event in tree.changes() if event.detail]
    at = tokens = 0
    for node in nodes:
        if isinstance(node, PromptRecord):
            continue
        while at < len(waiting) and waiting[at][0] < node.index:
            detail = waiting[at][1]
            assert detail is not None
            yield tokens, detail
            at += 1
        tokens += 1
