"""Why a token came out as it did, in words, from its record and the settings in force.

Nothing is computed anew that a record does not hold: where a formula takes metrics scaled by a
calibration, or a mean over past tokens, the result is given and what it grows with.
"""

import re
from collections.abc import Mapping

from entropix_mlx.records.measures import probability
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.explanation import Line, Told, percent
from entropix_mlx.sampling.settings import Settings

_TAIL = 400
"""Characters before a token that are looked at; a quarter of them at most is shown."""


def why(
    record: TokenRecord,
    settings: Settings | None,
    *,
    keys: int | None = None,
    words: Mapping[str, str] = {},
) -> list[Line]:
    """What ruled, why, and what came of it, the most important first.

    `settings` are those in force at the token, thresholds bound; None where they are not known.
    `keys`: how many ids the query attended to, if that is known. `words` are names to use for
    regions.
    """
    if record.strategy is None and record.forced is None:
        lines = _read(record)
    elif settings is None:
        lines = [Line("rule", f"{record.strategy}: the settings it was drawn with are unknown")]
    else:
        lines = [*_forced(record, settings), *settings.explain(Told(record, keys, words))]
    return lines + _chosen(record)


def running_text(before: str, token: str, record: TokenRecord, *, words: int = 8) -> str:
    """A token as in a worked example of the guide: the last words before it, and what was done.

    `token` is how the token is spelt. Nothing is escaped here.
    """
    last = "".join(re.findall(r"\S+\s*", before[-_TAIL:])[-words:])[-_TAIL // 4 :]
    lead = "… " if len(last) < len(before.lstrip()) else ""
    text = f'"{lead}{last}" → "{token}"'
    if record.entropy is not None and record.varentropy is not None:
        text += f"  H {record.entropy:.2f} bits, V {record.varentropy:.2f} bits²"
    did = f"inserted ({record.forced})" if record.forced else record.strategy
    return f"{text} → {did}" if did else text


def _read(record: TokenRecord) -> list[Line]:
    if record.entropy is None:
        return [Line("rule", "read, with nothing before it: no distribution to judge it by")]
    return [Line("rule", "read, not drawn: this is what the model expected here")]


def _forced(record: TokenRecord, settings: Settings) -> list[Line]:
    """What put a token there, unless it was the sampler: that tells itself."""
    if record.forced in (None, settings.inserts):
        return []
    if record.forced == "user":
        text = "put here by you, not drawn; the sampler would have gone by this:"
    else:
        text = f"put here ({record.forced}), not drawn"
    return [Line("rule", text)]


def _chosen(record: TokenRecord) -> list[Line]:
    if record.rank is None or record.logprob is None:
        return []
    text = f"rank {record.rank + 1}, p {percent(probability(record.logprob))}"
    final = next((p for id_, _, _, p in record.candidates if id_ == record.id), None)
    if final is not None and record.forced is None and record.strategy is not None:
        text += f", as drawn {percent(final)}"
    return [Line("chosen", text)]
