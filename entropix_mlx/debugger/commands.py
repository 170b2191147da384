"""The debugger's commands: one line each, the words of gdb where gdb has one.

`step`, `next`, `until`, `finish`, `continue`, `run` go on; `take`, `type`, `ban`, `redraw`, `set`,
`preset` decide; `break` and its kin say where to halt; `back`, `reverse-continue`, `rewind` and
`branch` go back. A command that decides on a recorded token returns there first: a branch.
"""

import difflib
from collections.abc import Iterator
from typing import NamedTuple

from entropix_mlx.debugger import arguments, deciding, moving
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.moving import Do
from entropix_mlx.debugger.outputs import Output, Refused, Said, Shown
from entropix_mlx.records.record import TokenRecord
from entropix_models.errors import EntropixError, UsageError


class Command(NamedTuple):
    """`usage` begins with the command's name; `aliases` do the same."""

    usage: str
    aliases: tuple[str, ...]
    help: str
    do: Do

    @property
    def name(self) -> str:
        return self.usage.split()[0]


def execute(debugger: Debugger, line: str) -> Iterator[Output]:
    """Do what a line says. What cannot be done is a `Refused`; an empty line is a step."""
    word, _, rest = line.strip().partition(" ")
    if line.strip().startswith("#"):
        return
    try:
        command = _NAMES.get(word or "step")
        if command is None:
            close = difflib.get_close_matches(word, _NAMES, n=1)
            meant = f" (did you mean {close[0]!r}?)" if close else ""
            raise UsageError(f"unknown command {word[:40]!r}{meant}; help lists them")
        yield from command.do(debugger, rest.strip())
    except EntropixError as error:
        yield Refused(str(error))


# Looking, and where to halt.


def _waterfall(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield Shown(debugger.live.waterfall())


def _lens(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield Shown(debugger.live.lens())


def _futures(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield Shown(debugger.live.futures(min(arguments.count(rest or "5", "futures"), 64)))


def _attention(debugger: Debugger, _rest: str) -> Iterator[Output]:
    if debugger.cursor is not None:
        yield Shown(debugger.session.inspect(debugger.cursor))
    else:
        yield Shown(debugger.live.inspect())


def _where(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield Said(debugger.decisions() or ["no token was decided by anyone but the sampler"])


def _display(debugger: Debugger, rest: str) -> Iterator[Output]:
    names = rest.split()
    unknown = [name for name in names if name not in TokenRecord.__struct_fields__]
    if unknown:
        raise UsageError(f"a token has no {unknown[0]!r}; it has {', '.join(_MEASURES)}")
    debugger.displays = names
    yield from debugger.here()


_MEASURES = ("entropy", "varentropy", "logprob", "rank", "region", "strategy", "temperature")


def _ask(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.ask(arguments.text(rest))


def _points(verb: str) -> Do:
    def do(debugger: Debugger, rest: str) -> Iterator[Output]:
        told = debugger.breakpoints.command(f"{verb} {rest}".strip())
        debugger.keep_breakpoints()
        yield Said([told])

    return do


def _list(debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield Said(debugger.breakpoints.lines() or ["no breakpoints"])


def _help(_debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield Said([f"{c.usage:<28} {c.help}" for c in COMMANDS])


COMMANDS: tuple[Command, ...] = (
    Command("ask TEXT", (), "send a prompt and halt before its answer", _ask),
    Command("step [N]", ("s", "accept"), "take the proposed token, or N tokens", moving.step),
    Command("next", ("n",), "to the end of the word", moving.until("word")),
    Command("until line|sentence", ("u",), "to the end of it", moving.until("until")),
    Command("finish", ("fin",), "to the end of the message", moving.until("finish")),
    Command("continue", ("c",), "to the next breakpoint, or the end", moving.continue_),
    Command("run [SPEED]", ("r",), "the same at SPEED tokens a second", moving.run),
    Command("take [N|TEXT]", ("t",), "take a candidate, or a token by its text", deciding.take),
    Command("type TEXT", (), "insert a text in place of what is proposed", deciding.insert),
    Command("ban [N|TEXT]", (), "forbid a token here; without one, the proposed", deciding.ban),
    Command("redraw [K]", ("d",), "draw again with another key", deciding.redraw),
    Command("set KEY=VALUE", (), "change a setting of the sampler from here on", deciding.change),
    Command("preset NAME", (), "change the sampler from here on", deciding.preset),
    Command("end", ("return",), "end the message here", deciding.end),
    Command(
        "back [N]", ("rs", "reverse-step"), "look at earlier tokens; no model call", moving.back
    ),
    Command("reverse-continue", ("rc",), "back to where one was met", moving.reverse_continue),
    Command("rewind [N|@INDEX]", ("rw",), "halt before an earlier token again", moving.rewind),
    Command("branches", (), "list the branches", moving.branches),
    Command("branch N", (), "go on at the end of another branch", moving.branch),
    Command("name N TEXT", (), "name a branch", moving.name),
    Command("prune N", (), "drop a branch from the list; the trace keeps it", moving.prune),
    Command("waterfall", ("w",), "what each stage of the sampler removed", _waterfall),
    Command("futures [K]", ("f",), "one step further for the K most likely tokens", _futures),
    Command("lens", ("l",), "what each layer would have said", _lens),
    Command("attention", ("a",), "attention by layer and head, most attended tokens", _attention),
    Command("where", ("bt",), "the decisions that were not the sampler's", _where),
    Command("display [FIELD ...]", (), "show these fields at every halt", _display),
    Command("breakpoints", ("info",), "list them", _list),
    Command("break CONDITION [do ...]", ("b",), "halt where it holds", _points("break")),
    Command("tbreak CONDITION", ("tb",), "the same, once", _points("tbreak")),
    Command("watch WHAT", (), "halt where it changes", _points("watch")),
    Command("catch KIND", (), "halt at an end, a special token, ...", _points("catch")),
    Command("ignore N COUNT", (), "let so many hits pass", _points("ignore")),
    Command("delete N ...|all", (), "delete breakpoints", _points("delete")),
    Command("enable N ...|all", (), "enable breakpoints", _points("enable")),
    Command("disable N ...|all", (), "disable breakpoints", _points("disable")),
    Command("help", ("h", "?"), "this list", _help),
)

_NAMES = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
