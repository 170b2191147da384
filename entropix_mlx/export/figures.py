"""A passage in figures: the rows of its summary, and of the settings that made it."""

from collections.abc import Iterator

from entropix_mlx.export.passage import Passage
from entropix_mlx.records.summary import Summary

Row = tuple[str, str]


def summary(passage: Passage) -> Iterator[Row]:
    """Names and values; what was not measured is left out."""
    totals = Summary.of(passage.nodes)
    yield f"tokens {'scored' if passage.is_scored else 'generated'}", str(totals.tokens)
    if totals.rate is not None:
        yield "tokens per second", f"{totals.rate:.1f}"
    for name, value, unit in (
        ("mean entropy", totals.mean_entropy, " bits"),
        ("perplexity", totals.perplexity, ""),
        ("bits per byte", totals.bits_per_byte, ""),
        ("log-perplexity minus mean entropy", totals.excess, " bits"),
    ):
        if value is not None:
            yield name, f"{_plain(value)}{unit}"
    for region, count in sorted(totals.regions.items()):
        yield f"share of {region}", f"{100 * count / totals.tokens:.0f} %"
    yield "valleys", str(len(passage.valleys))


def settings(passage: Passage) -> Iterator[Row]:
    """The header's, then what was changed on the way."""
    header = passage.header
    for name in ("model", "revision", "device", "dtype", "seed", "date", "created"):
        value = getattr(header, name)
        if value is not None:
            yield name, str(value)
    for name, value in header.sampler.items():
        yield name, str(value)
    for before, detail in passage.changes:
        for name, value in detail.items():
            yield f"{name}, from token {before + 1}", str(value)


def _plain(value: float) -> str:
    """With two decimals, unless that would fill the line."""
    return f"{value:.2f}" if abs(value) < 1e9 else f"{value:.3g}"
