"""Samplers made of links, in the order that their name says: `top-k,min-p,temperature`.

Whoever looks a sampler up finds them by their names, see `settings.named`.
"""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from entropix_mlx.sampling import folder
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.link import Link
from entropix_mlx.sampling.parameters import did_you_mean
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.settings import OWN, Settings, Strategy, Support, declared
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.errors import UsageError

if TYPE_CHECKING:
    import mlx.core as mx

    from entropix_mlx.sampling.draw import Outcome, Seen

_LONG = 1024
"""A longer top-k is not looked for among the most likely alone."""


@dataclass(frozen=True, kw_only=True)
class Chain(Settings):
    """Each link acts on what the one before left; one token is drawn of what is left at the end."""

    links: ClassVar[tuple[type[Link], ...]] = ()
    strategies: ClassVar[Mapping[str, Strategy]] = {"sample": Strategy()}

    def support(self) -> Support:
        """Where top-k comes first, nothing else need be looked at; nothing has to be in order."""
        k = self.top_k if self.links[0].setting == "top_k" else None
        if k and k <= _LONG and not any(link.by_id for link in self.links):
            return Support(k)
        return Support(None, ordered=False)

    def fixed(self, vocabulary: Vocabulary) -> tuple[Hashable, ...]:
        return tuple(link.fixed(vars(self), vocabulary) for link in self.links)

    def state(self, path: Sequence[Past], vocabulary: Vocabulary) -> "tuple[mx.array, ...]":
        del vocabulary
        return tuple(array for link in self.links for array in link.state(vars(self), path))

    @classmethod
    def step(cls, seen: "Seen") -> "Outcome":
        import mlx.core as mx

        from entropix_mlx.sampling import draw, passage
        from entropix_mlx.sampling.filters import SamplingParams

        passed = passage.through(cls.links, seen)
        pool = passed.pool
        drawn = draw.of_odds(pool.odds, 1, seen.key)
        chosen = drawn[0]
        state, measures = passed.remembered(seen, chosen, pool.p[chosen])
        one, off = mx.array(1.0), mx.array(0.0)
        usual = SamplingParams(temperature=one, top_k=off, top_p=one, min_p=off)
        return draw.Outcome(
            region=draw.region(seen.measured[0], seen.measured[1], seen.p),
            strategy=mx.array(0),
            params=usual._replace(**passed.settings),
            stages=passed.stages,
            drawn=drawn,
            looked=mx.array(1),
            chosen=chosen,
            final=pool.p,
            state=state,
            measures=measures,
        )

    @classmethod
    def documentation(cls) -> list[str]:
        return _documented(cls.links)

    def explain(self, told: Told) -> list[Line]:
        record = told.record
        rule = Line(
            "rule", f"no thresholds: the links {', '.join(link.called() for link in self.links)}"
        )
        if record.forced is not None or record.temperature is None:
            return [rule]
        said = [link.said(record, vars(self)) for link in self.links]
        if not any(link.setting == "temperature" for link in self.links):
            said.append(f"T {record.temperature:.4g}")
        return [rule, Line("draw", ", ".join(said))]


class Led:
    """Before a preset that is the last link: it draws from what the links left. Its metrics are the
    raw distribution's.
    """

    links: ClassVar[tuple[type[Link], ...]] = ()

    def support(self) -> Support:
        return Support(None, ordered=False)

    def fixed(self, vocabulary: Vocabulary) -> tuple[Hashable, ...]:
        """The links', how many of what they leave the preset sees, the preset's."""
        parent: Any = super()
        own = tuple(link.fixed(vars(self), vocabulary) for link in self.links)
        return own, parent.support().size, parent.fixed(vocabulary)

    def state(self, path: Sequence[Past], vocabulary: Vocabulary) -> "tuple[mx.array, ...]":
        parent: Any = super()
        own = (array for link in self.links for array in link.state(vars(self), path))
        return *own, *parent.state(path, vocabulary)

    @classmethod
    def step(cls, seen: "Seen") -> "Outcome":
        from entropix_mlx.sampling import passage

        parent: Any = super()
        return passage.leading_to(parent.step, cls.links, seen)

    @classmethod
    def documentation(cls) -> list[str]:
        parent: Any = super()
        return [*_documented(cls.links), *parent.documentation()]

    def explain(self, told: Told) -> list[Line]:
        parent: Any = super()
        said = ", ".join(link.said(told.record, vars(self)) for link in self.links)
        return [*parent.explain(told), Line("note", f"drawn from what these left: {said}")]


