"""What the debugger gives out: host values, for screens, scripts and tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from entropix_mlx.debugger.breakpoints import BreakpointInfo, Hit
from entropix_mlx.records.inspection import Future, Inspection, LayerSaid, Waterfall
from entropix_mlx.records.record import Event, PromptRecord, TokenRecord, TurnRecord
from entropix_mlx.records.tree import Branch


@dataclass(frozen=True)
class Halt:
    """Before a draw: `proposal` is what would be taken. `hits`: why it stands here, if a breakpoint
    is the reason; `reread`: how many ids had to be read again to be here.
    """

    proposal: TokenRecord
    hits: list[Hit] = field(default_factory=list)
    reread: int = 0


@dataclass(frozen=True)
class Looking:
    """Back at a recorded token, without a model call; `reason` if a breakpoint was met there."""

    index: int
    reason: str = ""


@dataclass(frozen=True)
class Finished:
    """The answer is over; None if there is none yet."""

    reason: str | None


Place = Halt | Looking | Finished


@dataclass(frozen=True)
class Lens:
    """What each layer would have said where it halts, the first one first."""

    layers: list[LayerSaid]


@dataclass(frozen=True)
class Futures:
    """One step further from where it halts, the most likely one first."""

    futures: list[Future]


@dataclass(frozen=True)
class Displays:
    """The fields that are shown at every halt from now on, and where it stands, as before."""

    fields: Sequence[str]
    place: Place


@dataclass(frozen=True)
class Listed:
    """All breakpoints."""

    breakpoints: Sequence[BreakpointInfo]


@dataclass(frozen=True)
class Changed:
    """The breakpoints that a command was about, as they are now; deleted ones as they were."""

    verb: str
    breakpoints: Sequence[BreakpointInfo]


@dataclass(frozen=True)
class Branches:
    """All branches; `leaf`: the last record of the path that the model stands on."""

    branches: Sequence[Branch]
    leaf: int


@dataclass(frozen=True)
class Decisions:
    """What on the path was not decided by the sampler, in order: forced tokens, prompts, settings
    (after the record that an event names).
    """

    records: Sequence[TokenRecord | PromptRecord | Event]


@dataclass(frozen=True)
class Help:
    """Each command's usage, and what it does."""

    commands: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Message:
    """Lines of text about what happens on the way."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Refused:
    """Why a command could not be done, in one line; everything is as it was."""

    message: str


@dataclass(frozen=True)
class Done:
    """The last output of every line. `command`: its full name, empty if it was none."""

    command: str


Told = Listed | Changed | Branches | Decisions | Help | Message
"""What is lines of text wherever it is shown."""

Output = (
    TurnRecord | Place | Waterfall | Inspection | Lens | Futures | Displays | Told | Refused | Done
)
