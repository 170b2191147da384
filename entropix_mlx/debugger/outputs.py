"""What the debugger gives out: host values, for screens, scripts and tests."""

from dataclasses import dataclass, field

from entropix_mlx.debugger.breakpoints import Hit
from entropix_mlx.records.inspection import Future, Inspection, LayerSaid, Waterfall
from entropix_mlx.records.record import TokenRecord, TurnRecord


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


@dataclass(frozen=True)
class Shown:
    """What was asked to be shown of the place where it halts."""

    what: Waterfall | Inspection | list[LayerSaid] | list[Future]


@dataclass(frozen=True)
class Said:
    """Lines of text."""

    lines: list[str]


@dataclass(frozen=True)
class Refused:
    """Why a command could not be done, in one line; everything is as it was."""

    message: str


Output = TurnRecord | Halt | Looking | Finished | Shown | Said | Refused
