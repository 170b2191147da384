"""The colours of a measure: five classes on its fixed scale, from little to much."""

from collections.abc import Callable

from entropix_mlx.records.measures import Scale, class_of, limits
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import strategies
from entropix_tui.tokens.measures import MEASURES, RANK

CLASSES = ("class1", "class2", "class3", "class4", "class5")
"""Looks, as `styles.style` knows them."""

Colour = str
"""What tokens are coloured by: one of `COLOURS`."""

COLOURS: tuple[Colour, ...] = ("quadrant", *MEASURES, "strategy", "plain")

STRATEGIES: dict[str, str] = {
    name: strategy.look or "answer" for name, strategy in strategies().items()
}
"""The look of what each strategy drew: a quadrant's, a neutral fifth where it has none."""


def bounds(measure: Scale) -> list[str]:
    """Where each class but the first begins, as a number to read: ranks count from 1."""
    return [f"{2**limit if measure is RANK else limit:.3g}" for limit in limits(measure)]


def looks(colour: Colour) -> Callable[[TokenRecord], str | None]:
    """How a token looks; None where its record does not say."""
    if colour == "quadrant":
        return lambda record: record.quadrant
    if colour == "strategy":
        return lambda record: STRATEGIES.get(record.strategy, "answer") if record.strategy else None
    if colour == "plain":
        return lambda _record: None
    measure = MEASURES[colour]

    def look(record: TokenRecord) -> str | None:
        value = measure.value(record)
        return None if value is None else CLASSES[class_of(measure, value)]

    return look
