"""A run as Python programs and notebooks have it: tokens as they come, and all that came."""

from collections.abc import Generator, Iterator
from typing import Self

from entropix_mlx.records.record import RunHeader, TokenRecord, TurnRecord
from entropix_mlx.records.tree import Tree


class Run(Iterator[TokenRecord]):
    """Gives tokens as they are made, once; keeps every record that came by.

    `records` are those of a trace without its header. In a notebook a run shows itself: text,
    charts and figures of what has come so far.
    """

    def __init__(self, header: RunHeader, source: Iterator[TurnRecord]) -> None:
        self.header = header
        self.records: list[TurnRecord] = []
        self._source = source

    def __next__(self) -> TokenRecord:
        for record in self._source:
            self.records.append(record)
            if isinstance(record, TokenRecord):
                return record
        raise StopIteration

    @property
    def tokens(self) -> list[TokenRecord]:
        """Those that have come so far."""
        return [record for record in self.records if isinstance(record, TokenRecord)]

    @property
    def text(self) -> str:
        """What they say."""
        return "".join(token.text for token in self.tokens)

    def finish(self) -> Self:
        """Run to the end."""
        for _ in self:
            pass
        return self

    def close(self) -> None:
        """Let no more tokens come; what is written to a trace gets its end."""
        if isinstance(self._source, Generator):
            self._source.close()

    def __repr__(self) -> str:
        return f"<Run of {self.header.model}: {len(self.tokens)} tokens so far>"

    def _repr_html_(self) -> str:
        from entropix_mlx.export.page import fragment
        from entropix_mlx.export.passage import Passage

        return fragment(Passage.of(self.header, Tree.of(self.records)))
