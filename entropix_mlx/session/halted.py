"""A turn before its next token: what is proposed, what it came from, what to take instead."""

from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from entropix_mlx.decoding.answer import Answer
from entropix_mlx.decoding.batch import PendingStep
from entropix_mlx.decoding.context import PromptContext
from entropix_mlx.decoding.inspect import futures, inspect, lens
from entropix_mlx.decoding.waterfall import waterfall
from entropix_mlx.records.inspection import Future, Inspection, LayerSaid, Waterfall
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.session.journal import Journal


@dataclass(frozen=True)
class Halted:
    """The next token is proposed. It is taken when the turn goes on; until then it can be looked
    at, and decided otherwise.
    """

    _context: PromptContext
    _answer: Answer
    _journal: Journal

    @property
    def pending(self) -> PendingStep:
        """The step that proposes it."""
        pending = self._context.decoder.pending
        assert pending is not None
        return pending

    @property
    def index(self) -> int:
        """Index of the record that it would become."""
        return self._journal.index + 1

    def proposal(self) -> TokenRecord:
        """The record that it would become. Waits for the device."""
        return self._answer.preview(self._context.decoder.peek(), self.index)

    def reconsider(
        self, force: int | None = None, redraw: int = 0, banned: tuple[int, ...] = ()
    ) -> None:
        """Decide anew; see `Decoder.reconsider`."""
        self._context.decoder.reconsider(force, redraw, banned)

    def ban(self, id: int) -> None:
        """Forbid an id here, and those banned before it."""
        self.reconsider(redraw=self.pending.redraw, banned=(*self.pending.banned, id))

    def redraw(self, key: int | None = None) -> None:
        """Draw again with another key than that of the draw (0); without one, with the next."""
        pending = self.pending
        self.reconsider(None, pending.redraw + 1 if key is None else key, pending.banned)

    def leaves_open(self, id: int) -> bool:
        """Whether a token would leave a character unfinished."""
        return self._answer.leaves_open(id)

    def p(self, id: int) -> float:
        """The raw probability of an id here."""
        logits = self._logits
        return float(np.exp(np.array(logits[id] - mx.logsumexp(logits))))

    def inspect(self) -> Inspection:
        """The whole distribution and the attention of the query that it is of."""
        context, path = self._context, self._journal.tree.path()
        cache = context.cache_of(context.ids[:-1])
        return inspect(context.decoder.model, self.index, context.ids[-1], cache, path)

    def waterfall(self) -> Waterfall:
        """How the proposal came about."""
        return waterfall(self._context.decoder)

    def lens(self) -> list[LayerSaid]:
        """What each layer says here.

        Raises UnsupportedError for architectures whose layers can't be asked.
        """
        context = self._context
        return lens(context.decoder.model, context.ids[-1], context.cache_of(context.ids[:-1]))

    def futures(self, count: int) -> list[Future]:
        """What would come after each of the most likely tokens here, in one batched pass."""
        decoder, logits = self._context.decoder, self._logits
        ids: list[int] = np.array(mx.argsort(-logits)[:count]).tolist()
        return futures(decoder.model, decoder.cache, ids, logits)

    @property
    def _logits(self) -> mx.array:
        return self.pending.distribution.logits.astype(mx.float32)
