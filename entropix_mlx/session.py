"""A conversation: prompts in, records out, the cache kept between turns."""

import datetime
import importlib.metadata
import platform
import secrets
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from entropix_mlx.calibration import PROVISIONAL, Calibration, shipped
from entropix_mlx.decoding import Choice, Decoder
from entropix_mlx.records import (
    Candidate,
    End,
    Event,
    FinishReason,
    PromptRecord,
    RunHeader,
    TokenRecord,
)
from entropix_mlx.settings import Settings
from entropix_mlx.stopping import StopTexts
from entropix_mlx.trace import TraceWriter
from entropix_mlx.valleys import ValleyDetector
from entropix_models.chat_template import Message
from entropix_models.errors import ContextLengthError, UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet
from entropix_models.tokenizer import Tokenizer
from entropix_models.utf8 import Utf8Stream

TurnRecord = PromptRecord | TokenRecord | Event | End


class Session:
    """One conversation with one model. Belongs to the thread that made it, but for `stop`.

    Everything that is yielded has been written to `trace` before. `progress` is told of the
    prefill. Without a `seed` one is drawn; without a `date`, templates that print one print today.
    """

    def __init__(
        self,
        model: LanguageModel,
        settings: Settings,
        *,
        seed: int | None = None,
        system: str = "",
        date: datetime.date | None = None,
        calibration: Calibration | None = None,
        trace: TraceWriter | None = None,
        progress: Progress = quiet,
    ) -> None:
        self.model = model
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        self.calibration = calibration or calibration_of(model) or PROVISIONAL
        self.ids: list[int] = []
        self._decoder = Decoder(model, settings, self.calibration, self.seed)
        self._date = date or datetime.date.today()
        self._system = system
        self._messages: list[Message] = []
        self._trace = trace
        self._progress = progress
        self._stopped = threading.Event()
        self._index = -1
        prints_date = model.tokenizer.has_chat_template and model.tokenizer.template_prints_date
        self.header = header_of(
            model,
            self._decoder.settings,
            self.calibration,
            seed=self.seed,
            date=self._date if prints_date else None,
        )

    @property
    def context(self) -> int:
        """The longest conversation that the model can hold, in tokens."""
        return self.model.facts.context_length

    def stop(self) -> None:
        """End the running turn after the current step; from any thread, at any time."""
        self._stopped.set()

    def close(self) -> None:
        """Nothing more will be sent."""
        if self._trace is not None:
            self._trace.close()

    def send(
        self,
        text: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        prefill: str = "",
        raw: bool = False,
    ) -> Generator[TurnRecord]:
        """One turn: prompt records, then tokens and events as they come, an `End` last.

        `raw`: the text as it stands, without a template, special tokens in it recognised.
        `prefill`: how the answer begins. Raises UsageError or ContextLengthError, before anything
        is yielded or written; a later error is raised after an `End` that says so.
        """
        self._stopped.clear()
        if not text.strip() and not (raw and text):
            raise UsageError("the prompt is empty; give some text")
        messages, ids = self._messages, self._encode(text, raw)
        if not raw:
            messages = self._conversation(text)
        if prefill:
            ids = ids + self.model.tokenizer.encode(prefill)
        if not ids:
            raise UsageError("the prompt has no tokens; give some text")
        room = self.context - len(self.ids) - len(ids)
        if room < 1:
            raise ContextLengthError(
                f"the conversation would be {len(self.ids) + len(ids)} tokens long, the context of "
                f"{self.model.facts.name} is {self.context}; shorten the prompt"
            )
        return self._turn(text, ids, messages, prefill, min(max_tokens, room), list(stop))

    def _encode(self, text: str, raw: bool) -> list[int]:
        """The ids that this turn adds to the context, up to where the answer begins."""
        tokenizer = self.model.tokenizer
        if raw:
            return tokenizer.encode(text, special=True, bos=tokenizer.adds_bos and not self.ids)
        messages = self._conversation(text)
        if self.ids:
            return tokenizer.next_turn(messages, date=self._date, after=self.ids)
        return tokenizer.chat(messages, date=self._date)

    def _conversation(self, text: str) -> list[Message]:
        opening: list[Message] = []
        if self._system and not self._messages:
            opening = [{"role": "system", "content": self._system}]
        return [*opening, *self._messages, {"role": "user", "content": text}]

    def _turn(
        self,
        text: str,
        ids: list[int],
        messages: list[Message],
        prefill: str,
        max_tokens: int,
        stop: list[str],
    ) -> Generator[TurnRecord]:
        began = time.perf_counter()
        prefill_seconds = 0.0
        reason: FinishReason = "interrupted"
        self._answer: list[TokenRecord] = []
        prompts = self._prompt_records(text, ids, prefill)
        self.ids += ids
        try:
            yield from map(self._write, prompts)
            unread = self.ids[self._decoder.length : -1]
            if max_tokens < 1:
                reason = "length"
            elif self._decoder.prefill(unread, self._on_chunk):
                prefill_seconds = time.perf_counter() - began
                with closing(self._tokens(max_tokens, stop)) as records:
                    yield from map(self._write, records)
                reason = self._reason
        except GeneratorExit:  # the caller wants no more; what was made is kept
            return
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
            self._decoder.forget()  # what it holds may be ahead of what was told, or torn
            raise
        finally:
            answer = prefill + "".join(record.text for record in self._answer)
            self._messages = [*messages, {"role": "assistant", "content": answer}]
            end = End(
                leaf=self._index,
                finish_reason=reason,
                tokens=len(self._answer),
                seconds=time.perf_counter() - began,
                prefill_seconds=prefill_seconds,
            )
            self._write(end)
        yield end

    def _on_chunk(self, done: int, total: int) -> bool:
        self._progress("reading the prompt", done, total)
        return not self._stopped.is_set()

    def _prompt_records(self, text: str, ids: list[int], prefill: str) -> Iterator[PromptRecord]:
        parts: list[tuple[str, list[int], str]] = [("user", ids, text)]
        if self._system and not self.ids:
            parts.insert(0, ("system", [], self._system))
        if prefill:
            parts.append(("assistant", [], prefill))
        return (self._prompt(*part) for part in parts)

    def _prompt(self, role: str, ids: list[int], text: str) -> PromptRecord:
        self._index += 1
        return PromptRecord(
            index=self._index, parent=self._index - 1, role=role, ids=ids, text=text
        )

    def _tokens(self, max_tokens: int, stop: list[str]) -> Generator[TokenRecord | Event]:
        """Token records, settled against the stop texts, each followed by its valley if any."""
        self._reason: FinishReason = "length"
        tokenizer = self.model.tokenizer
        stops, utf8 = StopTexts(stop), Utf8Stream()
        valleys = ValleyDetector(delta=self.calibration.valley_delta)
        first = self._index + 1
        last = time.perf_counter()
        choices = self._decoder.generate(self.ids[-1], max_tokens)
        events: dict[int, Event] = {}
        waiting: list[TokenRecord | Event] = []

        def settled(records: list[TokenRecord]) -> Iterator[TokenRecord | Event]:
            for record in records:
                waiting.append(record)
                if record.index in events:
                    waiting.append(events.pop(record.index))
            while waiting:
                yield waiting.pop(0)

        try:
            for choice in choices:
                now = time.perf_counter()
                self.ids.append(choice.id)
                self._index += 1
                ends = choice.id in tokenizer.stop_ids and not choice.forced
                text = "" if ends else utf8.feed(tokenizer.token_bytes(choice.id))
                record = token_record(tokenizer, choice, self._index, text, (now - last) * 1e3)
                last = now
                if (at := valleys.update(choice.entropy)) is not None:
                    events[self._index] = Event(kind="valley", index=self._index, at=first + at)
                ready, hit = stops.feed(record)
                yield from settled(ready)
                if hit or ends:
                    self._reason = "stop"
                    break
                if self._stopped.is_set():
                    self._reason = "interrupted"
                    break
            yield from settled(stops.flush())
        finally:
            choices.close()
            # Whoever left in between, or failed, wants no more of them; but they were made.
            for unasked in settled(stops.flush()):
                self._write(unasked)

    def _write(self, record: TurnRecord) -> TurnRecord:
        if isinstance(record, TokenRecord):
            self._answer.append(record)
        if self._trace is not None:
            if self._trace.count == 0:  # not before there is a turn that makes sense
                self._trace.write(self.header)
            self._trace.write(record)
        return record


