"""Two branches of a conversation token by token: what both have, and where they differ."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from entropix_mlx.records.measures import surprisal
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.records.tree import Node
from entropix_tui.tokens.token_ref import TokenRef

Kind = Literal["same", "changed", "added", "removed"]

WINDOW = 8192
"""Tokens after the first difference that are compared at once; longer texts a window at a time."""


class BranchToken(NamedTuple):
    """One token of a branch: its name, its id, and what was measured (None in unscored prompts).

    `part` counts prompts and answers from the branch's beginning: prompts are even.
    """

    ref: TokenRef
    id: int
    record: TokenRecord | None
    part: int = 0


class Pair(NamedTuple):
    """A row of an alignment. `same` and `changed` have both sides, `added` only the second,
    `removed` only the first.
    """

    a: TokenRef | None
    b: TokenRef | None
    kind: Kind


class Shift(NamedTuple):
    """How a token's figures differ from the first branch to the second; None where unmeasured.

    `entropy` and `surprisal` in bits, `varentropy` in bits^2.
    """

    entropy: float | None
    varentropy: float | None
    surprisal: float | None


class Stretch(NamedTuple):
    """Rows `start` to `stop` of an alignment, all the same or all different."""

    start: int
    stop: int
    same: bool


def add(tokens: list[BranchToken], node: Node) -> None:
    """Append what a branch has gained: every id, prompts' included, as the model has read them."""
    is_answer = isinstance(node, TokenRecord)
    part = tokens[-1].part if tokens else 0
    part += part % 2 != is_answer
    if isinstance(node, TokenRecord):
        tokens.append(BranchToken(TokenRef(node.index), node.id, node, part))
        return
    records = node.records or ()
    for nth, id in enumerate(node.ids):
        record = records[nth] if nth < len(records) else None
        tokens.append(BranchToken(TokenRef(node.index, nth), id, record, part))


def divergence(
    a: Sequence[BranchToken], b: Sequence[BranchToken]
) -> tuple[TokenRef | None, TokenRef | None] | None:
    """The tokens at the first position where the ids differ; a branch that has ended there has
    None. None for branches of the same ids.
    """
    at = _shared(a, b)
    if at == len(a) == len(b):
        return None
    return (a[at].ref if at < len(a) else None, b[at].ref if at < len(b) else None)


def align(a: Sequence[BranchToken], b: Sequence[BranchToken]) -> list[Pair]:
    """All of both branches, in order: prompts beside prompts and answers beside answers.

    `same` are the ids of a longest common subsequence, less what is there by accident: a few
    equal tokens amid longer differences. Costs what `matches` costs, a window at a time.
    """
    pairs: list[Pair] = []
    i = j = 0
    while i < len(a) or j < len(b):
        part = min(tokens[at].part for tokens, at in ((a, i), (b, j)) if at < len(tokens))
        one, other = _part(a, i, part), _part(b, j, part)
        i, j = i + len(one), j + len(other)
        pairs += _align(one, other)
    return pairs


def _part(tokens: Sequence[BranchToken], start: int, part: int) -> Sequence[BranchToken]:
    stop = start
    while stop < len(tokens) and tokens[stop].part == part:
        stop += 1
    return tokens[start:stop]


def _align(a: Sequence[BranchToken], b: Sequence[BranchToken]) -> Iterator[Pair]:
    start = _shared(a, b)
    yield from (Pair(x.ref, y.ref, "same") for x, y in zip(a[:start], b, strict=False))
    for offset in range(start, max(len(a), len(b)), WINDOW):
        one, other = a[offset : offset + WINDOW], b[offset : offset + WINDOW]
        found = matches([token.id for token in one], [token.id for token in other])
        yield from _rows(one, other, _meant(found, len(one), len(other)))


def shift(a: TokenRecord | None, b: TokenRecord | None) -> Shift:
    """The second token's figures minus the first one's."""
    if a is None or b is None:
        return Shift(None, None, None)
    return Shift(
        _minus(b.entropy, a.entropy),
        _minus(b.varentropy, a.varentropy),
        _minus(surprisal(b), surprisal(a)),
    )


def stretches(pairs: Sequence[Pair]) -> list[Stretch]:
    """The alignment's rows divided where it changes between the same and different."""
    found: list[Stretch] = []
    for row, pair in enumerate(pairs):
        same = pair.kind == "same"
        if found and found[-1].same == same:
            found[-1] = found[-1]._replace(stop=row + 1)
        else:
            found.append(Stretch(row, row + 1, same))
    return found


def _minus(b: float | None, a: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _shared(a: Sequence[BranchToken], b: Sequence[BranchToken]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((n for n, (x, y) in pairs if x.id != y.id), min(len(a), len(b)))


def matches(a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int]]:
    """Positions of a longest common subsequence, the last possible ones.

    Time: the product of the lengths in machine words, whatever the ids (difflib's depends on how
    often they recur, and degenerate answers repeat theirs). Hyyrö's bit vectors: bit j of row i is
    0 where `b[:j + 1]` shares one more id with `a[:i]` than `b[:j]` does.
    """
    places: dict[int, int] = {}
    for j, id in enumerate(b):
        places[id] = places.get(id, 0) | 1 << j
    everywhere = (1 << len(b)) - 1
    rows = [everywhere]
    for id in a:
        hits = rows[-1] & places.get(id, 0)
        rows.append(((rows[-1] + hits) | (rows[-1] - hits)) & everywhere)
    found: list[tuple[int, int]] = []
    i, j = len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif rows[i] >> (j - 1) & 1:
            j -= 1
        else:
            i -= 1
    found.reverse()
    return found


def _meant(found: list[tuple[int, int]], of_a: int, of_b: int) -> list[tuple[int, int]]:
    """Without runs of matches that are shorter than the differences on both sides of them."""
    # Each entry: the run, and the size of the difference before it.
    kept: list[tuple[list[tuple[int, int]], int]] = []
    at = (0, 0)
    for run in [*_runs(found), [(of_a, of_b)]]:
        gap = max(run[0][0] - at[0], run[0][1] - at[1])
        while kept and len(kept[-1][0]) < min(kept[-1][1], gap):
            kept.pop()
            begin = kept[-1][0][-1] if kept else (-1, -1)
            gap = max(run[0][0] - begin[0] - 1, run[0][1] - begin[1] - 1)
        kept.append((run, gap))
        at = (run[-1][0] + 1, run[-1][1] + 1)
    return [match for run, _ in kept[:-1] for match in run]


def _runs(found: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    run: list[tuple[int, int]] = []
    for match in found:
        if run and match != (run[-1][0] + 1, run[-1][1] + 1):
            yield run
            run = []
        run.append(match)
    if run:
        yield run


def _rows(
    a: Sequence[BranchToken], b: Sequence[BranchToken], found: Sequence[tuple[int, int]]
) -> Iterator[Pair]:
    i = j = 0
    for x, y in [*found, (len(a), len(b))]:
        while i < x and j < y:
            kind: Kind = "same" if a[i].id == b[j].id else "changed"
            yield Pair(a[i].ref, b[j].ref, kind)
            i, j = i + 1, j + 1
        yield from (Pair(token.ref, None, "removed") for token in a[i:x])
        yield from (Pair(None, token.ref, "added") for token in b[j:y])
        i, j = x, y
