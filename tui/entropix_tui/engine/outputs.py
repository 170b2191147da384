"""What comes out of the engine: a turn's records, and what there is to say around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from entropix_mlx.debugger import outputs
from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.record import End, Event, PromptRecord, RunHeader, TokenRecord
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.settings import Settings
from entropix_models.progress import BYTES

TurnRecord = PromptRecord | TokenRecord | Event | End

Scope = Literal["load", "turn", "aside"]
"""What a failure ended: the making of a session (there is none now), a command, or an aside."""


@dataclass(frozen=True)
class Loading:
    """How far the model is, or the reading of a prompt: `done` of `total` (None: not known), in
    `unit`.
    """

    stage: str
    done: int
    total: int | None
    unit: str = BYTES


@dataclass(frozen=True)
class Ready:
    """A session is there. `context` is the longest conversation in tokens, None if unknown.

    `settings` are bound: thresholds filled in. `name` is what it is saved under, None if it is
    not; `note` says what the user should know, such as why it is this model; `system` is the
    conversation's system prompt; `calibration` is where thresholds of the model's own come from.
    """

    header: RunHeader
    context: int | None
    settings: Settings
    name: str | None = None
    note: str = ""
    system: str = ""
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Renewed:
    """The conversation before has ended; nothing that belongs to it comes any more."""


@dataclass(frozen=True)
class Restored:
    """What a resumed conversation has been so far, in the order in which it was made.

    It comes before the model is loaded, and so before `Ready`; of a long one the end comes first,
    then all of it.
    """

    records: Sequence[TurnRecord]
    header: RunHeader


@dataclass(frozen=True)
class Inspected:
    """The answer to `inspect`."""

    inspection: Inspection


@dataclass(frozen=True)
class Unsaved:
    """From here on the conversation is not saved any more; told once, with the reason."""

    message: str


@dataclass(frozen=True)
class Failed:
    """What went wrong, in one line; `details` is the traceback, for `--debug`."""

    message: str
    details: str
    scope: Scope = "turn"


@dataclass(frozen=True)
class Scored:
    """What comes of a text that is scored, which is no part of the conversation."""

    output: Loading | Restored | TurnRecord | Inspected | Unsaved | Failed


Output = (
    Loading
    | Ready
    | Renewed
    | Restored
    | Inspected
    | Unsaved
    | Failed
    | Scored
    | TurnRecord
    | outputs.Output
)
