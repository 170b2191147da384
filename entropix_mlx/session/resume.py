"""Going on with a conversation that a trace has kept."""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from entropix_mlx.decoding.make_records import now, versions
from entropix_mlx.records.record import Event, PromptRecord, RunHeader, TurnRecord
from entropix_mlx.records.tree import Tree
from entropix_mlx.sampling.recorded import recorded
from entropix_mlx.sampling.settings import Settings, is_setting, named
from entropix_mlx.session.journal import UNSAVED, Storage
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import Trace, read_trace
from entropix_models.errors import TraceError, UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet

NAMING = ("preset", "sha256")
"""What of a header's sampler are no settings: its name, and its file's digest."""


def resume(
    model: LanguageModel,
    path: Path,
    *,
    storage: Storage,
    settings: Settings | None = None,
    score_prompts: bool = False,
    progress: Progress = quiet,
) -> tuple[Session, Trace]:
    """Go on with a trace, which `storage` appends to: a session that stands where it ends, and it.

    Without `settings`, with those that were in force at its end. Nothing is read by the model
    before the next turn, and then only what the stored cache does not hold. Raises TraceError for
    what is no trace, UsageError for one of another model.
    """
    trace = read_trace(path)
    header = trace.header
    if (header.model, header.revision) != (model.info.name, model.info.revision):
        raise UsageError(
            f"{path} was made with {header.model} {header.revision or ''}, this is "
            f"{model.info.name} {model.info.revision or ''}: name that model"
        )
    session = revive(
        model,
        header,
        trace.records,
        path,
        storage=storage,
        score_prompts=score_prompts,
        progress=progress,
    )
    session.note("resumed", {"at": now(), "device": model.device.kind, "versions": versions()})
    if settings is not None:
        session.use(settings)
    return session, trace


def revive(
    model: LanguageModel,
    header: RunHeader,
    records: Sequence[TurnRecord],
    path: Path,
    *,
    storage: Storage = UNSAVED,
    score_prompts: bool = False,
    progress: Progress = quiet,
) -> Session:
    """A session that stands where the records of the trace `path` end, whatever the model.

    A text that was scored was not drawn by any sampler: what only looks into it gets the default,
    what would append to it is refused. Quadrants are told by the split that the header names, so
    that a trace has one. Raises TraceError for settings that cannot be right.
    """
    sampler, seed = in_force(header, records)
    if not sampler and storage.trace is None:
        split = "calibrated" if header.quadrant_split else "median"
        settings = Settings.make("calibrated", {"quadrants": split})
    else:
        settings = settings_of(sampler, path)
    return Session(
        model,
        settings,
        seed=seed,
        system=system_of(records),
        date=_date(header.date),
        trace=dataclasses.replace(storage, tree=Tree.of(records), header=header),
        score_prompts=score_prompts,
        progress=progress,
    )


def in_force(header: RunHeader, records: Iterable[TurnRecord]) -> tuple[dict[str, Any], int | None]:
    """The sampler's settings by name, and the seed, after these records."""
    sampler, seed = dict(header.sampler), header.seed
    for record in records:
        if isinstance(record, Event) and record.kind == "setting":
            sampler, seed = changed(sampler, seed, record)
    return sampler, seed


def changed(
    sampler: dict[str, Any], seed: int | None, setting: Event
) -> tuple[dict[str, Any], int | None]:
    """Settings and seed after a `setting` event."""
    detail = dict(setting.detail or {})
    new = detail.pop("seed", seed)
    return sampler | detail, new if isinstance(new, int) else seed


def settings_of(sampler: Mapping[str, Any], path: Path) -> Settings:
    """Settings from a trace. Raises TraceError where they cannot be right."""
    preset = str(sampler.get("preset", ""))
    known = named(preset)
    has = known.parameters() if known else sampler
    values = {
        name: str(value)
        for name, value in recorded(sampler).items()
        # The thresholds that a baseline's header names are the model's, and it gets them again.
        if value is not None and name in has and name not in NAMING
    }
    digest = sampler.get("sha256")
    unknown = {name for name in sampler if name not in NAMING and not is_setting(name)}
    try:
        if digest is not None and (known is None or known.sha256 != digest):
            other = "another file of that name was" if known else "it was not"
            raise UsageError(
                f"{preset!r} is a sampler of somebody's own, and {other} named here: give "
                f"--sampler with the file whose sha256 is {str(digest)[:12]}..."
            )
        if unknown:
            raise UsageError(f"there is no setting {min(unknown)!r}")
        return Settings.make(preset, values)
    except UsageError as error:
        raise TraceError(f"the trace {path} has impossible settings: {error}") from error


def system_of(records: Iterable[TurnRecord]) -> str:
    """What the conversation's system prompt is."""
    first = next((r for r in records if isinstance(r, PromptRecord)), None)
    return first.text if first is not None and first.role == "system" else ""


def _date(text: str | None) -> datetime.date | None:
    """A header's date, None if it has none that can be right."""
    with suppress(TypeError, ValueError):
        return datetime.date.fromisoformat(text or "")
    return None
