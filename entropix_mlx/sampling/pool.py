"""The tokens that can still be drawn between two links of a chain."""

from functools import cached_property

import mlx.core as mx

from entropix_mlx.sampling import metrics


class Pool:
    """`logits` float32 `[support]`, up to a constant, -inf where removed; lazy, never changed."""

    def __init__(
        self, logits: mx.array, odds: mx.array | None = None, entropy: mx.array | None = None
    ) -> None:
        """`odds`: probabilities up to a factor, `entropy` in nats, if they are known."""
        self.logits = logits
        self._odds, self._entropy = odds, entropy

    @property
    def odds(self) -> mx.array:
        """Probabilities up to a factor, `[support]`. An exponential costs more than all else, so
        they are made once for as long as tokens are but removed.
        """
        if self._odds is None:
            self._odds = metrics.exp(self.logits - self.peak)
        return self._odds

    @cached_property
    def peak(self) -> mx.array:
        """The greatest logit, `[]`."""
        return metrics.greatest(self.logits)

    @cached_property
    def total(self) -> mx.array:
        """The sum of the odds, `[]`."""
        return metrics.total(self.odds)

    @cached_property
    def p(self) -> mx.array:
        """Probabilities, `[support]`."""
        return self.odds / self.total

    @cached_property
    def below(self) -> mx.array:
        """Logits below the greatest, `[support]`."""
        return self.logits - self.peak

    @cached_property
    def mean(self) -> mx.array:
        """Of what the logits are below the greatest, by their probabilities, `[]`."""
        return metrics.total(self.odds * mx.maximum(self.below, metrics.NEVER)) / self.total

    @cached_property
    def entropy(self) -> mx.array:
        """In nats, `[]`."""
        if self._entropy is not None:
            return self._entropy
        # The odds may be of a peak that was removed since.
        greatest = metrics.greatest(self.odds)
        return mx.maximum(mx.log(self.total / greatest) - self.mean, 0.0)

    def likely(self, mass: mx.array) -> mx.array:
        """Bool `[support]`: all but tokens so unlikely that together they have less than half of
        what a `mass` leaves out.
        """
        return self.odds >= (1 - mass) * self.total / (2 * self.logits.shape[0])

    def keep(self, kept: mx.array) -> "Pool":
        """Without the tokens that are not `kept` (bool `[support]`)."""
        odds = None if self._odds is None else self._odds * kept
        return Pool(mx.where(kept, self.logits, -mx.inf), odds)
