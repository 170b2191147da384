"""The debugger's commands that go on, and those that go back."""

import re
from collections.abc import Callable, Iterator

from entropix_mlx.debugger import arguments
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import Looking, Output, Said
from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_models.errors import UsageError

Do = Callable[[Debugger, str], Iterator[Output]]
"""Does what a command's argument says."""


def step(debugger: Debugger, rest: str) -> Iterator[Output]:
    left = arguments.count(rest, "step")
    if debugger.cursor is not None:
        yield from _forward(debugger, left)
        return

    def enough(_taken: TokenRecord, _proposed: TokenRecord) -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    yield from debugger.run(enough)


def _forward(debugger: Debugger, count: int) -> Iterator[Output]:
    """Over recorded tokens, towards where the model halts."""
    path = [node.index for node in debugger.session.tree.path() if isinstance(node, TokenRecord)]
    assert debugger.cursor is not None
    following = path[path.index(debugger.cursor) + 1 :] if debugger.cursor in path else []
    debugger.cursor = following[count - 1] if count <= len(following) else None
    yield from debugger.here()


def until(what: str) -> Do:
    def do(debugger: Debugger, rest: str) -> Iterator[Output]:
        kind = rest if what == "until" else what
        if kind not in _ENDS:
            raise UsageError(f"until {rest!r}: give line or sentence")
        debugger.cursor = None
        yield from debugger.run(_ENDS[kind])

    return do


_WORD_BEGINS = re.compile(r"\s|[^\w]")
_ENDS: dict[str, Callable[[TokenRecord, TokenRecord], bool]] = {
    "word": lambda _taken, proposed: bool(_WORD_BEGINS.match(proposed.text)),
    "line": lambda taken, _proposed: "\n" in taken.text,
    "sentence": lambda taken, proposed: (
        bool(re.search(r"[.!?][\"')\]]*\s*$", taken.text))
        and (not proposed.text.strip() or proposed.text[0].isspace())
    ),
    "finish": lambda _taken, _proposed: False,
}


def continue_(debugger: Debugger, _rest: str) -> Iterator[Output]:
    debugger.cursor = None
    yield from debugger.run(_ENDS["finish"])


def run(debugger: Debugger, rest: str) -> Iterator[Output]:
    debugger.cursor = None
    speed = arguments.number(rest or "5", "run", 0.1, 1000)
    yield from debugger.run(_ENDS["finish"], pace=1 / speed)


def back(debugger: Debugger, rest: str) -> Iterator[Output]:
    count, tree = arguments.count(rest, "back"), debugger.session.tree
    at = debugger.cursor
    for _ in range(count):
        before = tree.leaf if at is None else tree.parent(at)
        if before not in tree or isinstance(tree[before], PromptRecord):
            break
        at = before
    if at == debugger.cursor:
        raise UsageError("this is the beginning of the answer")
    debugger.cursor = at
    yield from debugger.here()


def reverse_continue(debugger: Debugger, _rest: str) -> Iterator[Output]:
    tree = debugger.session.tree
    start = tree.leaf if debugger.cursor is None else tree.parent(debugger.cursor)
    last = None
    for index in tree.up(start):
        if isinstance(tree[index], PromptRecord):
            break
        last = index
        proposed = debugger.recorded(index)
        for point in debugger.breakpoints:
            reason = point.check(proposed) if point.enabled else None
            if reason is not None:
                debugger.cursor = index
                yield Looking(index, f"breakpoint {point.number}: {reason}")
                return
    if last is None:
        raise UsageError("this is the beginning of the answer")
    debugger.cursor = last
    yield Looking(last, "the beginning of the answer")


def rewind(debugger: Debugger, rest: str) -> Iterator[Output]:
    tree = debugger.session.tree
    if not rest and debugger.cursor is not None:
        yield from debugger.make_live()
        return
    if rest.startswith("@"):
        index = arguments.count(rest[1:], "rewind @", least=0)
        if index not in tree or isinstance(tree[index], PromptRecord):
            raise UsageError(f"record {index} is no token: rewind takes how many tokens, or @INDEX")
    else:
        index = tree.leaf
        for _ in range(arguments.count(rest, "rewind") - 1):
            index = tree.parent(index)
            if index not in tree:
                break
        if index not in tree or isinstance(tree[index], PromptRecord):
            raise UsageError("that is before the beginning of the answer")
    yield from debugger.go_to(tree.parent(index))


def branches(debugger: Debugger, _rest: str) -> Iterator[Output]:
    tree = debugger.session.tree
    here = set(tree.up(tree.leaf))
    yield Said(
        [
            f"{'*' if branch.leaf in here else ' '}{n:>3}  {branch.name or '-'}  "
            f"{branch.tokens} tokens from {branch.fork}, ends at {branch.leaf}"
            for n, branch in enumerate(tree.branches(), 1)
        ]
        or ["nothing has been said yet"]
    )


def branch(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.go_to(arguments.leaf(debugger, rest))


def name(debugger: Debugger, rest: str) -> Iterator[Output]:
    number, _, name = rest.partition(" ")
    if not name.strip():
        raise UsageError("name takes a branch's number and a name: name 2 calm")
    yield debugger.session.name_branch(arguments.leaf(debugger, number), name.strip())


def prune(debugger: Debugger, rest: str) -> Iterator[Output]:
    leaf = arguments.leaf(debugger, rest)
    if leaf in debugger.session.tree.up(debugger.session.tree.leaf):
        raise UsageError("that is the branch you are on: switch to another one first")
    yield debugger.session.prune(leaf)
