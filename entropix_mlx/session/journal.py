"""Where a conversation's records are numbered and kept: in a tree, and in a trace."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from entropix_mlx.records.record import Event, Record, RunHeader, TurnRecord
from entropix_mlx.records.tree import Tree
from entropix_mlx.trace.attention_file import AttentionWriter


class Writer(Protocol):
    """What keeps records: a `TraceWriter`, or what stands in for one."""

    @property
    def count(self) -> int: ...
    def write(self, record: Record) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Storage:
    """What keeps a conversation: `trace` its records, `attention` the entropy of every head,
    `cache_file` the model's cache. `tree`: the records that are there already, `header`: what they
    were made with.
    """

    trace: Writer | None = None
    attention: AttentionWriter | None = None
    cache_file: Path | None = None
    tree: Tree | None = None
    header: RunHeader | None = None


UNSAVED = Storage()


class Journal:
    """Everything told goes into the trace first, then into the tree."""

    def __init__(self, header: RunHeader, storage: Storage) -> None:
        self.tree = Tree() if storage.tree is None else storage.tree
        self.index = self.tree.newest
        """The last number given out."""
        self._header = header
        self._trace = storage.trace
        self._attention = storage.attention

    def number(self) -> int:
        """A new record's index."""
        self.index += 1
        return self.index

    def attend(self, index: int, heads: npt.NDArray[np.float32]) -> None:
        """Keep the attention of the token that becomes record `index`."""
        if self._attention is not None:
            self._attention.add(index, heads)

    def tell(self, record: TurnRecord) -> None:
        if self._trace is not None:
            if self._trace.count == 0:  # not before there is a turn that makes sense
                self._trace.write(self._header)
            self._trace.write(record)
        self.tree.add(record)

    def event(
        self, kind: str, index: int, *, at: int | None = None, detail: dict[str, Any] | None = None
    ) -> Event:
        """Something that happens now, told."""
        event = Event(kind=kind, index=index, at=at, detail=detail)
        self.tell(event)
        return event

    def close(self) -> None:
        for kept in (self._trace, self._attention):
            if kept is not None:
                kept.close()
