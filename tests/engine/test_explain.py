"""What is said about a token against what the sampler really did."""

import math
import re
from typing import Any

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import step

from entropix_mlx.analysis.explain import ordinal, plain, running_text, why
from entropix_mlx.records.record import REGIONS, TokenRecord
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL
from entropix_mlx.sampling.explanation import Line
from entropix_mlx.sampling.regions import bounds, region_of
from entropix_mlx.sampling.settings import Settings

CALIBRATED = Settings.make("calibrated").bind(PROVISIONAL)
LITERAL = Settings.make("entropixplained").bind(PROVISIONAL)


def token(**fields: Any) -> TokenRecord:
    values: dict[str, Any] = {
        "index": 5,
        "parent": 4,
        "id": 7,
        "text": " Paris",
        "bytes": b" Paris".hex(),
        "logprob": -0.05,
        "rank": 0,
        "entropy": 0.05,
        "varentropy": 0.02,
        "attn_entropy": 2.5,
        "attn_varentropy": 0.75,
        "agreement": 0.625,
        "interaction_strength": 0.8,
        "quadrant": "LELV",
        "region": "LELV",
        "strategy": "greedy",
        "candidates": [(7, " Paris", -0.05, 1.0)],
    }
    return TokenRecord(**(values | fields))


def decided(
    of: Settings, measured: tuple[float, ...], means: tuple[float, ...], attention: bool, keys: int
) -> TokenRecord:
    """The record of a token that the sampler's own functions ruled on."""
    outcome = step(of, PROVISIONAL, means, keys, attention=attention)
    draw = outcome.params
    random = REGIONS[outcome.region.item()] != "LELV"
    own: list[Any] = mx.array(measured).tolist()
    fields = dict(zip(METRICS, own if attention else [*own[:2], *[None] * 4], strict=True))
    return token(
        region=REGIONS[outcome.region.item()],
        strategy=list(of.strategies)[outcome.strategy.item()],
        temperature=draw.temperature.item() if random else None,
        top_k=int(draw.top_k.item()) if random else None,
        top_p=draw.top_p.item() if random else None,
        min_p=draw.min_p.item() if random else None,
        **fields,
    )


def own_region(record: TokenRecord, of: Settings) -> str:
    assert record.entropy is not None
    assert record.varentropy is not None
    return region_of(record.entropy, record.varentropy, bounds(of.to_dict()))


STRATEGIES = {
    "LELV": "greedy",
    "HELV": "clarify",
    "LEHV": "explore",
    "HEHV": "resample",
    "MID": "adaptive",
}


def ruling(record: TokenRecord) -> str:
    assert record.strategy == STRATEGIES[record.region or ""]
    if record.region == "MID":
        return "in none of the sampler's four corners: adaptive"
    return f"in the sampler's corner for {record.strategy}"


def said(lines: list[Line], kind: str) -> str:
    return "\n".join(line.text for line in lines if line.kind == kind)


def inequalities(text: str) -> list[tuple[float, str, float]]:
    found = re.findall(r"([\d.]+) ([<>=]) ([\d.]+)", text)
    return [(float(a), sign, float(b)) for a, sign, b in found]


def holds(a: float, sign: str, b: float) -> bool:
    return {"<": a < b, ">": a > b, "=": a == b}[sign]


def metrics_near(draw: st.DrawFn, of: Settings) -> tuple[float, ...]:
    """Random metrics, at times exactly on a threshold as float32 has it."""
    h = [getattr(of, f"{c}_entropy") for c in ("lelv", "helv", "lehv", "hehv")]
    v = [getattr(of, f"{c}_varentropy") for c in ("lelv", "helv", "lehv", "hehv")]
    entropy = draw(st.one_of(st.floats(0, 16, width=32), st.sampled_from(h)))
    varentropy = draw(st.one_of(st.floats(0, 40, width=32), st.sampled_from(v)))
    others = [draw(st.floats(0, high, width=32)) for high in (8.0, 4.0, 1.0, 20.0)]
    return (entropy, varentropy, *others)


