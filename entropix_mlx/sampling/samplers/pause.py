"""Temperature sampling that pauses where the model is uncertain."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.records.record import PAUSE
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.samplers.temperature import Temperature
from entropix_mlx.sampling.vocabulary import Vocabulary

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Outcome, Seen

_LONG_AGO = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Pause(Temperature):
    """A token that the model keeps in reserve is put in, some times, where its entropy is above its
    high percentile: a step longer to think (Goyal and others, 2023, arXiv 2310.02226, who trained
    for it).

    The memory: how many ids ago the last one was, and the place in a pause that has begun.
    """

    pauses: int = number(1, 64, default=4, doc="tokens of a pause", step=(1, 4))
    pause_gap: int = number(0, 10_000, default=16, doc="tokens between two pauses", step=(1, 16))

    summary: ClassVar[str] = "temperature sampling that pauses where the model is uncertain"
    inserts: ClassVar[str | None] = PAUSE

    def fixed(self, vocabulary: Vocabulary) -> tuple[int, ...]:
        """The id that is put in, so often; nothing without one."""
        return vocabulary.pauses[:1] * self.pauses

    def lacks(self, vocabulary: Vocabulary) -> str | None:
        if vocabulary.pauses:
            return None
        return "the model keeps no tokens in reserve, so nothing pauses"

    def state(self, path: Sequence[Past], vocabulary: Vocabulary) -> "tuple[mx.array, ...]":
        import mlx.core as mx

        del vocabulary
        back = [past.forced == PAUSE for past in reversed(path) if not past.is_prompt]
        since = back.index(True) if True in back else _LONG_AGO
        place = sum(takewhile(bool, back)) % self.pauses
        return mx.array(since, mx.int32), mx.array(place, mx.int32)

    @classmethod
    def step(cls, seen: "Seen") -> "Outcome":
        import mlx.core as mx

        outcome = super().step(seen)
        if not seen.fixed:
            return outcome._replace(state=seen.state)
        since, place = seen.state
        ids = mx.array(seen.fixed, mx.int32)
        uncertain = seen.measured[0] > seen.p["helv_entropy"]
        begins = (place == 0) & uncertain & (since >= seen.p["pause_gap"])
        puts = (begins | (place > 0)) & (seen.given < 0)
        return outcome._replace(
            inserted=mx.where(puts, ids[place], -1),
            state=(
                mx.where(puts, 0, mx.minimum(since + 1, _LONG_AGO)),
                mx.where(puts, (place + 1) % len(seen.fixed), 0),
            ),
        )

    def explain(self, told: Told) -> list[Line]:
        if told.record.forced != PAUSE:
            return super().explain(told)
        bound = f" {self.helv_entropy:.2f} bits" if self.helv_entropy is not None else " high"
        return [Line("rule", f"inserted: a pause, begun where the entropy was above{bound}")]
