"""Answers to one prompt by several samplers and seeds, decoded side by side.

A step of one row reads all weights, as a step of many does: side by side they take a fifth of the
time.
"""

from collections.abc import Callable, Iterator, Sequence

from entropix_mlx.decoding.batch import Batch
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import prefill
from entropix_mlx.decoding.row import Row
from entropix_mlx.sampling.past import Past
from entropix_models.language_model import LanguageModel


def decode(
    model: LanguageModel,
    prompt: Sequence[int],
    rows: Sequence[Row],
    ends: Callable[[Sequence[Choice]], bool],
) -> Iterator[tuple[Row, list[Choice]]]:
    """Each row with its choices, once they say that it `ends`."""
    cache = model.new_cache()
    prefill(model, cache, prompt[:-1])
    for row in rows:
        row.remember([Past.of_prompt(prompt)])
    batch = Batch(model, rows, model.rows_after(cache, len(rows)))
    said: dict[Row, list[Choice]] = {row: [] for row in rows}
    batch.begin([prompt[-1]] * len(rows))
    while batch.rows:
        for row, choice in zip(batch.rows, batch.land(), strict=True):
            said[row].append(choice)
        over = [n for n, row in enumerate(batch.rows) if ends(said[row])]
        yield from ((batch.rows[n], said[batch.rows[n]]) for n in over)
        if over:
            batch.leave(over)
