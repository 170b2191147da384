"""One answer whose every number and word is known, and what is said of it by whoever shows it."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec
from scripted import (
    HEADER,
    MEASURED,
    SHARES,
    SPLIT,
    ScriptedSession,
    prompt,
    token,
)

from entropix_mlx.records.quadrants import QUADRANTS, Quadrant, QuadrantSplit, quadrant_of
from entropix_mlx.records.record import Candidate, End, Event, RunHeader, TokenRecord
from entropix_mlx.sampling.calibration import GUIDE
from entropix_mlx.sampling.valleys import DELTA, ValleyMarks
from entropix_tui.engine.outputs import TurnRecord

SPLITS: dict[str, QuadrantSplit | None] = {"calibrated": SPLIT, "none": None, "guide": GUIDE}
"""What a header may say of quadrants; without anything, tokens are in those of `SPLIT`."""

WORDS: dict[str, dict[Quadrant | None, str]] = {
    "calibrated": dict(
        zip((*QUADRANTS, None), ("sure", "open", "favoured", "scattered", "in none"), strict=True)
    ),
    "none": dict(zip((*QUADRANTS, None), ("sure", "open", "fork", "lost", "in none"), strict=True)),
}
WORDS["guide"] = WORDS["none"]

SENTENCES: dict[str, dict[Quadrant, str]] = {
    "calibrated": {
        "LELV": "One token has half of the probability or more, and the first three have four "
        "fifths.",
        "HELV": "No token has half of the probability.",
        "LEHV": "One token has half or more, at least three times the second; the rest is a long "
        "tail.",
        "HEHV": "A fifth of the probability or more lies beyond the first two tokens.",
    },
    "none": {
        "LELV": "Entropy below the model's median, varentropy below it.",
        "HELV": "Entropy above the model's median, varentropy below it.",
        "LEHV": "Entropy below the model's median, varentropy above it.",
        "HEHV": "Entropy above the model's median, varentropy above it.",
    },
    "guide": {
        "LELV": "Entropy below 0.1 bits, varentropy below 0.1 bits².",
        "HELV": "Entropy above 3 bits, varentropy below 0.1 bits².",
        "LEHV": "Entropy below 5 bits, varentropy above 5 bits².",
        "HEHV": "Entropy above 5 bits, varentropy above 5 bits².",
    },
}
DENIED = "Entropy below 2.5 bits, varentropy below what is usual at that entropy."
"""Said of `UNLIKE`, whose own distribution the measured sentence of LELV does not fit."""

_NAMES = (
    *("alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"),
    *("kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango"),
    *("uniform", "victor", "whiskey", "xray", "yankee", "zulu"),
)
THIRD, INSERTED, UNMEASURED, UNLIKE = "quebec", "charlie", "yankee", "kilo"
"""A token that was the third most likely, one that the sampler put in, one that nothing was
measured of, and one whose distribution is not as most of its quadrant."""

_LEVELS: dict[str, tuple[float, float]] = {
    "delta": (5.75, 0.05),  # three corners of the guide's are narrow
    "golf": (0.0625, 0.03),
    "sierra": (4.0, 12.5),
}
LAST = "<|im_end|>"
"""Its text, which the answer does not have."""


def _record(index: int, word: str, split: QuadrantSplit | None) -> TokenRecord:
    """The entropy is high for six tokens, low for ten, then high again: there is a valley."""
    high, wide = not 7 <= index <= 16, index % 2 == 0
    entropy, varentropy = _LEVELS.get(
        word,
        ((5.5 if high else 0.5) + 0.03 * index, (11.25 if wide else 3.5) + 0.04 * index),
    )
    kind = quadrant_of(entropy, varentropy, SPLIT)
    assert kind is not None
    shares = (0.42, 0.41, 0.1) if word == UNLIKE else SHARES[kind]
    rank = {THIRD: 2, INSERTED: 40}.get(word, 0)
    texts = [f" {word}s", f" {word}ed", f" {word}ing"]
    if rank < 3:
        texts[rank] = f" {word}"
    listed: list[Candidate] = [
        (1000 * (n + 1) + index, text, math.log(p), p / sum(shares))
        for n, (text, p) in enumerate(zip(texts, shares, strict=True))
    ]
    if rank >= 3:
        listed.append((4000 + index, f" {word}", math.log(0.004), 0.0))
    id, _, logprob, _ = listed[min(rank, 3)]
    fields: dict[str, Any] = {
        "id": id,
        "candidates": listed,
        "logprob": logprob,
        "rank": rank,
        "entropy": entropy,
        "varentropy": varentropy,
        "quadrant": quadrant_of(entropy, varentropy, split or SPLIT),
        "region": "MID",
        "temperature": 0.5 + 0.0625 * (index % 4),
    }
    if word == INSERTED:
        fields |= {"strategy": "clarify", "forced": "clarify"}
    if word == UNMEASURED:
        nothing = dict.fromkeys((*MEASURED, "strategy", "temperature", "top_k", "top_p", "min_p"))
        fields |= nothing | {"candidates": [], "forced": "user"}
    return token(index, f" {word}", **fields)


class Known(NamedTuple):
    """The answer under a header; the last of its tokens ends it and has no text."""

    name: str
    header: RunHeader
    records: list[TurnRecord]

    @classmethod
    def of(cls, name: str) -> "Known":
        split = SPLITS[name]
        header = msgspec.structs.replace(HEADER, quadrant_split=split)
        said = [_record(index, word, split) for index, word in enumerate(_NAMES, 1)]
        last = _record(len(said) + 1, LAST, split)
        said.append(msgspec.structs.replace(last, text="", bytes=LAST.encode().hex()))
        records: list[TurnRecord] = [prompt(0, "Which?")]
        marks = ValleyMarks(DELTA)
        for record in said:
            records.append(record)
            if (event := marks.take(record.index, record.entropy)) is not None:
                records.append(event)
        end = End(
            leaf=said[-1].index,
            finish_reason="stop",
            tokens=len(said),
            seconds=len(said) * 0.08 + 0.5,  # as the tokens' own times have it
            prefill_seconds=0.5,
        )
        return cls(name, header, [*records, end])

    @property
    def tokens(self) -> list[TokenRecord]:
        return [record for record in self.records if isinstance(record, TokenRecord)]

    @property
    def valleys(self) -> list[int]:
        return [record.at or 0 for record in self.records if isinstance(record, Event)]

    @property
    def prompted(self) -> int:
        """Tokens of the prompt, the template's included."""
        return len(prompt(0, "Which?").ids)

    @property
    def words(self) -> dict[Quadrant | None, str]:
        return WORDS[self.name]

    def named(self, word: str) -> TokenRecord:
        return next(record for record in self.tokens if record.text.strip() == word)

    def session(self) -> ScriptedSession:
        return ScriptedSession(answers=[self.records[1:-1]], header=self.header)  # type: ignore[list-item]


