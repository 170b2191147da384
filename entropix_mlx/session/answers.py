"""Many answers at once: prompts, and samples of each, decoded in rows that come and go."""

import datetime
import hashlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import NamedTuple

from entropix_mlx.decoding.answer import Answer
from entropix_mlx.decoding.batch import Batch
from entropix_mlx.decoding.cache_pool import PromptCachePool, beginning
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import prefill
from entropix_mlx.decoding.make_records import calibration_of, header_of
from entropix_mlx.decoding.row import Row
from entropix_mlx.records.record import End, FinishReason, RunHeader, TurnRecord
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.journal import Journal, Storage, Writer
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.turn import Prompt, prompts_of, told_prompts
from entropix_models.errors import ContextLengthError, UnsupportedError, UsageError
from entropix_models.language_model import Cache, LanguageModel

ROWS = 8
"""Answers side by side, where nobody says how many."""

_READ = 2**28
"""Bytes of prompts that were read and may be answered again, or begin like others."""

_SHARED = 256
"""Ids from which it takes longer to read a prompt's keys for every row than to let rows stand empty
until the last answer to it has ended.
"""


class Asked(NamedTuple):
    """One answer: number `sample` of prompt number `prompt`, by a sampler's; all from 0."""

    prompt: int
    sample: int
    sampler: int = 0


Open = Callable[[Asked], Writer | None]
"""Gives what keeps an answer's records, once it begins."""


class Told(NamedTuple):
    """A record of one of the answers."""

    asked: Asked
    record: TurnRecord


def answer_seed(seed: int, asked: Asked) -> int:
    """The seed of one answer, by whatever sampler: with it alone a session gives the same."""
    place = f"{seed}/{asked.prompt}/{asked.sample}".encode()
    return int.from_bytes(hashlib.blake2b(place, digest_size=4).digest())


@dataclass(eq=False)
class _Begun:
    """An answer in the making: the row that it is drawn in, and where its records go."""

    asked: Asked
    row: Row
    journal: Journal
    answer: Answer
    most: int
    began: float = field(default_factory=time.perf_counter)
    prefill_seconds: float = 0.0
    tokens: int = 0
    reason: FinishReason | None = None
    is_over: bool = False

    def take(self, choice: Choice, ms: float) -> None:
        """The next choice; a `reason` is there where the answer ends with it."""
        ends = self.answer.add(choice, ms)
        self.tokens += 1
        if ends or self.tokens == self.most:
            self.reason = "stop" if ends else "length"

    def told(self) -> Generator[Told]:
        """What is sure by now; with a reason to end all that is left, and the end."""
        if self.reason is not None:
            self.answer.finish()
        for record in self.answer.settled():
            self.journal.tell(record)
            yield Told(self.asked, record)
        if self.reason is not None and not self.is_over:
            self.is_over = True
            end = End(
                leaf=self.journal.tree.leaf,
                finish_reason=self.reason,
                tokens=self.tokens,
                seconds=time.perf_counter() - self.began,
                prefill_seconds=self.prefill_seconds,
            )
            self.journal.tell(end)
            self.journal.close()
            yield Told(self.asked, end)


