"""One turn of a conversation: what is read, what is drawn, how it ends."""

import datetime
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import UNSET

from entropix_mlx.decoding.answer import Answer
from entropix_mlx.decoding.context import PromptContext
from entropix_mlx.decoding.decoder import OnChunk
from entropix_mlx.records.lost import lost
from entropix_mlx.records.record import End, Event, FinishReason, PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT, Node, ids_of, messages_of
from entropix_mlx.sampling.valleys import places
from entropix_mlx.session.halted import Halted
from entropix_mlx.session.journal import Journal
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.tokenizer.tokenizer import Tokenizer


class Prompt(NamedTuple):
    """What is said to the model; `ids` is what the context gains by it."""

    role: str
    ids: list[int]
    text: str


@dataclass
class Outcome:
    """What has come of a turn so far; `end` once it is over."""

    tokens: int = 0
    prefill_seconds: float = 0.0
    reason: FinishReason = "interrupted"
    end: End | None = None


@dataclass(frozen=True)
class Turn:
    """A request in its place, after the records `base`, and what comes of it."""

    request: TurnRequest
    base: list[Node]
    prompts: list[Prompt]
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def leaf(self) -> int:
        """Index of the record that it follows."""
        return self.base[-1].index if self.base else ROOT

    @property
    def added(self) -> list[int]:
        """What the prompts add to the context."""
        return [id for prompt in self.prompts for id in prompt.ids]

    def records(
        self,
        context: PromptContext,
        journal: Journal,
        on_chunk: OnChunk,
        stopped: threading.Event,
        *,
        score: bool,
    ) -> Generator[PromptRecord | TokenRecord | Event | Halted]:
        """Prompts, then tokens, each with its valley if any; told in `journal` before.

        It halts before each token. `context` stands where the turn begins. With `score` the
        prompts come once they were measured.
        """
        began, tokenizer = time.perf_counter(), context.decoder.model.tokenizer
        context.add(self.added)
        if score and self.prompts and self.request.max_tokens > 0:
            scored = context.score(len(self.added), on_chunk)
            delta = context.decoder.calibration.valley_delta
            yield from told_prompts(self.prompts, journal, tokenizer, scored, delta)
            complete = scored is not None
        else:
            yield from told_prompts(self.prompts, journal, tokenizer)
            if self.request.max_tokens < 1:
                self.outcome.reason = "length"
                return
            complete = context.read(on_chunk)
        if complete:
            self.outcome.prefill_seconds = time.perf_counter() - began
            yield from self._answer(context, journal, stopped)

    def _answer(
        self, context: PromptContext, journal: Journal, stopped: threading.Event
    ) -> Generator[TokenRecord | Event | Halted]:
        decoder, request = context.decoder, self.request
        answer = Answer(
            decoder.model.tokenizer,
            () if self.prompts else journal.tree.answer(self.leaf),
            journal.tree.leaf,
            journal.number,
            journal.attend,
            valley_delta=decoder.calibration.valley_delta,
            stop=request.stop,
        )
        halted = Halted(context, answer, journal)
        reason: FinishReason = "length"
        if not context.is_under_way:
            decoder.begin(context.ids[-1])
        last = time.perf_counter()
        choices = decoder.generate(None, request.max_tokens, request.force)
        try:
            for _ in range(request.max_tokens):
                began = time.perf_counter()
                yield halted
                last += time.perf_counter() - began  # the user's time, not the token's
                choice = next(choices)
                now = time.perf_counter()
                context.ids.append(choice.id)
                ends = answer.add(choice, (now - last) * 1e3)
                last = now
                yield from self._told(journal, answer)
                if ends or stopped.is_set():
                    reason = "stop" if ends else "interrupted"
                    break
            answer.finish()
            yield from self._told(journal, answer)
            self.outcome.reason = reason
        finally:
            choices.close()
            # Whoever left in between, or failed, wants no more of them; but they were made.
            answer.finish()
            for _ in self._told(journal, answer):
                pass

    def _told(self, journal: Journal, answer: Answer) -> Generator[TokenRecord | Event]:
        for record in answer.settled():
            journal.tell(record)
            self.outcome.tokens += isinstance(record, TokenRecord)
            yield record


def told_prompts(
    prompts: list[Prompt],
    journal: Journal,
    tokenizer: Tokenizer,
    scored: list[TokenRecord] | None = None,
    valley_delta: float = 0.0,
) -> Generator[PromptRecord | Event]:
    """What is said, told, and which characters of it the model does not get; `scored`: records of
    its tokens.
    """
    valleys = places([r.entropy for r in scored], valley_delta) if scored else []
    for role, ids, text in prompts:
        record = PromptRecord(
            index=journal.number(),
            parent=journal.tree.leaf,
            role=role,
            ids=ids,
            text=text,
            records=scored if ids else None,
            valleys=(valleys if ids else []) or UNSET,
        )
        journal.tell(record)
        yield record
        if gone := tokenizer.lost(text):
            journal.tell(event := lost(record.index, text, gone))
            yield event


def prompts_of(
    request: TurnRequest,
    base: list[Node],
    tokenizer: Tokenizer,
    *,
    system: str,
    date: datetime.date,
) -> list[Prompt]:
    """What a request says after the records `base`, if it has a text.

    A conversation begins with its system prompt. Raises UsageError where there is nothing to read.
    """
    text, raw = request.text, request.raw
    if text is None:
        return []
    if not text.strip() and not (raw and text) and not request.ids:
        raise UsageError("the prompt is empty; give some text")
    before = ids_of(base)
    opening = system if not base else ""
    if request.ids:
        ids = list(request.ids)
    elif raw:
        ids = tokenizer.encode(text, special=True, bos=tokenizer.adds_bos and not before)
    else:
        messages = messages_of(base)
        if opening:
            messages.append({"role": "system", "content": opening})
        messages.append({"role": "user", "content": text})
        if before:
            ids = tokenizer.next_turn(messages, date=date, after=before)
        else:
            ids = tokenizer.chat(messages, date=date)
    if request.prefill:
        ids = ids + tokenizer.encode(request.prefill)
    if not ids:
        raise UsageError("the prompt has no tokens; give some text")
    prompts = [Prompt("user", ids, text)]
    if opening:
        prompts.insert(0, Prompt("system", [], opening))
    if request.prefill:
        prompts.append(Prompt("assistant", [], request.prefill))
    return prompts
