"""What every link of a chain declares.

A link is a module of the folder `links`, under whose name (`min_p`: min-p) it is known, with one
class in it: its parameters as fields, and what it does to the tokens that the links before it left.
Imports no MLX, as samplers don't.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from entropix_mlx.records.measures import Measure
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.vocabulary import Vocabulary

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Scalars
    from entropix_mlx.sampling.pool import Pool

State = tuple["mx.array", ...]


class At(NamedTuple):
    """Where a link acts.

    `ids` int32 `[support]`, the places themselves unless `ordered`; `measured` float32 `[6]` of the
    raw distribution, in the order of `calibration.METRICS`; `key` uint32 `[2]`: the link's own;
    `state` and `fixed`: what it made of the path, and what it is compiled for; `p`: the numbers by
    name.
    """

    ids: "mx.array"
    ordered: bool
    measured: "mx.array"
    key: "mx.array"
    state: State
    fixed: Any
    p: "Scalars"

    def changed(
        self, pool: "Pool", ids: "mx.array", change: "Callable[[mx.array], mx.array]"
    ) -> "Pool":
        """Of `ids` `[n]` only, logits `[n]` are what `change` makes of them; every id has to be in
        the support, equal ones are changed alike, and what is below 0 is none.
        """
        import mlx.core as mx

        from entropix_mlx.sampling.pool import Pool

        size = self.ids.shape[0]
        places = mx.where((ids < 0) | (ids >= size), size, ids)  # one more than there are
        if self.ordered:
            places = mx.concatenate([mx.argsort(self.ids), mx.array([size])])[places]
        logits = mx.concatenate([pool.logits, mx.zeros(1)])
        changed = mx.put_along_axis(logits, places, change(logits[places]), axis=0)
        return Pool(changed[:size])


class Drawn(NamedTuple):
    """What came of it: the `place` in the support that was drawn, its final probability `p`; the
    `id` that is taken, and bool `free`: whether that is the drawn one.
    """

    place: "mx.array"
    p: "mx.array"
    id: "mx.array"
    free: "mx.array"


@dataclass(frozen=True, kw_only=True)
class Link(ABC):
    """One step of a chain; its fields are parameters of the chain that it is in."""

    summary: ClassVar[str]
    """In a line, for the list of samplers."""
    formula: ClassVar[tuple[str, ...]]
    """What it does, in lines."""
    last: ClassVar[bool] = False
    """Whether nothing can come after it."""
    by_id: ClassVar[bool] = False
    """Whether it needs every id, however unlikely."""
    takes_best: ClassVar[bool] = False
    """Whether it may remove the most likely token."""
    setting: ClassVar[str | None] = None
    """Which of a record's temperature, top_k, top_p and min_p its stage tells."""
    measures: ClassVar[tuple[Measure, ...]] = ()
    arrays: ClassVar[int] = 0
    """Of how many its memory consists."""

    @staticmethod
    def fixed(values: Mapping[str, Any], vocabulary: Vocabulary) -> Hashable:
        """What it is compiled for; `values`: the chain's settings by name."""
        del values, vocabulary
        return None

    @staticmethod
    def state(values: Mapping[str, Any], path: Sequence[Past]) -> State:
        """Its memory at the end of a path, from what is on it alone."""
        del values, path
        return ()

    @staticmethod
    @abstractmethod
    def apply(pool: "Pool", at: At) -> "tuple[Pool, mx.array]":
        """What it leaves, and what it was set to: lazy, without a branch on a value, for one row.

        It is mapped over rows, so it searches in nothing that is sorted (`draw.places`).
        """

    @staticmethod
    def remember(entered: "Pool", at: At, drawn: Drawn) -> "tuple[State, tuple[mx.array, ...]]":
        """Its next memory, and its measures of a step that it entered with a pool."""
        del entered, drawn
        return at.state, ()

    @classmethod
    def said(cls, record: TokenRecord, values: Mapping[str, Any]) -> str:
        """How it was set at a record's token, in words; `values`: the settings by name."""
        del record
        own = [f"{values[name]:g}" for name in cls.parameters()]
        return " ".join((cls.called(), *own))

    @classmethod
    def parameters(cls) -> list[str]:
        """Their names, in the order in which their values are given."""
        return [field.name for field in dataclasses.fields(cls)]

    @classmethod
    def called(cls) -> str:
        """The name of its module, as it is typed."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")
