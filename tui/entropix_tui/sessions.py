"""Sessions on a real model, made in the engine's thread: everything heavy is imported there."""

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from entropix_mlx.settings import Settings
from entropix_mlx.trace import TraceWriter
from entropix_tui.engine import Progress, SessionLike

if TYPE_CHECKING:
    from entropix_models.language_model import LanguageModel


@dataclass
class SessionFactory:
    """Makes one session after another on one model, which is loaded for the first of them.

    `seed` None: each session draws its own. `trace` None: nothing is written; the first
    conversation goes to that path, the n-th to the same name with `-n` before the ending.
    """

    settings: Settings
    model: str | None = None
    device: str = "auto"
    system: str = ""
    seed: int | None = None
    date: datetime.date | None = None
    trace: Path | None = None
    _loaded: "LanguageModel | None" = field(default=None, init=False)
    _first: TraceWriter | None = field(default=None, init=False)
    _made: int = field(default=0, init=False)

    def open_trace(self) -> None:
        """Open the first trace, so that a path that cannot be written is told at once.

        Raises TraceError.
        """
        if self.trace is not None:
            self._first = TraceWriter(self.trace)

    def __call__(self, progress: Progress) -> SessionLike:
        from entropix_mlx.session import Session

        model = self._model(progress)
        return Session(
            model,
            self.settings,
            seed=self.seed,
            system=self.system,
            date=self.date,
            trace=self._writer(),
            progress=progress,
        )

    def _model(self, progress: Progress) -> "LanguageModel":
        from entropix_mlx.api import load

        if self._loaded is None:
            self._loaded = load(self.model, device=self.device, progress=progress)
        return self._loaded

    def _writer(self) -> TraceWriter | None:
        self._made += 1
        if self.trace is None:
            return None
        if self._first is not None:
            writer, self._first = self._first, None
            return writer
        return TraceWriter(self.trace.with_stem(f"{self.trace.stem}-{self._made}"))
