"""What a replay is made of: the file, and the model that is loaded only when one steps into it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from entropix_mlx.records.record import Event, PromptRecord, RunHeader, TokenRecord, TurnRecord
from entropix_mlx.records.tree import Tree, shifted
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.trace.archive import Archive
from entropix_mlx.trace.trace import attention_beside, read_trace
from entropix_models.errors import TraceError, UsageError
from entropix_models.progress import Progress
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.garbage import uncollected
from entropix_tui.engine.outputs import Failed, Output, Ready, Restored
from entropix_tui.engine.protocol import (
    Complain,
    MakeSession,
    SessionLike,
    SessionRequest,
)

if TYPE_CHECKING:
    from entropix_models.language_model import LanguageModel
    from entropix_tui.replay.recorded_heads import RecordedHeads

NOT_RECORDED = "not recorded: F7 loads the model"


@dataclass(frozen=True)
class Recording:
    """A trace that was read; `problems` as in `entropix_mlx.trace.trace.Trace`."""

    path: Path
    header: RunHeader
    records: Sequence[TurnRecord]
    problems: Sequence[str] = ()
    heads: "RecordedHeads | None" = None
    """The attention beside it, if there is any."""

    @classmethod
    def read(cls, name: str) -> "Recording":
        """A file, or a saved session by its name. Raises TraceError."""
        path = _path_of(name)
        with uncollected():
            trace = read_trace(path)
        if not any(isinstance(record, PromptRecord | TokenRecord) for record in trace.records):
            found = f"; {trace.problems[0]}" if trace.problems else ""
            raise TraceError(f"the trace {path} has nothing to show: no prompt, no token{found}")
        heads, problems = None, trace.problems
        if attention_beside(path).exists():
            from entropix_tui.replay.recorded_heads import RecordedHeads

            try:
                heads = RecordedHeads.read(attention_beside(path), trace.records)
            except TraceError as error:
                problems = [*problems, str(error)]
        return cls(path, trace.header, trace.records, problems, heads)


def beside(one: Recording, other: Recording) -> tuple[Recording, tuple[int, int]]:
    """Two recordings as two ways of one that part at its root, and the leaves of both."""
    tree = Tree.of(one.records)
    shift = tree.newest + 1
    theirs = [shifted(record, shift) for record in other.records]
    drawn_by = other.header.sampler | {"seed": other.header.seed}
    seam = Event(kind="setting", index=tree.newest, detail=drawn_by)
    problems = [*one.problems, *other.problems]
    if one.header.model != other.header.model:
        problems.insert(0, f"{other.path} was made with another model: {other.header.model}")
    records = [*one.records, seam, *theirs]
    heads = one.heads.with_others(other.heads, shift, records) if one.heads else None
    whole = Recording(one.path, one.header, records, problems, heads)
    return whole, (tree.leaf, Tree.of(theirs).leaf)


def _path_of(name: str) -> Path:
    path = Path(name).expanduser()
    if path.exists() and not path.is_dir():
        return path
    archive = Archive()
    try:
        if archive.exists(name):
            return archive.path(name)
    except UsageError:  # what cannot name a session can name a file
        return path
    if path.name == name and not path.exists():
        raise TraceError(
            f"cannot read the trace {name}: there is no such file, and no saved session of that "
            "name; `entropix-tui chat`, Ctrl+O lists the sessions"
        )
    return path


@dataclass
class Revival:
    """Makes a session that stands where a recording ends, and writes nothing.

    `model` None: the recorded one, if it is on this disk; one that is named may be downloaded.
    """

    recording: Recording
    model: str | None = None
    device: str = "auto"

    def prepare(self, request: SessionRequest, progress: Progress) -> None:
        """There is no other session than this one."""

    def past(self, request: SessionRequest, *, end: bool = False) -> Restored | None:  # noqa: ARG002
        """The screen has it already."""
        return None

    def __call__(
        self,
        request: SessionRequest,  # noqa: ARG002
        settings: Settings | None,  # noqa: ARG002
        progress: Progress,
        complain: Complain,  # noqa: ARG002
    ) -> tuple[SessionLike, Ready]:
        from entropix_mlx.session.resume import revive
        from entropix_models import devices, loader
        from entropix_models.sources import sources

        recording = self.recording
        name = self.model or recording.header.model
        folder = sources.resolve(name, progress=progress, offline=self.model is None)
        model = loader.load(folder, devices.choose(self.device), progress)
        note = self._differs(model)
        session = revive(
            model,
            recording.header,
            recording.records,
            recording.path,
            score_prompts=True,
            progress=progress,
        )
        return session, Ready(
            session.header,
            session.context_length,
            session.settings,
            note=note,
            calibration=session.calibration,
        )

    def _differs(self, model: "LanguageModel") -> str:
        """What is not as it was recorded. Raises UsageError if nothing can be right then."""
        info, header = model.info, self.recording.header
        greatest = max(map(_greatest, self.recording.records), default=0)
        if greatest >= info.vocab_size:
            raise UsageError(
                f"{info.name} knows {info.vocab_size} tokens, {self.recording.path} has number "
                f"{greatest}: it was made with {header.model}; name that one with --model"
            )
        recorded, present = (header.model, header.revision), (info.name, info.revision)
        if recorded == present:
            return ""
        was, now = (" ".join(part for part in pair if part) for pair in (recorded, present))
        return f"recorded with {was}, this is {now}: it may decide otherwise"


def _greatest(record: TurnRecord) -> int:
    if isinstance(record, TokenRecord):
        return record.id
    return max(record.ids, default=0) if isinstance(record, PromptRecord) else 0


class IdleEngine(Engine):
    """An engine whose thread, and all that it imports, begins with the debugger's first line.

    Until then what would need a model is refused.
    """

    def __init__(
        self, make_session: MakeSession, *, release: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(make_session, release=release)
        self._refused: list[Output] = []
        self.has_model = False
        """Whether a session is there: the screen says so when it has come."""

    def start(self) -> None:
        """Nothing is needed to look at what was recorded."""

    def debug(self, line: str, *, max_tokens: int) -> None:
        if self._thread.ident is None:
            self._thread.start()
        super().debug(line, max_tokens=max_tokens)

    def leave_debugger(self) -> None:
        # What could not be loaded is not asked for again by leaving it.
        if self.has_model:
            super().leave_debugger()

    def inspect(self, index: int) -> None:
        if self.has_model:
            super().inspect(index)
        else:
            self._refused.append(Failed(NOT_RECORDED, "", "aside"))

    def drain(self) -> list[Output]:
        refused, self._refused = self._refused, []
        return [*refused, *super().drain()]