def token_record(
    tokenizer: Tokenizer, choice: Choice, index: int, text: str, ms: float | None
) -> TokenRecord:
    """A choice in its place; it follows the record before it."""
    attention = choice.attention or (None, None, None, None)
    candidates: list[Candidate] = [
        (id, tokenizer.token_text(id), logprob, p) for id, logprob, p in choice.candidates
    ]
    return TokenRecord(
        index=index,
        parent=index - 1,
        id=choice.id,
        text=text,
        bytes=tokenizer.token_bytes(choice.id).hex(),
        logprob=choice.logprob,
        rank=choice.rank,
        entropy=choice.entropy,
        varentropy=choice.varentropy,
        attn_entropy=attention[0],
        attn_varentropy=attention[1],
        agreement=attention[2],
        interaction_strength=attention[3],
        quadrant=choice.quadrant,
        region=choice.region,
        strategy=choice.strategy,
        temperature=choice.temperature,
        top_k=choice.top_k,
        top_p=choice.top_p,
        min_p=choice.min_p,
        forced="clarify" if choice.forced else None,
        candidates=candidates,
        ms=ms,
    )


def calibration_of(model: LanguageModel) -> Calibration | None:
    """The calibration that comes with the program for exactly these weights, if any."""
    facts = model.facts
    return shipped(facts.name, facts.revision, facts.quantization)


def header_of(
    model: LanguageModel,
    settings: Settings | None,
    calibration: Calibration,
    *,
    seed: int | None,
    date: datetime.date | None,
) -> RunHeader:
    """The first line of a trace; without settings nothing is sampled."""
    packages = ("entropix-mlx", "mlx", "mlx-lm")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return RunHeader(
        model=model.facts.name,
        revision=model.facts.revision,
        device=model.device.kind,
        dtype=model.facts.dtype,
        sampler=settings.to_dict() if settings else {},
        calibration=None if calibration is PROVISIONAL else calibration.name,
        seed=seed,
        date=date.isoformat() if date else None,
        versions={**versions, "python": platform.python_version()},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
