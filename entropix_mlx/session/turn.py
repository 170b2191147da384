"""One turn of a conversation: what is read, what is drawn, how it ends."""

import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile

from entropix_mlx.decoding.answer import Answer
from entropix_mlx.decoding.context import Reader
from entropix_mlx.decoding.decoder import OnChunk
from entropix_mlx.records.record import End, Event, FinishReason, PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT, Node
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.journal import Journal


@dataclass
class Turn:
    """What was asked for, and what came of it.

    `base`: the records that it follows; `prompts`: role, ids, text of each; `force`: the ids that
    the answer begins with; `seed`: from this turn on; `settings`: for this turn only; `pauses`:
    whether to halt before each token is taken.
    """

    base: list[Node]
    prompts: list[tuple[str, list[int], str]]
    max_tokens: int
    stop: Sequence[str] = ()
    force: Sequence[int] = ()
    seed: int | None = None
    settings: Settings | None = None
    pauses: bool = False
    prefill_seconds: float = 0.0
    tokens: int = 0
    reason: FinishReason = "interrupted"
    answer: Answer | None = None
    end: End | None = None

    @property
    def leaf(self) -> int:
        """Index of the record that it follows."""
        return self.base[-1].index if self.base else ROOT

    @property
    def added(self) -> list[int]:
        """What the prompts add to the context."""
        return [id for _, ids, _ in self.prompts for id in ids]

    def records(
        self,
        reader: Reader,
        journal: Journal,
        on_chunk: OnChunk,
        stopped: threading.Event,
        *,
        score: bool,
        valley_delta: float,
    ) -> Generator[PromptRecord | TokenRecord | Event | None]:
        """Prompts, then tokens, each with its valley if any; told in `journal` before.

        `reader` stands where the turn begins. With `score` the prompts come once they were
        measured.
        """
        began = time.perf_counter()
        reader.ids += self.added
        if score and self.prompts and self.max_tokens > 0:
            scored = reader.score(len(self.added), on_chunk)
            yield from self._prompts(journal, scored)
            complete = scored is not None
        else:
            yield from self._prompts(journal, None)
            if self.max_tokens < 1:
                self.reason = "length"
                return
            complete = reader.read(on_chunk)
        if complete:
            self.prefill_seconds = time.perf_counter() - began
            yield from self._answer(reader, journal, stopped, valley_delta)

    def _prompts(
        self, journal: Journal, scored: list[TokenRecord] | None
    ) -> Generator[PromptRecord]:
        for role, ids, text in self.prompts:
            record = PromptRecord(
                index=journal.number(),
                parent=journal.tree.leaf,
                role=role,
                ids=ids,
                text=text,
                records=scored if ids else None,
            )
            journal.tell(record)
            yield record

    def _answer(
        self, reader: Reader, journal: Journal, stopped: threading.Event, valley_delta: float
    ) -> Generator[TokenRecord | Event | None]:
        decoder = reader.decoder
        begun = takewhile(lambda node: isinstance(node, TokenRecord), reversed(self.base))
        before = [node for node in begun if isinstance(node, TokenRecord)]
        self.answer = answer = Answer(
            decoder.model.tokenizer,
            () if self.prompts else before[::-1],
            journal.tree.leaf,
            journal.number,
            journal.attend,
            valley_delta=valley_delta,
            stop=self.stop,
            pauses=lambda: self.pauses and decoder.pending is not None,
        )
        if not reader.is_under_way:
            decoder.begin(reader.ids[-1])
        choices = decoder.generate(None, self.max_tokens, self.force)
        try:
            with closing(answer.tokens(choices, reader.ids, stopped.is_set)) as records:
                for record in records:
                    if record is not None:
                        journal.tell(record)
                        self.tokens += isinstance(record, TokenRecord)
                    yield record
            self.reason = answer.reason
        finally:
            # Whoever left in between, or failed, wants no more of them; but they were made.
            for unasked in answer.rest():
                journal.tell(unasked)
                self.tokens += isinstance(unasked, TokenRecord)
