"""What a run comes to: a row for each sampler, and how far they lie apart."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from entropix_mlx.evaluation import run_folder
from entropix_mlx.evaluation.item import TOO_LONG, Result
from entropix_mlx.evaluation.run_folder import Problems, Run
from entropix_mlx.evaluation.statistics import (
    ByItem,
    Difference,
    Interval,
    Values,
    difference,
    interval,
)
from entropix_mlx.evaluation.text_measures import distinct
from entropix_models.progress import Progress, quiet

EVERY = 1000
"""Answers after which progress is told."""

Measure = Literal["right", "repetition"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What a sampler's answers come to.

    `right` and `by_kind`: shares of the judged answers. `too_long`: answers that were not begun;
    they count as wrong, and nothing else is measured of them. `empty`: of the others, those without
    a character; `no_answer`: with a text that settles on nothing. `tokens`, `entropy` (bits),
    `varentropy` (bits^2) and `logprob` (nats): means over answers; `repetition` with its interval;
    `distinct`: distinct-1, -2 and -3. `forked`: the share of answers with a fork, `first_fork`: the
    mean place of the first, from 0. `ms`: a token's.
    """

    sampler: str
    answers: int
    judged: int
    right: Interval | None
    by_kind: dict[str, Interval]
    too_long: int
    empty: int
    no_answer: int
    finish_reasons: dict[str, int]
    tokens: float | None
    entropy: float | None
    varentropy: float | None
    logprob: float | None
    repetition: Interval | None
    distinct: tuple[float | None, float | None, float | None]
    forked: float | None
    first_fork: float | None
    ms: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`items`: that there are; `answers`: of `wanted` ones.

    `measure`: what samplers are compared by, the repetition where the task does not judge.
    `baseline`: what each is held against in `differences`; `pairs` has all of them. `problems`: the
    first ones of the source and of the folder's files, in words; `problem_count`: all.
    """

    run: Run
    kinds: dict[str, int]
    items: int
    answers: int
    wanted: int
    measure: Measure
    rows: tuple[Row, ...]
    baseline: str
    differences: tuple[Difference, ...]
    pairs: tuple[Difference, ...]
    problems: tuple[str, ...]
    problem_count: int

    @classmethod
    def of(cls, folder: Path, progress: Progress = quiet) -> "Report":
        """Of all that is in a run's folder, which need not be finished.

        Raises UsageError for a folder of something else, EntropixError for files that cannot be
        read.
        """
        run, problems = run_folder.read(folder), Problems()
        kinds = {item.id: item.kind for item in run_folder.items(folder, problems)}
        tallies = {name: _Tally(kinds) for name in run.samplers}
        wanted = len(kinds) * sum(run.asked.values())
        answers = 0
        for result in answered(folder, run, set(kinds), problems):
            tallies[result.sampler].add(result)
            answers += 1
            if answers % EVERY == 0:
                progress("reading answers", answers, wanted, "answers")
        progress("reading answers", answers, answers, "answers")
        rows = tuple(tally.row(name) for name, tally in tallies.items())
        measure: Measure = "right" if run.judges else "repetition"
        values = {name: tally.values(measure) for name, tally in tallies.items()}
        baseline = _baseline(list(values))
        others = [(name, baseline) for name in values if name != baseline]
        return cls(
            run=run,
            kinds=dict(Counter(kinds.values())),
            items=len(kinds),
            answers=answers,
            wanted=wanted,
            measure=measure,
            rows=rows,
            baseline=baseline,
            differences=_differences(values, others),
            pairs=_differences(values, list(combinations(values, 2))),
            problems=(*run.problems, *problems.told),
            problem_count=max(run.left_out, len(run.problems)) + problems.count,
        )


def answered(folder: Path, run: Run, items: set[str], problems: Problems) -> Iterator[Result]:
    """The results of the run's samplers on its items, each once; `items` are their names."""
    there: dict[tuple[str, str], set[int]] = {}
    for result in run_folder.results(folder, problems):
        samples = there.setdefault((result.sampler, result.item), set())
        about = f"{result.sampler}, item {result.item}, sample {result.sample}"
        if result.sampler not in run.samplers or result.item not in items:
            problems.add(f"{about}: an answer that was not asked for")
        elif result.sample in samples:
            problems.add(f"{about}: answered twice; the first answer counts")
        else:
            samples.add(result.sample)
            yield result


def _baseline(names: list[str]) -> str:
    greedy = (name for name in names if name.split()[:1] == ["greedy"])
    return next(greedy, next(iter(names), ""))


def _differences(values: dict[str, Values], pairs: list[tuple[str, str]]) -> tuple[Difference, ...]:
    """Of the pairs that have answered an item both."""
    there = {name: np.isfinite(own) for name, own in values.items()}
    pairs = [(one, other) for one, other in pairs if (there[one] & there[other]).any()]
    return tuple(
        difference((one, values[one]), (other, values[other]), len(pairs)) for one, other in pairs
    )


class _Mean:
    def __init__(self) -> None:
        self.total = self.weight = 0.0

    def add(self, value: float | None, weight: float = 1.0) -> None:
        if value is not None:
            self.total += value * weight
            self.weight += weight

    @property
    def value(self) -> float | None:
        return self.total / self.weight if self.weight else None


class _Tally:
    """A sampler's answers as they come."""

    def __init__(self, kinds: dict[str, str]) -> None:
        self._places = {item: place for place, item in enumerate(kinds)}
        self._kinds = list(kinds.values())
        self._right, self._repetition = ByItem(len(kinds)), ByItem(len(kinds))
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        names = ("tokens", "entropy", "varentropy", "logprob", "forked", "first_fork", "ms")
        self._means = {name: _Mean() for name in names}
        self._distinct = _Mean(), _Mean(), _Mean()

    def add(self, result: Result) -> None:
        place, counts, means = self._places[result.item], self._counts, self._means
        counts["answers"] += 1
        self._reasons[result.finish_reason] += 1
        if result.right is not None:
            counts["judged"] += 1
            self._right.add(place, result.right)
        if result.finish_reason == TOO_LONG:
            counts["too_long"] += 1
            return
        if not result.text.strip():
            counts["empty"] += 1
        elif result.given is None:
            counts["no_answer"] += 1
        self._repetition.add(place, result.repetition)
        for n, mean in enumerate(self._distinct, 1):
            mean.add(distinct(result.text, n))
        for name in ("tokens", "entropy", "varentropy", "logprob", "first_fork"):
            means[name].add(getattr(result, name))
        means["forked"].add(result.first_fork is not None)
        means["ms"].add(result.ms, result.tokens)

    def values(self, measure: Measure) -> Values:
        return (self._right if measure == "right" else self._repetition).means()

    def row(self, sampler: str) -> Row:
        right, counts = self._right.means(), self._counts
        found = {name: mean.value for name, mean in self._means.items()}
        one, two, three = (mean.value for mean in self._distinct)
        return Row(
            sampler=sampler,
            answers=counts["answers"],
            judged=counts["judged"],
            right=interval(right),
            by_kind=dict(self._by_kind(right)),
            too_long=counts["too_long"],
            empty=counts["empty"],
            no_answer=counts["no_answer"],
            finish_reasons=dict(self._reasons.most_common()),
            repetition=interval(self._repetition.means()),
            distinct=(one, two, three),
            **found,
        )

    def _by_kind(self, right: Values) -> Iterator[tuple[str, Interval]]:
        for kind in dict.fromkeys(self._kinds):
            found = interval(right[[own == kind for own in self._kinds]])
            if found is not None:
                yield kind, found
