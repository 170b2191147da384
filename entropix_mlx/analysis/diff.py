"""Two traces side by side: where they part, and what stood there."""

from itertools import chain, takewhile
from typing import NamedTuple

from entropix_mlx.records.record import PromptRecord, RunHeader, TokenRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.records.tree import Node, Tree
from entropix_mlx.sampling.calibration import METRICS
from entropix_mlx.trace.trace import Trace


class Side(NamedTuple):
    """A branch of a trace. `at`: the record with which it leaves the common way, None if it ends
    there; `total`: of the whole branch.
    """

    at: PromptRecord | TokenRecord | None
    tokens: int
    total: Summary


class Difference(NamedTuple):
    """`same`: how many tokens both generated first, the very same; `before`: the text that these
    end with; `deviations`: the greatest difference of each metric over them, and at which token.
    `circumstances`: what the headers have different, by name.
    """

    same: int
    before: str
    deviations: dict[str, tuple[float, int]]
    circumstances: dict[str, tuple[object, object]]
    a: Side
    b: Side

    @property
    def is_none(self) -> bool:
        """Whether both say the same to the end."""
        return self.a.at is None and self.b.at is None


def diff(a: Trace, b: Trace, leaf_a: int | None = None, leaf_b: int | None = None) -> Difference:
    """Compare two branches (default: where each stands), id by id."""
    trees = Tree.of(a.records), Tree.of(b.records)
    ways = trees[0].path(leaf_a), trees[1].path(leaf_b)
    common = list(takewhile(lambda pair: _alike(*pair), zip(*ways, strict=False)))
    tokens = [
        (x, y) for x, y in common if isinstance(x, TokenRecord) and isinstance(y, TokenRecord)
    ]
    deviations: dict[str, tuple[float, int]] = {}
    for nth, (x, y) in enumerate(tokens, 1):
        for metric in ("logprob", *METRICS):
            one, other = getattr(x, metric), getattr(y, metric)
            if one is not None and other is not None:
                off = abs(one - other)
                if off > deviations.get(metric, (-1.0, 0))[0]:
                    deviations[metric] = (off, nth)
    sides = [
        Side(
            way[len(common)] if len(way) > len(common) else None,
            sum(isinstance(node, TokenRecord) for node in way),
            _summary(trace, tree, way),
        )
        for trace, tree, way in zip((a, b), trees, ways, strict=True)
    ]
    said = "".join(x.text for x, _ in common)
    return Difference(
        len(tokens), said[-200:], deviations, _circumstances(a.header, b.header), *sides
    )


def _alike(x: Node, y: Node) -> bool:
    """Whether the model has read the same."""
    if isinstance(x, PromptRecord) and isinstance(y, PromptRecord):
        return x.ids == y.ids and (bool(x.ids) or x.text == y.text)
    return isinstance(x, TokenRecord) and isinstance(y, TokenRecord) and x.id == y.id


def _summary(trace: Trace, tree: Tree, way: list[Node]) -> Summary:
    return Summary.of(chain([trace.header], tree.told(way)))


def _circumstances(a: RunHeader, b: RunHeader) -> dict[str, tuple[object, object]]:
    pairs: dict[str, tuple[object, object]] = {}
    for name in (
        *("model", "revision", "device", "dtype", "prefill_chunk", "calibration", "seed", "date"),
    ):
        pairs[name] = (getattr(a, name), getattr(b, name))
    for name in sorted({*a.sampler, *b.sampler}):
        pairs[f"sampler.{name}"] = (a.sampler.get(name), b.sampler.get(name))
    for name in sorted({*a.versions, *b.versions}):
        pairs[f"versions.{name}"] = (a.versions.get(name), b.versions.get(name))
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
