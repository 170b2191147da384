"""The entropy of tokens in a row as valleys are found on it: smoothed, run by run."""

from bisect import bisect_right
from collections.abc import Sequence

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.valleys import DELTA, Valley, ValleyDetector, valley


class Course:
    """Runs are prompts and answers, each smoothed by itself, and only as far as somebody looks.

    `records` grows; `delta` is the fall, in bits, from which on a valley is in sight.
    """

    def __init__(self, records: Sequence[TokenRecord], delta: float = DELTA) -> None:
        self._records = records
        self.delta = delta
        self._begins: list[int] = []
        self._runs: dict[int, tuple[ValleyDetector, list[float | None]]] = {}

    def confirm_by(self, delta: float) -> None:
        """Valleys are confirmed by another fall and rise."""
        if delta != self.delta:
            self.delta = delta
            self._runs.clear()

    def begin(self) -> None:
        """What comes next is another run."""
        self._begins.append(len(self._records))

    def values(self, first: int, stop: int) -> list[float | None]:
        """Bits at some places of the row."""
        found: list[float | None] = []
        while first < stop:
            begin, end = self._run_at(first, stop)
            found += self._smooth(begin, end)[1][first - begin : end - begin]
            first = end
        return found

    @property
    def forming(self) -> int | None:
        """Where the newest run will have had a valley if its entropy rises now."""
        count = len(self._records)
        if not count:
            return None
        begin, end = self._run_at(count - 1, count)
        at = self._smooth(begin, end)[0].forming
        return None if at is None else begin + at

    def valley(self, at: int, confirmed: int, before: int | None) -> Valley | None:
        """The figures of a valley with its minimum at a place, `before` being that of the last one;
        None for what is no valley of this course, whatever a trace says.
        """
        begin, end = self._run_at(at, confirmed + 1)
        _, values = self._smooth(begin, end)
        since = 0 if before is None else max(0, before - begin)
        try:
            return valley(values, at - begin, confirmed - begin, since)
        except (ValueError, IndexError):
            return None

    def _run_at(self, place: int, stop: int) -> tuple[int, int]:
        """Where the run at a place begins, and where it ends, at `stop` at the latest."""
        number = bisect_right(self._begins, place)
        begin = self._begins[number - 1] if number else 0
        return begin, min([stop, *self._begins[number : number + 1]])

    def _smooth(self, begin: int, end: int) -> tuple[ValleyDetector, list[float | None]]:
        """A run, smoothed up to its `end` or further."""
        detector, values = self._runs.setdefault(begin, (ValleyDetector(delta=self.delta), []))
        for record in self._records[begin + len(values) : end]:
            detector.update(record.entropy)
            values.append(detector.smoothed)
        return detector, values
