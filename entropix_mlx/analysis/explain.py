"""Why a token came out as it did, in words, from its record and the settings in force.

The first line is plain: how sure the model was of what, and what came of it; then come the numbers.
Nothing is computed anew that a record does not hold: where a formula takes metrics scaled by a
calibration, or a mean over past tokens, the result is given and what it grows with.
"""

import re
from collections.abc import Callable, Sequence

from entropix_mlx.records.measures import percent, probability
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.terminal.glyphs import one_line

_TAIL = 400
"""Characters before a token that are looked at; a quarter of them at most is shown."""


def why(
    record: TokenRecord,
    settings: Settings | None,
    *,
    keys: int | None = None,
) -> list[Line]:
    """What ruled, why, and what came of it, the most important first: a plain sentence, then
    inequalities and formulas.

    `settings` are those in force at the token, thresholds bound; None where they are not known.
    `keys`: how many ids the query attended to, if that is known.
    """
    if record.strategy is None and record.forced is None:
        lines = []  # nobody chose it
    elif settings is None:
        lines = [Line("rule", f"{record.strategy}: the settings it was drawn with are unknown")]
    else:
        lines = settings.explain(Told(record, keys))
        if record.forced not in (None, settings.inserts):
            lines = [Line("rule", "the sampler would have gone by this:"), *lines]
    return [Line("plain", plain(record)), *lines, *_chosen(record)]


def plain(record: TokenRecord) -> str:
    """A token in a sentence or two: the two most likely and the odds of them, how it came to be
    taken, and itself if it was not the most likely.

    Control characters are shown by their number.
    """
    if record.logprob is None and not record.candidates:
        return _taken(record)
    # Candidates come in the order of their raw logits; the token itself is among them.
    texts = {id: text for id, text, *_ in record.candidates}
    own = texts.get(record.id, record.text)
    # Behind those that were recorded it comes last, however far behind it is.
    far = record.rank is not None and record.rank >= len(record.candidates)
    first = [each for each in record.candidates[:2] if not (far and each[0] == record.id)]
    spell = _spelling([*(text for _, text, *_ in first), own])
    parts = []
    for n, (_, text, logprob, _) in enumerate(first):
        share = percent(probability(logprob))
        parts.append(f"then {spell(text)} {share}" if n else f"{share} sure of {spell(text)}")
    sure = f"{'; '.join(parts)}. " if parts else ""
    sure = sure[:1].upper() + sure[1:]
    if record.rank is None or record.logprob is None or (record.rank == 0 and not record.forced):
        return sure + _taken(record)
    place = f"{spell(own)}, {ordinal(record.rank + 1)}"
    if record.id not in {id for id, *_ in first}:
        place += f", {percent(probability(record.logprob))}"
    return f"{sure}{_taken(record).removesuffix('.')}: {place}."


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 1,204th."""
    ends = {1: "st", 2: "nd", 3: "rd"} if n % 100 not in (11, 12, 13) else {}
    return f"{n:,}{ends.get(n % 10, 'th')}"


def _spelling(texts: Sequence[str]) -> Callable[[str], str]:
    """How to spell tokens in a sentence: as words where all of them are words, other than the
    sentence's own, that stay different without their spaces; in quotes otherwise.
    """
    words = {text: text.strip() for text in texts}
    different = {*words.values()} - {"of", "then"}
    if all(map(str.isalpha, words.values())) and len(different) == len(words):
        return words.__getitem__
    return lambda text: f"“{one_line(text)}”"


def _taken(record: TokenRecord) -> str:
    """How a token came to stand there."""
    if record.forced is not None:
        by = {"user": "by you", "clarify": "to clarify"}.get(record.forced, f"({record.forced})")
        return f"Put there {by}, not drawn."
    if record.strategy is None:
        if record.entropy is None:
            return "Read, with nothing before it: no distribution to judge it by."
        return "Read, not drawn."
    if record.temperature is None:
        return f"Taken by {record.strategy}, without chance."
    temperature = f"{record.temperature:.2f}".rstrip("0").rstrip(".")
    return f"Drawn by {record.strategy}, T {temperature}."


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


def _chosen(record: TokenRecord) -> list[Line]:
    if record.rank is None or record.logprob is None:
        return []
    text = f"rank {record.rank + 1}, p {percent(probability(record.logprob), 1)}"
    final = next((p for id_, _, _, p in record.candidates if id_ == record.id), None)
    if final is not None and record.forced is None and record.strategy is not None:
        text += f", as drawn {percent(final, 1)}"
    return [Line("chosen", text)]
