"""Always the most likely token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling import explanation
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.settings import Settings, Strategy, Support

if TYPE_CHECKING:
    from entropix_mlx.sampling.draw import Outcome, Seen


@dataclass(frozen=True, kw_only=True)
class Greedy(Settings):
    """Nothing to set but what is measured."""

    summary: ClassVar[str] = "always the most likely token"
    strategies: ClassVar[Mapping[str, Strategy]] = {"greedy": Strategy("LELV", random=False)}

    def support(self) -> Support:
        return Support(1)

    @classmethod
    def step(cls, seen: "Seen") -> "Outcome":
        import mlx.core as mx

        from entropix_mlx.sampling import draw
        from entropix_mlx.sampling.filters import SamplingParams

        nothing = mx.array(0.0)
        return draw.Outcome(
            region=draw.region(seen.measured[0], seen.measured[1], seen.p),
            strategy=mx.array(0),
            params=SamplingParams(nothing, nothing, nothing, nothing),
            stages=(),
            drawn=mx.array([0]),
            looked=mx.array(1),
            chosen=mx.array(0),
            final=draw.one_hot(0, seen.logits.shape[0]),
        )

    def explain(self, told: Told) -> list[Line]:
        rule = Line("rule", "no thresholds: greedy, always the most likely token")
        return [rule, *explanation.draw(told.record, self.to_dict())]
