"""Fitting: against NumPy and plain counting, on distributions made up in float64."""

import math
from statistics import median

import msgspec
import numpy as np
import pytest
from traces import token

from entropix_mlx.records.quadrants import KINDS, QUADRANTS, QuadrantSplit, quadrant_of
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.calibration import PROVISIONAL, parse
from entropix_mlx.sampling.fit import fit, fit_split, measured, usual_knots

Run = list[TokenRecord]


def records(seed: int, runs: int = 8, tokens: int = 60) -> list[Run]:
    """Runs over distributions of 200 tokens, from steep to even, some with a long tail."""
    rng = np.random.default_rng(seed)

    def one(index: int) -> TokenRecord:
        logits = rng.normal(0, rng.uniform(1.5, 5), 200)
        logits[: rng.integers(1, 4)] += rng.uniform(0, 9)
        p = np.exp(logits - logits.max())
        p /= p.sum()
        entropy = float(-(p * np.log2(p)).sum())
        ids = np.argsort(-p)[:8]
        return token(
            index,
            entropy=entropy,
            varentropy=float((p * (np.log2(p) + entropy) ** 2).sum()),
            attn_entropy=rng.uniform(1, 3),
            candidates=[(int(i), "", float(np.log(p[i])), 0.0) for i in rng.permutation(ids)],
        )

    return [[one(n) for n in range(tokens)] for _ in range(runs)]


RUNS, HELD_OUT = records(1), records(2)


def likely(record: TokenRecord) -> list[float]:
    """The three greatest probabilities."""
    return sorted((math.exp(logprob) for _, _, logprob, _ in record.candidates), reverse=True)[:3]


def flat(runs: list[Run]) -> Run:
    return [record for run in runs for record in run]


def rates(split: QuadrantSplit, run: Run, level: int = 0) -> list[tuple[int, int]]:
    """Of each quadrant, how many tokens it has, and for how many of them its sentence holds."""
    found: dict[str | None, list[bool]] = {quadrant: [] for quadrant in QUADRANTS}
    for r in run:
        quadrant = quadrant_of(r.entropy or 0, r.varentropy or 0, split)
        assert quadrant is not None
        found[quadrant].append(bool(KINDS[quadrant].sentences[level].holds(*likely(r))))
    return [(len(holds), sum(holds)) for holds in found.values()]


def test_what_is_usual_are_medians_of_bins() -> None:
    run = sorted(flat(RUNS), key=lambda r: r.entropy or 0)
    h = np.array([r.entropy for r in run])
    v = np.array([r.varentropy for r in run])
    knots = usual_knots(h, v)
    assert len(knots) == 12
    size = len(run) // 12
    for n, (at, usual) in enumerate(knots):
        part = run[n * size : (n + 1) * size]
        assert at == pytest.approx(median(r.entropy or 0 for r in part), abs=5.1e-5)
        assert usual == pytest.approx(median(r.varentropy or 0 for r in part), abs=5.1e-5)
    shuffled = np.random.default_rng(0).permutation(len(run))
    assert usual_knots(h[shuffled], v[shuffled]) == knots


