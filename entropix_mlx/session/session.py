"""A conversation: prompts in, records out; whatever was said can be returned to."""

import datetime
import secrets
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from entropix_mlx.decoding.context import PromptContext
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.inspect import inspect
from entropix_mlx.decoding.make_records import calibration_of, header_of
from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord, TurnRecord
from entropix_mlx.records.tree import ROOT, Node, ids_of
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.halted import Halted
from entropix_mlx.session.journal import Journal, Storage, Writer
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.turn import Prompt, Turn, prompts_of
from entropix_models.errors import ContextLengthError, UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet


class Session:
    """One conversation with one model. Belongs to the thread that made it, but for `stop`.

    Everything that is yielded has been written to `trace` before; a `Storage` keeps more than the
    records. `progress` is told of the prefill. Without a `seed` one is drawn; without a `date`,
    templates that print one print today.
    With `score_prompts` prompts are measured while they are read, and told once they are.
    """

    def __init__(
        self,
        model: LanguageModel,
        settings: Settings,
        *,
        seed: int | None = None,
        system: str = "",
        date: datetime.date | None = None,
        trace: Writer | Storage | None = None,
        score_prompts: bool = False,
        progress: Progress = quiet,
    ) -> None:
        storage = trace if isinstance(trace, Storage) else Storage(trace)
        self.model = model
        self.calibration = calibration_of(model)
        seed = secrets.randbelow(2**32) if seed is None else seed
        self._decoder = Decoder(
            model,
            settings,
            self.calibration,
            seed,
            heads=storage.attention is not None,
            split=storage.header.quadrant_split if storage.header else None,
        )
        self.context = PromptContext(self._decoder)
        """What the model has read, and may read again without computing it anew."""
        self._date = date or datetime.date.today()
        self._system = system
        self._score_prompts = score_prompts
        self._cache_file = storage.cache_file
        self._progress = progress
        self._stopped = threading.Event()
        self.header = header_of(
            model,
            self._decoder.settings,
            self.calibration,
            seed=seed,
            date=self._date,
            split=self._decoder.row.split,
        )
        self._journal = Journal(self.header, storage)
        self.tree = self._journal.tree
        if path := self.tree.path():
            self._go_to(path)
            if self._cache_file is not None:
                self.context.load(self._cache_file)

    @property
    def context_length(self) -> int:
        """The longest conversation that the model can hold, in tokens."""
        return self.model.info.context_length

    @property
    def ids(self) -> list[int]:
        """What the conversation consists of, for the model."""
        return self.context.ids

    @property
    def settings(self) -> Settings:
        """Those of the next token, thresholds filled in."""
        return self._decoder.settings

    @property
    def lacks(self) -> str | None:
        """What the settings ask for that this model cannot do, in a sentence."""
        return self._decoder.row.lacks

    @property
    def seed(self) -> int:
        """That of the next token."""
        return self._decoder.row.seed

    def stop(self) -> None:
        """End the running turn after the current step; from any thread, at any time."""
        self._stopped.set()

    def close(self) -> None:
        """Nothing more will be sent. A cache that can't be kept is read again next time."""
        self._journal.close()
        if self._cache_file is not None:
            with suppress(OSError):
                self.context.save(self._cache_file)

    def use(self, settings: Settings) -> Event | None:
        """Sample by other settings from the next token drawn; None if nothing changes.

        Between two records of a running turn, or between turns. Whether attention is captured, and
        how quadrants are told, stays as it is.
        """
        old = self.settings.to_dict()
        fixed = {"capture": self._decoder.row.captures, "quadrants": self.settings.quadrants}
        new = settings.bind(self.calibration).to_dict() | fixed
        changed = {name: new.get(name) for name in {**old, **new} if old.get(name) != new.get(name)}
        if not changed:
            return None
        self._decoder.use(settings)
        return self._journal.event("setting", self._journal.index, detail=changed)

    def reseed(self, seed: int) -> Event | None:
        """Draw by another seed from the next token on; None if nothing changes."""
        if seed == self.seed:
            return None
        self._decoder.reseed(seed)
        return self._journal.event("setting", self._journal.index, detail={"seed": seed})

    def note(self, kind: str, detail: dict[str, Any]) -> Event:
        """Record that something happened between two turns."""
        return self._journal.event(kind, self._journal.index, detail=detail)

    def name_branch(self, leaf: int, name: str) -> Event:
        """Call the branch that ends at a record by a name."""
        self._known(leaf)
        return self._journal.event("branch", leaf, detail={"name": name})

    def prune(self, leaf: int) -> Event:
        """Leave the branch that ends at a record out of the list; nothing recorded is destroyed."""
        self._known(leaf)
        return self._journal.event("prune", leaf)

    def return_to(self, index: int, seed: int | None) -> Event | None:
        """Stand at a record, between two turns, and draw by a seed (None: the present one): what is
        said next follows it, also after a `resume`. Gives the seed's change, if it is one.
        """
        if index != self.tree.leaf:
            self.stand(index)
        return None if seed is None else self.reseed(seed)

    def stand(self, index: int) -> Event:
        """Stand at a record, between two turns; what says so."""
        self._known(index)
        event = self._journal.event("return", index)
        self._go_to(self.tree.path(index))
        return event

    def inspect(self, index: int) -> Inspection:
        """What the token at record `index` was drawn from; one forward pass on a forked cache.

        Raises UsageError where the record is no token.
        """
        self._known(index)
        if isinstance(self.tree[index], PromptRecord):
            raise UsageError(f"record {index} is a prompt: it was not drawn from anything")
        path = self.tree.path(self.tree.parent(index))
        ids = ids_of(path)
        return inspect(self.model, index, ids[-1], self.context.cache_of(ids[:-1]), path)

    def send(
        self,
        text: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        prefill: str = "",
        raw: bool = False,
        after: int | None = None,
    ) -> Generator[TurnRecord]:
        """`run` for a prompt; what is asked for is as in `TurnRequest`."""
        return self.run(
            TurnRequest(
                text, max_tokens=max_tokens, stop=tuple(stop), after=after, raw=raw, prefill=prefill
            )
        )

    def run(self, request: TurnRequest) -> Generator[TurnRecord]:
        """One turn: prompt records, then tokens and events as they come, an `End` last.

        Raises UsageError or ContextLengthError, before anything is yielded or written; a later
        error is raised after an `End` that says so.
        """
        return self._unhalted(self.prepare(request))

    def prepare(self, request: TurnRequest, prompts: list[Prompt] | None = None) -> Turn:
        """The turn that a request asks for; `prompts`: what is said, in place of its text.

        Errors as in `run`.
        """
        self._stopped.clear()
        if request.after is not None and request.after != ROOT:
            self._known(request.after)
        base, info = self.tree.path(request.after), self.model.info
        if prompts is None:
            if request.text is None:
                self._require_unfinished(base)
            tokenizer = self.model.tokenizer
            prompts = prompts_of(request, base, tokenizer, system=self._system, date=self._date)
        if any(not 0 <= id < info.vocab_size for id in request.force):
            raise UsageError(f"an id to force is not in the vocabulary of {info.name}")
        total = len(ids_of(base)) + sum(len(prompt.ids) for prompt in prompts)
        room = self.context_length - total
        if room < 1:
            raise ContextLengthError(
                f"the conversation would be {total} tokens long, the context of {info.name} is "
                f"{self.context_length}; shorten the prompt"
            )
        return Turn(replace(request, max_tokens=min(request.max_tokens, room)), base, prompts)

    def step(self, turn: Turn) -> Generator[TurnRecord | Halted]:
        """A turn from the changes that it begins with to its end, halted before each token."""
        began, before, request = time.perf_counter(), self.settings, turn.request
        siblings = self.tree.children(turn.leaf)
        try:
            if request.seed is not None and (event := self.reseed(request.seed)):
                yield event
            if request.settings is not None and (event := self.use(request.settings)):
                yield event
            if self.tree.leaf != turn.leaf:
                self._go_to(turn.base)
            records = turn.records(
                self.context,
                self._journal,
                self._on_chunk,
                self._stopped,
                score=self._score_prompts,
            )
            with closing(records):
                for record in records:
                    yield record
                    if siblings and isinstance(record, PromptRecord | TokenRecord):
                        yield self._journal.event("fork", record.index, at=siblings.pop())
                        siblings.clear()
            if request.settings is not None and (event := self.use(before)):
                yield event
        except GeneratorExit:  # the caller wants no more; what was made is kept
            return
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            turn.outcome.reason = "interrupted" if interrupted else "error"
            self._decoder.forget()  # what it holds may be ahead of what was told, or torn
            raise
        finally:
            if request.settings is not None:
                self.use(before)
            turn.outcome.end = end = End(
                leaf=self.tree.leaf,
                finish_reason=turn.outcome.reason,
                tokens=turn.outcome.tokens,
                seconds=time.perf_counter() - began,
                prefill_seconds=turn.outcome.prefill_seconds,
            )
            self._journal.tell(end)
        yield end

    def _unhalted(self, turn: Turn) -> Generator[TurnRecord]:
        with closing(self.step(turn)) as records:
            for record in records:
                if not isinstance(record, Halted):
                    yield record

    def _require_unfinished(self, base: list[Node]) -> None:
        if not ids_of(base[-1:]):
            raise UsageError("there is nothing to go on from; send a prompt first")
        last = base[-1]
        if isinstance(last, TokenRecord) and last.id in self.model.tokenizer.stop_ids:
            raise UsageError("the answer is complete; send a prompt, or fork at one of its tokens")

    def _known(self, index: int) -> None:
        if index not in self.tree:
            raise UsageError(f"there is no record {index} in this conversation")

    def _go_to(self, path: list[Node]) -> None:
        """Return to the end of a path: what the model has read and the sampler's memory."""
        self.context.go_to(ids_of(path))
        self._decoder.remember(Past.along(path))
        self.tree.leaf = path[-1].index if path else ROOT

    def _on_chunk(self, done: int, total: int) -> bool:
        self._progress("reading the prompt", done, total, unit="tokens")
        return not self._stopped.is_set()
