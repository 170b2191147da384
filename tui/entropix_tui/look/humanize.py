"""How much and how long ago, for people."""

from datetime import datetime, timedelta

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: int | None) -> str:
    """Bytes in three digits at most: `98 MB`, `3.4 GB`; `?` where nobody knows."""
    if count is None:
        return "?"
    value, unit = float(count), 0
    # 999.5 is a thousand when it is rounded.
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 1 if unit and value < 9.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def ago(then: datetime, now: datetime) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `yesterday`, `12 days ago`, then months and years.

    Both times are aware. What lies ahead (a clock was put back) is just now.
    """
    passed = now - then
    minutes = int(passed.total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if passed < timedelta(hours=24):
        return f"{minutes // 60} h ago"
    days = (now.date() - then.astimezone(now.tzinfo).date()).days
    if days == 1:
        return "yesterday"
    if days < 60:
        return f"{days} days ago"
    return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"


def moment(then: datetime, now: datetime) -> str:
    """`2026-01-02 03:04` in the time zone of `now`."""
    return f"{then.astimezone(now.tzinfo):%Y-%m-%d %H:%M}"
