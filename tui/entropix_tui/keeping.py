"""What a conversation is written to: a full disk does not stop it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from entropix_mlx.attention_file import AttentionWriter
from entropix_mlx.records import Record
from entropix_mlx.trace import TraceWriter
from entropix_models.errors import EntropixError
from entropix_tui.making import Complain


class Kept:
    """A trace; where it cannot be written any more, that is said once."""

    def __init__(self, writer: TraceWriter, complain: Complain) -> None:
        self._writer = writer
        self._complain: Complain | None = complain

    @property
    def count(self) -> int:
        return self._writer.count

    def write(self, record: Record) -> None:
        if self._complain is None:
            return
        try:
            self._writer.write(record)
        except (EntropixError, OSError) as error:
            complain, self._complain = self._complain, None
            complain(f"not saved from here on: {error}")

    def close(self) -> None:
        self._writer.close()


class KeptAttention(AttentionWriter):
    """The same for the attention beside it."""

    def __init__(self, path: Path, complain: Complain, *, append: bool) -> None:
        super().__init__(path, append=append)
        self._complain: Complain | None = complain

    def add(self, index: int, entropy: npt.NDArray[np.float32]) -> None:
        if self._complain is None:
            return
        try:
            super().add(index, entropy)
        except (EntropixError, OSError) as error:
            complain, self._complain = self._complain, None
            complain(f"attention is not saved from here on: {error}")
