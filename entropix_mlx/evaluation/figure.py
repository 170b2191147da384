"""A report as a picture: means with their intervals, differences, curves along a setting.

Every panel is an SVG of its own for the page, and part of one SVG that has its own style. Colours
follow the viewer's light or dark; where styles are not understood, and in PNG, it is light.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from string import Template
from typing import NamedTuple

from entropix_mlx.evaluation import report_text, sweep
from entropix_mlx.evaluation.report import Report
from entropix_mlx.evaluation.statistics import Interval
from entropix_mlx.export import style

WIDE = 460
"""Units of a panel; the type is 12 units high."""

EDGE, HEAD, LINE, FOOT = 14, 46, 38, 26
"""Room beside a panel's plot, over it, of a sampler in it, and under it."""

HIGH, SCALE = 230, 40
"""Of a curve's plot, and of the numbers left of it."""

LETTERS = 40
"""Of a sampler's name; a longer one is cut here, and told in full by the description."""

LOOKS = ("one", "two", "three", "four")
"""Classes of curves, again from the first if there are more."""

_RULES = Template(
    ".ground{fill:$ground}"
    ".panel text{font:12px system-ui,Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;"
    "fill:$ink;stroke:$ground;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}"
    ".panel text.head{font-weight:bold}"
    ".panel text.faint{fill:$faint}"
    ".panel .grid{stroke:$edge}"
    ".panel .level{stroke:$faint;stroke-dasharray:5 4;fill:none}"
    ".panel .whisker{stroke:$ink;stroke-width:2;fill:none}"
    ".panel .dot{stroke:$ink;stroke-width:2;fill:$ink}"
    ".panel .none{fill:$ground}"
    ".panel .up{stroke:$cursor}.panel .dot.up{fill:$cursor}"
    ".panel .down{stroke:$varentropy}.panel .dot.down{fill:$varentropy}"
    ".panel .curve{stroke-width:2;fill:none}"
    ".panel .one{stroke:$entropy}.panel .dot.one{fill:$entropy}"
    ".panel .two{stroke:$varentropy;stroke-dasharray:8 3}.panel .dot.two{fill:$varentropy}"
    ".panel .three{stroke:$cursor;stroke-dasharray:2 3}.panel .dot.three{fill:$cursor}"
    ".panel .four{stroke:$ink;stroke-dasharray:9 3 2 3}.panel .dot.four{fill:$ink}"
    ".panel .dot,.panel .plain{stroke-dasharray:none}"
)


class Panel(NamedTuple):
    """`described`: what is drawn, in words. `body`: `high` units high, and `WIDE`."""

    title: str
    note: str
    described: str
    high: float
    body: str


class Mark(NamedTuple):
    """A line of a panel; `look`: the dot's and the whiskers' class."""

    name: str
    interval: Interval | None
    told: str
    look: str = ""


def rules() -> str:
    """Styles of the panels on a page, whose colours are variables."""
    return _RULES.substitute({name: f"var(--{name})" for name in style.GROUND["light"]})


def panels(report: Report) -> list[Panel]:
    is_right = report.measure == "right"
    what = "Right" if is_right else "Repeated trigrams"
    chance = report.run.chance if is_right else None
    marks = [
        Mark(row.sampler, found, report_text.share(found))
        for row in report.rows
        for found in [row.right if is_right else row.repetition]
    ]
    guess = "" if chance is None else f"dashed: guessing, {100 * chance:.3g} %"
    found = [_whiskers(f"{what}, %", guess, marks, chance)]
    good, bad = ("up", "down") if is_right else ("down", "up")
    looks = {1: good, -1: bad, 0: "none"}
    apart = [
        Mark(each.sampler, each.interval, report_text.points(each), looks[each.sign])
        for each in report.differences
    ]
    if apart:
        note = f"against {report.baseline}; hollow: no difference seen"
        found.append(_whiskers(f"{what}, difference in points", note, apart, 0.0))
    if curves := sweep.curves(report.run.samplers):
        intervals = {mark.name: mark.interval for mark in marks if mark.interval is not None}
        found.append(_curves(what, guess, curves, intervals, chance))
    return found


def drawing(panel: Panel, number: int) -> str:
    """One panel inside a page."""
    return (
        f'<svg class="panel" role="img" aria-labelledby="panel{number}-t panel{number}-d"'
        f' viewBox="0 0 {WIDE} {panel.high:g}">'
        f'<title id="panel{number}-t">{style.line(panel.title)}</title>'
        f'<desc id="panel{number}-d">{style.line(panel.described)}</desc>'
        f"{_heads(panel)}{panel.body}</svg>"
    )


def svg(report: Report) -> str:
    """All panels beside each other, with nothing to load."""
    found = panels(report)
    across, high = WIDE * len(found), max(panel.high for panel in found)
    light, dark = (_RULES.substitute(style.GROUND[theme]) for theme in ("light", "dark"))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {high:g}"'
        f' width="{across}" height="{high:g}" role="img" aria-labelledby="title">',
        f'<title id="title">{style.line(report_text.heading(report))}</title>',
        f"<style>{light}@media (prefers-color-scheme:dark){{{dark}}}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
    ]
    for number, panel in enumerate(found):
        parts.append(
            f'<g class="panel" transform="translate({number * WIDE} 0)"'
            f' aria-label="{style.line(panel.described)}">{_heads(panel)}{panel.body}</g>'
        )
    return "\n".join([*parts, "</svg>\n"])


