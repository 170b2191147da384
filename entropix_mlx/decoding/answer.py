"""An answer as it is drawn: records with their text, held against stop texts, and events."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.make_records import Attend, token_record
from entropix_mlx.decoding.stop_texts import StopTexts
from entropix_mlx.records.record import CLARIFY, USER, Event, TokenRecord
from entropix_mlx.sampling.valleys import ValleyMarks
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.tokenizer.tokenizer import Tokenizer
from entropix_models.tokenizer.utf8 import Utf8Stream


class Answer:
    """Goes on from `before`, the tokens of the answer that are there already.

    `next_index` numbers a record, `attend` is told of its attention. Choices go in with `add`,
    records come out of `settled`.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        before: Sequence[TokenRecord],
        parent: int,
        next_index: Callable[[], int],
        attend: Attend,
        *,
        valley_delta: float,
        stop: Sequence[str],
    ) -> None:
        self._tokenizer = tokenizer
        self._parent = parent
        self._next_index = next_index
        self._attend = attend
        self._stops, self._utf8 = StopTexts(stop), Utf8Stream()
        self._valleys = ValleyMarks(valley_delta)
        self._indices: list[int] = []
        self._put_in: list[int | None] = []  # of each record, the id that a sampler put in
        self._events: dict[int, list[Event]] = {}
        self._settled: deque[TokenRecord | Event] = deque()
        for record in before:
            if not self._ends(record.id, record.forced):
                self._utf8.feed(bytes.fromhex(record.bytes))
            self._note(record.index, record.id, record.forced)
            self._valleys.take(record.index, record.entropy)

    def add(self, choice: Choice, ms: float) -> bool:
        """Take in the next choice, made in so many milliseconds; whether the answer ends here."""
        index, ends = self._next_index(), self._is_end(choice)
        text = "" if ends else self._utf8.feed(self._tokenizer.token_bytes(choice.id))
        if choice.heads is not None:
            self._attend(index, choice.heads)
        record = token_record(self._tokenizer, choice, index, self._parent, text, ms)
        self._parent = index
        self._note(index, choice.id, choice.forced)
        events = self._events.setdefault(index, [])
        if (valley := self._valleys.take(index, choice.entropy)) is not None:
            events.append(valley)
        if ends and choice.forced == CLARIFY:
            events.append(Event(kind="question", index=index, at=self._begun()))
        ready, hit = self._stops.feed(record)
        self._settle(ready)
        return hit or ends

    def finish(self) -> None:
        """No choice follows: what may have begun a stop text is settled too."""
        self._settle(self._stops.flush())

    def settled(self) -> Iterator[TokenRecord | Event]:
        """What is sure and was not given yet: records, each followed by its events."""
        while self._settled:
            yield self._settled.popleft()

    def preview(self, choice: Choice, index: int) -> TokenRecord:
        """The record that a choice would become, as number `index`."""
        text = ""
        if not self._is_end(choice):
            text = self._utf8.fork().feed(self._tokenizer.token_bytes(choice.id))
        return token_record(self._tokenizer, choice, index, self._parent, text, None)

    def leaves_open(self, id: int) -> bool:
        """Whether a token would leave a character unfinished."""
        stream = self._utf8.fork()
        stream.feed(self._tokenizer.token_bytes(id))
        return bool(stream.pending)

    def _note(self, index: int, id: int, forced: str | None) -> None:
        self._indices.append(index)
        self._put_in.append(id if forced == CLARIFY else None)

    def _begun(self) -> int | None:
        """The record with which the question begins that ends here."""
        question = Vocabulary(tokenizer=self._tokenizer).question
        at = None if question is None else question.begun(self._put_in)
        return None if at is None else self._indices[at]

    def _settle(self, records: Sequence[TokenRecord]) -> None:
        for record in records:
            self._settled.append(record)
            self._settled.extend(self._events.pop(record.index))

    def _is_end(self, choice: Choice) -> bool:
        return self._ends(choice.id, choice.forced)

    def _ends(self, id: int, forced: str | None) -> bool:
        """A stop id that the user puts in is text."""
        return id in self._tokenizer.stop_ids and forced != USER
