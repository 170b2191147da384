"""Each link against its definition in NumPy (float64), and against those of other libraries."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles import log_softmax

from entropix_mlx.sampling import selection
from entropix_mlx.sampling.chain import links
from entropix_mlx.sampling.link import At
from entropix_mlx.sampling.pool import Pool
from entropix_mlx.sampling.sampler import draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError

Rows = np.ndarray[Any, np.dtype[Any]]


def applied(
    name: str,
    logits: Rows,
    values: Mapping[str, float] = {},
    key: mx.array | None = None,
    state: tuple[mx.array, ...] = (),
    fixed: Any = None,
    ids: Rows | None = None,
) -> Rows:
    """Log-probabilities after a link, -inf where it removed; `ids`: an order, if they have one."""
    link = links()[name]
    declared = {field: f.default for field, f in link.__dataclass_fields__.items()}
    p = {n: mx.array(float({**declared, **values}[n]), mx.float32) for n in link.parameters()}
    key = draw_key(1, 1) if key is None else key
    places = mx.arange(logits.size, dtype=mx.int32) if ids is None else mx.array(ids, mx.int32)
    at = At(places, ids is not None, mx.zeros(6), key, state, fixed, p)
    pool, _ = link.apply(Pool(mx.array(logits.astype(np.float32))), at)
    np.testing.assert_allclose(
        np.array(pool.p), np.exp(normalised(np.array(pool.logits))), atol=logits.size * 2e-7
    )
    return normalised(np.array(pool.logits))


def normalised(logits: Rows) -> Rows:
    with np.errstate(divide="ignore"):
        return np.asarray(log_softmax(logits))


def nucleus(keys: Rows, p: Rows, mass: float) -> Rows:
    """How much is lacking to the mass before each token, in descending order of keys."""
    order = np.argsort(-keys, kind="stable")
    before = np.cumsum(p[order]) - p[order]
    lacking = np.empty(p.size)
    lacking[order] = (mass if mass < 1 else math.inf) - before
    return lacking


def top_h(x: Rows, top_h: float) -> Rows:
    p = np.exp(log_softmax(x))
    order = np.argsort(-x, kind="stable")
    total, weighted = np.cumsum(p[order]), np.cumsum(p[order] * log_softmax(x)[order])
    left = np.empty(p.size)
    most = -top_h * (p * log_softmax(x)).sum() if top_h < 1 else math.inf
    left[order] = most - (np.log(total) - weighted / total)
    left[order[0]] = math.inf
    return left


def min_k(x: Rows, min_k_tau: float) -> Rows:
    ordered = np.sort(x)[::-1]
    span = ordered[0] - ordered[-1] + 1e-8
    falls = (ordered[:-1] - ordered[1:]) / span / np.arange(1, x.size)
    cliff = int(falls.argmax()) + 1 if falls.size else 1
    k = max(cliff, min(math.floor(min_k_tau / span), x.size))
    return np.where(x >= ordered[k - 1], 1.0, -1.0)


def typical(x: Rows, typical_p: float) -> Rows:
    log_p = log_softmax(x)
    p = np.exp(log_p)
    gap = np.abs(-log_p + (p * log_p).sum())
    lacking = nucleus(-gap, p, typical_p)
    # Which of two gaps is the smaller is not sure where they differ by a rounding.
    limit = gap[lacking >= 0].max()
    return np.where(np.abs(gap - limit) < 1e-5 * (1 + limit), 0.0, lacking)


# By how much each token is within what is kept; it is removed where that is negative.
MARGINS: dict[str, Callable[..., Rows]] = {
    "top-k": lambda x, top_k: np.where(
        np.argsort(np.argsort(-x, kind="stable")) < (top_k or math.inf), 1.0, -1.0
    ),
    "top-p": lambda x, top_p: nucleus(x, np.exp(log_softmax(x)), top_p),
    "min-p": lambda x, min_p: x - x.max() - (math.log(min_p) if min_p else -math.inf),
    "top-n-sigma": lambda x, n_sigma: x - x.max() + (n_sigma * x.std() or math.inf),
    "typical": typical,
    "top-h": top_h,
    "p-less": lambda x: np.exp(log_softmax(x)) - (np.exp(log_softmax(x)) ** 2).sum(),
    "min-k": min_k,
}
CASES: list[tuple[str, dict[str, float]]] = [
    *(("top-k", {"top_k": k}) for k in (0, 1, 7, 40, 3000)),
    *(("top-p", {"top_p": p}) for p in (0.01, 0.5, 0.9, 0.999, 1)),
    *(("min-p", {"min_p": p}) for p in (0.0, 0.02, 0.3, 1.0)),
    *(("top-n-sigma", {"n_sigma": n}) for n in (0.0, 0.5, 1.0, 3.0)),
    *(("typical", {"typical_p": p}) for p in (0.01, 0.2, 0.95, 1)),
    *(("top-h", {"top_h": h}) for h in (0.05, 0.4, 0.9, 1)),
    ("p-less", {}),
    *(("min-k", {"min_k_tau": t}) for t in (0.0, 3.0, 400.0)),
]


@pytest.mark.parametrize(("name", "values"), CASES)
@pytest.mark.parametrize("size", [1, 2, 700, 5001, 49152])
def test_what_a_filter_keeps(name: str, values: dict[str, float], size: int) -> None:
    rng = np.random.default_rng(size)
    for spread in (0.1, 2.0, 6.0):
        x = rng.normal(0, spread, size).astype(np.float32)
        margin = MARGINS[name](x.astype(np.float64), **values)
        # Sums of n float32 addends may be off by n roundings.
        sure = np.abs(margin) > size * 2.0**-24
        found = applied(name, x, values)
        assert (np.isfinite(found) == (margin >= 0))[sure].all()
        kept = np.where(np.isfinite(found), x, -np.inf)
        np.testing.assert_allclose(found, normalised(kept), atol=size * 2e-7)


@pytest.mark.parametrize("name", sorted(MARGINS))
def test_what_was_removed_stays_so(name: str) -> None:
    """The rest is filtered as if it were all there is."""
    x = np.random.default_rng(8).normal(0, 2, 6000).astype(np.float32)
    gone = np.arange(6000) % 3 == 0
    found = applied(name, np.where(gone, -np.inf, x))
    expected = np.full(6000, -np.inf)
    expected[~gone] = applied(name, x[~gone])
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("name", sorted(MARGINS))
def test_equals_come_by_their_ids(name: str) -> None:
    if name == "top-h":
        pytest.skip("keeps all that are as likely as the first")
    found = np.isfinite(applied(name, np.zeros(4096), {"top_k": 5, "top_p": 0.5, "typical_p": 0.5}))
    some = {"top-k": 5, "top-p": 2048, "typical": 2048}.get(name, 4096)
    assert found[:some].all()
    assert not found[some:].any()


@pytest.mark.slow
class TestOtherLibraries:
    X = np.random.default_rng(3).normal(0, 2.5, 800).astype(np.float32)

    def test_transformers(self) -> None:
        import torch
        from transformers import (
            MinPLogitsWarper,
            TopKLogitsWarper,
            TopPLogitsWarper,
            TypicalLogitsWarper,
        )

        theirs = {
            "top-k": TopKLogitsWarper(17),
            "top-p": TopPLogitsWarper(0.8),
            "min-p": MinPLogitsWarper(0.03),
            "typical": TypicalLogitsWarper(mass=0.6),
        }
        values = {"top_k": 17, "top_p": 0.8, "min_p": 0.03, "typical_p": 0.6}
        for name, warper in theirs.items():
            scores = warper(torch.zeros((1, 1), dtype=torch.long), torch.tensor(self.X[None]))
            np.testing.assert_allclose(
                applied(name, self.X, values), normalised(scores[0].numpy()), atol=1e-4
            )

    def test_mlx_lm(self) -> None:
        from mlx_lm import sample_utils as theirs

        x = mx.array(normalised(self.X).astype(np.float32))
        for threshold in (0.001, 0.02, 0.3):
            expected = theirs.apply_xtc(x, 1.0, threshold, [])
            values = {"xtc_probability": 1.0, "xtc_threshold": threshold}
            np.testing.assert_allclose(
                applied("xtc", self.X, values), normalised(np.array(expected)), atol=1e-4
            )
        for name, expected in (
            ("top-k", theirs.apply_top_k(x, 17)),
            ("top-p", theirs.apply_top_p(x, 0.8)),
            ("min-p", theirs.apply_min_p(x, 0.03)),
        ):
            found = applied(name, self.X, {"top_k": 17, "top_p": 0.8, "min_p": 0.03})
            np.testing.assert_allclose(found, normalised(np.array(expected)), atol=1e-4)


def test_a_nucleus_of_everything_keeps_what_underflows() -> None:
    """A temperature after it may make it possible again."""
    x = np.array([0.0, -50.0, -200.0])
    assert np.isfinite(applied("top-p", x, {"top_p": 1})).all()
    assert np.isfinite(applied("top-h", x, {"top_h": 1})).all()


class TestXtc:
    X = np.log([0.4, 0.3, 0.2, 0.06, 0.04])

    @pytest.mark.parametrize(
        ("threshold", "left"),
        [
            (0.1, [2, 3, 4]),  # but the least of the three that reach it
            (0.25, [1, 2, 3, 4]),
            (0.35, [0, 1, 2, 3, 4]),  # one favourite alone stays
            (0.5, [0, 1, 2, 3, 4]),
            (0.0, [4]),
        ],
    )
    def test_all_favourites_but_the_least_go(self, threshold: float, left: list[int]) -> None:
        values = {"xtc_probability": 1.0, "xtc_threshold": threshold}
        assert np.flatnonzero(np.isfinite(applied("xtc", self.X, values))).tolist() == left

    def test_as_often_as_it_says(self) -> None:
        count, chance = 2000, 0.3
        values = {"xtc_probability": chance, "xtc_threshold": 0.1}
        gone = sum(
            not np.isfinite(applied("xtc", self.X, values, draw_key(5, n))[0]) for n in range(count)
        )
        # Within four standard deviations.
        assert abs(gone - count * chance) < 4 * math.sqrt(count * chance * (1 - chance))


class TestPage:
    PAGE = Path(__file__).parents[2] / "docs" / "sampling.md"

    @pytest.mark.parametrize("name", links())
    def test_it_has_every_link_as_it_is(self, name: str) -> None:
        (row,) = (
            line for line in self.PAGE.read_text().splitlines() if line.startswith(f"| `{name}` | ")
            and "ms |" not in line
        )  # fmt: skip
        row = row.replace("\\|", "|")
        link = links()[name]
        for parameter in link.parameters():
            default = link.__dataclass_fields__[parameter].default
            assert f"`{parameter}` {default:g}" in row
        for line in link.formula:
            assert f"`{line}`" in row

    def test_it_says_which_may_remove_the_most_likely(self) -> None:
        takes = [f"`{name}`" for name, link in links().items() if link.takes_best]
        page = " ".join(self.PAGE.read_text().split())
        assert f"{' and '.join(takes)} may remove the most likely token" in page


class TestSelection:
    @given(
        arrays(np.float32, st.integers(1, 80), elements=st.sampled_from([0.5, 1.0, 2.0, 3.0])),
        st.floats(0, 1),
        st.booleans(),
    )
    def test_it_is_what_sorting_gives(self, worth: Rows, share: float, through: bool) -> None:
        # Sums of multiples of a half are exact, so that equality is met too.
        target = max(1, math.floor(2 * share * worth.sum())) / 2
        order = np.argsort(-worth, kind="stable")
        sums = np.cumsum(worth[order])
        kept = np.empty(worth.size, bool)
        kept[order] = (sums - worth[order] if through else sums) < target
        found = selection.leading(
            mx.array(-worth),
            lambda keys: (-keys,),
            lambda s: s >= target,
            0.0,
            through=through,
        )
        assert np.array(found).tolist() == kept.tolist()

    @pytest.mark.parametrize("size", [2047, 2048, 2049, 10_007, 131_072])
    def test_of_many(self, size: int) -> None:
        worth = np.random.default_rng(size).integers(1, 9, size).astype(np.float32)
        for share in (0.0, 0.001, 0.3, 0.999, 1.0, 2.0):
            target = max(1, math.floor(share * worth.sum()))
            order = np.argsort(-worth, kind="stable")
            kept = np.empty(size, bool)
            kept[order] = np.cumsum(worth[order]) - worth[order] < target
            found = selection.leading(
                mx.array(-worth),
                lambda keys: (-keys,),
                lambda s, target=target: s >= target,
                0.0,
                through=True,
            )
            assert np.array(found).tolist() == kept.tolist()


class TestChains:
    def test_values_stand_in_the_name_or_are_set(self) -> None:
        made = Settings.make("top-k=9, xtc=0.25:0.02,temperature=0.8", {"top_k": "7"})
        assert made.preset == "top-k,xtc,temperature"
        assert (made.top_k, made.xtc_probability, made.xtc_threshold) == (7, 0.25, 0.02)
        assert made.temperature == 0.8
        assert Settings.make(made.preset, {"top_k": "7", "xtc_probability": "0.25"}) != made
        assert type(Settings.make(made.preset)) is type(made)

    def test_one_link_may_be_a_sampler_that_was_there(self) -> None:
        assert Settings.make("temperature=0.5") == Settings.make(
            "temperature", {"temperature": "0.5"}
        )

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("top-k,top-k", "top-k stands twice"),
            ("top-k,calibrated", "calibrated has its own top_k: leave top-k out"),
            ("calibrated,xtc", "calibrated draws the token"),
            ("top-j=3", "'top-j' is no link (did you mean 'top-p'"),
            ("calibrated=3", "a preset takes its values by --set"),
            ("p-less=3", "p-less takes no value"),
            ("xtc,top-j", "no link 'top-j' (did you mean 'top-p'"),
            ("top-k=3:4,min-p", "top-k takes values of top_k"),
            ("xtc,calibrated=3", "--set"),
            ("top-k=3,,min-p", "no link ''"),
            (",", "no link ''"),
            ("top-k=many,min-p", "top_k='many'"),
            ("top-h=3", "top_h='3'"),
        ],
    )
    def test_what_cannot_be_is_a_sentence(self, text: str, words: str) -> None:
        with pytest.raises(UsageError) as caught:
            Settings.make(text)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
