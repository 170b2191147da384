"""A run in one line: how long, how sure, how it ended."""

import math
from collections import Counter
from collections.abc import Iterable

from entropix_mlx.records.lost import LOST, count
from entropix_mlx.records.measures import percent
from entropix_mlx.records.quadrants import Quadrant, QuadrantSplit, word
from entropix_mlx.records.record import End, Event, Record, RunHeader, TokenRecord


class Summary:
    """Running totals over records; a header among them says what its quadrants are called."""

    def __init__(self) -> None:
        self.split: QuadrantSplit | None = None
        self.tokens = 0
        self.valleys = 0
        self.bytes = 0
        self.quadrants: Counter[Quadrant | None] = Counter()
        """Of all tokens, those in none included."""
        self.finish_reason: str | None = None
        self.lost = 0
        """Characters that there were no tokens for."""
        self._ended = 0  # tokens of the turns that have ended
        self._seconds = 0.0  # and how long decoding them took
        self._running = 0  # tokens since
        self._running_ms = 0.0
        self._measured = 0
        self._attended = 0
        self._attn_entropy = 0.0
        self._nats = 0.0
        self._entropy = 0.0

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Summary":
        total = cls()
        for record in records:
            total.add(record)
        return total

    def add(self, record: Record) -> None:
        if isinstance(record, TokenRecord):
            self.tokens += 1
            if record.logprob is not None and record.entropy is not None:
                self._measured += 1
                self._nats -= record.logprob
                self._entropy += record.entropy
                self.bytes += len(record.bytes) // 2
            if record.attn_entropy is not None:
                self._attended += 1
                self._attn_entropy += record.attn_entropy
            if record.ms is not None:
                self._running += 1
                self._running_ms += record.ms
            self.quadrants[record.quadrant] += 1
        elif isinstance(record, Event):
            self.valleys += record.kind == "valley"
            self.lost += count(record) if record.kind == LOST else 0
        elif isinstance(record, End):
            self.finish_reason = record.finish_reason
            self._ended += record.tokens
            if record.tokens:  # otherwise a debugger may have stood there
                self._seconds += record.seconds - record.prefill_seconds
            self._running, self._running_ms = 0, 0.0
        elif isinstance(record, RunHeader):
            self.split = record.quadrant_split

    @property
    def rate(self) -> float | None:
        """Tokens per second without the reading of prompts; of a running turn by its tokens."""
        seconds = self._seconds + self._running_ms / 1000
        tokens = self._ended + self._running
        return tokens / seconds if tokens and seconds > 0 else None

    @property
    def mean_attn_entropy(self) -> float | None:
        """Bits per token, of the tokens whose attention was measured."""
        return self._attn_entropy / self._attended if self._attended else None

    @property
    def mean_entropy(self) -> float | None:
        """Bits per token."""
        return self._entropy / self._measured if self._measured else None

    @property
    def perplexity(self) -> float | None:
        """`exp` of the mean surprisal of the measured tokens."""
        return math.exp(min(self._nats / self._measured, 700)) if self._measured else None

    @property
    def bits_per_byte(self) -> float | None:
        """Surprisal of the measured tokens over their bytes."""
        return self._nats / math.log(2) / self.bytes if self.bytes else None

    @property
    def excess(self) -> float | None:
        """Log-perplexity minus mean entropy, bits: what the model did not expect to happen."""
        if not self._measured or self.mean_entropy is None:
            return None
        return self._nats / self._measured / math.log(2) - self.mean_entropy

    def line(self, seed: int | None = None) -> str:
        parts = [f"{self.tokens} token{'' if self.tokens == 1 else 's'}"]
        if self.rate:
            parts.append(f"{self.rate:.1f} tokens/s")
        if self.mean_entropy is not None and self.perplexity is not None:
            parts.append(f"mean entropy {self.mean_entropy:.2f} bits")
            parts.append(f"perplexity {self.perplexity:.2f}")
            shares = (
                f"{word(quadrant, self.split)} {percent(count / self.tokens, brief=True)}"
                for quadrant, count in self.quadrants.most_common()
            )
            parts.append(" ".join(shares))
        if self.valleys:
            parts.append(f"{self.valleys} valley{'s' if self.valleys > 1 else ''}")
        if self.lost:
            parts.append(f"{self.lost} character{'s' if self.lost > 1 else ''} left out")
        if seed is not None:
            parts.append(f"seed {seed}")
        if self.finish_reason:
            parts.append(self.finish_reason)
        return " · ".join(parts)
