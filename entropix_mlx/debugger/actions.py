"""What the debugger's commands do: go on, decide, go back, show, say where to halt.

Each takes what stands after its command's name, and raises UsageError where that makes no sense.
One that decides returns to the token that is looked at first.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice

from entropix_mlx.debugger import arguments, outputs
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import Output
from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError

Do = Callable[[Debugger, str], Iterator[Output]]

# Going on.


def ask(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.ask(arguments.text(rest))


def step(debugger: Debugger, rest: str) -> Iterator[Output]:
    left = arguments.count(rest, "step")
    if debugger.cursor is not None:
        _forward(debugger, left)
        yield debugger.here()
        return

    def enough(_taken: TokenRecord, _proposed: TokenRecord) -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    yield from debugger.run(enough)


def _forward(debugger: Debugger, count: int) -> None:
    """Over recorded tokens, towards where the model halts."""
    path = [node.index for node in debugger.session.tree.path() if isinstance(node, TokenRecord)]
    assert debugger.cursor is not None
    following = path[path.index(debugger.cursor) + 1 :] if debugger.cursor in path else []
    debugger.cursor = following[count - 1] if count <= len(following) else None


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


# Deciding.


def take(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    halted = debugger.live
    if rest:
        halted.reconsider(force=arguments.candidate(debugger, rest))
    yield from debugger.run(lambda _taken, _proposed: True)


def insert(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield from debugger.insert(arguments.text(rest))
    yield from debugger.run(lambda _taken, _proposed: True)


def ban(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    halted = debugger.live
    id = arguments.candidate(debugger, rest) if rest else halted.proposal().id
    halted.ban(id)
    yield debugger.here()


def redraw(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    debugger.live.redraw(arguments.count(rest, "redraw", least=0) if rest else None)
    yield debugger.here()


def change(debugger: Debugger, rest: str) -> Iterator[Output]:
    name, equals, value = (part.strip() for part in rest.partition("="))
    if not equals:
        raise UsageError("set takes KEY=VALUE, as in: set temperature=0.5")
    present = debugger.session.settings
    known = present.parameters()
    values = {k: str(v) for k, v in present.to_dict().items() if k in known and v is not None}
    yield from _use(debugger, Settings.make(present.preset, values | {name: value}))


def preset(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from _use(debugger, Settings.make(rest))


def _use(debugger: Debugger, settings: Settings) -> Iterator[Output]:
    yield from debugger.make_live()
    event = debugger.session.use(settings)
    if event is not None:
        yield event
    yield debugger.here()


def end(debugger: Debugger, _rest: str) -> Iterator[Output]:
    debugger.cursor = None
    yield from debugger.running.leave()
    yield debugger.here()


# Going back.


def back(debugger: Debugger, rest: str) -> Iterator[Output]:
    count, before = arguments.count(rest, "back"), _before(debugger)
    debugger.cursor = before[max(len(before) - count, 0)].index
    yield debugger.here()


def reverse_continue(debugger: Debugger, _rest: str) -> Iterator[Output]:
    before = _before(debugger)
    for index in (token.index for token in reversed(before)):
        proposed = debugger.recorded(index)
        for point in debugger.breakpoints:
            reason = point.check(proposed) if point.enabled else None
            if reason is not None:
                debugger.cursor = index
                yield outputs.Looking(index, f"breakpoint {point.number}: {reason}")
                return
    debugger.cursor = before[0].index
    yield outputs.Looking(debugger.cursor, "the beginning of the answer")


def _before(debugger: Debugger) -> list[TokenRecord]:
    """The answer's tokens before what is looked at. Raises UsageError where there is none."""
    tree, cursor = debugger.session.tree, debugger.cursor
    before = tree.answer(tree.leaf if cursor is None else tree.parent(cursor))
    if not before:
        raise UsageError("this is the beginning of the answer")
    return before


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
        further = arguments.count(rest, "rewind") - 1
        index = next(islice(tree.up(tree.leaf), further, None), ROOT)
        if index not in tree or isinstance(tree[index], PromptRecord):
            raise UsageError("that is before the beginning of the answer")
    yield from debugger.go_to(tree.parent(index))


# Branches.


def branches(debugger: Debugger, _rest: str) -> Iterator[Output]:
    tree = debugger.session.tree
    yield outputs.Branches(tree.branches(), tree.leaf)


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


# Showing.


def waterfall(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield debugger.live.waterfall()


def lens(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield outputs.Lens(debugger.live.lens())


def futures(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield outputs.Futures(debugger.live.futures(min(arguments.count(rest or "5", "futures"), 64)))


def attention(debugger: Debugger, _rest: str) -> Iterator[Output]:
    if debugger.cursor is not None:
        yield debugger.session.inspect(debugger.cursor)
    else:
        yield debugger.live.inspect()


def where(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield outputs.Decisions(debugger.decisions())


def display(debugger: Debugger, rest: str) -> Iterator[Output]:
    fields = rest.split()
    unknown = [name for name in fields if name not in TokenRecord.__struct_fields__]
    if unknown:
        raise UsageError(f"a token has no {unknown[0]!r}; it has {', '.join(_MEASURES)}")
    debugger.displays = fields
    yield outputs.Displays(fields, debugger.here())


_MEASURES = ("entropy", "varentropy", "logprob", "rank", "region", "strategy", "temperature")

# Where to halt.


def breakpoints(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield outputs.Listed(debugger.breakpoints.infos())


def points(verb: str) -> Do:
    def do(debugger: Debugger, rest: str) -> Iterator[Output]:
        changed = debugger.breakpoints.command(f"{verb} {rest}".strip())
        debugger.keep_breakpoints()
        yield outputs.Changed(verb, changed)

    return do
