"""The guide's formulas against a second implementation in plain Python (float64)."""

import re
from collections.abc import Mapping
from pathlib import Path

import mlx.core as mx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import scalars, step

from entropix_mlx.records.record import REGIONS
from entropix_mlx.sampling import draw, rules
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL, Band, Calibration
from entropix_mlx.sampling.settings import Settings

CALIBRATION = Calibration(
    model="made-up",
    revision="1",
    quantization="Q4_1",
    entropy=Band(1.25, 2.5, 3.75),
    varentropy={"low": Band(2.0, 4.0, 6.0), "high": Band(5.0, 7.5, 10.0)},
    ranges={
        "entropy": (0.25, 5.75),
        "varentropy": (0.5, 16.0),
        "attn_entropy": (1.5, 3.5),
        "attn_varentropy": (0.25, 1.75),
        "agreement": (0.4, 0.7),
        "interaction_strength": (2.5, 7.0),
    },
    valley_delta=0.4,
)

Metrics = tuple[float, float, float, float, float, float]
"""In the order of METRICS."""


def rounded(x: float) -> float:
    """A number that float32 holds exactly, so that both sides see the same thresholds."""
    return float(mx.array(x, mx.float32).item())


# The second implementation: entropix.md, sections 1 and 3 ---------------------------------


def region_of(h: float, v: float, t: Mapping[str, float]) -> str:
    if h < t["lelv_entropy"] and v < t["lelv_varentropy"]:
        return "LELV"
    if h > t["helv_entropy"] and v < t["helv_varentropy"]:
        return "HELV"
    if h < t["lehv_entropy"] and v > t["lehv_varentropy"]:
        return "LEHV"
    if h > t["hehv_entropy"] and v > t["hehv_varentropy"]:
        return "HEHV"
    return "MID"


def clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def guide(region: str, metrics: Metrics, keys: int, *, attention: bool) -> dict[str, float]:
    """Preset `entropixplained`: raw metrics, the literal agreement, T0 1.0."""
    h, v, ah, av, agreement, interaction = metrics
    raw = 2 * (1 - agreement) / keys
    if not attention:
        ah = av = raw = interaction = 0.0
    t0, p0, k0, m0 = 1.0, 0.9, 27, 0.03
    draw = {"temperature": t0, "top_k": k0, "top_p": p0, "min_p": m0}
    if region == "HELV":
        draw["temperature"] = min(1.5, t0 * (1.3 + 0.2 * ah))
    elif region == "LEHV":
        draw["temperature"] = min(1.5, t0 * (1.2 + 0.3 * interaction))
        draw["top_k"] = max(5, round(k0 * (1 + 0.5 * (1 - raw)))) if attention else k0
    elif region == "HEHV":
        draw["temperature"] = max(2.0, t0 * (2.0 + 0.5 * av))
        draw["top_p"] = max(0.5, p0 - 0.2 * ah)
    elif region == "MID":
        draw["temperature"] = t0 * (1 + 0.3 * (h + v) + 0.2 * (ah + av) - 0.2 * raw)
        draw["top_p"] = clip(p0 * (1 + 0.1 * av), 0.1, 1)
        draw["top_k"] = clip(round(k0 * (1 + 0.3 * interaction - 0.2 * raw)), 1, 100)
        draw["min_p"] = clip(m0 * (1 - 0.5 * (h + v)), 0.01, 0.5)
    return draw


