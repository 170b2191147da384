"""Questions of one's own, from a JSON Lines file."""

import math
from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from entropix_mlx.evaluation.answer import final_number, first_name, yes_no
from entropix_mlx.evaluation.data import BadRowError, Row, lines, sample, text, texts
from entropix_mlx.evaluation.item import Item, Items, Verdict, guessing
from entropix_mlx.evaluation.multiple_choice import Question, judged, lettered
from entropix_mlx.evaluation.numeral import value, written
from entropix_mlx.evaluation.task import Task
from entropix_models.progress import Progress, quiet


class Jsonl(Task):
    """Fields: `prompt`; if there is a right answer, `answer`, a text, a number or a list of them;
    and `choices`, `opening`, `kind`, `id` as one likes.

    With `choices` the answer, which is one of them, is named by its letter. Numbers are compared by
    value: what is stated as the answer, or else the last number. Yes or no is read as such; of
    other texts one has to be there as whole words, whatever its case. What has no answer is not
    judged.
    """

    summary: ClassVar = "questions of your own: prompt, answer, choices"
    argument: ClassVar = "FILE"
    needs_argument: ClassVar = True
    max_tokens: ClassVar = 256

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        assert self.given is not None  # `needs_argument`
        return sample(
            lines(self.given, progress),
            lambda row, where: _item(row, where.replace(" ", "-"), seed),
            n,
            seed,
            self.given,
        )

    def judge(self, item: Item, text: str) -> Verdict:
        accepted = item.accepted
        if not accepted:
            return Verdict()
        if item.rejected:
            return judged(item, text)
        if all(each.lower() in ("yes", "no") for each in accepted):
            given = yes_no(text)
            return Verdict(given, given in [each.lower() for each in accepted])
        if all(value(each) is not None for each in accepted):
            number = final_number(text)
            given = None if number is None else written(number)
            return Verdict(given, number is not None and number in map(value, accepted))
        given = first_name(text, accepted)
        return Verdict(given, given in accepted)

    def chance(self, items: Sequence[Item]) -> float | None:
        return guessing(items) if all(item.rejected for item in items) else None


def _item(row: Row, id: str, seed: int) -> Item:
    id, kind, opening = (
        text(row, name) if row.get(name) is not None else default
        for name, default in (("id", id), ("kind", ""), ("opening", ""))
    )
    prompt, accepted = text(row, "prompt"), _answers(row)
    if row.get("choices") is None:
        return Item(id, prompt, kind, opening, accepted)
    choices = texts(row, "choices")
    if len(accepted) != 1 or choices.count(accepted[0]) != 1:
        raise BadRowError('has an "answer" that is not one of its "choices"')
    item = lettered(id, Question(prompt, choices, choices.index(accepted[0]), kind), seed)
    return replace(item, opening=opening or item.opening)


def _answers(row: Row) -> tuple[str, ...]:
    found = row.get("answer")
    if found is None:
        return ()
    several = [
        str(each)
        if isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
        else each
        for each in (found if isinstance(found, list) else [found])
    ]
    return tuple(texts({"answer": several}, "answer"))