@st.composite
def samplers(draw: st.DrawFn) -> Settings:
    """Presets with their own thresholds, or with any at all."""
    preset = draw(st.sampled_from(["calibrated", "entropixplained"]))
    overrides = {}
    if draw(st.booleans()):
        overrides = {
            f"{corner}_{metric}": str(draw(st.integers(0, 80)) / 10)
            for corner in ("lelv", "helv", "lehv", "hehv")
            for metric in ("entropy", "varentropy")
        }
    return Settings.make(preset, overrides).bind(PROVISIONAL)


class TestAgainstTheSampler:
    @pytest.mark.slow
    @settings(deadline=None)
    @given(samplers(), st.data(), st.booleans(), st.integers(1, 10_000))
    def test_without_a_past(
        self, of: Settings, data: st.DataObject, attention: bool, keys: int
    ) -> None:
        measured = data.draw(st.composite(metrics_near)(of))
        record = decided(of, measured, measured, attention, keys)
        assert own_region(record, of) == record.region
        lines = why(record, of, keys=keys)
        rule = said(lines, "rule")
        assert ruling(record) in rule
        stated = inequalities(rule + "\n" + said(lines, "check"))
        assert all(holds(*each) for each in stated)
        if record.region != "MID":
            assert len(stated) == 2
        assert "do not explain" not in said(lines, "note")
        if record.temperature is not None and of.preset == "entropixplained":
            left, right = said(lines, "draw").split("\n")[0].removeprefix("T = ").rsplit(" = ", 1)
            value = eval(left.replace("×", "*"), {"min": min, "max": max})
            assert value == pytest.approx(record.temperature, rel=5e-3)
            assert float(right) == pytest.approx(record.temperature, rel=5e-4)

    @pytest.mark.parametrize("level", ["0.3", "0.7", "2.1", "3.3"])
    def test_a_threshold_is_what_float32_makes_of_it(self, level: str) -> None:
        """Equality is the middle, also where the number as typed is a little less."""
        of = Settings.make("entropixplained", {"helv_entropy": level})
        record = decided(of, *[(float(level), 0.0, 0.0, 0.0, 0.0, 0.0)] * 2, False, 1)
        assert own_region(record, of) == record.region == "MID"

    @pytest.mark.slow
    @settings(deadline=None)
    @given(st.sampled_from(["calibrated", "entropixplained"]), st.data(), st.booleans())
    def test_with_a_past_no_threshold_is_claimed(
        self, preset: str, data: st.DataObject, attention: bool
    ) -> None:
        of = Settings.make(preset, {"rolling": "0.5"}).bind(PROVISIONAL)
        measured = data.draw(st.composite(metrics_near)(of))
        means = data.draw(st.composite(metrics_near)(of))
        record = decided(of, measured, means, attention, 100)
        lines = why(record, of, keys=100)
        rule = said(lines, "rule")
        assert rule == f"{ruling(record)} (the past counted)"
        alone = said(lines, "check")
        own = own_region(record, of)
        same = own == record.region
        assert f"would be {'the same' if same else STRATEGIES[own]}: " in alone
        assert all(holds(*each) for each in inequalities(alone))
        assert "do not explain" not in said(lines, "note")