def calibrated(
    region: str, metrics: Metrics, ranges: Mapping[str, tuple[float, float]], *, attention: bool
) -> dict[str, float]:
    """Preset `calibrated`: every metric but agreement on its range; T0 0.7, T in 0.3..1.5."""
    scaled = {
        name: clip((x - ranges[name][0]) / (ranges[name][1] - ranges[name][0]), 0, 1)
        for name, x in zip(METRICS, metrics, strict=True)
    }
    h, v = scaled["entropy"], scaled["varentropy"]
    ah, av = scaled["attn_entropy"], scaled["attn_varentropy"]
    interaction, agreement = scaled["interaction_strength"], metrics[4]
    if not attention:
        ah = av = agreement = interaction = 0.0
    t0, p0, k0, m0 = 0.7, 0.9, 27, 0.03
    temperature, top_k, top_p, min_p = t0, float(k0), p0, m0
    if region == "HELV":
        temperature = min(1.5, t0 * (1.3 + 0.2 * ah))
    elif region == "LEHV":
        temperature = min(1.5, t0 * (1.2 + 0.3 * interaction))
        top_k = max(5, round(k0 * (1 + 0.5 * (1 - agreement)))) if attention else k0
    elif region == "HEHV":
        temperature = t0 * (2.0 + 0.5 * av)
        top_p = max(0.5, p0 - 0.2 * ah)
    elif region == "MID":
        temperature = t0 * (1 + 0.3 * (h + v) + 0.2 * (ah + av) - 0.2 * agreement)
        top_p = clip(p0 * (1 + 0.1 * av), 0.1, 1)
        top_k = clip(round(k0 * (1 + 0.3 * interaction - 0.2 * agreement)), 1, 100)
        min_p = clip(m0 * (1 - 0.5 * (h + v)), 0.01, 0.5)
    temperature = clip(temperature, 0.3, 1.5)
    return {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}


# -----------------------------------------------------------------------------------------


def ours(
    settings: Settings, metrics: Metrics, keys: int = 100, *, attention: bool = True
) -> tuple[str, str, dict[str, float]]:
    bound = settings.bind(CALIBRATION)
    outcome = step(bound, CALIBRATION, metrics, keys, attention=attention)
    found = {name: value.item() for name, value in outcome.params._asdict().items()}
    strategy = list(bound.strategies)[outcome.strategy.item()]
    return REGIONS[outcome.region.item()], strategy, found


def same(found: dict[str, float], expected: dict[str, float]) -> None:
    """Equal, but for a rounding that float32 may put on the other side of a half."""
    for name in ("temperature", "top_p", "min_p"):
        assert found[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-6), name
    assert abs(found["top_k"] - expected["top_k"]) <= 1
    assert found["top_k"] == int(found["top_k"])


EXPECTED = dict(zip(REGIONS, ("greedy", "clarify", "explore", "resample", "adaptive"), strict=True))

anything = st.tuples(*(st.floats(0, high, width=32) for high in (16.0, 40.0, 8.0, 4.0, 1.0, 20.0)))
keys = st.integers(1, 100_000)


class TestWorkedCases:
    """Those that the guide shows; they imply T0 = 1."""

    @pytest.mark.parametrize(
        ("metrics", "strategy", "temperature"),
        [
            ((0.05, 0.02, 0.3, 0.1, 0.9, 0.5), "greedy", None),
            ((3.5, 0.08, 1.0, 0.2, 0.5, 0.6), "clarify", 1.5),
            ((2.1, 5.5, 0.6, 0.3, 0.7, 0.8), "explore", 1.44),
            ((5.5, 5.2, 0.9, 0.9, 0.3, 0.7), "resample", 2.45),
        ],
    )
    def test_case(self, metrics: Metrics, strategy: str, temperature: float | None) -> None:
        _, found, draw = ours(Settings.make("entropixplained"), metrics)
        assert found == strategy
        if temperature is not None:
            assert draw["temperature"] == pytest.approx(temperature, abs=1e-6)


