"""What a conversation is written to: a full disk does not stop it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ParamSpec

import numpy as np
import numpy.typing as npt

from entropix_mlx.records.record import Record
from entropix_mlx.trace.attention_file import AttentionWriter
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.errors import EntropixError
from entropix_tui.engine.protocol import Complain

P = ParamSpec("P")


class _Attempts:
    """Writes as long as that works; what goes wrong is said, once."""

    def __init__(self, what: str, complain: Complain) -> None:
        self._what = what
        self._complain: Complain | None = complain

    def __call__(
        self, write: Callable[P, None], /, *arguments: P.args, **options: P.kwargs
    ) -> None:
        if self._complain is None:
            return
        try:
            write(*arguments, **options)
        except (EntropixError, OSError) as error:
            complain, self._complain = self._complain, None
            complain(f"{self._what} from here on: {error}")


class AutosaveWriter:
    """A trace."""

    def __init__(self, writer: TraceWriter, complain: Complain) -> None:
        self._writer = writer
        self._attempt = _Attempts("not saved", complain)

    @property
    def count(self) -> int:
        return self._writer.count

    def write(self, record: Record) -> None:
        self._attempt(self._writer.write, record)

    def close(self) -> None:
        self._writer.close()


class AutosavedAttention(AttentionWriter):
    """The attention beside it."""

    def __init__(self, path: Path, complain: Complain, *, append: bool) -> None:
        super().__init__(path, append=append)
        self._attempt = _Attempts("attention is not saved", complain)

    def add(
        self,
        index: int,
        entropy: npt.NDArray[np.float32],
        others: Mapping[str, npt.NDArray[np.float32]] = {},
    ) -> None:
        self._attempt(super().add, index, entropy, others)
