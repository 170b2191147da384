"""The last ids of a path, as a link remembers them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entropix_mlx.sampling.past import Past

if TYPE_CHECKING:
    import mlx.core as mx


def ids(path: Sequence[Past], count: int) -> "mx.array":
    """Int32 `[count]`, the newest last, prompts' too; -1 where there is none."""
    import mlx.core as mx

    found: list[int] = []
    for past in reversed(path):
        found += (past.id, *reversed(past.before))
        if len(found) >= count:
            break
    newest = found[:count][::-1]
    return mx.array([-1] * (count - len(newest)) + newest, mx.int32)


def with_one_more(last: "mx.array", id: "mx.array") -> "mx.array":
    """The same, one token later."""
    import mlx.core as mx

    return mx.concatenate([last[1:], id.astype(mx.int32)[None]])