class TestRules:
    def test_a_corner_names_its_two_thresholds(self) -> None:
        record = token(entropy=4.52, varentropy=3.1, region="HELV", strategy="clarify")
        (_, rule, *_) = why(record, CALIBRATED)
        assert rule == Line(
            "rule",
            "entropy 4.52 > 4.00 and varentropy 3.10 < 6.00: in the sampler's corner for clarify",
        )

    @pytest.mark.parametrize(
        ("h", "v", "band"),
        [
            (3.3, 0.5, "entropy 3.30 within its band 1.50 to 4.00"),
            (1.2, 4.5, "entropy 1.20 < 1.50, but varentropy 4.50 within its band 3.00 to 6.00"),
            (4.4, 6.0, "entropy 4.40 > 4.00, but varentropy 6.00 within its band 6.00 to 10.00"),
        ],
    )
    def test_the_middle_names_the_band_that_was_not_left(
        self, h: float, v: float, band: str
    ) -> None:
        record = token(entropy=h, varentropy=v, region="MID", strategy="adaptive")
        assert said(why(record, CALIBRATED), "check") == band

    def test_the_middle_between_unequal_bands(self) -> None:
        record = token(entropy=3.3, varentropy=0.9, region="MID", strategy="adaptive")
        assert said(why(record, LITERAL), "check").split("\n") == [
            "not greedy: entropy 3.30 > 0.10",
            "not clarify: varentropy 0.90 > 0.10",
            "not explore: varentropy 0.90 < 5.00",
            "not resample: entropy 3.30 < 5.00",
        ]

    def test_numbers_that_differ_look_different(self) -> None:
        record = token(entropy=4.0001, varentropy=3.0, region="HELV", strategy="clarify")
        assert "entropy 4.0001 > 4.0000" in said(why(record, CALIBRATED), "rule")

    def test_settings_that_do_not_fit_are_not_made_to(self) -> None:
        record = token(region="HEHV", strategy="resample", temperature=9.0)
        lines = why(record, CALIBRATED)
        assert said(lines, "rule") == "in the sampler's corner for resample"
        assert said(lines, "note").count("these settings do not explain it") == 2
        assert said(lines, "draw").startswith("T 9")

    def test_unknown_settings_and_thresholds(self) -> None:
        record = token()
        assert "unknown" in said(why(record, None), "rule")
        unbound = Settings.make("calibrated")
        told = "in the sampler's corner for greedy (the thresholds are not known)"
        assert said(why(record, unbound), "rule") == told

    @pytest.mark.parametrize(
        ("preset", "rule"),
        [
            ("greedy", "no thresholds: greedy, always the most likely token"),
            ("temperature", "no thresholds: temperature sampling"),
        ],
    )
    def test_baselines(self, preset: str, rule: str) -> None:
        of = Settings.make(preset).bind(PROVISIONAL)
        drawn: dict[str, Any] = {}
        if preset == "temperature":
            drawn = {
                "strategy": "sample",
                "temperature": 0.7,
                "top_k": 0,
                "top_p": 1.0,
                "min_p": 0.0,
            }
        lines = why(token(**drawn), of)
        assert said(lines, "rule") == rule
        if drawn:
            draw = said(lines, "draw")
            assert draw == "T 0.7, as set\ntop-k off, top-p off, min-p off"

    def test_forced_tokens_say_what_forced_them(self) -> None:
        helv = {"entropy": 4.52, "varentropy": 3.1, "region": "HELV", "strategy": "clarify"}
        begun = said(why(token(forced="clarify", **helv), CALIBRATED), "rule")
        assert begun.startswith("inserted to clarify, not drawn\nentropy 4.52 > 4.00")
        later = why(token(forced="clarify", strategy="clarify", region="LELV"), CALIBRATED)
        assert "goes on" in said(later, "rule").split("\n")[0]
        yours = why(token(forced="user", **helv), CALIBRATED)
        assert said(yours, "plain").endswith("Put there by you, not drawn: Paris, 1st.")
        assert said(yours, "rule").startswith("the sampler would have gone by this:\nentropy 4.52")
        assert not said(yours, "draw")
        assert "as drawn" not in said(yours, "chosen")

    @pytest.mark.parametrize(
        ("clarify", "text"),
        [
            ("guide", "just been inserted"),
            ("off", "nothing inserted (clarify=off)"),
            ("insert", "between words only, once a sentence at most"),
            ("ask", "where a sentence begins only, once at most"),
        ],
    )
    def test_clarify_without_an_insertion(self, clarify: str, text: str) -> None:
        of = Settings.make("calibrated", {"clarify": clarify}).bind(PROVISIONAL)
        record = token(entropy=4.5, varentropy=3.1, region="HELV", strategy="clarify")
        assert text in said(why(record, of), "note")

    def test_prompt_tokens(self) -> None:
        read = token(strategy=None, region="MID")
        assert said(why(read, CALIBRATED), "plain") == "95 % sure of Paris. Read, not drawn."
        assert not said(why(read, CALIBRATED), "rule")
        first = token(
            strategy=None, region=None, entropy=None, rank=None, logprob=None, candidates=[]
        )
        text = "Read, with nothing before it: no distribution to judge it by."
        assert why(first, None) == [Line("plain", text)]


TWO = [(1, "To", math.log(0.6), 0.7), (2, "The", math.log(0.1), 0.1)]


