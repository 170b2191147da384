"""A task of inspect-ai: five sentences to end."""

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, system_message

LINES = (Path(__file__).parent / "sentences.jsonl").read_text(encoding="utf-8").splitlines()


@task
def sentences() -> Task:
    rows = [json.loads(line) for line in LINES[:5]]
    return Task(
        dataset=[Sample(input=row["begun"], target=row["ends"][row["right"]]) for row in rows],
        solver=[system_message("End the sentence."), generate()],
        scorer=includes(),
    )
