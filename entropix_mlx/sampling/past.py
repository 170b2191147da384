"""What a sampler's memory may follow from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.records.tree import Node
from entropix_mlx.sampling.calibration import METRICS

LISTED = 8
"""So many of the most likely tokens a decision lists."""


class Past(NamedTuple):
    """A token of a path, or a prompt on it.

    `id` of the token, or the last of the prompt, whose others are `before`; `forced`: what forced
    it; `measured`: its metrics in the order of `METRICS`, 0 where they were not measured, and None
    of a prompt; `measures`: the sampler's own by name, None for what is no number; `logprobs` of
    the most likely tokens, in their order, as many as a decision lists.
    """

    id: int
    forced: str | None = None
    measured: tuple[float, ...] | None = None
    measures: Mapping[str, float | None] = {}
    logprobs: tuple[float, ...] = ()
    before: tuple[int, ...] = ()

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
                listed = tuple(logprob for _, _, logprob, _ in node.candidates[:LISTED])
                pasts.append(Past(node.id, node.forced, measured, node.measures or {}, listed))
            elif node.ids:
                pasts.append(Past.of_prompt(node.ids))
        return pasts

    @staticmethod
    def of_prompt(ids: Sequence[int]) -> "Past":
        """`ids`: one or more."""
        return Past(ids[-1], before=tuple(ids[:-1]))
