"""Stop texts: records wait while their text may still turn out to begin one."""

from collections.abc import Sequence

import msgspec

from entropix_mlx.records.record import TokenRecord


class StopTexts:
    """Holds records back until it is sure that none of the texts begins in them.

    A stop text may span tokens. It is cut off the output: the records it touches keep their ids
    and metrics, and lose that part of their text.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [text for text in texts if text]
        self._held: list[TokenRecord] = []

    def feed(self, record: TokenRecord) -> tuple[list[TokenRecord], bool]:
        """Records that are settled now, in order, and whether a stop text was completed."""
        self._held.append(record)
        text = "".join(held.text for held in self._held)
        found = [at for stop in self._texts if (at := text.find(stop)) >= 0]
        if found:
            return self._cut(min(found)), True
        waiting = max((_overlap(text, stop) for stop in self._texts), default=0)
        return self._release(len(text) - waiting), False

    def flush(self) -> list[TokenRecord]:
        """What was held back, whole: no stop text came of it."""
        held, self._held = self._held, []
        return held

    def _release(self, settled: int) -> list[TokenRecord]:
        count = end = 0
        for record in self._held:
            end += len(record.text)
            if end > settled:
                break
            count += 1
        released, self._held = self._held[:count], self._held[count:]
        return released

    def _cut(self, at: int) -> list[TokenRecord]:
        records = []
        for record in self.flush():
            kept = record.text[:at]
            at -= len(kept)
            records.append(msgspec.structs.replace(record, text=kept))
        return records


def _overlap(text: str, stop: str) -> int:
    """Length of the longest proper beginning of `stop` that ends `text`."""
    longest = min(len(stop) - 1, len(text))
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
