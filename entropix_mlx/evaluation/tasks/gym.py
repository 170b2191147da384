"""The generators of reasoning-gym, each a task whose answers can be checked."""

from collections.abc import Iterator
from typing import Any, ClassVar

from entropix_mlx.evaluation.answer import final_number, folded, plain, stated, yes_no
from entropix_mlx.evaluation.data import BadRowError, Row, sample, text
from entropix_mlx.evaluation.item import Item, Items, Verdict
from entropix_mlx.evaluation.numeral import value, written
from entropix_mlx.evaluation.task import Task
from entropix_mlx.sampling.parameters import did_you_mean
from entropix_models.errors import EntropixError, UsageError, one_line
from entropix_models.progress import Progress, quiet

_SHORT = 80
"""Characters of a line that may be an answer and nothing else."""


class Gym(Task):
    """Right is the answer of reasoning-gym, strictly: its own scorer gives points for less.

    A number is compared by value: what is stated as the answer, or else the last number. Other
    answers are compared word by word, without regard to case and to marks around them: what follows
    "Answer:", or else a text that is nothing else (a short line, or as many lines as the right
    answer has). Yes or no is read as such.
    """

    summary: ClassVar = "a generator of reasoning-gym: chain_sum, letter_counting, ..."
    argument: ClassVar = "NAME"
    needs_argument: ClassVar = True
    max_tokens: ClassVar = 256

    def __init__(self, argument: str | None = None) -> None:
        super().__init__(argument)
        known = _generators()
        if argument not in known:
            raise UsageError(
                f"reasoning-gym has no generator {argument!r}{did_you_mean(str(argument), known)}; "
                f"it has {len(known)}, such as chain_sum, letter_counting, number_format"
            )

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        return sample(self._rows(n, seed, progress), self._item, n, seed, self.spelt)

    def judge(self, item: Item, text: str) -> Verdict:
        right = item.accepted[0]
        if (wanted := value(right)) is not None:
            number = final_number(text)
            return Verdict(None if number is None else written(number), number == wanted)
        is_yes_no = _bare(right) in ("yes", "no")
        given = yes_no(text) if is_yes_no else _said(text, len(_lines(right)))
        return Verdict(given, given is not None and _bare(given) == _bare(right))

    def _rows(self, n: int, seed: int, progress: Progress) -> Iterator[tuple[str, Row]]:
        for number, row in enumerate(self._made(n, seed), 1):
            progress(f"making {self.spelt}", number, n, "items")
            yield f"item {number}", row

    def _made(self, n: int, seed: int) -> Iterator[Row]:
        import reasoning_gym

        try:
            made = reasoning_gym.create_dataset(self.given, size=n, seed=seed)
            yield from (made[number] for number in range(n))
        except Exception as error:  # each generator has its own
            raise EntropixError(
                f"{self.spelt} cannot be made ({type(error).__name__}: {one_line(error, 80)}); "
                "take another seed or generator"
            ) from error

    def _item(self, row: Row, where: str) -> Item:
        answer = text(row, "answer")
        if not _bare(answer):
            raise BadRowError('has an "answer" without a word')
        several = "\n" in answer.strip()
        form = (
            "Answer: and the lines of the answer" if several else "a line of its own: Answer: ..."
        )
        prompt = f"{text(row, 'question')}\n\nEnd with {form}"
        return Item(where.replace(" ", "-"), prompt, str(self.given), accepted=(answer,))


def _generators() -> Any:
    try:
        from reasoning_gym.factory import DATASETS
    except ImportError as error:
        raise UsageError(
            "gym needs reasoning-gym, which is not installed: pip install 'entropix-mlx[gym]'"
        ) from error
    return DATASETS


def _said(text: str, length: int) -> str | None:
    """The answer of so many lines."""
    text = plain(text).strip()
    if length > 1:
        lines = _lines(text.rpartition("Answer:")[2])
    else:
        lines = stated(text)[-1:] or ([text] if len(text) < _SHORT and "\n" not in text else [])
    return "\n".join(lines) if len(lines) == length and lines[0] else None


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _bare(text: str) -> str:
    """Without case, and without the marks around it."""
    return folded(plain(text)).strip(" .,;:!\"'`()[]{}*")
