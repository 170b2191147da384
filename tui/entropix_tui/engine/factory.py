"""Sessions on a real model, made in the engine's thread: everything heavy is imported there."""

import dataclasses
import datetime
import gc
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from entropix_mlx.sampling.settings import Settings
from entropix_mlx.trace.archive import Archive
from entropix_mlx.trace.trace import TraceWriter, attention_beside, read_trace
from entropix_models.errors import EntropixError, TraceError, UsageError
from entropix_models.progress import Progress
from entropix_tui.engine.errors import CancelledError
from entropix_tui.engine.garbage import uncollected
from entropix_tui.engine.outputs import Ready, Restored
from entropix_tui.engine.protocol import (
    Calibrate,
    Complain,
    Fresh,
    Resume,
    SessionLike,
    SessionRequest,
    Switch,
)

if TYPE_CHECKING:
    from entropix_mlx.sampling.calibration import Calibration
    from entropix_mlx.session.session import Session
    from entropix_models.language_model import LanguageModel
    from entropix_tui.engine.autosave import AutosavedAttention

LONG = 2**23
"""Bytes of a trace from which on it takes a noticeable time to read."""

ENOUGH = 2**21
"""Bytes of a trace that fill any screen."""


@dataclass
class SessionFactory:
    """Makes one session after another; the model is loaded for the first of them.

    `model` None: the recorded one of a session that is resumed, otherwise the device's default.
    `seed` None: each session draws its own. Conversations are saved in `archive`, the first under
    `name` if that is given; None: they are not. With `trace` the first goes to that path and no
    archive, the n-th to the same name with `-n` before the ending. `explicit` are settings that a
    resumed session is to have instead of its own. `trace_attention`: each conversation's attention
    goes beside its trace. Raises TraceError.
    """

    settings: Settings
    model: str | None = None
    device: str = "auto"
    system: str = ""
    seed: int | None = None
    date: datetime.date | None = None
    archive: Archive | None = None
    name: str | None = None
    trace: Path | None = None
    explicit: Settings | None = None
    trace_attention: bool = False
    _loaded: "LanguageModel | None" = field(default=None, init=False)
    _default_note: str = field(default="", init=False)
    _first: TraceWriter | None = field(default=None, init=False)
    _made: int = field(default=0, init=False)
    _bound: "Calibration | None" = field(default=None, init=False)
    """What the settings in use were bound to, where it is stored no more."""

    def __post_init__(self) -> None:
        if self.trace is not None:  # now, so that a path that cannot be written is told at once
            self._first = TraceWriter(self.trace)

    def prepare(self, request: SessionRequest, progress: Progress) -> None:
        """Find, and fetch if need be, the model that a request takes; measure the one there is."""
        from entropix_models.sources import sources

        if isinstance(request, Calibrate):
            self._calibrate(progress)
            return
        name = self._wanted(request)
        if name is not None:
            sources.resolve(name, progress=progress)

    def past(self, request: SessionRequest, *, end: bool = False) -> Restored | None:
        """What a session that is to be resumed has been; with `end` the end of a long one."""
        if not isinstance(request, Resume):
            return None
        path = self._saved().path(request.name)
        if end and not (path.exists() and path.stat().st_size > LONG):
            return None
        with uncollected():
            trace = read_trace(path, last=ENOUGH if end else None)
        return Restored(trace.records, trace.header)

    def __call__(
        self,
        request: SessionRequest,
        settings: Settings | None,
        progress: Progress,
        complain: Complain,
    ) -> tuple[SessionLike, Ready]:
        if isinstance(request, Switch | Calibrate) and settings is not None:
            settings = self._unbound(settings)
            self._bound = None
        elif isinstance(request, Fresh) and request.system is not None:
            self.system = request.system
        model = self._model(self._wanted(request), progress)
        if isinstance(request, Resume):
            return self._resumed(request.name, model, progress, complain)
        return self._fresh(model, settings or self.settings, progress, complain)

    # The model.

    def _calibrate(self, progress: Progress) -> None:
        """Measure the model that there is, and keep the result. Raises EntropixError."""
        from entropix_mlx.decoding.make_records import calibration_of
        from entropix_mlx.sampling.calibration import key, own_file, own_prompts, save
        from entropix_mlx.session.survey import survey
        from entropix_models.paths import require_writable

        model = self._loaded
        if model is None:
            raise UsageError("there is no model yet")
        prompts, before, name = own_prompts(), calibration_of(model), model.info.name
        target = own_file(key(name, model.info.revision, model.info.quantization))
        require_writable(target)
        stage = f"calibrating {name}, prompt"
        try:
            found = survey(
                model, prompts, told=lambda n, _: progress(stage, n, len(prompts), "prompts")
            )
        except CancelledError:
            raise EntropixError(f"Stopped: {name} has no thresholds of its own yet.") from None
        except ValueError as error:
            raise EntropixError(f"{name} is not calibrated: {error}") from error
        save(found, target)
        self._bound = before

    def _wanted(self, request: SessionRequest) -> str | None:
        """The name of the model that has to be loaded; None: the one that there is will do."""
        loaded = None if self._loaded is None else self._loaded.info.name
        match request:
            case Switch():
                name: str | None = request.model
            case Resume() if loaded is not None or self.model is None:
                name = self._recorded(request.name)
            case _:
                name = self.model if loaded is None else loaded
        if name is not None:
            return None if name == loaded else name
        return self._default()

    def _recorded(self, name: str) -> str:
        """The model that a saved session was held with."""
        archive = self._saved()
        path = archive.path(name)
        found = next((saved.model for saved in archive.list() if saved.name == name), None)
        if not found:
            reason = "it has no header" if found == "" else "there is no such session"
            raise TraceError(f"cannot resume {path}: {reason}; Ctrl+O lists the sessions")
        return found

    def _default(self) -> str:
        from entropix_models import devices
        from entropix_models.sources import sources

        return sources.default_name(devices.choose(self.device).kind)

    def _model(self, name: str | None, progress: Progress) -> "LanguageModel":
        """Load a model; the one before goes first, so that there is room."""
        from entropix_models import devices, loader
        from entropix_models.sources import sources

        if self._loaded is not None and name is None:
            return self._loaded
        assert name is not None
        device = devices.choose(self.device)
        if self._loaded is not None:
            self._loaded = None
            _make_room()
        folder = sources.resolve(name, progress=progress)
        self._loaded = loader.load(folder, device, progress)
        default = self.model is None and name == sources.default_name(device.kind)
        self._default_note = (
            f"{name} is the default on a {'GPU' if device.is_gpu else 'CPU'}" if default else ""
        )
        return self._loaded

    def _unbound(self, settings: Settings) -> Settings:
        """Thresholds that were the old model's own are to be the new one's."""
        if self._loaded is None:
            return settings
        from entropix_mlx.decoding.make_records import calibration_of

        preset = Settings.make(settings.preset)
        bound = preset.bind(self._bound or calibration_of(self._loaded))
        own = {
            declared.name: None
            for declared in dataclasses.fields(Settings)
            if getattr(preset, declared.name) is None
            and getattr(settings, declared.name) == getattr(bound, declared.name)
        }
        return dataclasses.replace(settings, **own)  # type: ignore[arg-type]

    # The session.

    def _fresh(
        self, model: "LanguageModel", settings: Settings, progress: Progress, complain: Complain
    ) -> tuple[SessionLike, Ready]:
        from entropix_mlx.session.journal import Storage
        from entropix_mlx.session.session import Session
        from entropix_tui.engine.autosave import AutosaveWriter

        self._made += 1
        name, path, writer, trouble = self._writer()
        session = Session(
            model,
            settings,
            seed=self.seed,
            system=self.system,
            date=self.date,
            trace=Storage(
                trace=None if writer is None else AutosaveWriter(writer, complain),
                attention=None if path is None else self._attention(path, complain, append=False),
                cache_file=None if name is None else self._saved().cache(name),
            ),
            score_prompts=True,
            progress=progress,
        )
        if trouble:
            complain(trouble)
        return session, self._ready(session, name, self.system)

    def _resumed(
        self, name: str, model: "LanguageModel", progress: Progress, complain: Complain
    ) -> tuple[SessionLike, Ready]:
        from entropix_mlx.session.journal import Storage
        from entropix_mlx.session.resume import resume, system_of
        from entropix_tui.engine.autosave import AutosaveWriter

        archive = self._saved()
        archive.prune()
        explicit, self.explicit = self.explicit, None
        path, file = archive.path(name), archive.open(name)
        try:
            session, trace = resume(
                model,
                path,
                storage=Storage(
                    trace=AutosaveWriter(file, complain),
                    attention=self._attention(path, complain, append=True),
                    cache_file=archive.cache(name),
                ),
                settings=explicit,
                score_prompts=True,
                progress=progress,
            )
        except BaseException:
            file.close()
            raise
        return session, self._ready(session, name, system_of(trace.records))

    def _attention(
        self, trace: Path, complain: Complain, *, append: bool
    ) -> "AutosavedAttention | None":
        """What writes the attention of a conversation beside its trace, if it is to be."""
        from entropix_tui.engine.autosave import AutosavedAttention

        if not self.trace_attention:
            return None
        try:
            return AutosavedAttention(attention_beside(trace), complain, append=append)
        except (EntropixError, OSError) as error:
            complain(f"attention is not saved: {error}")
            return None

    def _writer(self) -> tuple[str | None, Path | None, TraceWriter | None, str]:
        """Name, path and file of a new conversation; why there is none though one should be."""
        if self.trace is not None:
            first, self._first = self._first, None
            if first is not None:
                return None, self.trace, first, ""
            target = self.trace
            if self._made > 1:
                target = target.with_stem(f"{target.stem}-{self._made}")
            return None, target, TraceWriter(target), ""
        if self.archive is None:
            return None, None, None, ""
        given, self.name = self.name, None
        try:
            name = given or self.archive.fresh_name()
            return name, self.archive.path(name), self.archive.open(name), ""
        except (EntropixError, OSError) as error:
            return None, None, None, f"this conversation is not saved: {error}"

    def _saved(self) -> Archive:
        if self.archive is None:
            raise UsageError("sessions are not saved in this run; start it without --no-save")
        return self.archive

    def _ready(self, session: "Session", name: str | None, system: str) -> Ready:
        """What the screen is told of a session, with a note on its model."""
        from entropix_mlx.sampling.calibration import PROVISIONAL

        notes = [self._default_note] if self._default_note else []
        if session.calibration is PROVISIONAL:
            model = session.header.model
            notes.append(f"{model} has no calibration: thresholds are provisional")
        if session.lacks is not None:
            notes.append(session.lacks)
        return Ready(
            session.header,
            session.context_length,
            session.settings,
            name,
            "; ".join(notes),
            system,
            session.calibration,
        )


def _make_room() -> None:
    """Give back what a dropped model held."""
    import mlx.core as mx

    gc.collect()
    mx.clear_cache()