class Answers:
    """Answers of one model, each what a session of its own would give by its seed, within rounding.

    Belongs to the thread that made it, but for `stop`. `samplers`: those that an `Asked` names;
    `rows`: so many side by side. Without a `seed` one is drawn; each answer's own is made of it by
    `seeds`.
    Models whose caches cannot be put side by side answer one after another, and so does what looks
    ahead, which has rows of its own.
    """

    def __init__(
        self,
        model: LanguageModel,
        samplers: Sequence[Settings],
        *,
        seed: int | None = None,
        system: str = "",
        date: datetime.date | None = None,
        rows: int = ROWS,
        seeds: Callable[[int, Asked], int] = answer_seed,
    ) -> None:
        self.model = model
        self._seeds = seeds
        self.calibration = calibration_of(model)
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        self._first = [Row(model, of, self.calibration, self.seed) for of in samplers]
        self._system, self._date = system, date or datetime.date.today()
        self._rows = rows
        try:
            model.rows_after(model.new_cache(), 1)
        except UnsupportedError:
            self._rows = 1
        self._stopped = threading.Event()
        self._read = PromptCachePool(_READ)
        self._batch = Batch(model, [], [])
        self._begun: list[_Begun] = []
        self._shared: int | None = None
        """The one prompt after which all rows go on, if they share what was read of it."""
        self._last = 0.0

    @property
    def lacks(self) -> str | None:
        """What some settings ask for that this model cannot do, in a sentence."""
        return next((row.lacks for row in self._first if row.lacks), None)

    def stop(self) -> None:
        """End the running answers after the current step; from any thread, at any time."""
        self._stopped.set()

    def header(self, asked: Asked) -> RunHeader:
        """That of an answer's trace, with its seed."""
        row = self._first[asked.sampler]
        return header_of(
            self.model,
            row.settings,
            self.calibration,
            seed=self._seeds(self.seed, asked),
            date=self._date,
            split=row.split,
        )

    def side_by_side(self, asked: Asked) -> int:
        """How many rows there are for answers of its kind."""
        return 1 if self._kind(asked).is_alone else self._rows

    def length(self, request: TurnRequest) -> int:
        """How many tokens the model is told. Raises UsageError for a prompt that says nothing."""
        tokenizer = self.model.tokenizer
        return len(_ids(prompts_of(request, [], tokenizer, system=self._system, date=self._date)))

    def run(
        self,
        requests: Sequence[TurnRequest],
        asked: Sequence[Asked],
        open: Open = lambda _: None,
    ) -> Generator[Told]:
        """What comes of `asked`, which are answers to some of the `requests`.

        Raises UsageError or ContextLengthError before anything is yielded or written. What a stop
        or a later error breaks off has an `End` that says so.
        """
        prompts = {n: self._said(requests[n], n) for n in sorted({one.prompt for one in asked})}
        self._stopped.clear()
        self._batch, self._begun = Batch(self.model, [], []), []
        waiting = deque(asked)
        reason: FinishReason = "error"
        try:
            while (waiting or self._begun) and not self._stopped.is_set():
                while group := self._next(waiting, prompts):
                    n = group[0].prompt
                    yield from self._begin(group, requests[n], prompts[n], open)
                if not self._stopped.is_set():
                    yield from self._step()
            reason = "interrupted"
            for one in self._begun:
                one.reason = reason
                yield from one.told()
        except (GeneratorExit, KeyboardInterrupt):
            reason = "interrupted"
            raise
        finally:
            for one in self._begun:
                one.reason = one.reason or reason
                for _ in one.told():
                    pass

    def _said(self, request: TurnRequest, number: int) -> list[Prompt]:
        """What a request says to the model."""
        tokenizer, info = self.model.tokenizer, self.model.info
        try:
            prompts = prompts_of(request, [], tokenizer, system=self._system, date=self._date)
        except UsageError as error:
            raise UsageError(f"prompt {number + 1}: {error}") from error
        if (total := len(_ids(prompts))) >= info.context_length:
            raise ContextLengthError(
                f"prompt {number + 1} has {total} tokens, the context of {info.name} is "
                f"{info.context_length}; shorten it"
            )
        return prompts

    def _next(self, waiting: "deque[Asked]", prompts: Mapping[int, list[Prompt]]) -> list[Asked]:
        """Those of the waiting that begin now: samples of one prompt, if there is room for them."""
        room = self._rows - len(self._begun)
        if not waiting or room < 1 or self._stopped.is_set():
            return []
        prompt, kind = waiting[0].prompt, self._kind(waiting[0])
        if self._begun and (
            self._shared not in (None, prompt) or kind != self._kind(self._begun[0].asked)
        ):
            return []
        if kind.is_alone:
            return [] if self._begun else [waiting.popleft()]
        alike = [
            one
            for one in takewhile(lambda one: one.prompt == prompt, islice(waiting, room))
            if self._kind(one) == kind
        ]
        if not self._begun:  # shared where that is worth waiting for the last of them to end
            fills = len(alike) == min(room, len(waiting))
            long = len(_ids(prompts[prompt])) >= _SHARED or len(alike) == len(waiting)
            self._shared = prompt if fills and long and len(alike) > 1 else None
        if self._shared is None:
            alike = alike[:1]
        for _ in alike:
            waiting.popleft()
        return alike

    def _kind(self, asked: Asked) -> "_Kind":
        row = self._first[asked.sampler]
        return _Kind(row.captures, self._rows == 1 or bool(row.settings.look_ahead))

    def _begin(
        self, group: list[Asked], request: TurnRequest, prompts: list[Prompt], open: Open
    ) -> Generator[Told]:
        """Have answers to one prompt come with the next step."""
        tokenizer, ids = self.model.tokenizer, _ids(prompts)
        room = self.model.info.context_length - len(ids)
        new = []
        for asked in group:
            header = self.header(asked)
            assert header.seed is not None
            journal = Journal(header, Storage(open(asked)))
            for record in told_prompts(prompts, journal, tokenizer):
                yield Told(asked, record)
            answer = Answer(
                tokenizer,
                (),
                journal.tree.leaf,
                journal.number,
                journal.attend,
                valley_delta=self.calibration.valley_delta,
                stop=request.stop,
            )
            row = self._first[asked.sampler].like(header.seed)
            row.remember([Past.of_prompt(ids)])
            new.append(_Begun(asked, row, journal, answer, min(request.max_tokens, room)))
            self._begun.append(new[-1])
        if (cache := self._after(ids[:-1])) is None:
            return
        if self._kind(group[0]).is_alone:
            cache = self.model.fork(cache)
        elif self._shared is None:
            cache = self.model.rows_beside([cache])
        else:
            cache = self.model.rows_after(cache, len(new))
        for one in new:
            one.prefill_seconds = time.perf_counter() - one.began
        self._batch.join([one.row for one in new], cache, [ids[-1]] * len(new))
        self._last = time.perf_counter()

    def _after(self, ids: list[int]) -> Cache | None:
        """A cache of these ids, which is to stay as it is; None if reading them was stopped."""
        number, shared = self._read.best(ids)
        cache = self.model.new_cache()
        if number >= 0:
            kept = self._read.look(number)
            if kept.ids == ids:
                return kept.cache
            cache = beginning(self.model, kept.cache, shared)
        unread = ids[self.model.cached(cache) :]
        if prefill(self.model, cache, unread, lambda *_: not self._stopped.is_set()) < len(unread):
            return None
        self._read.put(ids, cache)
        return cache

    def _step(self) -> Generator[Told]:
        """A token of each answer whose step is under way; those that end with it leave."""
        more = any(one.tokens + 1 < one.most for one in self._begun)
        choices = self._batch.land(more=more)
        now = time.perf_counter()
        ms, self._last = (now - self._last) * 1e3, now
        landed = self._begun[: len(choices)]
        for one, choice in zip(landed, choices, strict=True):
            one.take(choice, ms)
        for one in landed:
            yield from one.told()
        over = [n for n, one in enumerate(self._begun) if one.is_over]
        if over:
            self._batch.leave(over)
            self._begun = [one for one in self._begun if not one.is_over]


class _Kind(NamedTuple):
    """Answers side by side are of one kind."""

    captures: bool
    is_alone: bool


def _ids(prompts: list[Prompt]) -> list[int]:
    return [id for prompt in prompts for id in prompt.ids]