def png(drawing: str) -> bytes | None:
    """The whole picture, light and twice as large; None where the machine has no font for it.

    Needs the extra `eval`: resvg, in one wheel of 1.6 MB without dependencies, draws the same SVG.
    (cairosvg asks for a Cairo that Python's packages don't bring, and matplotlib is 50 MB to make a
    second, other picture.)
    """
    if _drawn(_EMPTY.replace("/>", "><text y='9'>x</text></svg>")) == _drawn(_EMPTY):
        return None
    return _drawn(drawing)


_EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" width="9" height="9"/>'


def _drawn(drawing: str) -> bytes:
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=drawing, zoom=2))


def _heads(panel: Panel) -> str:
    return _text(EDGE, 18, panel.title, "head") + _text(EDGE, 36, panel.note, "faint")


def _whiskers(title: str, note: str, marks: Sequence[Mark], level: float | None) -> Panel:
    """A line for each sampler; its name stands over its interval, however long it is."""
    limits = [v for m in marks if m.interval is not None for v in (m.interval.low, m.interval.high)]
    ticks = _ticks([*limits, *([] if level is None else [level])])
    end = HEAD + LINE * len(marks)

    def x(value: float) -> float:
        return _scaled(value, ticks, EDGE, WIDE - EDGE)

    parts = []
    for tick in ticks:
        anchor = "start" if tick == ticks[0] else "end" if tick == ticks[-1] else "middle"
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {HEAD}V{end}"/>')
        parts.append(_text(x(tick), end + 16, f"{100 * tick:g}", "faint", anchor))
    if level is not None:
        parts.append(f'<path class="level" d="M{x(level):.1f} {HEAD}V{end}"/>')
    for number, mark in enumerate(marks):
        top = HEAD + LINE * number
        told = mark.told or "no answer yet"
        parts.append(_text(EDGE, top + 14, _short(mark.name)))
        parts.append(_text(WIDE - EDGE, top + 14, told, "faint", "end"))
        if mark.interval is not None:
            at, found = top + 26, mark.interval
            line = f"M{x(found.low):.1f} {at - 4}v8m0 -4H{x(found.high):.1f}m0 -4v8"
            parts.append(f'<path class="whisker {mark.look}" d="{line}"/>')
            parts.append(_dot(x(found.mean), at, mark.look))
    described = "; ".join(f"{mark.name}: {mark.told or 'no answer yet'}" for mark in marks)
    return Panel(title, note, f"{note}. {described}", end + FOOT, "".join(parts))


def _curves(
    what: str,
    note: str,
    curves: Sequence[sweep.Curve],
    intervals: Mapping[str, Interval],
    level: float | None,
) -> Panel:
    """Each curve through its samplers' means, in the order of the setting."""
    setting = curves[0].setting
    across = _ticks([value for curve in curves for value, _ in curve.points])
    names = [name for curve in curves for _, name in curve.points if name in intervals]
    limits = [v for name in names for v in (intervals[name].low, intervals[name].high)]
    ticks = _ticks([*limits, *([] if level is None else [level])])
    top = HEAD + 18 * len(curves) + 10
    end = top + HIGH

    def x(value: float) -> float:
        return _scaled(value, across, SCALE, WIDE - EDGE)

    def y(value: float) -> float:
        return _scaled(value, ticks, end, top)

    parts, told = [], []
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{SCALE} {y(tick):.1f}H{WIDE - EDGE}"/>')
        parts.append(_text(SCALE - 6, y(tick) + 4, f"{100 * tick:g}", "faint", "end"))
    for tick in across:
        anchor = "end" if tick == across[-1] else "middle"
        parts.append(_text(x(tick), end + 16, f"{tick:g}", "faint", anchor))
    if level is not None:
        parts.append(f'<path class="level" d="M{SCALE} {y(level):.1f}H{WIDE - EDGE}"/>')
    for number, (curve, look) in enumerate(zip(curves, cycle(LOOKS), strict=False)):
        at = HEAD + 18 * number + 12
        parts.append(f'<path class="curve {look}" d="M{EDGE} {at - 4}h26"/>')
        parts.append(_text(EDGE + 34, at, _short(curve.name)))
        found = [(value, intervals[name]) for value, name in curve.points if name in intervals]
        line = "L".join(f"{x(value):.1f} {y(each.mean):.1f}" for value, each in found)
        parts.append(f'<path class="curve {look}" d="M{line}"/>' if found else "")
        for value, each in found:
            whisker = f"M{x(value):.1f} {y(each.low):.1f}V{y(each.high):.1f}"
            parts.append(f'<path class="curve plain {look}" d="{whisker}"/>')
            parts.append(_dot(x(value), y(each.mean), look))
            told.append(f"{curve.name} at {value:g}: {report_text.share(each)}")
    title = f"{what}, %, along {setting.replace('_', ' ')}"
    return Panel(title, note, "; ".join(told), end + FOOT, "".join(parts))


def _scaled(value: float, ticks: Sequence[float], begin: float, end: float) -> float:
    return begin + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (end - begin)


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers, five or so, from the least value or below to the greatest or above."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]


def _dot(x: float, y: float, look: str) -> str:
    return f'<circle class="dot {look}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _text(x: float, y: float, said: str, look: str = "", anchor: str = "start") -> str:
    attributes = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{look}" {attributes}>{style.line(said)}</text>' if said else ""


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
