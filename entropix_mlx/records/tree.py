"""The records of a conversation as a tree: nothing said is lost, any of it can be returned to.

A branch is named by its leaf. Sessions keep one to know what the model has read, screens keep one
to know what to show; both are made of the same records, in the order in which they came.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord, TurnRecord
from entropix_models.errors import UsageError

if TYPE_CHECKING:
    from entropix_models.tokenizer.chat_template import Message

Node = PromptRecord | TokenRecord
ROOT = -1
"""Index of what the first record follows."""


class Branch(NamedTuple):
    """One way through the tree.

    `fork`: index of the last record shared with an earlier branch, `ROOT` if none; `tokens`: how
    many were generated since.
    """

    leaf: int
    fork: int
    tokens: int
    name: str


class Tree:
    """Records by index. `leaf` is where the conversation stands: the newest record, or the one
    that was returned to.
    """

    def __init__(self) -> None:
        self.leaf = ROOT
        self._nodes: dict[int, Node] = {}
        self._children: dict[int, list[int]] = {}  # of those that something follows
        self._events: dict[int, list[Event]] = {}
        self._ends: dict[int, list[End]] = {}
        self._names: dict[int, str] = {}
        self._pruned: set[int] = set()
        self._last: dict[str, Event] = {}
        self._changes: list[tuple[int, Event]] = []

    @classmethod
    def of(cls, records: Iterable[Node | Event | End]) -> "Tree":
        """A tree as a trace has kept it; the last end or return says where it stands."""
        tree = cls()
        for record in records:
            tree.add(record)
        return tree

    def add(self, record: Node | Event | End) -> None:
        """Take in the next record; a prompt or token becomes the leaf.

        What follows a record that is not there (its line was damaged) begins a root of its own.
        """
        if isinstance(record, TokenRecord | PromptRecord):
            index, nodes = record.index, self._nodes
            if index not in nodes:
                parent = record.parent if record.parent in nodes else ROOT
                if (following := self._children.get(parent)) is None:
                    self._children[parent] = [index]
                else:
                    following.append(index)
                nodes[index] = record
            self.leaf = index
        elif isinstance(record, Event):
            self._events.setdefault(record.index, []).append(record)
            self._last[record.kind] = record
            if record.kind == "setting":
                self._changes.append((self.newest, record))
            if record.kind == "prune":
                self._pruned.add(record.index)
            if record.kind == "branch" and record.detail is not None:
                self._names[record.index] = str(record.detail.get("name", ""))
            if record.kind == "return" and record.index in self._nodes:
                self.leaf = record.index
        elif record.leaf in self._nodes:
            self.leaf = record.leaf
            self._ends.setdefault(record.leaf, []).append(record)

    def __getitem__(self, index: int) -> Node:
        return self._nodes[index]

    def __contains__(self, index: int) -> bool:
        return index in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def newest(self) -> int:
        """The greatest index in use; `ROOT` when there is none."""
        return max(next(reversed(self._nodes), ROOT), ROOT)

    def parent(self, index: int) -> int:
        """The record before; `ROOT` for a first one."""
        parent = self._nodes[index].parent
        # What does not come before cannot have been there to be followed.
        return parent if parent < index and parent in self._nodes else ROOT

    def children(self, index: int) -> list[int]:
        """What follows, in the order in which it was made."""
        return list(self._children.get(index, ()))

    def events(self, index: int) -> list[Event]:
        """What happened at a record."""
        return list(self._events.get(index, ()))

    def ends(self, index: int) -> list[End]:
        """The ends of turns that were left at a record."""
        return list(self._ends.get(index, ()))

    def last_event(self, kind: str) -> Event | None:
        """The newest of its kind."""
        return self._last.get(kind)

    def changes(self) -> list[tuple[int, Event]]:
        """Every change of a setting, in order; it ruled what was made after the index before it."""
        return list(self._changes)

    def up(self, index: int) -> Iterator[int]:
        """A record and all before it, back to the root."""
        while index != ROOT:
            yield index
            index = self.parent(index)

    def answer(self, index: int) -> list[TokenRecord]:
        """The tokens that end at a record and begin after a prompt, or at the root."""
        found: list[TokenRecord] = []
        for node in map(self._nodes.__getitem__, self.up(index)):
            if isinstance(node, PromptRecord):
                break
            found.append(node)
        return found[::-1]

    def path(self, leaf: int | None = None) -> list[Node]:
        """The records from the root to `leaf` (default: where the conversation stands)."""
        found = [self._nodes[index] for index in self.up(self.leaf if leaf is None else leaf)]
        found.reverse()
        return found

    def end(self, leaf: int | None) -> int:
        """The record that a branch ends at; None: where the conversation stands.

        Raises UsageError if there is no such record.
        """
        if leaf is None or leaf in self:
            return self.leaf if leaf is None else leaf
        ends = ", ".join(str(branch.leaf) for branch in self.branches()[:20]) or "none"
        raise UsageError(
            f"there is no record {leaf}: name the last one of a branch; its branches end at {ends}"
        )

    def told(self, path: Iterable[Node]) -> Iterator[Node | Event | End]:
        """The records of a path, each followed by what happened and what ended at it."""
        for node in path:
            yield node
            yield from self._events.get(node.index, ())
            yield from self._ends.get(node.index, ())

    def common(self, a: int, b: int) -> int:
        """The last record that two branches share; `ROOT` if none."""
        seen = set(self.up(a))
        return next((index for index in self.up(b) if index in seen), ROOT)

    def leaf_below(self, index: int) -> int:
        """The end of the branch that was last made through `index`."""
        while following := self._children.get(index):
            index = following[-1]
        return index

    def branches(self) -> list[Branch]:
        """Every way through the tree that was not pruned, in the order in which they began."""
        found: list[tuple[int, Branch]] = []
        waiting = [(index, ROOT) for index in self._children.get(ROOT, ())]
        while waiting:
            first, fork = waiting.pop()
            index, tokens = first, 0
            while True:
                tokens += isinstance(self._nodes[index], TokenRecord)
                following = self._children.get(index)
                if not following:
                    break
                waiting += [(other, index) for other in following[1:]]
                index = following[0]
            if index not in self._pruned:
                found.append((first, Branch(index, fork, tokens, self._names.get(index, ""))))
        found.sort()
        return [branch for _, branch in found]


def shifted(record: TurnRecord, by: int) -> TurnRecord:
    """A record as if so many others had come before it."""
    replace = msgspec.structs.replace
    if isinstance(record, End):
        return replace(record, leaf=record.leaf + by if record.leaf >= 0 else ROOT)
    if isinstance(record, Event):
        at = None if record.at is None else record.at + by
        return replace(record, index=record.index + by, at=at)
    parent = record.parent + by if record.parent >= 0 else ROOT
    return replace(record, index=record.index + by, parent=parent)


def ids_of(path: Iterable[Node]) -> list[int]:
    """Everything that a model has read at the end of a path."""
    ids: list[int] = []
    for node in path:
        if isinstance(node, PromptRecord):
            ids += node.ids
        else:
            ids.append(node.id)
    return ids


def messages_of(path: Iterable[Node]) -> "list[Message]":
    """What was said on a path, as a chat template takes it: after every user an assistant."""
    messages: list[Message] = []
    for node in path:
        if isinstance(node, PromptRecord) and node.role in ("system", "user"):
            if messages and messages[-1]["role"] == "user":
                messages.append({"role": "assistant", "content": ""})
            messages.append({"role": node.role, "content": node.text})
            continue
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": ""})
        messages[-1]["content"] += node.text
    if messages and messages[-1]["role"] == "user":
        messages.append({"role": "assistant", "content": ""})
    return messages
