"""What can be set beside the present branch of a conversation."""

from dataclasses import dataclass

from entropix_mlx.sampling.settings import Settings


@dataclass(frozen=True)
class Again:
    """The same prompt answered once more: `continue_(after, seed=..., settings=...)`.

    `after`: the record that the answer follows; `seed`, `settings`: None where they stay.
    """

    after: int
    seed: int | None = None
    settings: Settings | None = None


@dataclass(frozen=True)
class Reworded:
    """Another prompt in place of record `prompt`: `send(text, after=tree.parent(prompt))`."""

    prompt: int
    text: str


@dataclass(frozen=True)
class Existing:
    """A branch that is there already, by its leaf."""

    leaf: int


Comparison = Again | Reworded | Existing
