"""MMLU: questions of 57 subjects with four options."""

from typing import ClassVar

from entropix_mlx.evaluation.data import Row, text, texts, whole
from entropix_mlx.evaluation.hub import Split
from entropix_mlx.evaluation.multiple_choice import MultipleChoice, Question


class Mmlu(MultipleChoice):
    """Fields: `question`, `choices`, `answer` (the right choice's place, from 0), `subject`."""

    summary: ClassVar = "questions of 57 subjects, four options"
    source: ClassVar = Split("cais/mmlu", "all", "test")

    def question(self, row: Row) -> Question:
        options, right = texts(row, "choices"), whole(row, "answer")
        return Question(text(row, "question"), options, right, text(row, "subject"))
