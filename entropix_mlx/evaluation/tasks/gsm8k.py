"""GSM8K: word problems of primary school, reasoned about step by step."""

from typing import ClassVar

from entropix_mlx.evaluation.answer import final_number
from entropix_mlx.evaluation.data import BadRowError, Row, text
from entropix_mlx.evaluation.dataset import Dataset
from entropix_mlx.evaluation.hub import Split
from entropix_mlx.evaluation.item import Item, Verdict
from entropix_mlx.evaluation.numeral import value, written


class Gsm8k(Dataset):
    """Fields: `question`; `answer`, whose last line is `#### 18`.

    Right is the right number where the answer states one (`#### X`, `\\boxed{X}`, "the answer is
    X"), or else as its last one.
    """

    summary: ClassVar = "word problems of primary school, by reasoning"
    source: ClassVar = Split("openai/gsm8k", "main", "test")
    max_tokens: ClassVar = 320

    def item(self, row: Row, id: str, seed: int) -> Item:
        del seed
        right = value(text(row, "answer").rpartition("####")[2])
        if right is None:
            raise BadRowError('has an "answer" that does not end with #### and a number')
        prompt = f"{text(row, 'question')}\nThink step by step. End with: The answer is N."
        return Item(id, prompt, accepted=(written(right),))

    def judge(self, item: Item, text: str) -> Verdict:
        number = final_number(text)
        given = None if number is None else written(number)
        return Verdict(given, given in item.accepted)
