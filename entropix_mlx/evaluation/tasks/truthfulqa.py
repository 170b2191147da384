"""TruthfulQA: questions that many people answer wrong, with options of which one is right."""

from typing import ClassVar

from entropix_mlx.evaluation.data import BadRowError, Row, table, text, texts
from entropix_mlx.evaluation.hub import Split
from entropix_mlx.evaluation.multiple_choice import MultipleChoice, Question


class Truthfulqa(MultipleChoice):
    """Fields: `question`, `mc1_targets` with `choices` and `labels`, 1 for the right one."""

    summary: ClassVar = "questions that many answer wrong; one option is right (mc1)"
    source: ClassVar = Split("truthfulqa/truthful_qa", "multiple_choice", "validation")

    def question(self, row: Row) -> Question:
        targets = table(row, "mc1_targets")
        options, labels = texts(targets, "choices"), targets.get("labels")
        if not isinstance(labels, list) or sorted(map(str, labels)) != ["0"] * (
            len(options) - 1
        ) + ["1"]:
            raise BadRowError('has "labels" that are not one 1 and else 0, one for each choice')
        return Question(text(row, "question"), options, labels.index(1))
