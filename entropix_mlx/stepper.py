"""A turn that halts before each of its tokens: look, decide, go on."""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from entropix_mlx.decoding import Decoder
from entropix_mlx.inspecting import futures, lens
from entropix_mlx.inspection import Future, LayerSaid
from entropix_mlx.records import TokenRecord, TurnRecord
from entropix_mlx.session import Session
from entropix_mlx.turn import Turn
from entropix_mlx.waterfall import Waterfall, waterfall


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

        The first call reads the prompt and takes nothing.
        """
        taken: list[TurnRecord] = []
        for record in self._records:
            if record is None:
                return taken
            taken.append(record)
        self.ended = True
        return taken

    def leave(self) -> None:
        """End the turn here; the conversation stands at its last token."""
        self._records.close()
        self.ended = True

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
        flight = self._decoder.flight
        assert flight is not None
        return flight.distribution.logits.astype(mx.float32)
