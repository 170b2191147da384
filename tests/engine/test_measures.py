"""Shares in percent, as every screen, page and table has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropix_mlx.records.measures import percent, probability

RARE = "under 0.0001 %"


@pytest.mark.parametrize(
    ("share", "whole", "tenths", "brief"),
    [
        (1.0, "100 %", "100 %", "100 %"),
        (0.99999, "over 99 %", "over 99.9 %", ">99 %"),
        (0.9951, "over 99 %", "99.5 %", ">99 %"),
        (0.995, "over 99 %", "99.5 %", ">99 %"),
        (0.9949, "99 %", "99.5 %", "99 %"),
        (0.5, "50 %", "50 %", "50 %"),
        (0.0151, "2 %", "1.5 %", "2 %"),
        (0.0099, "1 %", "1 %", "1 %"),
        (0.00444, "0.4 %", "0.4 %", "<1 %"),
        (0.000321, "0.03 %", "0.03 %", "<1 %"),
        (2e-6, "0.0002 %", "0.0002 %", "<1 %"),
        (9e-7, RARE, RARE, "<1 %"),
        (0.0, "0 %", "0 %", "0 %"),
    ],
)
def test_percent(share: float, whole: str, tenths: str, brief: str) -> None:
    assert (percent(share), percent(share, 1), percent(share, brief=True)) == (whole, tenths, brief)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(0, 4), st.booleans())
def test_nothing_and_all_are_told_of_nothing_else(share: float, decimals: int, brief: bool) -> None:
    said = percent(share, decimals, brief=brief)
    number, unit = said.removeprefix("over ").removeprefix("under ").lstrip("<>").split(" ")
    assert unit == "%"
    assert 0 < float(number) < 100
    if said[0].isdigit():
        digit = max(10.0**-decimals, 100 * share * 0.5)  # one digit of what is rare
        assert abs(float(number) - 100 * share) <= digit
    elif said.startswith(("over", ">")):
        assert 100 * share > float(number)
    else:
        assert 100 * share < float(number)


@pytest.mark.parametrize("logprob", [0.0, -0.0, 1e-7, -1e-300, -1e4])
def test_a_probability_is_neither_0_nor_1(logprob: float) -> None:
    assert 0 < probability(logprob) < 1