class TestRegions:
    THRESHOLDS = ("lelv", "helv", "lehv", "hehv")

    @given(st.floats(0, 8, width=32), st.floats(0, 8, width=32), st.data())
    def test_they_are_the_guides_conditions(self, h: float, v: float, data: st.DataObject) -> None:
        """Any thresholds, overlapping ones too: strict, in the table's order."""
        bounds = {
            f"{corner}_{metric}": data.draw(st.integers(0, 16)) / 2
            for corner in self.THRESHOLDS
            for metric in ("entropy", "varentropy")
        }
        near = data.draw(st.sampled_from([h, bounds["helv_entropy"], bounds["lehv_entropy"]]))
        settings = Settings.make("entropixplained", {k: str(x) for k, x in bounds.items()})
        p = scalars(settings, CALIBRATION)
        region = draw.region(mx.array(near), mx.array(v), p)
        assert REGIONS[region.item()] == region_of(near, v, bounds)

    @pytest.mark.parametrize(
        ("h", "v"), [(0.1, 0.05), (0.05, 0.1), (3.0, 0.05), (4.0, 0.1), (5.0, 9.0), (1.0, 5.0)]
    )
    def test_equality_is_the_middle(self, h: float, v: float) -> None:
        region, strategy, _ = ours(Settings.make("entropixplained"), (h, v, 1, 1, 0.5, 1))
        assert (region, strategy) == ("MID", "adaptive")

    def test_thresholds_come_from_the_calibration(self) -> None:
        """The varentropy band of the side that the entropy is on."""
        settings = Settings.make("calibrated")
        points = {
            (1.0, 1.5): "LELV",
            (1.0, 3.0): "MID",
            (1.0, 6.5): "LEHV",
            (4.0, 4.5): "HELV",
            (4.0, 6.5): "MID",
            (4.0, 11.0): "HEHV",
            (2.5, 0.0): "MID",
            (2.5, 30.0): "MID",
        }
        for (h, v), expected in points.items():
            assert ours(settings, (h, v, 2, 1, 0.5, 4))[0] == expected

    def test_an_override_beats_the_calibration(self) -> None:
        settings = Settings.make("calibrated", {"lelv_entropy": "0.5"})
        assert ours(settings, (1.0, 1.5, 2, 1, 0.5, 4))[0] == "MID"
        assert ours(settings, (0.25, 1.5, 2, 1, 0.5, 4))[0] == "LELV"


class TestDocumentation:
    PAGE = Path(__file__).parents[2] / "docs" / "sampling.md"

    def test_the_page_has_every_formula(self) -> None:
        page = " ".join(self.PAGE.read_text().split())
        for region, strategy in rules.STRATEGY_OF.items():
            assert f"| {region} | {strategy} |" in page
            for setting, formula in rules.documented(strategy):
                text = formula if setting == "temperature" else f"{setting} = {formula}"
                assert f"`{text}`" in page

    def test_a_formula_as_it_is_written_is_what_is_computed(self) -> None:
        """Read as arithmetic, with values for its names."""
        metrics = (2.0, 3.0, 1.5, 0.5, 0.75, 1.25)
        names = dict(zip(("H", "V", *METRICS[2:5], "interaction"), metrics, strict=True))
        names |= {"T0": 0.8, "k0": 20, "p0": 0.8, "m0": 0.1, "floor": 0.5}
        names |= {"max": max, "min": min, "round": round, "clip": clip}  # type: ignore[dict-item]
        base = {"temperature": "0.8", "top_k": "20", "top_p": "0.8", "min_p": "0.1"}
        base |= {"resample_floor": "0.5"}
        for corner, strategy in list(rules.STRATEGY_OF.items())[1:]:
            levels = {f"{c}_entropy": "0" if c[0] == "l" else "999" for c in TestRegions.THRESHOLDS}
            if corner != "MID":
                levels[f"{corner.lower()}_entropy"] = "0" if corner[0] == "H" else "999"
                levels[f"{corner.lower()}_varentropy"] = "0" if corner[2] == "H" else "999"
            settings = Settings.make("entropixplained", base | levels)
            region, found, draw = ours(settings, metrics, 2)
            assert (region, found) == (corner, strategy)
            for setting, formula in rules.documented(strategy):
                text = re.sub(r"(?<=[0-9a-z)]) (?=\()|(?<=[0-9]) (?=[a-zA-Z(])", "*", formula)
                literal = names | {"agreement": 2 * (1 - 0.75) / 2}
                assert draw[setting] == pytest.approx(eval(text, {}, literal), rel=1e-5), formula


