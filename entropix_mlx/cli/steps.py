"""A recorded text step by step: what could have come, what was selected, and the text so far."""

from collections.abc import Iterator

from entropix_mlx.analysis.explain import ordinal
from entropix_mlx.records.measures import percent, probability
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.terminal.visible import escaped

MOST = 5
"""Candidates that are listed of each step."""

TAIL = 60
"""Characters of the text so far that are shown."""


class Steps:
    """Lines for the tokens of one text, in their order; safe for a terminal."""

    def __init__(self) -> None:
        self._number = 0
        self._so_far = ""

    def lines(self, record: TokenRecord) -> Iterator[str]:
        """Probabilities are those of the raw distribution."""
        self._number += 1
        self._so_far = (self._so_far + record.text)[-TAIL - 1 :]
        yield f"step {self._number}"
        # Candidates come in the order of their raw logits, the token itself last if need be.
        shown = [(id, repr(text), logprob) for id, text, logprob, _ in record.candidates[:MOST]]
        width = max((len(text) for _, text, _ in shown), default=0)
        for place, (id, text, logprob) in enumerate(shown, 1):
            mark = ">" if id == record.id else " "
            share = percent(probability(logprob), 1)
            yield f"  {mark} {place}. {escaped(text.ljust(width))}  {share}"
        yield f"  {_selected(record)}"
        tail = self._so_far.replace("\n", "⏎")
        yield f"  so far: {escaped(tail if len(tail) <= TAIL else f'…{tail[1:]}')}"


def _selected(record: TokenRecord) -> str:
    texts = {id: text for id, text, *_ in record.candidates}
    own = escaped(repr(texts.get(record.id, record.text)))
    if record.rank is None or record.logprob is None:
        return f"given: {own}, with nothing before it"
    place = f"{own}, {ordinal(record.rank + 1)}, {percent(probability(record.logprob), 1)}"
    if record.forced:
        return f"put there: {place} ({record.forced})"
    if record.strategy is None:
        return f"given: {place}"
    heat = "" if record.temperature is None else f", T {record.temperature:.2f}"
    return f"selected: {place}, by {record.strategy}{heat}"