class TestThePlainLine:
    """The figures are those of the raw distribution."""

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"id": 1, "temperature": 0.857}, "Drawn by explore, T 0.86."),
            ({"id": 1, "temperature": 1.5}, "Drawn by explore, T 1.5."),
            ({"id": 2, "rank": 1, "temperature": 0.7}, "Drawn by explore, T 0.7: The, 2nd."),
            (
                {"id": 9, "rank": 2, "temperature": 0.7, "p": 0.04, "text": " A"},
                "Drawn by explore, T 0.7: A, 3rd, 4 %.",
            ),
            (
                {"id": 9, "rank": 4045, "temperature": 2.0, "p": 0.0000321, "text": "Ab"},
                "Drawn by explore, T 2: Ab, 4,046th, 0.003 %.",
            ),
            ({"id": 1, "strategy": "greedy"}, "Taken by greedy, without chance."),
            (
                {"id": 2, "rank": 1, "strategy": "greedy"},
                "Taken by greedy, without chance: The, 2nd.",
            ),
            ({"id": 1, "forced": "user"}, "Put there by you, not drawn: To, 1st."),
            (
                {"id": 9, "rank": 7, "p": 0.004, "text": "So", "forced": "clarify"},
                "Put there to clarify, not drawn: So, 8th, 0.4 %.",
            ),
            ({"id": 2, "rank": 1, "forced": "exit"}, "Put there (exit), not drawn: The, 2nd."),
            ({"id": 1, "strategy": None}, "Read, not drawn."),
            (
                {"id": 9, "rank": 2, "strategy": None, "p": 0.04, "text": "banana"},
                "Read, not drawn: banana, 3rd, 4 %.",
            ),
        ],
    )
    def test_how_sure_and_what_came(self, fields: dict[str, Any], text: str) -> None:
        p = fields.pop("p", None)
        more: list[Any] = []
        if p is not None:
            more = [(9, fields["text"], math.log(p), 0.1)]
            fields["logprob"] = math.log(p)
        given = {"strategy": "explore", "candidates": TWO + more, "logprob": math.log(0.6)}
        record = token(**{**given, **fields})
        assert plain(record) == f"60 % sure of To; then The 10 %. {text}"
        for settings_ in (CALIBRATED, None):
            first, *rest = why(record, settings_)
            assert first == Line("plain", plain(record))
            assert "plain" not in {kind for kind, _ in rest}

    @pytest.mark.parametrize(
        ("texts", "said_"),
        [
            ((" To", "To"), "of “ To”; then “To” 10 %."),
            (("1", "9"), "of “1”; then “9” 10 %."),
            ((",", "."), "of “,”; then “.” 10 %."),
            ((" To", ","), "of “ To”; then “,” 10 %."),
            (("\n", "\x1b[31m"), "of “↵”; then “‹1B›[31m” 10 %."),
            (("漢", "字"), "of 漢; then 字 10 %."),
            ((" of", " city"), "of “ of”; then “ city” 10 %."),
            ((" To", " then"), "of “ To”; then “ then” 10 %."),
        ],
    )
    def test_tokens_that_are_no_words_are_quoted(self, texts: tuple[str, str], said_: str) -> None:
        both = [(n, text, TWO[n][2], 0.1) for n, text in enumerate(texts)]
        assert said_ in plain(token(id=0, text=texts[0], candidates=both))

    def test_what_comes_far_behind_those_recorded_is_no_second(self) -> None:
        far = [TWO[0], (9, "banana", math.log(1e-7), 0.0)]
        given: dict[str, Any] = {"id": 9, "text": "banana", "rank": 40, "candidates": far}
        read = token(logprob=math.log(1e-7), strategy=None, **given)
        assert plain(read) == "60 % sure of To. Read, not drawn: banana, 41st, under 0.0001 %."

    def test_what_little_is_known_is_said(self) -> None:
        drawn = token(candidates=[], temperature=0.7, strategy="sample")
        assert plain(drawn) == "Drawn by sample, T 0.7."
        other = token(candidates=[], temperature=0.7, strategy="sample", rank=5)
        assert plain(other) == "Drawn by sample, T 0.7: Paris, 6th, 95 %."

    def test_certain_is_never_said(self) -> None:
        """Not of a float32 that was rounded to 0 nats, nor in one line other than in another."""
        record = token(id=1, logprob=-0.0, candidates=[(1, " Paris", -0.0, 1.0)])
        lines = why(record, CALIBRATED)
        assert plain(record).startswith("Over 99 % sure of Paris")
        assert said(lines, "chosen") == "rank 1, p over 99.9 %, as drawn 100 %"
        half = token(logprob=math.log(0.995), candidates=[(1, " Paris", math.log(0.995), 1.0)])
        assert plain(half).startswith("Over 99 % sure of Paris")

    def test_places(self) -> None:
        places = (1, 2, 3, 4, 11, 12, 13, 21, 112, 1203)
        assert [ordinal(n) for n in places] == (
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th", "1,203rd"]
        )

    def test_a_ban_is_not_called_the_most_likely(self) -> None:
        record = token(rank=1, id=2, candidates=TWO)
        greedy = Settings.make("greedy").bind(PROVISIONAL)
        assert said(why(record, greedy), "draw") == (
            "no randomness: the most likely token that could follow"
        )


