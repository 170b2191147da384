"""Quadrants: words, sentences that can be checked, and the split, on the host and on the device."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from entropix_mlx.records.quadrants import (
    KINDS,
    QUADRANTS,
    Quadrant,
    QuadrantSplit,
    quadrant_of,
    sentence,
    single,
    told,
    usual,
    word,
)
from entropix_mlx.sampling import draw
from entropix_mlx.sampling.calibration import GUIDE, PROVISIONAL, key, stored
from entropix_mlx.sampling.settings import declared

MEDIAN = PROVISIONAL.median
CURVE = PROVISIONAL.split_of("calibrated")

level = st.floats(0, 20, width=32)
knots = st.lists(st.tuples(st.integers(0, 40).map(lambda n: n / 8), level), min_size=1, max_size=12)
splits = st.one_of(
    st.builds(
        lambda knots, entropy: QuadrantSplit(
            name="x", entropy=entropy, usual=tuple(sorted(knots, key=lambda knot: knot[0]))
        ),
        knots,
        level,
    ),
    st.builds(
        lambda corners: QuadrantSplit(name="x", corners=corners),
        st.dictionaries(st.sampled_from(QUADRANTS), st.tuples(level, level)),
    ),
)


def on_device(h: float | list[float], v: float | list[float], split: QuadrantSplit) -> mx.array:
    p = {name: mx.array(value, mx.float32) for name, value in draw.split_scalars(split).items()}
    return draw.quadrant(mx.array(h), mx.array(v), p)


def named(number: Any) -> Quadrant | None:
    return QUADRANTS[number] if number >= 0 else None


class TestSplit:
    @given(splits, level, level)
    def test_host_and_device_agree_to_the_bit(
        self, split: QuadrantSplit, h: float, v: float
    ) -> None:
        at = {h, *(knot[0] for knot in split.usual), *(c[0] for c in split.corners.values())}
        points = []
        for entropy in (*at, *([split.entropy] if split.entropy is not None else [])):
            limits = {v, *(c[1] for c in split.corners.values())}
            if split.usual:  # where it is decided, and one float to each side
                limit = np.float32(usual(entropy, split))
                beside = (np.nextafter(limit, np.float32(end)) for end in (-1, 1e3))
                limits |= {float(limit), *map(float, beside)}
            points += [(entropy, varentropy) for varentropy in limits]
        found = on_device([h for h, _ in points], [v for _, v in points], split).tolist()
        expected = [quadrant_of(h, v, split) for h, v in points]
        assert [named(number) for number in found] == expected  # type: ignore[union-attr]
        one = on_device(*points[0], split)
        assert one.shape == ()
        assert named(one.item()) == expected[0]

    @pytest.mark.slow
    @given(splits.filter(lambda split: bool(split.usual)), st.floats(0, 12, width=32), level)
    def test_it_is_linear_between_knots(self, split: QuadrantSplit, h: float, v: float) -> None:
        at, levels = (np.array(column) for column in zip(*split.usual, strict=True))
        assume(h not in at)  # a step is at its upper end there, as the next test has it
        expected = np.interp(h, at, levels)
        # Three roundings of numbers of this size.
        size = max(levels) + np.ptp(levels)
        assert usual(h, split) == pytest.approx(expected, abs=4 * 2**-24 * size + 1e-12)
        assume(abs(v - expected) > 1e-5 * (1 + size))
        assert split.entropy is not None
        code = ("HE" if h >= split.entropy else "LE") + ("HV" if v > expected else "LV")
        assert quadrant_of(h, v, split) == code

    @given(st.floats(0, 8, width=32), st.floats(0, 16, width=32))
    def test_the_medians_are_a_step(self, h: float, v: float) -> None:
        middle, sides = PROVISIONAL.entropy.mid, PROVISIONAL.varentropy
        high = h >= middle
        wide = v >= single(sides["high" if high else "low"].mid)
        code = ("HE" if high else "LE") + ("HV" if wide else "LV")
        assert quadrant_of(h, v, MEDIAN) == code
        assert named(on_device(h, v, MEDIAN).item()) == code

    def test_the_guides_corners_leave_most_of_the_plane_without_one(self) -> None:
        guide = declared()["entropixplained"].usual()
        for corner, bounds in GUIDE.corners.items():
            names = (f"{corner.lower()}_entropy", f"{corner.lower()}_varentropy")
            assert tuple(guide[name] for name in names) == bounds
        expected = {
            (0.05, 0.05): "LELV",
            (3.5, 0.05): "HELV",
            (4.9, 5.5): "LEHV",
            (5.5, 5.5): "HEHV",
            (0.1, 0.05): None,  # its inequalities are strict
            (2.0, 3.0): None,
        }
        for (h, v), code in expected.items():
            assert quadrant_of(h, v, GUIDE) == code
            assert named(on_device(h, v, GUIDE).item()) == code

    @pytest.mark.parametrize("value", [-1e300, -5.0, 1e7, 1e300, float("inf")])
    def test_whatever_a_trace_says_is_somewhere(self, value: float) -> None:
        assert quadrant_of(value, value, CURVE) in QUADRANTS
        assert quadrant_of(1.0, value, GUIDE) in (*QUADRANTS, None)

    def test_a_split_of_a_newer_program_tells_nothing(self) -> None:
        split = msgspec.json.decode(b'{"name":"forest","trees":[1,2]}', type=QuadrantSplit)
        assert quadrant_of(2, 3, split) is None
        assert named(on_device(2.0, 3.0, split).item()) is None
        assert "does not know" in sentence("LEHV", split)


@pytest.mark.parametrize(
    "change",
    [
        {"entropy": None},
        {"entropy": -1},
        {"entropy": 1001},
        {"usual": []},
        {"usual": [[0.1, 1], [0.05, 2]]},
        {"usual": [[0.1, 1], [0.1 + 1e-9, 2]]},
        {"usual": [[n / 10, 1] for n in range(65)]},
        {"usual": [[0.1, -1]]},
        {"usual": [[0.1, 1, 2]]},
        {"corners": {"MID": [1, 1]}},
        {"sentences": {"LELV": "any text"}},
        {"name": "\n"},
    ],
    ids=str,
)
def test_what_cannot_be_a_split_is_refused(change: dict[str, Any]) -> None:
    content = msgspec.to_builtins(CURVE) | change
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(content), type=QuadrantSplit)


def test_a_split_reads_back() -> None:
    for split in (CURVE, MEDIAN, GUIDE):
        data = msgspec.json.encode(split)
        assert msgspec.json.decode(data, type=QuadrantSplit) == split
        newer = data[:-1] + b',"another":1}'
        assert msgspec.json.decode(newer, type=QuadrantSplit) == split


SENTENCES: dict[str, Callable[[list[float]], bool]] = {
    "half-and-three": lambda p: p[0] >= 0.5 and sum(p) >= 0.8,
    "three": lambda p: sum(p) >= 0.8,
    "half-and-tail": lambda p: p[0] >= 0.5 and 3 * p[1] <= p[0],
    "half": lambda p: p[0] >= 0.5,
    "under-half": lambda p: max(p) < 0.5,
    "under-two-thirds": lambda p: 3 * max(p) < 2,
    "fifth-beyond-two": lambda p: 1 - p[0] - p[1] >= 0.2,
    "tenth-beyond-one": lambda p: 1 - p[0] >= 0.1,
}
"""The sentences once more, each from its words."""


class TestWords:
    def test_what_the_sentences_say(self) -> None:
        rng = np.random.default_rng(3)
        drawn = np.concatenate([rng.dirichlet(np.full(9, a), 400) for a in (0.05, 0.2, 0.6, 3)])
        top = -np.sort(-drawn, axis=1)[:, :3]
        ids = [found.id for kind in KINDS.values() for found in kind.sentences]
        assert set(ids) == set(SENTENCES)
        assert len(ids) == len(set(ids))
        for kind in KINDS.values():
            stronger = np.zeros(len(top), bool)
            for found in kind.sentences[::-1]:
                holds = np.asarray(found.holds(*top.T))
                assert holds.tolist() == [SENTENCES[found.id](list(p)) for p in top]
                assert [found.holds(*p) for p in top[:50].tolist()] == holds[:50].tolist()
                assert 0.05 < holds.mean() < 0.95, "or nothing was tried"
                if stronger.any():
                    assert not (holds & ~stronger).any(), "a weaker one is implied"
                stronger = holds

    def test_a_measured_split_has_its_own_words(self) -> None:
        assert [word(q, CURVE) for q in QUADRANTS] == ["sure", "open", "favoured", "scattered"]
        for split in (MEDIAN, GUIDE, None):
            assert [word(q, split) for q in QUADRANTS] == ["sure", "open", "fork", "lost"]

    def test_sentences_are_those_that_were_chosen(self) -> None:
        for quadrant, kind in KINDS.items():
            for found in kind.sentences:
                split = msgspec.structs.replace(CURVE, sentences={quadrant: found.id})
                assert sentence(quadrant, split) == found.text

    def test_else_they_follow_from_the_split(self) -> None:
        said = {split and split.name: sentence("HELV", split) for split in (MEDIAN, GUIDE, None)}
        assert said == {
            "median": "Entropy of 2 bits or more, varentropy below 8 bits².",
            "guide": "Entropy above 3 bits, varentropy below 0.1 bits².",
            None: "Entropy above the model's median, varentropy below it.",
        }
        unknown = msgspec.structs.replace(CURVE, sentences={"LEHV": "said-by-a-newer-program"})
        assert sentence("LEHV", unknown) == (
            "Entropy below 2 bits, varentropy of what is usual at that entropy or more."
        )
        assert word("LEHV", unknown) == "favoured"


class TestTold:
    """What is said of one token."""

    SPLIT = msgspec.structs.replace(CURVE, sentences={"LELV": "half-and-three"})

    def test_the_sentence_if_it_holds_or_cannot_be_checked(self) -> None:
        for shares in ((0.6, 0.2, 0.1), (0.6, 0.1), ()):
            assert told("LELV", self.SPLIT, shares) == sentence("LELV", self.SPLIT)

    def test_else_what_the_split_itself_does(self) -> None:
        said = "Entropy below 2 bits, varentropy below what is usual at that entropy."
        assert told("LELV", self.SPLIT, (0.45, 0.3, 0.2)) == said


def test_the_documentation_has_every_word_and_every_figure() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sampling.md").read_text("utf-8")
    for quadrant, kind in KINDS.items():
        strong, weak = (found.text for found in kind.sentences)
        assert f"| {quadrant} | {kind.word} | {strong} | {weak} |" in page
    found = stored(key("smollm2-135m", "0.1.2", "Q4_1"))
    assert found is not None
    assert found.split is not None
    assert f"split at {found.split.entropy} bits" in page
    for quadrant, counted in found.held_out.items():
        share, rate = f"{100 * counted.share:.1f} %", f"{100 * counted.rate:.1f} %"
        assert f"| {quadrant} | {share} | {rate} of {counted.tokens} " in page
