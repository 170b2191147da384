"""A turn that halts before each of its tokens: look, decide, go on."""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from entropix_mlx.decoding.decoder import Decoder, PendingStep
from entropix_mlx.decoding.inspect import futures, inspect, lens
from entropix_mlx.decoding.waterfall import waterfall
from entropix_mlx.records.inspection import Future, Inspection, LayerSaid, Waterfall
from entropix_mlx.records.record import TokenRecord, TurnRecord
from entropix_mlx.session.session import Session
from entropix_mlx.session.turn import Turn


class Stepper:
    """Runs one turn of a session, a token at a time. What is proposed can be reconsidered until it
    is taken.
    """

    def __init__(self, session: Session, turn: Turn) -> None:
        self.turn = turn
        self.ended = False
        self._session = session
        self._records = session.step(turn)

    def take(self) -> list[TurnRecord]:
        """Take what is proposed, and go on to the next halt, or to the end.

        The first call reads the prompt and takes nothing. What was drawn again, or with ids
        banned, is preceded by an event that says so.
        """
        taken: list[TurnRecord] = []
        pending = self._decoder.pending if self.turn.answer is not None else None
        if pending is not None and pending.force is None and (pending.redraw or pending.banned):
            detail = {"redraw": pending.redraw, "banned": list(pending.banned)}
            taken.append(self._session.note("redraw", detail))
        for record in self._records:
            if record is None:
                return taken
            taken.append(record)
        self.ended = True
        return taken

    def leave(self) -> list[TurnRecord]:
        """End the turn here; the conversation stands at its last token. Gives the end."""
        self._records.close()
        self.ended = True
        return [self.turn.end] if self.turn.end is not None else []

    def proposal(self) -> TokenRecord:
        """The record that would be taken next."""
        assert self.turn.answer is not None
        index = self._session.newest + 1
        return self.turn.answer.preview(self._decoder.peek(), index)

    def reconsider(
        self, force: int | None = None, redraw: int = 0, banned: tuple[int, ...] = ()
    ) -> None:
        """Decide on the proposal anew; see `Decoder.reconsider`."""
        self._decoder.reconsider(force, redraw, banned)

    def ban(self, id: int) -> None:
        """Forbid an id here, and those banned before it."""
        pending = self._pending
        self.reconsider(redraw=pending.redraw, banned=(*pending.banned, id))

    def redraw(self, key: int | None = None) -> None:
        """Draw again with another key than that of the draw (0); without one, with the next."""
        pending = self._pending
        self.reconsider(None, pending.redraw + 1 if key is None else key, pending.banned)

    def inspect(self) -> Inspection:
        """The whole distribution and the attention of the query that it is of."""
        reader, tree = self._session.reader, self._session.tree
        cache = reader.cache_of(reader.ids[:-1])
        index = self._session.newest + 1
        return inspect(self._session.model, index, reader.ids[-1], cache, tree.path())

    def leaves_open(self, id: int) -> bool:
        """Whether a token would leave a character unfinished."""
        assert self.turn.answer is not None
        return self.turn.answer.leaves_open(id)

    def p(self, id: int) -> float:
        """The raw probability of an id here."""
        logits = self._logits
        return float(np.exp(np.array(logits[id] - mx.logsumexp(logits))))

    def waterfall(self) -> Waterfall:
        """How the proposal came about."""
        return waterfall(self._decoder)

    def lens(self) -> list[LayerSaid]:
        """What each layer says here.

        Raises UnsupportedError for architectures whose layers can't be asked.
        """
        reader = self._session.reader
        return lens(self._session.model, reader.ids[-1], reader.cache_of(reader.ids[:-1]))

    def futures(self, count: int) -> list[Future]:
        """What would come after each of the most likely tokens here, in one batched pass."""
        logits = self._logits
        ids: Sequence[int] = np.array(mx.argsort(-logits)[:count]).tolist()
        return futures(self._session.model, self._decoder.cache, list(ids), logits)

    @property
    def _decoder(self) -> Decoder:
        return self._session.reader.decoder

    @property
    def _logits(self) -> mx.array:
        return self._pending.distribution.logits.astype(mx.float32)

    @property
    def _pending(self) -> PendingStep:
        pending = self._decoder.pending
        assert pending is not None
        return pending
