"""Temperature, the usual filters and one draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from entropix_mlx.sampling import explanation
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.settings import Settings, Strategy, Support

if TYPE_CHECKING:
    from entropix_mlx.sampling.draw import Outcome, Seen

_LONG = 1024
"""A longer top-k is not looked for: the whole vocabulary is sorted."""


@dataclass(frozen=True, kw_only=True)
class Temperature(Settings):
    """The same for every token, whatever was measured."""

    temperature: float = number(
        0.01, 10, default=0.7, doc="base temperature T0", step=(0.05, 0.25), tune=(0.1, 2.0)
    )
    top_p: float = number(
        0.01, 1, default=1.0, doc="base nucleus mass", step=(0.01, 0.1), tune=(0.5, 1.0)
    )
    top_k: int = number(0, 10_000_000, default=0, doc="base number of candidates", step=(1, 10))
    min_p: float = number(
        0, 1, default=0.0, doc="base share of the top probability", step=(0.01, 0.05)
    )

    summary: ClassVar[str] = "temperature, min-p, top-k, top-p and one draw"
    strategies: ClassVar[Mapping[str, Strategy]] = {"sample": Strategy()}

    def support(self) -> Support:
        """Only a nucleus without top-k, or an enormous top-k, makes the vocabulary be sorted."""
        if 0 < self.top_k <= _LONG:
            return Support(self.top_k)
        return Support(None, ordered=self.top_k > 0 or self.top_p < 1)

    @classmethod
    def step(cls, seen: "Seen") -> "Outcome":
        import mlx.core as mx

        from entropix_mlx.sampling import draw, filters, metrics

        p = seen.p
        params = filters.SamplingParams(p["temperature"], p["top_k"], p["top_p"], p["min_p"])
        stages = filters.filtered(seen.logits, params, ordered=seen.ordered)
        odds = metrics.exp(stages[-1].weights)  # of which the greatest is 1
        drawn = draw.of_odds(odds, 1, seen.key)
        return draw.Outcome(
            region=draw.region(seen.measured[0], seen.measured[1], seen.p),
            strategy=mx.array(0),
            params=params,
            stages=stages,
            drawn=drawn,
            looked=mx.array(1),
            chosen=drawn[0],
            final=odds / mx.sum(odds),
        )

    def explain(self, told: Told) -> list[Line]:
        rule = Line("rule", "no thresholds: temperature sampling")
        return [rule, *explanation.draw(told.record, self.to_dict())]
