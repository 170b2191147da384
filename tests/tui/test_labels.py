"""Short texts: nothing raw, exactly as wide as asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspected import record
from inspections import HOSTILE
from rich.cells import cell_len

from entropix_tui.tokens.labels import fit, percent, spelling, token


def is_safe(text: str) -> bool:
    return all(char.isprintable() or char == "\u200d" for char in text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("cells", [0, 1, 2, 5, 12])
def test_hostile_texts_fit_and_are_safe(text: str, cells: int) -> None:
    shown = fit(spelling(text, 7), cells)
    assert cell_len(shown) == cells
    assert is_safe(shown)


@given(st.text(max_size=30), st.integers(0, 20), st.booleans())
def test_any_text_fits(text: str, cells: int, right: bool) -> None:
    assert cell_len(fit(spelling(text, 1), cells, right=right)) == cells


def test_spaces_are_seen() -> None:
    assert spelling(" a b\n", 1) == "␣a␣b↵"
    assert spelling("", 42) == "‹42›"


def test_a_token_is_its_bytes() -> None:
    assert token(record()) == "␣Paris"
    assert token(record(text="", raw=b"\xe4\xb8")) == "‹E4 B8›"
    assert token(record(text="", bytes="", id=9)) == "‹9›"


@given(st.floats(0, 1))
def test_shares_take_five_cells(share: float) -> None:
    shown = percent(share)
    assert len(shown) == 5


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (1.0, " 100%"),
        (0.5, "50.0%"),
        (0.0999, "10.0%"),
        (0.0914, " 9.1%"),
        (0.0005, " 0.1%"),
        (0.0004, "<0.1%"),
        (4e-9, "<0.1%"),
        (0.0, "   0%"),
    ],
)
def test_shares(share: float, shown: str) -> None:
    assert percent(share) == shown
