"""Random search over settings: where it looks, and that it always looks alike."""

import math

import pytest

from entropix_mlx.evaluation import search
from entropix_mlx.evaluation.sampler_text import settings_of
from entropix_mlx.sampling.parameters import Number
from entropix_mlx.sampling.settings import declared
from entropix_models.errors import UsageError


@pytest.mark.parametrize("sampler", declared())
def test_every_trial_is_a_sampler(sampler: str) -> None:
    found = search.trials(sampler, 6, 1)
    assert found[0] == sampler
    assert len({*found}) == len(found) == (6 if search.ranges(sampler) else 1)
    for text in found:
        settings = settings_of(text)
        for name, (low, high, _) in search.ranges(sampler).items():
            kind = settings.parameters()[name].metadata["kind"]
            assert isinstance(kind, Number)
            assert kind.low <= low < high <= kind.high
            assert text == sampler or low <= getattr(settings, name) <= high


def test_the_same_seed_tries_the_same() -> None:
    assert search.trials("min-p", 5, 1) == search.trials("min-p", 5, 1)
    assert search.trials("min-p", 5, 1) != search.trials("min-p", 5, 2)
    assert search.trials("min-p", 9, 1)[:5] == search.trials("min-p", 5, 1)


def test_what_is_given_is_kept() -> None:
    assert [*search.ranges("min-p,temperature")] == ["min_p", "temperature"]
    assert [*search.ranges("min-p,temperature temperature=2")] == ["min_p"]
    assert all(
        "temperature=2 " in f"{t} " for t in search.trials("temperature temperature=2", 4, 1)
    )


def test_ranges_of_ones_own() -> None:
    over = {"top_k": (3.0, 9.0)}
    assert search.ranges("temperature", over) == {"top_k": search.Range(3.0, 9.0, True)}
    for text in search.trials("temperature", 12, 1, over)[1:]:
        assert 3 <= settings_of(text).top_k <= 9  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"has no number 'min_q'.*'min_p'"):
        search.ranges("min-p", {"min_q": (0.0, 1.0)})
    with pytest.raises(UsageError, match="within 0 to 1"):
        search.ranges("min-p", {"min_p": (0.5, 0.1)})


def test_magnitudes_are_equally_likely() -> None:
    """Of a wide range half the draws lie below the geometric mean; of a narrow one its middle."""
    import random

    chance = random.Random(1)
    for low, high, middle in ((0.001, 1.0, math.sqrt(0.001)), (0.5, 1.0, 0.75), (0.0, 1.0, 0.5)):
        range_ = search.Range(low, high, False)
        below = sum(range_.drawn(chance) < middle for _ in range(2000))
        assert abs(below - 1000) < 5 * math.sqrt(2000) / 2


def test_the_first_of_equals_is_best() -> None:
    assert search.best({"a": 0.5, "b": 0.7, "c": 0.7}, ["a", "b", "c"]) == "b"
    assert search.best({"a": 0.5, "b": 0.5}, ["a", "b"]) == "a", "untouched, unless it is worse"
