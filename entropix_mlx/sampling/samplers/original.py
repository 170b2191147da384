"""The first public sampler of the family, as it was."""

from dataclasses import dataclass
from typing import ClassVar

from entropix_mlx.sampling.parameters import usually
from entropix_mlx.sampling.rules import RULES, Rules
from entropix_mlx.sampling.samplers.entropixplained import Entropixplained


@dataclass(frozen=True, kw_only=True)
class Original(Entropixplained):
    """What it decided, with filters that filter: its min-p came too late to do anything, and its
    top-p took away the most likely tokens.
    """

    temperature: float = usually(Entropixplained, "temperature", 0.666)
    draws: int = usually(Entropixplained, "draws", 5)

    summary: ClassVar[str] = "the first public sampler of the family: T0 0.666, five draws"
    rules: ClassVar[Rules] = {
        **RULES,
        "explore": tuple(
            rule._replace(whole="int") if rule.setting == "top_k" else rule
            for rule in RULES["explore"]
        ),
    }
