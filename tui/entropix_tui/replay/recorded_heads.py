"""The attention of every head, as a file beside a trace has kept it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from entropix_mlx.records.inspection import STRONGEST, Attention
from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT
from entropix_mlx.trace.attention_file import HeadEntropies, read_attention
from entropix_tui.engine.outputs import TurnRecord


class RecordedHeads:
    """By the index of a token's record; of one that was written twice, the last."""

    def __init__(self, found: HeadEntropies, records: Iterable[TurnRecord]) -> None:
        self._found = found
        self._rows = {index: row for row, index in enumerate(found.indices.tolist())}
        self._keys = {ROOT: 0}  # how many ids a branch has up to a record
        for record in records:
            if isinstance(record, TokenRecord | PromptRecord):
                more = len(record.ids) if isinstance(record, PromptRecord) else 1
                self._keys[record.index] = self._keys.get(record.parent, 0) + more

    @classmethod
    def read(cls, path: Path, records: Iterable[TurnRecord]) -> Self:
        """Raises TraceError."""
        return cls(read_attention(path), records)

    def at(self, index: int) -> Attention | None:
        """That of the query which the token was drawn from. Where it looked is not recorded."""
        row = self._rows.get(index)
        if row is None or index not in self._keys:
            return None
        entropy = self._found.entropy[row].astype(np.float32)
        nowhere = np.full((*entropy.shape, STRONGEST), -1, np.int32)
        return Attention(entropy, self._keys[index] - 1, np.zeros(0, np.float32), nowhere)

    def with_others(
        self, others: "RecordedHeads | None", by: int, records: Iterable[TurnRecord]
    ) -> "RecordedHeads":
        """Those of another recording of such a model too, whose records count from `by` on."""
        mine, theirs = self._found, others._found if others else None
        if theirs is not None and theirs.entropy.shape[1:] == mine.entropy.shape[1:]:
            mine = HeadEntropies(
                np.concatenate([mine.indices, theirs.indices + by]),
                np.concatenate([mine.entropy, theirs.entropy]),
            )
        return RecordedHeads(mine, records)
