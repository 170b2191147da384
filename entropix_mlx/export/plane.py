"""The plane of entropy and varentropy with every token of a passage, as SVG inside a page.

Tokens are counted in small squares, so that a drawing has a bounded size. Both axes go with the
square root of the value, as on the screen: on a plain scale nine tokens of ten would lie in one
corner.
"""

import math
from collections import Counter
from collections.abc import Iterator

from entropix_mlx.export import markup
from entropix_mlx.export.charts import ENTROPY, VARENTROPY, top, values
from entropix_mlx.export.passage import Passage, number
from entropix_mlx.export.styles import LETTERS, NONE
from entropix_mlx.records.record import QUADRANTS, Quadrant

WIDTH, HEIGHT = 400, 300
SQUARE = 4
STEPS = (1, 3, 10, 30)
"""Tokens in a square from which it is drawn stronger."""

_TICKS = (0.0, 0.5, 1, 2, 4, 8, 16), (0.0, 1, 3, 10, 20, 40)


def plane(passage: Passage) -> str:
    entropies, varentropies = values(passage, ENTROPY), values(passage, VARENTROPY)
    corners = _thresholds(passage)
    right = top(ENTROPY, entropies, [h for _, h, _ in corners])
    upper = top(VARENTROPY, varentropies, [v for *_, v in corners])
    squares: Counter[tuple[int, int, str]] = Counter()
    counts: Counter[str] = Counter()
    for cell, h, v in zip(passage.cells, entropies, varentropies, strict=True):
        if h is None or v is None:
            continue
        column = min(int(_x(h, right) / SQUARE), WIDTH // SQUARE - 1)
        row = min(int(_y(v, upper) / SQUARE), HEIGHT // SQUARE - 1)
        squares[column, row, LETTERS.get(cell.token.quadrant, NONE)] += 1
        counts[cell.token.quadrant or "no quadrant"] += 1
    shares = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    described = f"Entropy goes right, varentropy up. Tokens: {shares or 'none measured'}."
    return "".join(
        (
            "<figure><figcaption>varentropy (bits², up) over entropy (bits, right)</figcaption>",
            f'<svg class="plane" role="img" aria-labelledby="plane-t plane-d"'
            f' viewBox="-34 -8 {WIDTH + 44} {HEIGHT + 34}">',
            '<title id="plane-t">Plane of entropy and varentropy</title>',
            f'<desc id="plane-d">{markup.line(described)}</desc>',
            f'<rect class="frame" width="{WIDTH}" height="{HEIGHT}"/>',
            *_axes(right, upper),
            *_corners(corners, right, upper),
            *_squares(squares),
            f'<circle class="here" data-right="{right!r}" data-upper="{upper!r}" r="0"/>',
            "</svg></figure>",
        )
    )


def _x(entropy: float, right: float) -> float:
    return WIDTH * math.sqrt(min(max(entropy / right, 0.0), 1.0))


def _y(varentropy: float, upper: float) -> float:
    return HEIGHT * (1 - math.sqrt(min(max(varentropy / upper, 0.0), 1.0)))


def _axes(right: float, upper: float) -> Iterator[str]:
    for tick in (t for t in _TICKS[0] if t <= right):
        x = _x(tick, right)
        yield f'<path class="tick" d="M{x:.1f} {HEIGHT}v4"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT + 17}" text-anchor="middle">{tick:g}</text>'
    for tick in (t for t in _TICKS[1] if t <= upper):
        y = _y(tick, upper)
        yield f'<path class="tick" d="M0 {y:.1f}h-4"/>'
        yield f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'


def _thresholds(passage: Passage) -> list[tuple[Quadrant, float, float]]:
    """Of each corner that drew the last token: entropy and varentropy."""
    sampler, found = passage.sampler, []
    for corner in QUADRANTS:
        name = corner.lower()
        h = number(sampler.get(f"{name}_entropy"))
        v = number(sampler.get(f"{name}_varentropy"))
        if h is not None and v is not None:
            found.append((corner, h, v))
    return found


def _corners(
    corners: list[tuple[Quadrant, float, float]], right: float, upper: float
) -> Iterator[str]:
    """Where the four regions are."""
    for corner, h, v in corners:
        name = corner.lower()
        x, y = _x(h, right), _y(v, upper)
        across, down = (WIDTH if name[0] == "h" else 0), (0 if name[2] == "h" else HEIGHT)
        letter = LETTERS[corner]
        yield f'<path class="corner {letter}" d="M{x:.1f} {down}V{y:.1f}H{across}"/>'
        at_x = WIDTH - 6 if across else 6
        at_y = HEIGHT - 8 if down else 16
        anchor = "end" if across else "start"
        yield (
            f'<text class="corner {letter}" x="{at_x}" y="{at_y}" text-anchor="{anchor}">'
            f"{corner}</text>"
        )


def _squares(squares: "Counter[tuple[int, int, str]]") -> Iterator[str]:
    """One path for each quadrant and strength."""
    paths: dict[tuple[str, int], list[str]] = {}
    for (column, row, letter), count in sorted(squares.items()):
        strength = sum(count >= step for step in STEPS)
        place = f"M{column * SQUARE} {row * SQUARE}h{SQUARE}v{SQUARE}h-{SQUARE}z"
        paths.setdefault((letter, strength), []).append(place)
    for (letter, strength), places in paths.items():
        yield f'<path class="tokens {letter} s{strength}" d="{"".join(places)}"/>'
