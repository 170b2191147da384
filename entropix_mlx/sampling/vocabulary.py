"""What a sampler may know of a model's ids: the texts that it may put in, and what they mark."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entropix_models.tokenizer.tokenizer import Tokenizer

_OPENING = "Could you tell me"
_RESERVED = re.compile(rb"pause|reserved|unused")


@dataclass(frozen=True)
class Question:
    """A question to the user: the ids of its `opening` where nothing stands before it, and where it
    is `spaced` from what does; the ids that end the question and, if the model has one, the answer.
    """

    opening: tuple[int, ...]
    spaced: tuple[int, ...]
    mark: int
    stop: int

    def begun(self, put_in: Sequence[int | None]) -> int | None:
        """Where the last one begins in an answer: the ids that a sampler put in, None for others.

        A way to clarify may have been another one before, so that not all of them are a question's.
        """
        for at in reversed(range(len(put_in))):
            for opening in (self.opening, self.spaced):
                if tuple(put_in[at : at + len(opening)]) == opening:
                    return at
        return None


@dataclass(frozen=True)
class Vocabulary:
    """`clarify`: the ids of the model's clarifying text. Without a `tokenizer` nothing else."""

    clarify: tuple[int, ...] = ()
    tokenizer: "Tokenizer | None" = None

    @staticmethod
    def of(tokenizer: "Tokenizer", clarify: str) -> "Vocabulary":
        return Vocabulary(tuple(tokenizer.encode(clarify)), tokenizer)

    @property
    def marks(self) -> bytes | None:
        """A `Mark` for each id."""
        return None if self.tokenizer is None else self.tokenizer.marks

    @property
    def pauses(self) -> tuple[int, ...]:
        """Ids that the model keeps in reserve, by the names of its special tokens."""
        if self.tokenizer is None:
            return ()
        names = ((id, self.tokenizer.token_bytes(id)) for id in sorted(self.tokenizer.special_ids))
        return tuple(id for id, name in names if _RESERVED.search(name))

    def holding(self, some: bytes) -> bytes:
        """1 for each id whose own bytes have one of `some` in them, else 0; empty without a
        tokenizer.
        """
        return b"" if self.tokenizer is None else _holding(self.tokenizer, some)

    @property
    def question(self) -> Question | None:
        """None where it cannot be asked: a turn has no end, or the tokenizer drops its words."""
        if self.tokenizer is None or self.tokenizer.turn_end is None:
            return None
        texts = (_OPENING, f" {_OPENING}", "x?")
        opening, spaced, asked = (tuple(self.tokenizer.encode(text)) for text in texts)
        if not (opening and spaced and asked):
            return None
        return Question(opening, spaced, mark=asked[-1], stop=self.tokenizer.turn_end)


@lru_cache(maxsize=4)
def _holding(tokenizer: "Tokenizer", some: bytes) -> bytes:
    found = map(tokenizer.token_bytes, range(tokenizer.vocab_size))
    return bytes(any(byte in own for byte in some) for own in found)
