"""The figures of one turn, for the line under its answer."""

from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord

_ENDS = {
    "length": "cut off at the token limit",
    "interrupted": "stopped",
    "exit": "ended early by the exit policy",
    "error": "ended by an error",
}


class Tally:
    """Running totals over a turn's records."""

    def __init__(self) -> None:
        self._tokens = self._valleys = 0
        self._entropy = 0.0
        self._seed: int | None = None

    def add(self, record: PromptRecord | TokenRecord | Event | End) -> None:
        if isinstance(record, TokenRecord):
            if record.entropy is not None:
                self._tokens += 1
                self._entropy += record.entropy
        elif isinstance(record, Event):
            self._valleys += record.kind == "valley"
            if record.kind == "setting" and record.detail and "seed" in record.detail:
                self._seed = record.detail["seed"]

    def line(self, end: End) -> str:
        parts = [f"{end.tokens} token{'s' * (end.tokens != 1)}"]
        if end.tokens and end.seconds > 0:
            parts.append(f"{end.tokens / end.seconds:.1f} tok/s")
        if self._tokens:
            parts.append(f"mean entropy {self._entropy / self._tokens:.2f} bits")
        if self._valleys:
            parts.append(f"{self._valleys} valley{'s' * (self._valleys != 1)}")
        if self._seed is not None:
            parts.append(f"seed {self._seed}")
        if end.finish_reason in _ENDS:
            parts.append(_ENDS[end.finish_reason])
        return " · ".join(parts)
