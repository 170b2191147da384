"""Samplers that answer the items of a task, side by side, paired by item and seed."""

import datetime
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from typing import Any

from entropix_mlx.evaluation.item import TOO_LONG, Items, Result, Verdict
from entropix_mlx.evaluation.recorder import Recorder
from entropix_mlx.evaluation.task import Task
from entropix_mlx.evaluation.text_measures import repetition
from entropix_mlx.records.record import End, TokenRecord, TurnRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.answer_folder import AnswerFolder
from entropix_mlx.session.answers import ROWS, Answers, Asked
from entropix_mlx.session.journal import Writer
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel

BLOCK = 16
"""Items that all samplers answer before the next ones: what is there is paired whenever a run ends,
and a sampler's rows, which are decided in one go, stay together.
"""

_UNCERTAIN = ("HELV", "HEHV")


@dataclass(frozen=True)
class Terms:
    """What holds for all samplers. `source`: the model as the command line names it; `samples`:
    answers to an item of each that draws; `max_tokens`: of an answer, None for the task's own.
    """

    source: str | None = None
    seed: int = 1
    samples: int = 1
    rows: int = ROWS
    max_tokens: int | None = None
    system: str = ""
    date: datetime.date | None = None


class Evaluation:
    """A run of a task. Belongs to the thread that made it, but for `stop`."""

    def __init__(
        self,
        model: LanguageModel,
        task: Task,
        items: Items,
        samplers: Mapping[str, Settings],
        folder: Recorder,
        terms: Terms,
    ) -> None:
        """`samplers`: by the name that a table has for them. Raises UsageError if the folder is
        another run's, or if two items have one name.
        """
        names = Counter(item.id for item in items.items)
        if twice := [name for name, count in names.items() if count > 1]:
            raise UsageError(f"two items are called {twice[0]!r}: give each an id of its own")
        self.task, self.items, self.folder = task, items.items, folder
        self._names, self._settings = list(samplers), list(samplers.values())
        self._terms = terms
        self.answers = Answers(
            model,
            self._settings,
            seed=terms.seed,
            system=terms.system,
            date=terms.date,
            rows=terms.rows,
        )
        raw = not model.tokenizer.has_chat_template
        self._most = terms.max_tokens or task.max_tokens
        self._requests = [
            TurnRequest(
                item.prompt,
                max_tokens=self._most,
                stop=task.stop,
                raw=raw,
                prefill=item.opening,
            )
            for item in items.items
        ]
        folder.go_on(self._run(items), items.items)
        self._traces = cache(lambda sampler: folder.traces(self._names[sampler]))

    def _run(self, items: Items) -> dict[str, Any]:
        """What the folder says of all answers."""
        header, terms = self.answers.header(Asked(0, 0)), self._terms
        encode = self.answers.model.tokenizer.encode
        token_text = self.answers.model.tokenizer.token_text
        return {
            "task": self.task.spelt,
            "source": terms.source,
            "model": header.model,
            "revision": header.revision,
            "device": header.device,
            "dtype": header.dtype,
            "seed": terms.seed,
            "items": len(items.items),
            "samples": terms.samples,
            "rows": terms.rows,
            "max_tokens": self._most,
            "system": terms.system,
            "date": header.date,
            "samplers": {
                name: settings.to_dict()
                for name, settings in zip(self._names, self._settings, strict=True)
            },
            "asked": {
                name: self._samples(settings)
                for name, settings in zip(self._names, self._settings, strict=True)
            },
            "versions": header.versions,
            "problems": list(items.problems),
            "left_out": items.left_out,
            "judges": self.task.judges,
            "chance": self.task.chance(items.items),
            "notes": self.task.notes(
                items.items, lambda text: [token_text(id) for id in encode(text)]
            ),
        }

    def stop(self) -> None:
        """End after the current step; from any thread, at any time."""
        self.answers.stop()

    @property
    def total(self) -> int:
        """How many answers there will be."""
        return sum(1 for _ in self._asked())

    def _samples(self, settings: Settings) -> int:
        """What does not draw answers once."""
        return self._terms.samples if settings.is_random else 1

    def _asked(self) -> Iterator[Asked]:
        """All answers in their order."""
        for begin in range(0, len(self.items), BLOCK):
            block = range(begin, min(begin + BLOCK, len(self.items)))
            for sampler, settings in enumerate(self._settings):
                samples = self._samples(settings)
                yield from (Asked(item, n, sampler) for item in block for n in range(samples))

    def missing(self) -> list[Asked]:
        """The answers that are not there yet. Raises EntropixError."""
        there = self.folder.answered()
        return [
            one
            for one in self._asked()
            if (self._names[one.sampler], self.items[one.prompt].id, one.sample + 1) not in there
        ]

    def run(self) -> Generator[Result]:
        """Every answer that is not there yet, kept before it is yielded.

        Raises EntropixError for a folder that cannot be read or written. What is broken off, by a
        stop or an error, has no result; it is made anew when the run goes on.
        """
        missing = self.missing()
        context = self.answers.model.info.context_length
        too_long = {
            n
            for n in {one.prompt for one in missing}
            if self.answers.length(self._requests[n]) >= context
        }
        records: dict[Asked, list[TurnRecord]] = {}
        with ExitStack() as stack:
            kept = stack.enter_context(closing(self.folder.writer()))
            for one in missing:
                if one.prompt in too_long:
                    kept.write(result := self._result(one, [], TOO_LONG))
                    yield result
            asked = [one for one in missing if one.prompt not in too_long]
            told = self.answers.run(self._requests, asked, self._open)
            for one, record in stack.enter_context(closing(told)):
                records.setdefault(one, []).append(record)
                if isinstance(record, End):
                    made = records.pop(one)
                    if record.finish_reason not in ("interrupted", "error"):
                        kept.write(result := self._result(one, made, record.finish_reason))
                        yield result

    def _open(self, asked: Asked) -> Writer:
        return self._traces(asked.sampler).open(asked)

    def _result(self, asked: Asked, records: list[TurnRecord], finish_reason: str) -> Result:
        """Judged, and what its tokens come to."""
        item, tokens = self.items[asked.prompt], [r for r in records if isinstance(r, TokenRecord)]
        text = "".join(token.text for token in tokens)
        if finish_reason == TOO_LONG:
            verdict = Verdict(None, False if self.task.judges else None)
        else:
            verdict = self.task.judge(item, text)
        forks = [n for n, token in enumerate(tokens) if token.quadrant in _UNCERTAIN]
        seed = self.answers.header(asked).seed
        assert seed is not None
        return Result(
            sampler=self._names[asked.sampler],
            item=item.id,
            kind=item.kind,
            sample=asked.sample + 1,
            seed=seed,
            text=text,
            given=verdict.given,
            right=verdict.right,
            finish_reason=finish_reason,
            tokens=len(tokens),
            ms=_mean([t.ms for t in tokens], self.answers.side_by_side(asked)),
            entropy=_mean([t.entropy for t in tokens]),
            varentropy=_mean([t.varentropy for t in tokens]),
            logprob=_mean([t.logprob for t in tokens]),
            first_fork=forks[0] if forks else None,
            repetition=repetition(text),
            trace="" if not tokens else self._path(asked),
        )

    def _path(self, asked: Asked) -> str:
        """Of an answer's trace, from the folder on."""
        traces: AnswerFolder = self._traces(asked.sampler)
        return traces.file(asked).relative_to(self.folder.path).as_posix()


def _mean(values: list[float | None], over: int = 1) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) / over if known else None
