"""Entropy and varentropy of a passage's tokens, as SVG inside a page: trajectories and the plane.

However many tokens there are, a drawing has a bounded size. A curve has at most `COLUMNS` steps,
each with the least and the greatest value that fell there; in the plane, tokens are counted in
small squares. Its axes go with the square root of the value, as on the screen: on a plain scale
nine tokens of ten would lie in one corner.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from entropix_mlx.export import style
from entropix_mlx.export.passage import Passage, number
from entropix_mlx.export.style import LETTERS, NONE
from entropix_mlx.records.measures import MEASURES
from entropix_mlx.records.quadrants import (
    QUADRANTS,
    Quadrant,
    QuadrantSplit,
    above,
    levels,
    usual,
    word,
)
from entropix_mlx.sampling.valleys import smoothed
from entropix_mlx.terminal.palette import VALLEY

COLUMNS = 1200
HEIGHT = 150
"""Of a trajectory in pixels; its width is the page's."""

WIDE, HIGH = 400, 300
"""Of the plane."""

SQUARE = 4
STEPS = (1, 3, 10, 30)
"""Tokens in a square from which it is drawn stronger."""

_TICKS = (0.0, 0.5, 1, 2, 4, 8, 16), (0.0, 1, 3, 10, 20, 40)

WIDE_FROM = "; wide from what is usual at the token's entropy on, which the plane shows"

MANY = 40
"""So many valleys are named in a description; the rest are counted."""


ENDS = {"entropy": (4, 20), "varentropy": (8, 60)}
"""Between which a measure's scale ends, by the values."""


def values(passage: Passage, name: str) -> list[float | None]:
    """A measure of all cells; None where there is none."""
    return [number(getattr(cell.token, name)) for cell in passage.cells]


def top(name: str, found: Sequence[float | None], levels: Sequence[float]) -> float:
    """Where the scale ends: a little above what is there."""
    greatest = max((v for v in (*found, *levels) if v is not None), default=0.0)
    least, most = ENDS[name]
    return min(most, max(least, greatest * 1.05))


def chart(passage: Passage, name: str) -> str:
    """One measure's curve with the levels of the split; on that of the entropy, valleys."""
    drawn = MEASURES[name].scale
    assert drawn is not None
    found, unit = values(passage, name), drawn.unit
    measured = [value for value in found if value is not None]
    split = passage.header.quadrant_split
    is_entropy = name == "entropy"
    at = () if split is None else levels(split)[not is_entropy]
    scale = top(name, found, at)
    count = max(1, len(found))
    columns = min(count, COLUMNS)
    across = columns / count
    valleys = [n for n, cell in enumerate(passage.cells) if passage.is_valley(cell)]
    parts = [f'<path class="asked" d="{_prompts(passage, across)}"/>']
    shape = "curve" if len(found) <= columns else "curve band"
    parts.append(f'<path class="{shape} {name}" d="{_curve(found, columns, scale)}"/>')
    seen = [level for level in at if level <= scale]
    path = "".join(f"M-.5 {_y(level, scale)}H{columns}" for level in seen)
    parts.append(f'<path class="level" d="{path}"/>')
    notes = [f", split {' '.join(f'{level:.3g}' for level in seen)} (dashed)"] if seen else []
    if is_entropy:
        smooth = _smoothed(passage, found)
        parts.append(f'<path class="smooth" d="{_curve(smooth, columns, scale)}"/>')
        dots = "".join(f"M{n * across:.1f} {_y(smooth[n] or 0, scale)}h0" for n in valleys)
        parts.append(f'<path class="valley" d="{dots}"/>')
    parts.append('<path class="here" d=""/>')
    description = f"No {name} was measured in {len(found)} tokens."
    if measured:
        description = _described(f"{name} in {unit}", measured, len(found), scale)
    if is_entropy:
        description += f" {len(valleys)} valley{'s' * (len(valleys) != 1)}{_places(valleys)}"
    return "".join(
        (
            f'<figure><figcaption><b class="{name}">{name}</b> ({unit}), 0 to {scale:.3g}',
            f'; <span class="smooth">smoothed</span>, valleys {VALLEY}' if is_entropy else "",
            *notes,
            "" if is_entropy or split is None or split.entropy is None else WIDE_FROM,
            f'</figcaption><svg class="chart" role="img" aria-labelledby="{name}-t {name}-d"',
            f' width="100%" height="{HEIGHT}">',
            f'<title id="{name}-t">Trajectory of the {name}</title>',
            f'<desc id="{name}-d">{style.line(description)}</desc>',
            f'<svg class="plot" viewBox="-.5 0 {columns} 100" data-across="{across:.9f}"'
            ' preserveAspectRatio="none" width="100%" height="100%">',
            *parts,
            "</svg></svg></figure>",
        )
    )


