"""The four quadrants: what each is called, what is said of it, and by which split a token is in it.

Everything that shows a word or a sentence reads it here. A sentence is a statement on a
distribution's three greatest probabilities, which calibrating a model counts; where nothing was
counted, it says only what the split itself does.
"""

import math
import re
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

Quadrant = Literal["LELV", "HELV", "LEHV", "HEHV"]
QUADRANTS: tuple[Quadrant, ...] = ("LELV", "HELV", "LEHV", "HEHV")

_NAME = r"^[A-Za-z0-9_.-]{1,40}(?![\s\S])"

Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
"""Of a strategy and the like: any that a program gives, but no text."""

NameOfToken = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": _NAME})]
"""A `Name` that each token has: the reader asks `is_name`, which remembers. A pattern would be
tried anew at each, for a fifth of the time that reading takes."""

Level = Annotated[float, msgspec.Meta(ge=0, le=1000)]
"""Of an entropy (bits) or a varentropy (bits^2)."""

Knot = tuple[Level, Level]
"""An entropy, and the varentropy that is usual there."""

MOST_KNOTS = 64
_LEAST_APART = 1e-6


class Sentence(NamedTuple):
    """`holds`, given the probabilities of the three most likely tokens: numbers or arrays."""

    id: str
    text: str
    holds: Callable[[Any, Any, Any], Any]


class Kind(NamedTuple):
    """What is said of a quadrant. `sentences` come strongest first, each implied by the one before;
    `older` is its word where the medians, or the guide's thresholds, are the split.
    """

    word: str
    older: str
    sentences: tuple[Sentence, ...]
    caption: str


KINDS: dict[Quadrant, Kind] = {
    "LELV": Kind(
        "sure",
        "sure",
        (
            Sentence(
                "half-and-three",
                "One token has half of the probability or more, and the first three have four "
                "fifths.",
                lambda p1, p2, p3: (p1 >= 1 / 2) & (p1 + p2 + p3 >= 4 / 5),
            ),
            Sentence(
                "three",
                "The first three tokens have four fifths of the probability.",
                lambda p1, p2, p3: p1 + p2 + p3 >= 4 / 5,
            ),
        ),
        "flowing with unspoken intent",
    ),
    "HELV": Kind(
        "open",
        "open",
        (
            Sentence(
                "under-half",
                "No token has half of the probability.",
                lambda p1, _p2, _p3: p1 < 1 / 2,
            ),
            Sentence(
                "under-two-thirds",
                "No token has two thirds of the probability.",
                lambda p1, _p2, _p3: p1 < 2 / 3,
            ),
        ),
        "treading carefully, asking clarifying questions",
    ),
    "LEHV": Kind(
        "favoured",
        "fork",
        (
            Sentence(
                "half-and-tail",
                "One token has half or more, at least three times the second; the rest is a long "
                "tail.",
                lambda p1, p2, _p3: (p1 >= 1 / 2) & (p2 <= p1 / 3),
            ),
            Sentence(
                "half",
                "One token has half of the probability or more.",
                lambda p1, _p2, _p3: p1 >= 1 / 2,
            ),
        ),
        "exploring forks in the path",  # the many small alternatives behind the favourite
    ),
    "HEHV": Kind(
        "scattered",
        "lost",
        (
            Sentence(
                "fifth-beyond-two",
                "A fifth of the probability or more lies beyond the first two tokens.",
                lambda p1, p2, _p3: p1 + p2 <= 4 / 5,
            ),
            Sentence(
                "tenth-beyond-one",
                "A tenth of the probability or more lies beyond the first token.",
                lambda p1, _p2, _p3: p1 <= 9 / 10,
            ),
        ),
        "resampling in the mist",
    ),
}


class QuadrantSplit(msgspec.Struct, frozen=True, kw_only=True):
    """Which quadrant a token is in, by its entropy H (bits) and varentropy V (bits^2).

    Either H is high from `entropy` on, and V is wide from what is `usual` at that H on: linear
    between knots, level outside of them, and a step where two have the same H. Or a quadrant is one
    of the `corners`, entropy and varentropy each, tried in the order of `QUADRANTS`, whose
    inequalities hold strictly; outside of them a token has none. `sentences`: the id of the one
    that was measured to hold for a quadrant. A split of a newer program may be neither.
    """

    name: Name
    entropy: Level | None = None
    usual: Annotated[tuple[Knot, ...], msgspec.Meta(max_length=MOST_KNOTS)] = ()
    corners: dict[Quadrant, tuple[Level, Level]] = {}
    sentences: dict[Quadrant, Name] = {}

    def __post_init__(self) -> None:
        at = [h for h, _ in self.usual]
        for h, following in pairwise(at):
            if h != following and following - h < _LEAST_APART:
                raise ValueError("the knots of a quadrant split must not fall, nor all but touch")
        if (self.entropy is None) != (not self.usual):
            raise ValueError("a quadrant split has an entropy and what is usual, or neither")


class Segments(NamedTuple):
    """What is usual, in pieces as float32 holds them: from an entropy, below another one, the
    varentropy at its beginning, and how it grows.
    """

    begins: tuple[float, ...]
    ends: tuple[float, ...]
    levels: tuple[float, ...]
    slopes: tuple[float, ...]


