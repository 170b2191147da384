"""A distribution on its way through the links of a chain."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import mlx.core as mx

from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.draw import Outcome, Seen
from entropix_mlx.sampling.filters import Stage
from entropix_mlx.sampling.link import At, Drawn, Link
from entropix_mlx.sampling.pool import Pool


class Passage(NamedTuple):
    """`pool`: what the last link left; `stages`: what each left; `settings`: those that a record
    tells, by name; `links`: each with what it got, and where.
    """

    pool: Pool
    stages: tuple[Stage, ...]
    settings: dict[str, mx.array]
    links: tuple[tuple[type[Link], Pool, At], ...]

    def remembered(
        self, seen: Seen, place: mx.array, p: mx.array, inserted: mx.array | None = None
    ) -> tuple[tuple[mx.array, ...], tuple[mx.array, ...]]:
        """The links' next memories and their measures, when the token at a place was drawn with
        the final probability `p`; `inserted`: the id that is put in its place, -1 for none.
        """
        put = seen.given if inserted is None else mx.where(inserted >= 0, inserted, seen.given)
        free = put < 0
        drawn = Drawn(place, p, mx.where(free, seen.ids[place], put), free)
        found = [link.remember(entered, at, drawn) for link, entered, at in self.links]
        states = tuple(array for state, _ in found for array in state)
        return states, tuple(array for _, measures in found for array in measures)


def through(links: Sequence[type[Link]], seen: Seen) -> Passage:
    """`seen`: with the links' `state`, and `fixed`, one for each."""
    # Whose odds are known is the raw distribution, and measured.
    entropy = None if seen.odds is None else seen.measured[0] * math.log(2)
    pool, stages, passed = Pool(seen.logits, seen.odds, entropy), [], []
    settings: dict[str, mx.array] = {}
    keys = mx.random.split(seen.key, 1 + len(links))
    begin = 0
    for n, link in enumerate(links):
        end = begin + link.arrays
        at = At(
            ids=seen.ids,
            ordered=seen.ordered,
            measured=seen.measured,
            key=keys[1 + n],
            state=seen.state[begin:end],
            fixed=seen.fixed[n],
            p=seen.p,
        )
        passed.append((link, pool, at))
        pool, setting = link.apply(pool, at)
        stages.append(Stage(link.called(), setting, pool.logits))
        if link.setting is not None:
            settings[link.setting] = settings.get(link.setting, 1.0) * setting
        begin = end
    return Passage(pool, tuple(stages), settings, tuple(passed))


def leading_to(step: Callable[[Seen], Outcome], links: Sequence[type[Link]], seen: Seen) -> Outcome:
    """The step of a preset on what links left.

    `seen`: with the states of both, and as `fixed` the links', how many of what they leave the
    preset sees (None: all), the preset's.
    """
    own, size, fixed = seen.fixed
    count = sum(link.arrays for link in links)
    passed = through(links, seen._replace(state=seen.state[:count], fixed=own))
    support = seen.ids.shape[0]
    size = support if seen.ordered or size is None else min(size, support)
    places, logits = (found[0] for found in metrics.top(passed.pool.logits[None], size))
    made = step(
        seen._replace(
            ids=seen.ids[places],
            logits=logits,
            odds=None,
            ordered=True,
            state=seen.state[count:],
            fixed=fixed,
        )
    )

    def spread(values: mx.array, elsewhere: float) -> mx.array:
        return mx.put_along_axis(mx.full((support,), elsewhere), places, values, axis=0)

    state, measures = passed.remembered(
        seen, places[made.chosen], made.final[made.chosen], made.inserted
    )
    stages = (stage._replace(weights=spread(stage.weights, -mx.inf)) for stage in made.stages)
    return made._replace(
        stages=(*passed.stages, *stages),
        drawn=places[made.drawn],
        chosen=places[made.chosen],
        final=spread(made.final, 0.0),
        state=(*state, *made.state),
        measures=(*measures, *made.measures),
    )
