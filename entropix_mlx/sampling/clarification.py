"""What is put into an answer where the sampler is to clarify, by the setting `clarify`.

A way has a memory that follows from the path alone: `remembered` makes it of the path's tokens on
the host, `step` of the last one's on the device. Both say the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from entropix_mlx.records.record import CLARIFY
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.vocabulary import Question, Vocabulary
from entropix_models.tokenizer.marks import Mark

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Seen

WAYS = ("off", "insert", "ask", "guide")
LONG_AGO = 1 << 30
"""Stands for never."""

LONGEST_QUESTION = 24
"""So many drawn tokens at most come between a question's opening and its question mark."""

Memory = tuple["mx.array", ...]

NOT_INSERTED = {
    "off": ", nothing inserted (clarify=off)",
    "insert": ": a text comes between words only, once a sentence at most",
    "ask": ": a question comes where a sentence begins only, once at most",
    "guide": " instead: a clarifying text had just been inserted",
}
"""Why nothing was, where it might have been, by way."""


class Step(NamedTuple):
    """`inserted` int32: the id to put in, -1 for none; the next `memory`."""

    inserted: "mx.array"
    memory: Memory


class Way(ABC):
    """One way to clarify; hashable, as steps are compiled for it."""

    @abstractmethod
    def remembered(self, path: Sequence[Past]) -> tuple[int, ...]:
        """The memory at the end of a path, all int32."""

    @abstractmethod
    def step(self, seen: "Seen", drawn: "mx.array", calls: "mx.array", memory: Memory) -> Step:
        """`drawn`: the id that would come; `calls`: whether the metrics call for clarifying."""

    def follows(self, ids: "mx.array", memory: Memory) -> "mx.array | None":
        """Bool `[support]`: which of the ids can follow here; None where what was put in leaves
        that open.
        """
        del ids, memory
        return None


def way(name: str, vocabulary: Vocabulary) -> Way | None:
    """None where nothing is put in, be it that the vocabulary has nothing to."""
    # Marks are looked for where they are asked for only: every token of the model has to be read.
    if name == "guide" and vocabulary.clarify:
        return Guide(vocabulary.clarify)
    if name == "insert" and vocabulary.clarify and (marks := vocabulary.marks):
        return Insert(vocabulary.clarify, marks)
    if name == "ask" and (marks := vocabulary.marks) and (question := vocabulary.question):
        return Ask(question, marks)
    return None


@dataclass(frozen=True)
class Guide(Way):
    """The text, wherever it is called for, if none of the last n ids was put in (n = the text's
    length): the memory is how many ids ago one was, and the place in a text that has begun.
    """

    text: tuple[int, ...]

    def remembered(self, path: Sequence[Past]) -> tuple[int, ...]:
        back = [past.forced == CLARIFY for past in reversed(path) if not past.is_prompt]
        since = back.index(True) if True in back else LONG_AGO
        return since, sum(takewhile(bool, back)) % len(self.text)

    def step(self, seen: "Seen", drawn: "mx.array", calls: "mx.array", memory: Memory) -> Step:
        import mlx.core as mx

        del drawn  # comes first or not, all the same
        since, place = memory
        begins = (place == 0) & calls & (since >= len(self.text))
        puts = (begins | (place > 0)) & (seen.given < 0)
        since = mx.where(puts, 0, mx.minimum(since + 1, LONG_AGO))
        inserted = mx.where(puts, mx.array(self.text, mx.int32)[place], -1)
        return Step(inserted, (since, mx.where(puts, (place + 1) % len(self.text), 0)))


class _BySentence(Way):
    """Knows the marks of ids."""

    marks: bytes

    def _mark(self, id: int) -> int:
        return self.marks[min(id, len(self.marks) - 1)]

    def _marks(self, id: "mx.array") -> "mx.array":
        """Int32, of an id; logits may be padded beyond the vocabulary."""
        import mlx.core as mx
        import numpy as np

        marks = mx.array(np.frombuffer(self.marks, np.uint8))
        return marks[mx.minimum(id, len(self.marks) - 1)].astype(mx.int32)


def _begins_word(last: Any, mark: Any) -> Any:
    """By the marks of the last id and of the next, ints or int32."""
    return (((mark & Mark.BEGINS) != 0) | ((last & Mark.BLANK) != 0)) & ((mark & Mark.STOPS) == 0)


def _begins_sentence(last: Any, mark: Any) -> Any:
    return ((last & Mark.ENDS) != 0) & _begins_word(last, mark)


