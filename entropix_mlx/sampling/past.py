"""What a sampler's memory may follow from."""

from collections.abc import Iterable
from typing import NamedTuple

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.records.tree import Node
from entropix_mlx.sampling.calibration import METRICS


class Past(NamedTuple):
    """A token of a path, or a prompt on it.

    `id` of the token, or the last of the prompt; `forced`: what forced it; `measured`: its metrics
    in the order of `METRICS`, 0 where they were not measured, and None of a prompt.
    """

    id: int
    forced: str | None = None
    measured: tuple[float, ...] | None = None

    @property
    def is_prompt(self) -> bool:
        return self.measured is None

    @staticmethod
    def along(path: Iterable[Node]) -> "list[Past]":
        """Of a path's records."""
        pasts = []
        for node in path:
            if isinstance(node, TokenRecord):
                measured = tuple(getattr(node, name) or 0.0 for name in METRICS)
                pasts.append(Past(node.id, node.forced, measured))
            elif node.ids:
                pasts.append(Past(node.ids[-1]))
        return pasts
