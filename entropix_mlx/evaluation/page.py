"""A report as one HTML page that needs nothing else: tables, the picture, and items with answers.

Items are data that the page reads a piece at a time, when they are looked at. What models said is
text on it and nothing else.
"""

import shlex
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from entropix_mlx.evaluation import figure, report_text, run_folder
from entropix_mlx.evaluation.item import TOO_LONG, Item, Result
from entropix_mlx.evaluation.report import Report, answered
from entropix_mlx.evaluation.run_folder import Problems, Run
from entropix_mlx.export.template import asset, data, program, sheet, template
from entropix_mlx.terminal.glyphs import one_line, shown

ANSWERS = 12_000
"""On the page at most: those to the first items."""

LONGEST = 4000
"""Characters of a prompt or an answer."""

NAMED = 8
"""Accepted answers to an item, and rejected ones; the rest are counted."""

PIECE = 50
"""Items in a piece of data."""

MARKS = {
    "r": ("✓", "right"),
    "w": ("✗", "wrong"),
    "n": ("∅", "no answer"),
    "l": ("…", "too long for the context"),
    "u": ("·", "not judged"),
}
"""By letter, an answer's sign and what it means."""

CHOICES = ("all", "answered differently", "right by all", "right by none", "without an answer")
"""Of items: what a flag of each says, the first being every one's."""


def page(report: Report, folder: Path) -> str:
    """The whole file. Raises what `run_folder.items` and `results` do."""
    items, results = _asked(report, folder)
    kinds = list(report.kinds)
    rows = [_row(item, results[item.id], kinds) for item in items]
    head = {
        "piece": PIECE,
        "kinds": [one_line(kind) for kind in kinds],
        "samplers": [one_line(name) for name in report.run.samplers],
        "marks": MARKS,
        "index": [(kinds.index(item.kind), _flags(report.run, results[item.id])) for item in items],
    }
    pieces = [rows[at : at + PIECE] for at in range(0, len(rows), PIECE)]
    return template(__name__, "page.html").render(
        title=report_text.heading(report),
        subtitle=_subtitle(report),
        sheet=sheet(asset(__name__, "page.css") + figure.rules()),
        program=program(asset(__name__, "page.js")),
        problems=list(report_text.problems(report)),
        sentences=[*report_text.sentences(report), *report.run.notes],
        drawings=list(map(figure.drawing, figure.panels(report), count(1))),
        tables=[table for table in _tables(report) if table],
        facts=[("Run", report_text.facts(report)), ("Samplers", report_text.settings(report))],
        kinds=kinds if len(kinds) > 1 else [],
        choices=CHOICES,
        shown=len(items),
        left_out=report.items - len(items),
        data=[data(head), *map(data, pieces)],
    )


def _tables(report: Report) -> Iterator[report_text.Table | None]:
    yield report_text.compared(report)
    yield report_text.measured(report)
    yield report_text.by_kind(report)


def _subtitle(report: Report) -> str:
    run = report.run
    parts = (f"{report.items} items", f"{report.answers} answers", f"seed {run.seed}")
    return " · ".join((*parts, run.device))


def _asked(report: Report, folder: Path) -> tuple[list[Item], dict[str, list[Result]]]:
    """The first items that there is room for, and the answers to each."""
    run, problems = report.run, Problems()  # the report has told those
    each = max(1, sum(run.asked.values()))
    items = list(islice(run_folder.items(folder, problems), max(1, ANSWERS // each)))
    found: dict[str, list[Result]] = {item.id: [] for item in items}
    for result in answered(folder, run, set(found), problems):
        found[result.item].append(result)
    places = {name: place for place, name in enumerate(run.samplers)}
    for results in found.values():
        results.sort(key=lambda result: (places[result.sampler], result.sample))
    return items, found


def mark(result: Result) -> str:
    """Which of the `MARKS` an answer has."""
    if result.finish_reason == TOO_LONG:
        return "l"
    if result.right is None:
        return "u"
    if result.right:
        return "r"
    return "n" if result.given is None else "w"


def _flags(run: Run, results: Sequence[Result]) -> int:
    """Which of the `CHOICES` an item belongs to, a bit each, without the first."""
    by_sampler = [
        [result.right for result in results if result.sampler == name and result.right is not None]
        for name in run.samplers
    ]
    rights = [right for own in by_sampler for right in own]
    found = (
        len({sum(own) / len(own) for own in by_sampler if own}) > 1,
        bool(rights) and all(rights),
        bool(rights) and not any(rights),
        any(mark(result) in "nl" for result in results),
    )
    return sum(flag << place for place, flag in enumerate(found))


def _row(item: Item, results: Sequence[Result], kinds: Sequence[str]) -> list[Any]:
    """Name, kind, prompt, opening, accepted and rejected answers, and the answers."""
    return [
        one_line(item.id),
        kinds.index(item.kind),
        _cut(item.prompt),
        _cut(item.opening),
        _listed(item.accepted),
        _listed(item.rejected),
        [_answer(result) for result in results],
    ]


def _listed(texts: Sequence[str]) -> list[str]:
    rest = len(texts) - NAMED
    return [*map(_cut, texts[:NAMED]), *([f"and {rest} more"] if rest > 0 else [])]


def _answer(result: Result) -> list[Any]:
    """Sampler, sample, mark, text, what it settles on, how it is replayed, tokens, why it ended."""
    return [
        one_line(result.sampler),
        result.sample,
        mark(result),
        _cut(result.text),
        None if result.given is None else _cut(result.given),
        f"entropix-tui replay {one_line(shlex.quote(result.trace))}" if result.trace else "",
        result.tokens,
        one_line(result.finish_reason),
    ]


def _cut(text: str) -> str:
    rest = len(text) - LONGEST
    return shown(text) if rest <= 0 else f"{shown(text[:LONGEST])}… ({rest} more characters)"