@dataclass(frozen=True)
class Insert(_BySentence):
    """The text, in place of a token that begins a word, once a sentence; a word, or the answer's
    end, follows it.

    The memory: the place in a text that has begun (its length right after it), whether the sentence
    has one, and the marks of the last id. The text ends no sentence.
    """

    text: tuple[int, ...]
    marks: bytes

    def remembered(self, path: Sequence[Past]) -> tuple[int, ...]:
        place, has, last = 0, False, 0
        for past in path:
            mark = self._mark(past.id)
            if past.is_prompt:
                place, has = 0, False
            elif past.forced == CLARIFY and past.id == self.text[place % len(self.text)]:
                place, has, mark = place % len(self.text) + 1, True, mark & ~Mark.ENDS
            else:
                place, has = 0, has and not _begins_sentence(last, mark)
            last = mark
        return place, int(has), last

    def step(self, seen: "Seen", drawn: "mx.array", calls: "mx.array", memory: Memory) -> Step:
        import mlx.core as mx

        place, has, last = memory
        place = place % len(self.text)
        free = seen.given < 0
        mark = self._marks(mx.where(free, drawn, seen.given))
        has = mx.where(_begins_sentence(last, mark), 0, has)
        begins = (place == 0) & calls & _begins_word(last, mark) & (has == 0)
        puts = (begins | (place > 0)) & free
        put = mx.array(self.text, mx.int32)[place]
        memory = (
            mx.where(puts, place + 1, 0),
            mx.where(puts, 1, has),
            mx.where(puts, self._marks(put) & ~Mark.ENDS, mark),
        )
        return Step(mx.where(puts, put, -1), memory)

    def follows(self, ids: "mx.array", memory: Memory) -> "mx.array | None":
        import mlx.core as mx

        place, _, last = memory
        marks = self._marks(ids)
        fits = ((marks & (Mark.BEGINS | Mark.STOPS)) != 0) | ((last & Mark.BLANK) != 0)
        return fits | (place < len(self.text)) | ~mx.any(fits)


@dataclass(frozen=True)
class Ask(_BySentence):
    """A question to the user in place of a sentence, then the end of the answer; asked again only
    after an answer that ended by itself.

    Its opening is put in, the rest is drawn, up to a question mark: one is put in where the
    sentence would end without, or has become too long. The memory: 0, or 1 + how far the question
    is (the ids of both openings, then drawn ones); whether it was asked; the marks of the last id.
    """

    question: Question
    marks: bytes

    @property
    def _openings(self) -> tuple[int, ...]:
        return self.question.opening + self.question.spaced

    def remembered(self, path: Sequence[Past]) -> tuple[int, ...]:
        place, asked, last = 0, False, 0
        openings, first = self._openings, len(self.question.opening)
        for past in path:
            mark = self._mark(past.id)
            at = place - 1 if place else 0 if last & Mark.BLANK else first
            goes_on, place = place, 0
            if past.is_prompt:
                pass  # breaks off what has begun
            elif past.forced == CLARIFY:
                if at < len(openings):
                    if past.id == openings[at]:
                        place = 1 + (len(openings) if at + 1 == first else at + 1)
                elif past.id == self.question.mark:
                    place = at + 2
                asked = asked or place > 0
            elif past.forced is None:
                place = at + 2 if goes_on and at >= len(openings) else 0
                asked = asked and not mark & Mark.STOPS
            last = mark
        return place, int(asked), last

    def step(self, seen: "Seen", drawn: "mx.array", calls: "mx.array", memory: Memory) -> Step:
        import mlx.core as mx

        place, asked, last = memory
        openings, first = self._openings, len(self.question.opening)
        end = len(openings)
        free = seen.given < 0
        mark = self._marks(mx.where(free, drawn, seen.given))
        at = mx.where(place > 0, place - 1, mx.where((last & Mark.BLANK) != 0, 0, first))
        begins = (place == 0) & calls & _begins_sentence(last, mark) & (asked == 0)
        opens = begins | ((place > 0) & (at < end))
        in_it = (place > 0) & (at >= end)
        is_asked = in_it & ((last & Mark.ASKS) != 0)
        ends = ((mark & (Mark.STOPS | Mark.ENDS)) != 0) & ((mark & Mark.ASKS) == 0)
        breaks = in_it & (ends | (at - end >= LONGEST_QUESTION))
        put = mx.where(breaks, self.question.mark, -1)
        put = mx.where(is_asked, self.question.stop, put)
        put = mx.where(opens, mx.array(openings, mx.int32)[mx.minimum(at, end - 1)], put)
        put = mx.where(free, put, -1)
        puts = put >= 0
        goes_on = free & (opens | in_it) & ~is_asked
        memory = (
            mx.where(goes_on, 1 + mx.where(at + 1 == first, end, at + 1), 0),
            mx.where(puts, 1, mx.where(free & ((mark & Mark.STOPS) != 0), 0, asked)),
            mx.where(puts, self._marks(mx.maximum(put, 0)), mark),
        )
        return Step(put, memory)