class TestFormulas:
    @given(anything, keys, st.booleans())
    def test_entropixplained(self, metrics: Metrics, keys: int, attention: bool) -> None:
        settings = Settings.make("entropixplained")
        thresholds = {k: rounded(v) for k, v in settings.to_dict().items() if "entropy" in k}
        region, strategy, draw = ours(settings, metrics, keys, attention=attention)
        assert region == region_of(metrics[0], metrics[1], thresholds)
        assert strategy == EXPECTED[region]
        if region != "LELV":
            same(draw, guide(region, metrics, keys, attention=attention))

    @given(anything, keys, st.booleans())
    def test_calibrated(self, metrics: Metrics, keys: int, attention: bool) -> None:
        settings = Settings.make("calibrated")
        bands = CALIBRATION.varentropy
        thresholds = {
            "lelv_entropy": CALIBRATION.entropy.low,
            "lelv_varentropy": bands["low"].low,
            "helv_entropy": CALIBRATION.entropy.high,
            "helv_varentropy": bands["high"].low,
            "lehv_entropy": CALIBRATION.entropy.low,
            "lehv_varentropy": bands["low"].high,
            "hehv_entropy": CALIBRATION.entropy.high,
            "hehv_varentropy": bands["high"].high,
        }
        region, strategy, draw = ours(settings, metrics, keys, attention=attention)
        assert region == region_of(metrics[0], metrics[1], thresholds)
        assert strategy == EXPECTED[region]
        if region != "LELV":
            same(draw, calibrated(region, metrics, CALIBRATION.ranges, attention=attention))

    @pytest.mark.parametrize(("h", "v"), [(4.0, 4.5), (1.0, 6.5), (4.0, 11.0), (2.5, 5.0)])
    @pytest.mark.parametrize("preset", ["calibrated", "entropixplained"])
    def test_rounding_of_top_k(self, preset: str, h: float, v: float) -> None:
        """Exactly, where nothing lies near a half."""
        metrics = (h, v, 2.0, 1.0, 0.25, 3.0)
        region, _, draw = ours(Settings.make(preset), metrics, 50)
        if preset == "calibrated":
            expected = calibrated(region, metrics, CALIBRATION.ranges, attention=True)
        else:
            expected = guide(region, metrics, 50, attention=True)
        assert draw["top_k"] == expected["top_k"]

    def test_the_literal_agreement_shrinks_with_the_keys(self) -> None:
        """Where it has any weight: with few keys."""
        settings = Settings.make("entropixplained")
        metrics = (2.0, 6.0, 1.0, 0.5, 0.0, 0.1)
        few, many = (ours(settings, metrics, keys)[2]["top_k"] for keys in (2, 10_000))
        assert (few, many) == (27, 40)

    @pytest.mark.parametrize("preset", ["calibrated", "entropixplained"])
    def test_without_attention_its_terms_are_gone(self, preset: str) -> None:
        one, other = (
            ours(Settings.make(preset), (h, v, *rest), attention=False)
            for h, v, *rest in ((2.0, 3.0, 0, 0, 0, 0), (2.0, 3.0, 9, 9, 1, 9))
        )
        assert one == other

    def test_every_base_can_be_set(self) -> None:
        settings = Settings.make(
            "entropixplained",
            {"temperature": "0.5", "top_p": "0.6", "top_k": "10", "min_p": "0.2"},
        )
        _, strategy, draw = ours(settings, (4.0, 0.05, 0.5, 0, 1, 0))
        assert strategy == "clarify"
        same(draw, {"temperature": 0.5 * 1.4, "top_p": 0.6, "top_k": 10, "min_p": 0.2})
        hot = ours(settings, (5.5, 5.2, 0.5, 0.5, 1, 0))[2]
        assert hot["temperature"] == 2.0  # the guide's floor when resampling

    def test_bounds_of_the_temperature_can_be_set(self) -> None:
        settings = Settings.make(
            "calibrated", {"min_temperature": "0.9", "max_temperature": "0.95"}
        )
        found = [
            ours(settings, (h, v, 2, 1, 0.5, 4))[2]["temperature"]
            for h, v in ((1, 1), (4, 11), (2.5, 5))
        ]
        assert all(0.9 - 1e-6 <= t <= 0.95 + 1e-6 for t in found)

    def test_a_flat_range_divides_by_nothing(self) -> None:
        flat = msgspec.structs.replace(CALIBRATION, ranges=dict.fromkeys(METRICS, (1.0, 1.0)))
        settings = Settings.make("calibrated").bind(flat)
        for calibration in (flat, PROVISIONAL):
            values = scalars(settings, calibration).values()
            assert all(mx.all(mx.isfinite(value)).item() for value in values)