def test_few_and_equal_tokens_make_few_knots() -> None:
    assert usual_knots(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == ((1.0, 3.0), (2.0, 4.0))
    assert len(usual_knots(np.full(100, 1.5), np.linspace(0, 9, 100))) == 1


@pytest.mark.slow
def test_entropy_is_split_where_the_worst_sentence_holds_best() -> None:
    split, run = fit_split(RUNS), flat(RUNS)
    entropies = sorted(r.entropy or 0 for r in run)

    def score(place: int) -> tuple[float, float]:
        tried = msgspec.structs.replace(split, entropy=place / 100)
        counted = rates(tried, run)
        worst = min(holds / count if count else 0.0 for count, holds in counted)
        agree = sum(((r.entropy or 0) >= place / 100) == (likely(r)[0] < 0.5) for r in run)
        return worst, agree / len(run)

    places = range(int(entropies[12] * 100), int(entropies[-12] * 100))
    best = max(score(place) for place in places)
    assert split.entropy is not None
    found = score(round(split.entropy * 100))
    assert found == pytest.approx(best, abs=1e-9)
    assert found[0] > 0.8
    assert round(split.entropy * 100) in places


def test_what_holds_is_counted_on_the_text_that_was_held_out() -> None:
    split, counted = measured(fit_split(RUNS), HELD_OUT)
    run = flat(HELD_OUT)
    for number, quadrant in enumerate(QUADRANTS):
        ids = [sentence.id for sentence in KINDS[quadrant].sentences]
        level = ids.index(split.sentences[quadrant])
        count, holds = rates(split, run, level)[number]
        found = counted[quadrant]
        assert (found.tokens, found.holds) == (count, holds)
        assert found.share == pytest.approx(count / len(run), abs=5.1e-5)
        assert found.rate == pytest.approx(holds / count, abs=5.1e-5)
        assert holds >= 0.9 * count
        for stronger in range(level):
            count, holds = rates(split, run, stronger)[number]
            assert holds < 0.9 * count, "the strongest that holds is told"


def test_a_weaker_sentence_where_the_strongest_does_not_hold() -> None:
    usual = PROVISIONAL.split
    assert usual is not None
    run = [
        token(n, entropy=h, varentropy=v, candidates=[(i, "", math.log(p), 0.0) for i, p in listed])
        for h, v, listed in (
            (1.0, 1.0, [(1, 0.45), (2, 0.4)]),
            (3.0, 1.0, [(1, 0.6), (2, 0.1)]),
            (1.0, 9.0, [(1, 0.5), (2, 0.3)]),
            (3.0, 15.0, [(1, 0.8), (2, 0.1)]),
        )
        for n in range(5)
    ]
    split, counted = measured(usual, [run])
    assert split.sentences == {q: KINDS[q].sentences[1].id for q in QUADRANTS}
    assert all((found.tokens, found.holds) == (5, 5) for found in counted.values())


def test_a_split_that_does_not_hold_is_refused() -> None:
    split = fit_split(RUNS)
    with pytest.raises(ValueError, match=r"^LELV \(sure\): .* 0 of 0 .*calibrate on more prompts"):
        measured(split, [[record] for record in flat(RUNS) if (record.entropy or 0) > 6])
    low = msgspec.structs.replace(split, entropy=0.3)
    counted = rates(low, flat(HELD_OUT), level=1)
    name, number = next(
        (q, n) for n, q in enumerate(QUADRANTS) if counted[n][1] < 0.9 * counted[n][0]
    )
    count, holds = counted[number]
    with pytest.raises(ValueError, match=rf"^{name} \(\w+\): .* {holds} of {count} ") as caught:
        measured(low, HELD_OUT)
    message = str(caught.value)
    assert f"({100 * holds / count:.1f} %), 90 % are needed" in message
    assert "\n" not in message


def test_the_whole_file() -> None:
    found = fit(RUNS, HELD_OUT, model="m", revision="1", quantization=None, source={"seed": 1})
    assert found.schema == 2
    assert found.split_of("calibrated") == found.split == measured(fit_split(RUNS), HELD_OUT)[0]
    assert sum(counted.tokens for counted in found.held_out.values()) == len(flat(HELD_OUT))
    assert parse(msgspec.json.encode(found), "m") == found
    run = flat(RUNS)
    low, high = np.quantile([r.attn_entropy for r in run], (0.05, 0.95))
    assert found.ranges["attn_entropy"] == pytest.approx((low, high))
    assert found.entropy.mid == pytest.approx(np.median([r.entropy for r in run]))


@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_was_not_measured_keeps_its_provisional_range(missing: float | None) -> None:
    lost = msgspec.structs.replace(RUNS[0][0], attn_varentropy=missing, agreement=missing)
    runs = [[lost, *RUNS[0][1:]], *RUNS[1:]]
    found = fit(runs, HELD_OUT, model="m", revision="1", quantization=None, source={"seed": 1})
    whole = fit(RUNS, HELD_OUT, model="m", revision="1", quantization=None, source={"seed": 1})
    own = PROVISIONAL.ranges
    unknown = {name: own[name] for name in ("attn_varentropy", "agreement")}
    assert found.ranges == whole.ranges | unknown
    assert found.source == {"seed": 1, "provisional ranges": "attn_varentropy, agreement"}
    assert found.split == whole.split
    assert parse(msgspec.json.encode(found), "m") == found


def test_entropies_that_are_no_numbers_are_refused() -> None:
    lost = [[msgspec.structs.replace(record, entropy=math.nan) for record in RUNS[0]]]
    with pytest.raises(ValueError, match=r"^it gives probabilities that are no numbers[^\n]*$"):
        fit(lost, HELD_OUT, model="m", revision=None, quantization=None, source={})


def test_regions_that_are_all_but_empty_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^\w+ holds [\d.]+ % of the held-out tokens; calibrate"):
        fit(RUNS, [RUNS[0][:2]], model="m", revision=None, quantization=None, source={})
