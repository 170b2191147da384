"""The branches of a conversation as they are listed: as a tree, with what made each of them."""

from collections.abc import Iterator
from typing import NamedTuple

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import Branch, Node, Tree
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.tokens import labels

LONGEST = 400
"""Characters of a prompt that are shown at most."""

DEEPEST = 8
"""Levels that are indented; deeper branches stand where these do."""


class Twig(NamedTuple):
    """One branch in the list.

    `rails` are the lines of the tree before it. `old` is what stood where it begins to differ and
    `new` what stands there now, drawn safely, both empty for a first branch. It began in turn
    `turn` at token `token` of its answer (both from 1; `token` 0: with a prompt). `entropy`: mean
    of its own tokens in bits, None without any.
    """

    branch: Branch
    rails: str
    old: str
    new: str
    turn: int
    token: int
    entropy: float | None
    beginning: str


class _Own(NamedTuple):
    """What a branch does not share with the one that it began on: its first record's index, and
    the mean entropy.
    """

    first: int
    entropy: float | None


class _Place(NamedTuple):
    """Where a record stands: its turn, and its number in the answer (0: a prompt)."""

    turn: int
    token: int


def twigs(tree: Tree) -> list[Twig]:
    """All branches: each below the one that it began on, in the order in which they were begun.

    The time grows with the number of records.
    """
    branches = tree.branches()
    owner: dict[int, int] = {}
    places: dict[int, _Place] = {}
    own = [_own(tree, branch, n, owner, places) for n, branch in enumerate(branches)]
    below: dict[int, list[int]] = {}
    for number, branch in enumerate(branches):
        below.setdefault(owner.get(branch.fork, -1), []).append(number)
    return [_twig(tree, branches[n], own[n], rails, places) for n, rails in _order(below)]


def _own(
    tree: Tree, branch: Branch, number: int, owner: dict[int, int], places: dict[int, _Place]
) -> _Own:
    chain = []
    for index in tree.up(branch.leaf):
        if index == branch.fork:
            break
        chain.append(index)
    at = places.get(branch.fork, _Place(0, 0))
    entropies = []
    for index in reversed(chain):
        node = tree[index]
        if isinstance(node, TokenRecord):
            at = _Place(max(1, at.turn), at.token + 1)
            if node.entropy is not None:
                entropies.append(node.entropy)
        else:
            at = _Place(at.turn + (node.role == "user"), 0)
        owner[index], places[index] = number, at
    return _Own(chain[-1], sum(entropies) / len(entropies) if entropies else None)


def _order(below: dict[int, list[int]]) -> Iterator[tuple[int, str]]:
    """Branch numbers from top to bottom with the lines before them."""
    last = {numbers[-1] for numbers in below.values()}
    # Not by recursion: branches may begin on branches as deep as anyone likes.
    waiting = [(number, "", 0) for number in reversed(below.get(-1, ()))]
    while waiting:
        number, rails, depth = waiting.pop()
        sign = "" if not depth else "└─" if number in last else "├─"
        yield number, rails + sign
        if 0 < depth < DEEPEST:
            rails += "  " if number in last else "│ "
        waiting += [(child, rails, depth + 1) for child in reversed(below.get(number, ()))]


def _twig(tree: Tree, branch: Branch, own: _Own, rails: str, places: dict[int, _Place]) -> Twig:
    at, old, new = own.first, "", ""
    siblings = tree.children(branch.fork)
    if siblings[0] != own.first:
        at, old, new = _difference(tree, siblings[0], own.first)
    place = places[at]
    return Twig(
        branch=branch,
        rails=rails,
        old=old,
        new=new,
        turn=max(1, place.turn),
        token=place.token,
        entropy=own.entropy,
        beginning=_beginning(tree, own.first),
    )


def _difference(tree: Tree, old: int, new: int) -> tuple[int, str, str]:
    """Where the newer of two ways differs, and what stands on each there.

    An answer that was made again may begin with the same words.
    """
    one, other = tree[old], tree[new]
    while _alike(one, other):
        following = tree.children(old)[:1], tree.children(new)[:1]
        if not all(following):
            ends = [label(tree[way[0]]) if way else "(the end)" for way in following]
            return new, ends[0], ends[1]
        (old,), (new,) = following
        one, other = tree[old], tree[new]
    if isinstance(one, PromptRecord) and isinstance(other, PromptRecord):
        before, after = _apart(one.text, other.text)
        return new, before, after
    return new, label(one), label(other)


def _alike(one: Node, other: Node) -> bool:
    if isinstance(one, PromptRecord):
        return isinstance(other, PromptRecord) and (one.role, one.text) == (other.role, other.text)
    return isinstance(other, TokenRecord) and one.id == other.id


def _apart(old: str, new: str) -> tuple[str, str]:
    """The words in which two texts differ."""
    a, b = old.split(), new.split()
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    stop = 0
    while stop < min(len(a), len(b)) - start and a[-1 - stop] == b[-1 - stop]:
        stop += 1
    parts = (" ".join(words[start : len(words) - stop]) for words in (a, b))
    one, other = (one_line(part[:LONGEST]) or "(nothing)" for part in parts)
    return one, other


def label(node: Node) -> str:
    """A record in a few words, drawn safely."""
    if isinstance(node, TokenRecord):
        return labels.token(node)
    return one_line(node.text[:LONGEST])


def _beginning(tree: Tree, first: int) -> str:
    """How a branch's own text begins: a prompt's words, or up to two dozen tokens."""
    said = ""
    index = first
    for _ in range(24):
        node = tree[index]
        if isinstance(node, PromptRecord):
            if node.role == "user":
                return one_line(node.text[:LONGEST])
        else:
            said += node.text
        following = tree.children(index)
        if not following:
            break
        index = following[0]
    return one_line(said)