def _y(value: float, scale: float) -> str:
    return f"{100 - 100 * min(max(value / scale, 0.0), 1.0):.2f}"


def _curve(found: Sequence[float | None], columns: int, scale: float) -> str:
    """A line through values, or a band from the least to the greatest of each column."""
    if len(found) <= columns:
        line, gap = [], True
        for n, value in enumerate(found):
            if value is not None:
                line.append(f"{'M' if gap else 'L'}{n} {_y(value, scale)}{'h0' if gap else ''}")
            gap = value is None
        return "".join(line)
    paths = []
    for run in _runs(found, columns):
        there = [f"{n} {_y(high, scale)}" for n, _, high in run]
        back = [f"{n} {_y(low, scale)}" for n, low, _ in reversed(run)]
        paths.append("M" + "L".join(there + back) + "Z")
    return "".join(paths)


def _runs(found: Sequence[float | None], columns: int) -> Iterator[list[tuple[int, float, float]]]:
    """Neighbouring columns that have values: number, least, greatest."""
    edges = [column * len(found) // columns for column in range(columns + 1)]
    bands = (
        (column, [value for value in found[begin:end] if value is not None])
        for column, (begin, end) in enumerate(pairwise(edges))
    )
    for has_values, run in groupby(bands, key=lambda band: bool(band[1])):
        if has_values:
            yield [(column, min(inside), max(inside)) for column, inside in run]


def _prompts(passage: Passage, across: float) -> str:
    """Grounds of the cells that were read, not drawn."""
    path, at = "", 0
    for turn in passage.turns:
        end = at + len(turn.tokens)
        if turn.node is not None and end > at:
            path += (
                f"M{at * across - 0.5:.1f} 0H{end * across - 0.5:.1f}V100H{at * across - 0.5:.1f}Z"
            )
        at = end
    return path


def _smoothed(passage: Passage, found: Sequence[float | None]) -> list[float | None]:
    """The course that valleys are found on: each turn's own."""
    smooth: list[float | None] = []
    for turn in passage.turns:
        smooth += smoothed(found[len(smooth) : len(smooth) + len(turn.tokens)])
    return smooth


def _described(what: str, measured: list[float], tokens: int, scale: float) -> str:
    mean = sum(value / len(measured) for value in measured)
    above = sum(value > scale for value in measured)
    beyond = f" {above} lie above the scale." if above else ""
    return (
        f"{what} over {tokens} tokens: mean {mean:.3g}, least "
        f"{min(measured):.3g}, greatest {max(measured):.3g}.{beyond}"
    )


def _places(valleys: list[int]) -> str:
    if not valleys:
        return "."
    named = ", ".join(str(n + 1) for n in valleys[:MANY])
    rest = f" and {len(valleys) - MANY} more" if len(valleys) > MANY else ""
    return f", at tokens {named}{rest}."


def plane(passage: Passage) -> str:
    entropies, varentropies = values(passage, "entropy"), values(passage, "varentropy")
    split = passage.header.quadrant_split
    right = top("entropy", entropies, () if split is None else levels(split)[0])
    upper = top("varentropy", varentropies, ())
    squares: Counter[tuple[int, int, str]] = Counter()
    counts: Counter[str] = Counter()
    for cell, h, v in zip(passage.cells, entropies, varentropies, strict=True):
        if h is None or v is None:
            continue
        column = min(int(_right(h, right) / SQUARE), WIDE // SQUARE - 1)
        row = min(int(_up(v, upper) / SQUARE), HIGH // SQUARE - 1)
        squares[column, row, LETTERS.get(cell.token.quadrant, NONE)] += 1
        counts[word(cell.token.quadrant, split)] += 1
    shares = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    described = f"Entropy goes right, varentropy up. Tokens: {shares or 'none measured'}."
    return "".join(
        (
            "<figure><figcaption>varentropy (bits², up) over entropy (bits, right)</figcaption>",
            f'<svg class="plane" role="img" aria-labelledby="plane-t plane-d"'
            f' viewBox="-34 -8 {WIDE + 44} {HIGH + 34}">',
            '<title id="plane-t">Plane of entropy and varentropy</title>',
            f'<desc id="plane-d">{style.line(described)}</desc>',
            f'<rect class="frame" width="{WIDE}" height="{HIGH}"/>',
            *_axes(right, upper),
            *(() if split is None else _boundaries(split, right, upper)),
            *_squares(squares),
            *(() if split is None else _words(split)),
            f'<circle class="here" data-right="{right!r}" data-upper="{upper!r}" r="0"/>',
            "</svg></figure>",
        )
    )


def _right(entropy: float, right: float) -> float:
    return WIDE * math.sqrt(min(max(entropy / right, 0.0), 1.0))


def _up(varentropy: float, upper: float) -> float:
    return HIGH * (1 - math.sqrt(min(max(varentropy / upper, 0.0), 1.0)))


def _axes(right: float, upper: float) -> Iterator[str]:
    for tick in (t for t in _TICKS[0] if t <= right):
        x = _right(tick, right)
        yield f'<path class="tick" d="M{x:.1f} {HIGH}v4"/>'
        yield f'<text x="{x:.1f}" y="{HIGH + 17}" text-anchor="middle">{tick:g}</text>'
    for tick in (t for t in _TICKS[1] if t <= upper):
        y = _up(tick, upper)
        yield f'<path class="tick" d="M0 {y:.1f}h-4"/>'
        yield f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'


def _boundaries(split: QuadrantSplit, right: float, upper: float) -> Iterator[str]:
    """Where the four quadrants are."""
    if split.entropy is None:
        for quadrant, at in split.corners.items():
            line = _corner(quadrant, right, upper, *at)
            yield f'<path class="corner {LETTERS[quadrant]}" d="{line}"/>'
        return
    yield f'<path class="corner" d="M{_right(split.entropy, right):.1f} 0V{HIGH}"/>'
    curve = "L".join(
        f"{x} {_up(usual(right * (x / WIDE) ** 2, split), upper):.1f}"
        for x in range(0, WIDE + 1, SQUARE)
    )
    yield f'<path class="corner" d="M{curve}"/>'


def _words(split: QuadrantSplit) -> Iterator[str]:
    """What the quadrants are called, over the tokens."""
    for quadrant in split.corners if split.entropy is None else QUADRANTS:
        high, wide = above(quadrant)
        yield (
            f'<text class="corner {LETTERS[quadrant]}" x="{WIDE - 6 if high else 6}"'
            f' y="{16 if wide else HIGH - 8}" text-anchor="{"end" if high else "start"}">'
            f"{word(quadrant, split)}</text>"
        )


def _corner(quadrant: Quadrant, right: float, upper: float, h: float, v: float) -> str:
    high, wide = above(quadrant)
    x, y = _right(h, right), _up(v, upper)
    return f"M{x:.1f} {0 if wide else HIGH}V{y:.1f}H{WIDE if high else 0}"


def _squares(squares: "Counter[tuple[int, int, str]]") -> Iterator[str]:
    """One path for each quadrant and strength."""
    paths: dict[tuple[str, int], list[str]] = {}
    for (column, row, letter), count in sorted(squares.items()):
        strength = sum(count >= step for step in STEPS)
        place = f"M{column * SQUARE} {row * SQUARE}h{SQUARE}v{SQUARE}h-{SQUARE}z"
        paths.setdefault((letter, strength), []).append(place)
    for (letter, strength), places in paths.items():
        yield f'<path class="tokens {letter} s{strength}" d="{"".join(places)}"/>'
