"""An answer as it is drawn: records with their text, held against stop texts, valleys marked."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence

from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.make_records import Attend, token_record
from entropix_mlx.decoding.stop_texts import StopTexts
from entropix_mlx.records.record import Event, FinishReason, TokenRecord
from entropix_mlx.sampling.valleys import ValleyDetector
from entropix_models.tokenizer.tokenizer import Tokenizer
from entropix_models.tokenizer.utf8 import Utf8Stream


class Answer:
    """Goes on from `before`, the tokens of the answer that are there already.

    `next_index` numbers a record, `attend` is told of its attention. `reason` is why the answer
    ended, once it has.
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
        pauses: Callable[[], bool],
    ) -> None:
        self.reason: FinishReason = "length"
        self._tokenizer = tokenizer
        self._parent = parent
        self._next_index = next_index
        self._attend = attend
        self._pauses = pauses
        self._stops, self._utf8 = StopTexts(list(stop)), Utf8Stream()
        self._valleys = ValleyDetector(delta=valley_delta)
        self._places: list[int] = []
        self._events: dict[int, Event] = {}
        self._settled: deque[TokenRecord | Event] = deque()
        for record in before:
            if record.id not in tokenizer.stop_ids or record.forced:
                self._utf8.feed(bytes.fromhex(record.bytes))
            self._places.append(record.index)
            self._valleys.update(record.entropy)

    def tokens(
        self, choices: Generator[Choice], ids: list[int], stopped: Callable[[], bool]
    ) -> Generator[TokenRecord | Event | None]:
        """Records that are settled, each followed by its valley if any; closes `choices`.

        `ids` gains every choice. Whoever leaves in between finds what was made but not yet given
        in `rest`. None comes where it `pauses`: the next token is proposed and not taken yet.
        """
        last = time.perf_counter()
        try:
            while True:
                if self._pauses():
                    yield None
                    last = time.perf_counter()
                choice = next(choices, None)
                if choice is None:
                    break
                now = time.perf_counter()
                ids.append(choice.id)
                ends = choice.id in self._tokenizer.stop_ids and not choice.forced
                record = self._record(choice, "" if ends else None, (now - last) * 1e3)
                last = now
                ready, hit = self._stops.feed(record)
                yield from self._given(ready)
                if hit or ends:
                    self.reason = "stop"
                    break
                if stopped():
                    self.reason = "interrupted"
                    break
            yield from self._given(self._stops.flush())
        finally:
            choices.close()

    def preview(self, choice: Choice, index: int) -> TokenRecord:
        """The record that a choice would become, as number `index`."""
        text = ""
        if choice.id not in self._tokenizer.stop_ids or choice.forced:
            text = self._utf8.fork().feed(self._tokenizer.token_bytes(choice.id))
        return token_record(self._tokenizer, choice, index, self._parent, text, None)

    def leaves_open(self, id: int) -> bool:
        """Whether a token would leave a character unfinished."""
        stream = self._utf8.fork()
        stream.feed(self._tokenizer.token_bytes(id))
        return bool(stream.pending)

    def rest(self) -> Iterator[TokenRecord | Event]:
        """What was made and not yet given."""
        return self._given(self._stops.flush())

    def _record(self, choice: Choice, text: str | None, ms: float) -> TokenRecord:
        index = self._next_index()
        if text is None:
            text = self._utf8.feed(self._tokenizer.token_bytes(choice.id))
        if choice.heads is not None:
            self._attend(index, choice.heads)
        record = token_record(self._tokenizer, choice, index, self._parent, text, ms)
        self._parent = index
        self._places.append(index)
        if (at := self._valleys.update(choice.entropy)) is not None:
            self._events[index] = Event(kind="valley", index=index, at=self._places[at])
        return record

    def _given(self, records: Sequence[TokenRecord]) -> Iterator[TokenRecord | Event]:
        for record in records:
            self._settled.append(record)
            if record.index in self._events:
                self._settled.append(self._events.pop(record.index))
        while self._settled:
            yield self._settled.popleft()
