"""How far answers agree."""

import pytest

from entropix_mlx.analysis import agreement


def test_what_most_say() -> None:
    assert agreement.most_common([]) == 0
    assert agreement.most_common(["a"]) == 1
    assert agreement.most_common([" Yes,\n it is", "yes, it is ", "no", "YES, it  is"]) == 3


def test_how_long_two_begin_alike() -> None:
    assert agreement.beginning([]) is None
    assert agreement.beginning([[1, 2]]) is None
    assert agreement.beginning([[1, 2, 3], [1, 2, 3]]) == 3
    assert agreement.beginning([[1, 2, 3], [1, 2], []]) == pytest.approx((2 + 0 + 0) / 3)
    assert agreement.beginning([[1, 9, 3], [1, 2, 3], [1, 2, 4]]) == pytest.approx((1 + 1 + 2) / 3)