class TestDraws:
    def test_the_guides_numbers_are_filled_in(self) -> None:
        record = token(
            entropy=2.1,
            varentropy=5.5,
            region="LEHV",
            strategy="explore",
            temperature=1.44,
            top_k=34,
            top_p=0.9,
            min_p=0.03,
        )
        assert said(why(record, LITERAL), "draw").split("\n") == [
            "T = min(1.5, 1 × (1.2 + 0.3 × 0.8)) = 1.44",
            "top-k 34 (from 27), top-p 0.9, min-p 0.03",
        ]

    def test_scaled_metrics_stay_symbols(self) -> None:
        record = token(
            entropy=1.0, varentropy=9.0, region="LEHV", strategy="explore", temperature=0.95
        )
        lines = why(record, CALIBRATED)
        assert said(lines, "draw") == "T = min(1.5, 0.7 × (1.2 + 0.3 × I)) = 0.95"
        assert "interaction scaled to 0..1 by the model's calibration" in said(lines, "note")

    def test_a_cap_that_took_effect_is_named(self) -> None:
        record = token(
            entropy=5.0, varentropy=12.0, region="HEHV", strategy="resample", temperature=1.5
        )
        lines = why(record, CALIBRATED)
        draws = "the most likely of 12 draws"
        assert said(lines, "draw") == f"T = 0.7 × (2 + 0.5 × B) → 1.5\n{draws}"
        once = Settings.make("calibrated", {"resamples": "1"}).bind(PROVISIONAL)
        assert draws not in said(why(record, once), "draw")
        assert "T is at its cap, 1.5" in said(lines, "note")

    def test_the_guides_agreement_needs_the_number_of_keys(self) -> None:
        record = token(
            entropy=3.3, varentropy=0.9, region="MID", strategy="adaptive", temperature=2.9099
        )
        assert "0.2 × G) = 2.91" in said(why(record, LITERAL), "draw")
        assert "0.2 × 0.0075) = 2.91" in said(why(record, LITERAL, keys=100), "draw")

    def test_the_chosen_token(self) -> None:
        record = token(logprob=-2.0, rank=3, strategy="adaptive", candidates=[(7, "x", -2.0, 0.25)])
        assert said(why(record, None), "chosen") == "rank 4, p 13.5 %, as drawn 25 %"


class TestRunningText:
    def test_as_the_guide_has_it(self) -> None:
        assert running_text("The capital of France is", " Paris", token()) == (
            '"The capital of France is" → " Paris"  H 0.05 bits, V 0.02 bits² → greedy'
        )

    def test_only_the_last_words_of_a_long_text(self) -> None:
        text = "one two three four five six seven eight nine ten "
        assert running_text(text, "x", token(), words=3).startswith('"… eight nine ten " → "x"')

    @pytest.mark.parametrize("before", ["", " \n ", "x" * 2000, "a " * 5000])
    def test_any_text(self, before: str) -> None:
        assert len(running_text(before, "x", token())) < 200

    def test_what_was_not_drawn(self) -> None:
        assert running_text("a", "b", token(forced="user")).endswith("→ inserted (user)")
        read = token(strategy=None, entropy=None)
        assert running_text("a", "b", read) == '"a" → "b"'
