"""Sizes and times for people."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from entropix_tui.look.humanize import ago, moment, size

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "?"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_940, "9.9 kB"),
        (9_960, "10 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"), (98_362_432, "98 MB"),
        (3_422_777_952, "3.4 GB"), (5 * 10**15, "5000 TB"),
    ],
)  # fmt: skip
def test_sizes(count: int | None, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=11), "11 h ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(hours=25), "yesterday"),
        (timedelta(days=12), "12 days ago"),
        (timedelta(days=90), "3 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_how_long_ago(passed: timedelta, shown: str) -> None:
    assert ago(NOW - passed, NOW) == shown


def test_moments_are_told_in_the_readers_time_zone() -> None:
    now = NOW.astimezone(timezone(timedelta(hours=2)))
    assert moment(NOW, now) == "2026-03-05 14:00"
