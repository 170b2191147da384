"""HellaSwag: which of four endings goes on with a scene."""

from typing import ClassVar

from entropix_mlx.evaluation.data import Row, text, texts, whole
from entropix_mlx.evaluation.hub import Split
from entropix_mlx.evaluation.multiple_choice import MultipleChoice, Question


class Hellaswag(MultipleChoice):
    """Fields: `ctx`, `endings`, `label` (the right ending's place, from 0)."""

    summary: ClassVar = "which of four endings goes on with a scene"
    source: ClassVar = Split("Rowan/hellaswag", "default", "validation")

    def question(self, row: Row) -> Question:
        asked = f"Which ending goes on with this best?\n{text(row, 'ctx')}"
        return Question(asked, texts(row, "endings"), whole(row, "label"))