# What is said.


class Said(NamedTuple):
    """`by` whom, of what, and the value as it is spelt; a share or probability in percent."""

    by: str
    what: str
    value: str


def span(value: str) -> tuple[Decimal, Decimal] | None:
    """Between which numbers lies what is spelt so; None for what is no number."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    half = Decimal((0, (5,), int(number.as_tuple().exponent) - 1))
    return number - half, number + half


def agree(a: str, b: str) -> bool:
    """Whether both can be one number, rounded, or are the same word."""
    one, other = span(a), span(b)
    if one is None or other is None:
        return a == b
    return one[0] < other[1] and other[0] < one[1]


def disagreements(said: Iterable[Said]) -> list[str]:
    """A line for each two that cannot both be true."""
    by_fact: dict[str, list[Said]] = {}
    for one in said:
        by_fact.setdefault(one.what, []).append(one)
    return [
        f"{what}: {a.value!r} says {a.by}, {b.value!r} says {b.by}"
        for what, sayings in by_fact.items()
        for n, a in enumerate(sayings)
        for b in sayings[:n]
        if not agree(a.value, b.value)
    ]


def shared(by: str, known: Known, shares: Mapping[str, str]) -> Iterator[Said]:
    """Shares in percent by word; those that are not told are taken for none, so that what is told
    has to be all.
    """
    for word, share in shares.items():
        yield Said(by, f"share of {word}", share)
    for word in known.words.values():
        if word not in shares:
            yield Said(by, f"share of {word}", "0")
    rounding = Decimal(len(shares)) / 2
    together = sum(map(Decimal, shares.values()))
    whole = "100" if abs(together - 100) <= rounding else str(together)
    yield Said(by, "all shares together", whole)


def truth(known: Known) -> Iterator[Said]:
    """What the records themselves say, by plain arithmetic."""
    by, tokens = "the records", known.tokens
    measured = [record for record in tokens if record.entropy is not None]
    nats = -math.fsum(record.logprob or 0 for record in measured) / len(measured)
    yield Said(by, "tokens", str(len(tokens)))
    yield Said(by, "context", str(len(tokens) + known.prompted))
    yield Said(by, "tokens per second", f"{1 / 0.08:.9f}")
    mean = math.fsum(record.entropy or 0 for record in measured) / len(measured)
    yield Said(by, "mean entropy", f"{mean:.9f}")
    yield Said(by, "perplexity", f"{math.exp(nats):.9f}")
    yield Said(by, "valleys", str(len(known.valleys)))
    yield Said(by, "seed", str(known.header.seed))
    yield Said(by, "end", "stop")
    for at in known.valleys:
        yield Said(by, "valley at", str(at))
        (minimum,) = (record for record in tokens if record.index == at)
        yield Said(by, "valley before", minimum.text.strip())
    counted = Counter(record.quadrant for record in tokens)
    shares = {word: f"{100 * counted[q] / len(tokens):.9f}" for q, word in known.words.items()}
    yield from shared(by, known, shares)
    for quadrant, word in known.words.items():
        if quadrant is not None:
            yield Said(by, f"word of {quadrant}", word)
            yield Said(by, f"sentence of {quadrant}", SENTENCES[known.name][quadrant])
    for record in tokens:
        yield from of_token(by, known, record)


def of_token(by: str, known: Known, record: TokenRecord) -> Iterator[Said]:
    name = record.text.strip() or LAST
    yield Said(by, f"quadrant of {name}", str(record.quadrant))
    yield Said(by, f"word of {name}", known.words[record.quadrant])
    yield Said(by, f"strategy of {name}", str(record.strategy))
    yield Said(by, f"forced of {name}", str(record.forced))
    yield Said(by, f"index of {name}", str(record.index))
    for measure in ("entropy", "varentropy", "temperature"):
        value = getattr(record, measure)
        yield Said(by, f"{measure} of {name}", "-" if value is None else f"{value:.9f}")
    rank, logprob = record.rank, record.logprob
    yield Said(by, f"rank of {name}", "-" if rank is None else str(rank + 1))
    if logprob is not None:
        yield Said(by, f"p of {name}", f"{100 * math.exp(logprob):.9f}")
        yield Said(by, f"surprisal of {name}", f"{-logprob / math.log(2):.9f}")
    for n, (id, text, raw, final) in enumerate(record.candidates, 1):
        yield Said(by, f"candidate {n} of {name}", text.strip())
        yield Said(by, f"raw {n} of {name}", f"{100 * math.exp(raw):.9f}")
        yield Said(by, f"drawn {n} of {name}", f"{100 * final:.9f}")
        if id == record.id:
            yield Said(by, f"p drawn of {name}", f"{100 * final:.9f}")
    if record.quadrant is not None:
        sentence = SENTENCES[known.name][record.quadrant]
        denied = name == UNLIKE and known.name == "calibrated"
        yield Said(by, f"sentence about {name}", DENIED if denied else sentence)
