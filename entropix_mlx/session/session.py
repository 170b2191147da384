"""A conversation: prompts in, records out; whatever was said can be returned to."""

import datetime
import secrets
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from entropix_mlx.decoding.context import Reader
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.inspect import inspect
from entropix_mlx.decoding.make_records import calibration_of, header_of
from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord, TurnRecord
from entropix_mlx.records.tree import ROOT, Node, Tree, ids_of, messages_of
from entropix_mlx.sampling.calibration import PROVISIONAL, Calibration
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.state import State
from entropix_mlx.session.journal import Journal, Writer
from entropix_mlx.session.turn import Turn
from entropix_mlx.trace.attention_file import AttentionWriter
from entropix_models.errors import ContextLengthError, UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet


class Session:
    """One conversation with one model. Belongs to the thread that made it, but for `stop`.

    Everything that is yielded has been written to `trace` before, and to `attention` the entropy of
    every head. `progress` is told of the prefill. Without a `seed` one is drawn; without a `date`,
    templates that print one print today. With `score_prompts` prompts are measured while they are
    read, and told once they are. A `tree` is a conversation to go on with. In `cache_file` the
    cache outlives the session.
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
        trace: Writer | None = None,
        attention: AttentionWriter | None = None,
        score_prompts: bool = False,
        tree: Tree | None = None,
        cache_file: Path | None = None,
        progress: Progress = quiet,
    ) -> None:
        self.model = model
        self.calibration = calibration or calibration_of(model) or PROVISIONAL
        self.tree = Tree() if tree is None else tree
        seed = secrets.randbelow(2**32) if seed is None else seed
        self._decoder = Decoder(
            model, settings, self.calibration, seed, heads=attention is not None
        )
        self.reader = Reader(self._decoder)
        self._date = date or datetime.date.today()
        self._system = system
        self._score_prompts = score_prompts
        self._cache_file = cache_file
        self._progress = progress
        self._stopped = threading.Event()
        prints_date = model.tokenizer.has_chat_template and model.tokenizer.template_prints_date
        self.header = header_of(
            model,
            self._decoder.settings,
            self.calibration,
            seed=seed,
            date=self._date if prints_date else None,
        )
        self._journal = Journal(self.header, self.tree, trace, attention)
        if path := self.tree.path():
            self._go_to(path)
            if cache_file is not None:
                self.reader.load(cache_file)

    @property
    def context(self) -> int:
        """The longest conversation that the model can hold, in tokens."""
        return self.model.info.context_length

    @property
    def newest(self) -> int:
        """The greatest index given out."""
        return self._journal.index

    @property
    def ids(self) -> list[int]:
        """What the conversation consists of, for the model."""
        return self.reader.ids

    @property
    def settings(self) -> Settings:
        """Those of the next token, thresholds filled in."""
        return self._decoder.settings

    @property
    def seed(self) -> int:
        """That of the next token."""
        return self._decoder.seed

    def stop(self) -> None:
        """End the running turn after the current step; from any thread, at any time."""
        self._stopped.set()

    def close(self) -> None:
        """Nothing more will be sent. A cache that can't be kept is read again next time."""
        self._journal.close()
        if self._cache_file is not None:
            with suppress(OSError):
                self.reader.save(self._cache_file)

    def use(self, settings: Settings) -> Event | None:
        """Sample by other settings from the next token drawn; None if nothing changes.

        Between two records of a running turn, or between turns. Whether attention is captured
        stays as it is.
        """
        old = self.settings.to_dict()
        new = settings.bind(self.calibration).to_dict() | {"capture": self._decoder.captures}
        changed = {name: new.get(name) for name in {**old, **new} if old.get(name) != new.get(name)}
        if not changed:
            return None
        self._decoder.use(settings)
        return self._journal.event("setting", self._journal.index, detail=changed)

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

    def inspect(self, index: int) -> Inspection:
        """What the token at record `index` was drawn from; one forward pass on a forked cache.

        Raises UsageError where the record is no token.
        """
        self._known(index)
        if isinstance(self.tree[index], PromptRecord):
            raise UsageError(f"record {index} is a prompt: it was not drawn from anything")
        path = self.tree.path(self.tree.parent(index))
        ids = ids_of(path)
        return inspect(self.model, index, ids[-1], self.reader.cache_of(ids[:-1]), path)

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
        """One turn: prompt records, then tokens and events as they come, an `End` last.

        `raw`: the text as it stands, without a template, special tokens in it recognised.
        `prefill`: how the answer begins. `after`: the record that it follows (`ROOT`: none),
        otherwise where the conversation stands. Raises UsageError or ContextLengthError, before
        anything is yielded or written; a later error is raised after an `End` that says so.
        """
        return self.run(self.asked(text, max_tokens, stop, prefill, raw=raw, after=after))

    def asked(
        self,
        text: str,
        max_tokens: int,
        stop: Sequence[str] = (),
        prefill: str = "",
        *,
        raw: bool = False,
        after: int | None = None,
    ) -> Turn:
        """The turn that `send` runs."""
        if not text.strip() and not (raw and text):
            raise UsageError("the prompt is empty; give some text")
        base = self._path(after)
        ids = self._encode(base, text, raw)
        if prefill:
            ids = ids + self.model.tokenizer.encode(prefill)
        if not ids:
            raise UsageError("the prompt has no tokens; give some text")
        prompts = [("user", ids, text)]
        if self._system and not base:
            prompts.insert(0, ("system", [], self._system))
        if prefill:
            prompts.append(("assistant", [], prefill))
        return Turn(base, prompts, max_tokens, stop)

    def continue_(
        self,
        *,
        max_tokens: int,
        after: int | None = None,
        force: Sequence[int] = (),
        seed: int | None = None,
        settings: Settings | None = None,
        stop: Sequence[str] = (),
    ) -> Generator[TurnRecord]:
        """Tokens without a new prompt: an answer continued, made again, or taken another way.

        `after` as in `send`; `force`: the ids that come first; `seed`: from here on; `settings`:
        for this turn only. Errors as in `send`.
        """
        return self.run(self.continued(max_tokens, after, force, seed, settings, stop))

    def continued(
        self,
        max_tokens: int,
        after: int | None = None,
        force: Sequence[int] = (),
        seed: int | None = None,
        settings: Settings | None = None,
        stop: Sequence[str] = (),
    ) -> Turn:
        """The turn that `continue_` runs."""
        base = self._path(after)
        if not ids_of(base[-1:]):
            raise UsageError("there is nothing to go on from; send a prompt first")
        last = base[-1]
        if isinstance(last, TokenRecord) and last.id in self.model.tokenizer.stop_ids:
            raise UsageError("the answer is complete; send a prompt, or fork at one of its tokens")
        if any(not 0 <= id < self.model.info.vocab_size for id in force):
            raise UsageError(f"an id to force is not in the vocabulary of {self.model.info.name}")
        return Turn(base, [], max_tokens, stop, force, seed, settings)

    def run(self, turn: Turn) -> Generator[TurnRecord]:
        """A turn from its beginning to its end. Raises ContextLengthError before anything."""
        self._make_room(turn)
        return self._unpaused(turn)

    def step(self, turn: Turn) -> Generator[TurnRecord | None]:
        """A turn that yields None before each token is taken."""
        self._make_room(turn)
        turn.pauses = True
        return self._whole(turn)

    def _unpaused(self, turn: Turn) -> Generator[TurnRecord]:
        with closing(self._whole(turn)) as records:
            for record in records:
                assert record is not None
                yield record

    def _known(self, index: int) -> None:
        if index not in self.tree:
            raise UsageError(f"there is no record {index} in this conversation")

    def _path(self, after: int | None) -> list[Node]:
        """The records up to `after`: whatever is said now is said after them."""
        self._stopped.clear()
        if after is not None and after != ROOT:
            self._known(after)
        return self.tree.path(after)

    def _encode(self, base: list[Node], text: str, raw: bool) -> list[int]:
        """The ids that a prompt adds to the context, up to where the answer begins."""
        tokenizer, ids = self.model.tokenizer, ids_of(base)
        if raw:
            return tokenizer.encode(text, special=True, bos=tokenizer.adds_bos and not ids)
        messages = messages_of(base)
        if self._system and not base:
            messages.append({"role": "system", "content": self._system})
        messages.append({"role": "user", "content": text})
        if ids:
            return tokenizer.next_turn(messages, date=self._date, after=ids)
        return tokenizer.chat(messages, date=self._date)

    def _go_to(self, path: list[Node]) -> None:
        """Return to the end of a path: what the model has read and the sampler's memory."""
        self.reader.go_to(ids_of(path))
        tokens = [node for node in path if isinstance(node, TokenRecord)]
        rolling = self.settings.rolling or 1.0
        self._decoder.state = State.after(tokens, len(self._decoder.clarify), rolling)
        self.tree.leaf = path[-1].index if path else ROOT

    def _make_room(self, turn: Turn) -> None:
        total = len(ids_of(turn.base)) + len(turn.added)
        room = self.context - total
        if room < 1:
            raise ContextLengthError(
                f"the conversation would be {total} tokens long, the context of "
                f"{self.model.info.name} is {self.context}; shorten the prompt"
            )
        turn.max_tokens = min(turn.max_tokens, room)

    def _whole(self, turn: Turn) -> Generator[TurnRecord | None]:
        """A turn from the changes that it begins with to its end."""
        began, before = time.perf_counter(), self.settings
        siblings = self.tree.children(turn.leaf)
        try:
            if turn.seed is not None and turn.seed != self.seed:
                self._decoder.reseed(turn.seed)
                yield self._journal.event(
                    "setting", self._journal.index, detail={"seed": turn.seed}
                )
            if turn.settings is not None and (event := self.use(turn.settings)):
                yield event
            if self.tree.leaf != turn.leaf:
                self._go_to(turn.base)
            with closing(self._records_of(turn)) as records:
                for record in records:
                    yield record
                    if siblings and isinstance(record, PromptRecord | TokenRecord):
                        yield self._journal.event("fork", record.index, at=siblings.pop())
                        siblings.clear()
            if turn.settings is not None and (event := self.use(before)):
                yield event
        except GeneratorExit:  # the caller wants no more; what was made is kept
            turn.reason = "interrupted"
            return
        except BaseException as error:
            turn.reason = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
            self._decoder.forget()  # what it holds may be ahead of what was told, or torn
            raise
        finally:
            if turn.settings is not None:
                self.use(before)
            turn.end = end = End(
                leaf=self.tree.leaf,
                finish_reason=turn.reason,
                tokens=turn.tokens,
                seconds=time.perf_counter() - began,
                prefill_seconds=turn.prefill_seconds,
            )
            self._journal.tell(end)
        yield end

    def _records_of(self, turn: Turn) -> Generator[TurnRecord | None]:
        return turn.records(
            self.reader,
            self._journal,
            self._on_chunk,
            self._stopped,
            score=self._score_prompts,
            valley_delta=self.calibration.valley_delta,
        )

    def _on_chunk(self, done: int, total: int) -> bool:
        self._progress("reading the prompt", done, total)
        return not self._stopped.is_set()
