"""Frozen, host-side values: everything that shows, stores or judges a run consumes these.

Field names and units are those of the trace (one JSON object a line): entropies in bits,
varentropies in bits^2, log-probabilities in nats, `ms` in milliseconds. `None` stands where a
measure does not apply; NaN and infinity never occur.
"""

from typing import Annotated, Any, Literal

import msgspec

from entropix_mlx.records.quadrants import QUADRANTS, Name, NameOfToken, Quadrant, QuadrantSplit

SCHEMA = 1
"""Version of the trace format that this program writes, and the newest that it reads."""

Region = Literal["LELV", "HELV", "LEHV", "HEHV", "MID"]
FinishReason = Literal["stop", "length", "exit", "break", "interrupted", "error"]
"""Why this program ends a run (`break`: where it was told to); a trace may say others."""

CLARIFY, USER, PAUSE = "clarify", "user", "pause"
FORCED = (CLARIFY, USER, "exit", PAUSE)
"""What this program puts tokens in for; a trace may say others."""

REGIONS: tuple[Region, ...] = (*QUADRANTS, "MID")

MOST = 2**30
"""Bound of indices, ids and counts, which a file may make as great as it likes: those of two traces
side by side, added up, still have 32 bits, as the attention file's.
"""
_FLOAT32 = 3.4028234663852886e38

Index = Annotated[int, msgspec.Meta(ge=-1, lt=MOST)]
"""Of a record; -1 is what comes before the first one."""

Count = Annotated[int, msgspec.Meta(ge=0, lt=MOST)]

Number = Annotated[float, msgspec.Meta(ge=-_FLOAT32, le=_FLOAT32)]
"""What a float32 can hold, as everything measured was one: sums and products of such are finite."""

Candidate = tuple[Count, str, Number, Number]
"""`(id, text, logprob, p)`: `logprob` of the raw distribution in nats, `p` under the final draw."""


class RunHeader(msgspec.Struct, frozen=True, tag="header", kw_only=True):
    """What a run was made with; the first line of a trace.

    `quadrant_split`: by which split its tokens were sorted; `prefill_chunk`: how many tokens of a
    prompt were read at a time. None in older traces.
    """

    model: str
    revision: str | None
    device: str
    dtype: str
    sampler: dict[str, Any]
    calibration: str | None
    seed: int | None
    date: str | None
    versions: dict[str, str]
    created: str
    quadrant_split: QuadrantSplit | None = None
    prefill_chunk: int | None = None
    schema: int = SCHEMA


class TokenRecord(msgspec.Struct, frozen=True, tag="token", kw_only=True):
    """One token and the distribution it was drawn from (`generate`) or met (`score`).

    `text` is what the stream gains, empty while a character is incomplete; `bytes` are the
    token's own bytes in hexadecimal. `rank` counts from 0 = most likely. `temperature`, `top_k`,
    `top_p` and `min_p` are the values used, None where none was. `strategy` is what the sampler
    did, `forced` what put the token there in place of a drawn one; `measures` are the sampler's own
    numbers by name, unset where it has none.
    """

    index: Index
    parent: Index
    id: Count
    text: str
    bytes: str
    logprob: Number | None
    rank: Count | None
    entropy: Number | None
    varentropy: Number | None
    attn_entropy: Number | None
    attn_varentropy: Number | None
    agreement: Number | None
    interaction_strength: Number | None
    quadrant: Quadrant | None
    region: Region | None
    strategy: NameOfToken | None
    temperature: Number | None = None
    top_k: Count | None = None
    top_p: Number | None = None
    min_p: Number | None = None
    forced: NameOfToken | None = None
    candidates: list[Candidate] = []
    ms: Number | None = None
    measures: dict[Name, Number | None] | msgspec.UnsetType = msgspec.UNSET


class PromptRecord(msgspec.Struct, frozen=True, tag="prompt", kw_only=True):
    """What was said to the model in one turn: one record, one `index`.

    `ids` are exactly the ids that were added to the context, template included. `records`: its
    tokens, where they were measured; `valleys` of their entropy: the place in `records` of each
    one's minimum, and of the token that confirmed it, unset where there is none.
    """

    index: Index
    parent: Index
    role: str
    ids: list[Count]
    text: str
    records: list[TokenRecord] | None = None
    valleys: list[tuple[Count, Count]] | msgspec.UnsetType = msgspec.UNSET


class Event(msgspec.Struct, frozen=True, tag="event", kw_only=True, omit_defaults=True):
    """Something that happened at record `index`; `at`: where a valley's minimum was, or where a
    question began.
    """

    kind: str
    index: Index
    at: Index | None = None
    detail: dict[str, Any] | None = None


class End(msgspec.Struct, frozen=True, tag="end", kw_only=True):
    """The end of a run: `leaf` is the last record's index, `tokens` how many were generated."""

    leaf: Index
    finish_reason: Name
    tokens: Count
    seconds: Number
    prefill_seconds: Number


TurnRecord = PromptRecord | TokenRecord | Event | End
Record = RunHeader | TurnRecord