def quadrant_of(entropy: float, varentropy: float, split: QuadrantSplit) -> Quadrant | None:
    """As the device computes it, in float32."""
    h, v = single(entropy), single(varentropy)
    if split.entropy is None:
        met = (q for q in QUADRANTS if q in split.corners and _in_corner(h, v, q, split))
        return next(met, None)
    return QUADRANTS[(h >= single(split.entropy)) + 2 * (v >= usual(h, split))]


def usual(entropy: float, split: QuadrantSplit) -> float:
    """The varentropy from which on a token is wide; of a split that has such."""
    pieces = segments(split.usual)
    h = min(max(pieces.begins[0], single(entropy)), pieces.ends[-1] / 2)  # a trace may say anything
    n = next(n for n, end in enumerate(pieces.ends) if h < end)
    # A product or a sum of two float32 is exact enough in double to be rounded once more.
    grown = single(pieces.slopes[n] * single(h - pieces.begins[n]))
    return single(pieces.levels[n] + grown)


@lru_cache(16)
def segments(knots: tuple[Knot, ...]) -> Segments:
    """The pieces between knots, before the first and after the last."""
    at = [single(h) for h, _ in knots]
    levels = [single(v) for _, v in knots]
    steps = list(zip(pairwise(at), pairwise(levels), strict=True))
    slopes = [single((w - v) / (b - a)) if b > a else 0.0 for (a, b), (v, w) in steps]
    return Segments(
        # No entropy is below -1 but for rounding, none is near a million bits.
        begins=(-1.0, *at),
        ends=(*at, 1e6),
        levels=(levels[0], *levels),
        slopes=(0.0, *slopes, 0.0),
    )


def levels(split: QuadrantSplit) -> tuple[Sequence[float], Sequence[float]]:
    """The entropies, and the varentropies, at which tokens change their quadrant whatever else they
    are, in rising order.
    """
    entropies, varentropies = ({at[n] for at in split.corners.values()} for n in (0, 1))
    if split.entropy is not None:
        entropies.add(split.entropy)
    return sorted(entropies), sorted(varentropies)


def word(quadrant: Quadrant | None, split: QuadrantSplit | None) -> str:
    """What a quadrant is called; without a split (a trace that names none) as it was before. Some
    splits leave tokens outside of all, and so does what was not measured.
    """
    if quadrant is None:
        return "in none"
    kind = KINDS[quadrant]
    return kind.word if split is not None and quadrant in split.sentences else kind.older


def sentence(quadrant: Quadrant, split: QuadrantSplit | None) -> str:
    """What is true of its tokens: of most, where that was measured, else of all by definition."""
    chosen = None if split is None else split.sentences.get(quadrant)
    known = (found.text for found in KINDS[quadrant].sentences if found.id == chosen)
    return next(known, None) or _definition(quadrant, split)


def told(quadrant: Quadrant, split: QuadrantSplit | None, shares: Sequence[float]) -> str:
    """The sentence about a token, unless its own three greatest probabilities (fewer where more
    are not known) deny it: then what is true of all by definition.
    """
    chosen = None if split is None else split.sentences.get(quadrant)
    for found in KINDS[quadrant].sentences:
        if found.id == chosen and len(shares) >= 3 and not found.holds(*shares[:3]):
            return _definition(quadrant, split)
    return sentence(quadrant, split)


def above(corner: Quadrant) -> tuple[bool, bool]:
    """Whether a corner wants the entropy above its threshold, and the varentropy."""
    return corner[0] == "H", corner[2] == "H"


def is_met(corner: Quadrant, entropy: Any, varentropy: Any, h: Any, v: Any) -> Any:
    """Whether both inequalities hold, strictly; of numbers or of arrays."""
    high, wide = above(corner)
    return (entropy > h if high else entropy < h) & (varentropy > v if wide else varentropy < v)


def single(value: float) -> float:
    """As float32 holds it."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _in_corner(h: float, v: float, corner: Quadrant, split: QuadrantSplit) -> bool:
    return bool(is_met(corner, h, v, *map(single, split.corners[corner])))


def _definition(quadrant: Quadrant, split: QuadrantSplit | None) -> str:
    high, wide = above(quadrant)
    if split is None:
        entropy = f"{'above' if high else 'below'} the model's median"
        return f"Entropy {entropy}, varentropy {'above' if wide else 'below'} it."
    if quadrant in split.corners:
        h, v = split.corners[quadrant]
        sides = ["above" if side else "below" for side in (high, wide)]
        return f"Entropy {sides[0]} {h:.3g} bits, varentropy {sides[1]} {v:.3g} bits²."
    if split.entropy is None:
        return "By a split that this program does not know."
    is_step = len(split.usual) == 2 and split.usual[0][0] == split.usual[1][0] == split.entropy
    limit = f"{split.usual[high][1]:.3g} bits²" if is_step else "what is usual at that entropy"
    return f"Entropy {_side(high, f'{split.entropy:.3g} bits')}, varentropy {_side(wide, limit)}."


def _side(reaches: bool, limit: str) -> str:
    return f"of {limit} or more" if reaches else f"below {limit}"


@lru_cache(maxsize=256)
def is_name(text: str | None) -> bool:
    """Whether a `NameOfToken` is one; None is."""
    return text is None or re.match(_NAME, text) is not None
