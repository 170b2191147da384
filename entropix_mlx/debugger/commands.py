"""The debugger's commands: one line each, the words of gdb where gdb has one.

`step`, `next`, `until`, `finish`, `continue`, `run` go on; `take`, `type`, `ban`, `redraw`, `set`,
`preset` decide; `break` and its kin say where to halt; `back`, `reverse-continue`, `rewind` and
`branch` go back. A command that decides on a recorded token returns there first: a branch.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from entropix_mlx.debugger import actions
from entropix_mlx.debugger.actions import Do, points, until
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import Done, Help, Output, Refused
from entropix_mlx.sampling.parameters import did_you_mean
from entropix_models.errors import EntropixError, UsageError


class Command(NamedTuple):
    """`usage` begins with the command's name; `aliases` do the same.

    `kind`: a `long` one may take more than a step of the model; a `view` shows what is computed of
    the place where it halts.
    """

    usage: str
    aliases: tuple[str, ...]
    help: str
    do: Do
    kind: Literal["short", "long", "view"] = "short"

    @property
    def name(self) -> str:
        return self.usage.split()[0]


def command_of(line: str) -> Command | None:
    """The command of a line, the empty one being a step; None for a comment or an unknown word."""
    return _NAMES.get(line.strip().partition(" ")[0] or "step")


def execute(debugger: Debugger, line: str) -> Iterator[Output]:
    """Do what a line says: what comes of it, and `Done`. What cannot be done is a `Refused`."""
    word, _, rest = line.strip().partition(" ")
    command = command_of(line)
    try:
        if command is not None:
            yield from command.do(debugger, rest.strip())
        elif not word.startswith("#"):
            meant = did_you_mean(word, _NAMES)
            raise UsageError(f"unknown command {word[:40]!r}{meant}; help lists them")
    except EntropixError as error:
        yield Refused(str(error))
    yield Done(command.name if command is not None else "")


def _help(_debugger: Debugger, _rest: str) -> Iterator[Output]:
    yield Help([(command.usage, command.help) for command in COMMANDS])


COMMANDS: tuple[Command, ...] = (
    Command("ask TEXT", (), "send a prompt and halt before its answer", actions.ask, "long"),
    Command("step [N]", ("s", "accept"), "take the proposed token, or N tokens", actions.step),
    Command("next", ("n",), "to the end of the word", until("word"), "long"),
    Command("until line|sentence", ("u",), "to the end of it", until("until"), "long"),
    Command("finish", ("fin",), "to the end of the message", until("finish"), "long"),
    Command("continue", ("c",), "to the next breakpoint, or the end", actions.continue_, "long"),
    Command("run [SPEED]", ("r",), "the same at SPEED tokens a second", actions.run, "long"),
    Command("take [N|TEXT]", ("t",), "take a candidate, or a token by its text", actions.take),
    Command("type TEXT", (), "insert a text in place of what is proposed", actions.insert, "long"),
    Command("ban [N|TEXT]", (), "forbid a token here; without one, the proposed", actions.ban),
    Command("redraw [K]", ("d",), "draw again with another key", actions.redraw),
    Command("set KEY=VALUE", (), "change a setting of the sampler from here on", actions.change),
    Command("preset NAME", (), "change the sampler from here on", actions.preset),
    Command("end", ("return",), "end the message here", actions.end),
    Command(
        "back [N]", ("rs", "reverse-step"), "look at earlier tokens; no model call", actions.back
    ),
    Command("reverse-continue", ("rc",), "back to where one was met", actions.reverse_continue),
    Command(
        "rewind [N|@INDEX]", ("rw",), "halt before an earlier token again", actions.rewind, "long"
    ),
    Command("branches", (), "list the branches", actions.branches),
    Command("branch N", (), "go on at the end of another branch", actions.branch, "long"),
    Command("name N TEXT", (), "name a branch", actions.name),
    Command("prune N", (), "drop a branch from the list; the trace keeps it", actions.prune),
    Command(
        "waterfall", ("w",), "what each stage of the sampler removed", actions.waterfall, "view"
    ),
    Command(
        "futures [K]", ("f",), "one step further for the K most likely tokens",
        actions.futures, "view",
    ),
    Command("lens", ("l",), "what each layer would have said", actions.lens, "view"),
    Command(
        "attention", ("a",), "attention by layer and head, most attended tokens",
        actions.attention, "view",
    ),
    Command("where", ("bt",), "the decisions that were not the sampler's", actions.where),
    Command("display [FIELD ...]", (), "show these fields at every halt", actions.display),
    Command("breakpoints", ("info",), "list them", actions.breakpoints),
    Command("break CONDITION [do ...]", ("b",), "halt where it holds", points("break")),
    Command("tbreak CONDITION", ("tb",), "the same, once", points("tbreak")),
    Command("watch WHAT", (), "halt where it changes", points("watch")),
    Command("catch KIND", (), "halt at an end, a special token, ...", points("catch")),
    Command("ignore N COUNT", (), "let so many hits pass", points("ignore")),
    Command("delete N ...|all", (), "delete breakpoints", points("delete")),
    Command("enable N ...|all", (), "enable breakpoints", points("enable")),
    Command("disable N ...|all", (), "disable breakpoints", points("disable")),
    Command("help", ("h", "?"), "this list", _help),
)  # fmt: skip

_NAMES = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
