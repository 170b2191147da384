"""A report in words and tables: for a terminal, as Markdown, and for the page."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from entropix_mlx.evaluation.report import Report, Row
from entropix_mlx.evaluation.statistics import CONFIDENCE, Difference, Interval
from entropix_mlx.export.text import escaped
from entropix_mlx.terminal.glyphs import one_line

WIDTH = 80
"""Columns of a terminal that the tables fit."""

NAME = 33
"""Columns of a sampler's name; a longer one has a line of its own."""

KINDS = 12
"""Kinds of items that have columns of a text; more are for the page."""

Name = Callable[[str], str]
"""How a sampler's name stands in a sentence."""

_PLAIN = re.compile(r"[A-Za-z0-9 .,()%+-]*")
"""Cells in which nothing is markup."""


class Table(NamedTuple):
    """Heads and rows of as many cells, the first of which is a sampler."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    note: str = ""


def heading(report: Report) -> str:
    return f"{report.run.task}, {report.run.model}"


def facts(report: Report) -> list[tuple[str, str]]:
    """What was run on what."""
    run = report.run
    return [
        ("task", run.task),
        ("model", run.model),
        *([("revision", run.revision)] if run.revision else []),
        ("device", f"{run.device}, {run.dtype}" if run.dtype else run.device),
        ("items", str(report.items)),
        ("samples of what draws", str(run.samples)),
        ("answers", f"{report.answers} of {report.wanted}"),
        ("seed", str(run.seed)),
        ("tokens at most", str(run.max_tokens)),
        ("rows side by side", str(run.rows)),
        *([("system prompt", run.system)] if run.system else []),
        *([("date in prompts", run.date)] if run.date else []),
        *sorted(run.versions.items()),
    ]


def settings(report: Report) -> list[tuple[str, str]]:
    """Of the samplers."""
    return [
        (name, ", ".join(f"{key} {_setting(value)}" for key, value in values.items()))
        for name, values in report.run.samplers.items()
    ]


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def sentences(report: Report, name: Name = str) -> Iterator[str]:
    """What the numbers say, and what they are not of."""
    if report.answers < report.wanted:
        yield (
            f"Not finished: {report.answers} of {report.wanted} answers are there. Differences are "
            "over the items that both samplers have answered."
        )
    yield from _compared(report, name)
    yield from _guessing(report, name)
    for row in report.rows:
        unjudged = row.answers - row.judged
        if report.measure == "right" and unjudged:
            yield f"{name(row.sampler)}: {unjudged} of {row.answers} answers not judged."
    if len(report.kinds) > KINDS and report.measure == "right":
        yield f"{len(report.kinds)} kinds of items: right by kind is on the page."


def _compared(report: Report, name: Name) -> Iterator[str]:
    if not report.differences:
        return
    baseline = name(report.baseline)
    words = {
        ("right", 1): f"Better than {baseline}",
        ("right", -1): f"Worse than {baseline}",
        ("repetition", 1): f"Repeats itself more than {baseline}",
        ("repetition", -1): f"Repeats itself less than {baseline}",
    }
    for sign in (1, -1):
        found = [name(each.sampler) for each in report.differences if each.sign == sign]
        if found:
            yield f"{words[report.measure, sign]}: {'; '.join(found)}."
    same = [name(each.sampler) for each in report.differences if each.sign == 0]
    if same:
        yield f"No difference from {baseline} seen: {'; '.join(same)}."


def _guessing(report: Report, name: Name) -> Iterator[str]:
    chance = report.run.chance
    found = [(row.sampler, row.right) for row in report.rows if row.right is not None]
    if chance is None or not found:
        return
    guess = f"{100 * chance:.1f} % right"
    within = [name(sampler) for sampler, right in found if right.low <= chance <= right.high]
    below = [name(sampler) for sampler, right in found if right.high < chance]
    if within:
        yield f"Not told apart from guessing, which has {guess}: {'; '.join(within)}."
    if below:
        yield f"Worse than guessing, which has {guess}: {'; '.join(below)}."
    if not within and not below:
        yield f"All are better than guessing, which has {guess}."


def problems(report: Report) -> Iterator[str]:
    yield from report.problems
    if rest := report.problem_count - len(report.problems):
        yield f"and {rest} more"


def compared(report: Report) -> Table:
    """Right answers, or repetition, with the difference from the baseline."""
    differences = {each.sampler: each for each in report.differences}
    is_judged = report.measure == "right"
    rows = []
    for row in report.rows:
        found = row.right if is_judged else row.repetition
        rows.append([row.sampler, share(found), points(differences.get(row.sampler))])
    heads = ["sampler", "right %" if is_judged else "repeated %", f"against {report.baseline}"]
    return Table("Right" if is_judged else "Repetition", heads, rows, _intervals(report))


def _intervals(report: Report) -> str:
    said = f"In brackets: where the mean over items lies with {_percent(CONFIDENCE)}"
    if not report.differences:
        return said + "."
    level = report.differences[0].interval.level
    items = sorted({each.interval.items for each in report.differences})
    over = str(items[0]) if len(items) == 1 else f"{items[0]} to {items[-1]}"
    many = len(report.differences)
    each = f" (each with {_percent(level)}: {many} comparisons)" if many > 1 else ""
    return (
        f"{said}; differences, in points over {over} items that both have answered: where all of "
        f"them lie with {_percent(CONFIDENCE)}{each}."
    )


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"


_MEASURED: dict[str, Callable[[Row], str]] = {
    "answers": lambda row: str(row.answers),
    "no answer %": lambda row: _of(row.no_answer, row) if row.judged else "",
    "empty %": lambda row: _of(row.empty, row),
    "too long": lambda row: str(row.too_long),
    "tokens": lambda row: _number(row.tokens, 1),
    "entropy": lambda row: _number(row.entropy, 2),
    "repeated %": lambda row: f"{100 * row.repetition.mean:.1f}" if row.repetition else "",
    "distinct-2": lambda row: _number(row.distinct[1], 3),
    "forked %": lambda row: _number(None if row.forked is None else 100 * row.forked, 1),
    "first fork": lambda row: _number(row.first_fork, 1),
    "ms": lambda row: _number(row.ms, 1),
    "ended": lambda row: ", ".join(f"{why} {n}" for why, n in row.finish_reasons.items()),
}


def measured(report: Report) -> Table:
    """What the answers are like, and what they cost."""
    return Table(
        "Answers",
        ["sampler", *_MEASURED],
        [[row.sampler, *(told(row) for told in _MEASURED.values())] for row in report.rows],
        "no answer: with a text that settles on nothing; too long: the item for the model's "
        "context, which counts as wrong; tokens, entropy (bits), repeated (trigrams of words that "
        "were there before) and distinct-2: means over answers; forked: those with a token of high "
        f"entropy, first fork: its mean place; ms: a token's share of a step of {report.run.rows} "
        "rows, or of its own where a sampler looks ahead.",
    )


def by_kind(report: Report) -> Table | None:
    """Right answers by kind of item; None where all are of one."""
    if len(report.kinds) < 2 or report.measure != "right":
        return None
    heads = ["sampler", *(f"{kind} ({count})" for kind, count in report.kinds.items())]
    rows = [
        [row.sampler, *(share(row.by_kind.get(kind), 0) for kind in report.kinds)]
        for row in report.rows
    ]
    return Table("Right by kind, %", heads, rows, "In the heads: how many items.")


def tables(report: Report) -> list[Table]:
    """Those that a text has room for."""
    kinds = by_kind(report) if len(report.kinds) <= KINDS else None
    return [table for table in (compared(report), measured(report), kinds) if table]


def share(found: Interval | None, decimals: int = 1) -> str:
    if found is None:
        return ""
    mean, low, high = (f"{100 * v:.{decimals}f}" for v in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"


def points(found: Difference | None) -> str:
    if found is None:
        return ""
    each = found.interval
    mean, low, high = (_signed(100 * v) for v in (each.mean, each.low, each.high))
    return f"{mean} ({low} to {high})"


def _signed(value: float) -> str:
    """Rounded, but for what would round to nothing: the sign is what counts."""
    return f"{value:+.1f}" if abs(value) >= 0.05 else f"{value:+.1g}" if value else "0"


def _of(count: int, row: Row) -> str:
    return f"{100 * count / row.answers:.1f}" if row.answers else ""


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def plain(report: Report) -> str:
    """For a terminal of `WIDTH` columns."""
    parts = ["\n".join(_wrapped(heading(report)))]
    said = [*sentences(report), *report.run.notes]
    said += [f"Problem: {problem}" for problem in problems(report)]
    parts += ["\n".join(line for sentence in said for line in _wrapped(sentence))] if said else []
    for table in tables(report):
        if made := list(stacked(table)):
            parts += [*made, "\n".join(_wrapped(table.note))]
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(one_line(text), WIDTH, break_on_hyphens=False)


def stacked(table: Table) -> Iterator[str]:
    """The table as tables one under another, of as many columns as `WIDTH` has room for."""
    names, *columns = (
        [one_line(cell) for cell in column] for column in zip(table.heads, *table.rows, strict=True)
    )
    first = max(cell_len(name) for name in names if cell_len(name) <= NAME)
    room = WIDTH - first - 2
    columns = [column for column in columns if any(column[1:])]
    widths = [min(room, max(map(cell_len, column))) for column in columns]
    while columns:
        taken = 1
        while taken < len(columns) and sum(widths[: taken + 1]) + 2 * taken <= room:
            taken += 1
        lines = []
        for name, *cells in zip(names, *columns[:taken], strict=True):
            told = "".join(f"  {_cut(c, w)}" for c, w in zip(cells, widths, strict=False))
            if cell_len(name) > first:
                lines += _wrapped(name)
                name = ""
            lines.append((set_cell_size(name, first) + told).rstrip())
        yield "\n".join(lines)
        columns, widths = columns[taken:], widths[taken:]


def _cut(cell: str, width: int) -> str:
    """So many columns, its text at their end."""
    if cell_len(cell) > width:
        return set_cell_size(cell, width - 1) + "…"
    return " " * (width - cell_len(cell)) + cell


def markdown(report: Report) -> str:
    told = [[escaped(name), _cell(value)] for name, value in facts(report)]
    of_each = [[_code(name), _cell(value)] for name, value in settings(report)]
    return "\n\n".join(
        (
            f"# {escaped(heading(report))}",
            findings(report, level=2),
            "## Run",
            _table(["", ""], told),
            "## Samplers",
            _table(["sampler", "settings"], of_each) + "\n",
        )
    )


def findings(report: Report, level: int) -> str:
    """What the numbers say, what was wrong, and the tables: Markdown under headings of a level."""
    begin = "#" * level
    said = [*sentences(report, _code), *map(escaped, report.run.notes)]
    parts = ["\n".join(f"- {sentence}" for sentence in said)] if said else []
    if wrong := [f"- {escaped(problem)}" for problem in problems(report)]:
        parts.append(f"{begin} Problems\n\n" + "\n".join(wrong))
    for table in tables(report):
        rows = [[_code(row[0]), *map(_cell, row[1:])] for row in table.rows]
        parts.append(f"{begin} {table.title}\n\n{_table(table.heads, rows)}\n\n{table.note}")
    return "\n\n".join(parts)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in ([*map(_cell, heads)], *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(heads), *lines[1:]])


def _cell(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else escaped(text)


def _code(text: str) -> str:
    """A name as code, which nothing in it ends, be it in a table."""
    said = one_line(text).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", said)), default=0))
    return f"{fence} {said} {fence}" if "`" in said else f"`{said}`"
