"""Questions with options, of which the answer names one by its letter."""

import random
import string
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from entropix_mlx.evaluation.answer import choice
from entropix_mlx.evaluation.data import BadRowError, Row
from entropix_mlx.evaluation.dataset import Dataset
from entropix_mlx.evaluation.item import Item, Verdict, guessing

LETTERS = string.ascii_uppercase
OPENING = "Answer:"


class Question(NamedTuple):
    """`right`: the place of the right option, from 0."""

    text: str
    options: Sequence[str]
    right: int
    kind: str = ""


def lettered(id: str, question: Question, seed: int) -> Item:
    """An item with the options in an order by the seed and the id, lettered from A.

    Raises BadRowError.
    """
    if not 2 <= len(question.options) <= len(LETTERS):
        raise BadRowError(f"has {len(question.options)} options; 2 to {len(LETTERS)} have letters")
    if not 0 <= question.right < len(question.options):
        raise BadRowError(f"has an answer, {question.right}, that is none of its options")
    order = list(range(len(question.options)))
    random.Random(f"{seed} {id}").shuffle(order)
    options = [
        f"{letter}) {question.options[k]}" for letter, k in zip(LETTERS, order, strict=False)
    ]
    right = LETTERS[order.index(question.right)]
    return Item(
        id,
        "\n".join([question.text, *options, "Answer with the letter only."]),
        question.kind,
        OPENING,
        (right,),
        tuple(letter for letter in LETTERS[: len(order)] if letter != right),
    )


def judged(item: Item, text: str) -> Verdict:
    """Right is the right letter, by the strict rule of `answer.choice`."""
    letters = "".join(sorted(item.accepted + item.rejected))
    given = choice(f"{item.opening}{text}", letters)
    return Verdict(given, given in item.accepted)


class MultipleChoice(Dataset):
    """A data set whose rows are questions with options."""

    max_tokens: ClassVar = 16
    stop: ClassVar = ("\n",)

    def question(self, row: Row) -> Question:
        """Raises BadRowError."""
        raise NotImplementedError

    def item(self, row: Row, id: str, seed: int) -> Item:
        return lettered(id, self.question(row), seed)

    def judge(self, item: Item, text: str) -> Verdict:
        return judged(item, text)

    def chance(self, items: Sequence[Item]) -> float | None:
        return guessing(items)