@cache
def links() -> dict[str, type[Link]]:
    """Every link by its name: what is in the folder."""
    found = folder.declared("entropix_mlx.sampling.links", Link)  # type: ignore[type-abstract]
    return {link.called(): link for link in found.values()}


def spelt(text: str) -> tuple[str, dict[str, str]]:
    """A sampler's name from the command line, and the values that stand in it, by parameter.

    `top-k=40,xtc=0.5:0.1` is the chain `top-k,xtc`; a link's values come in the order of its
    parameters. Raises UsageError for values that a link does not have.
    """
    order: list[str] = []
    values: dict[str, str] = {}
    for part in text.split(","):
        name, equals, given = (piece.strip() for piece in part.partition("="))
        order.append(name)
        if not equals:
            continue
        if name not in links():
            raise UsageError(
                f"{part.strip()!r}: {name!r} is no link{did_you_mean(name, links())}; a preset "
                "takes its values by --set"
            )
        known = links()[name].parameters()
        texts = given.split(":")
        if len(texts) > len(known):
            can = f"values of {', '.join(known)}" if known else "no value"
            raise UsageError(f"{part.strip()!r}: {name} takes {can}")
        values |= dict(zip(known, texts, strict=False))
    return ",".join(order), values


@cache
def chain(order: tuple[str, ...]) -> type[Settings]:
    """The sampler of several links. Raises UsageError for an order that cannot be."""
    *_, end = order
    preset = None if end in links() else OWN.get(end) or declared().get(end)
    names = order[:-1] if preset else order
    for name in names:
        if name not in links():
            hint = did_you_mean(name, links())
            if name in declared():
                raise UsageError(f"{name} draws the token, so it can be the last link only")
            raise UsageError(f"there is no link {name!r}{hint}; links: {', '.join(links())}")
        if order.count(name) > 1:
            raise UsageError(f"{name} stands twice: a link can stand in a chain once")
        if links()[name].last and name != end:
            raise UsageError(f"{name} draws the token, so it can be the last link only")
    return of(tuple(links()[name] for name in names), (end, preset) if preset else ())


def of(
    parts: tuple[type[Link], ...], ending: tuple[str, type[Settings]] | tuple[()] = ()
) -> type[Settings]:
    """The class of a chain, which ends with a preset or with a draw."""
    fields = [(field, link) for link in parts for field in dataclasses.fields(link)]
    order = [*(link.called() for link in parts), *ending[:1]]
    namespace: dict[str, Any] = {"links": parts, "called": ",".join(order), "__module__": __name__}
    bases: tuple[type, ...] = (Chain,)
    measures = tuple(measure for link in parts for measure in link.measures)
    namespace["takes_best"] = any(link.takes_best for link in parts)
    if ending:
        name, preset = ending
        for field, link in fields:
            if field.name in preset.parameters():
                raise UsageError(f"{name} has its own {field.name}: leave {link.called()} out")
        bases = (Led, preset)
        namespace |= {"measures": (*measures, *preset.measures)}
    else:
        namespace |= {"measures": measures, "summary": parts[0].summary}
    made: type[Settings] = dataclasses.make_dataclass(
        "Chain",
        [
            (f.name, f.type, dataclasses.field(default=f.default, metadata=f.metadata))
            for f, _ in fields
        ],
        bases=bases,
        namespace=namespace,
        frozen=True,
        kw_only=True,
    )
    return made


def _documented(parts: Sequence[type[Link]]) -> list[str]:
    lines = []
    width = max(16, *(len(link.called()) for link in parts))
    for link in parts:
        may = ["may remove the most likely token"] if link.takes_best else []
        first, *more = (*link.formula, *may)
        lines += [f"{link.called():<{width}} {first}", *(f"{'':<{width}} {line}" for line in more)]
    return lines
