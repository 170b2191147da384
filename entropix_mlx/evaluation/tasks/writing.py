"""Open prompts, whose answers are measured: how much they repeat, how many n-grams differ."""

import random
from itertools import product
from typing import ClassVar

from entropix_mlx.evaluation.item import Item, Items, Verdict
from entropix_mlx.evaluation.task import Task
from entropix_models.progress import Progress, quiet

_PROMPTS = (
    "Write a short story about a robot that learns to paint.",
    "Continue: It was a dark and stormy night; the rain fell in torrents",
    "Continue: The detective entered the room and saw",
    "The capital of France is",
    "The best programming language for",
    "The quantum fluctuations",
    "Why is the sky blue?",
    "Explain to a child how a bicycle stays upright.",
    "Give me three tips for sleeping well.",
    "Describe a walk along the sea in winter.",
    "How do I make a simple tomato soup?",
    "Write a polite letter that declines an invitation.",
    "What should I know before I adopt a cat?",
    "Tell me about the history of paper.",
    "Invent a name for a small bakery and say why it fits.",
    "Describe your favourite season.",
    "What makes a good friend?",
    "Write four lines about an old clock.",
    "Describe a city in which nobody sleeps.",
    "Write a dialogue between a teacher and a late student.",
    "What would you pack for a week in the mountains?",
    "Write an advertisement for an umbrella.",
)
_FORMS = (
    ("story", "Write a short story about {}."),
    ("poem", "Write a poem of eight lines about {}."),
    ("letter", "Write a letter to a friend about {}."),
    ("description", "Describe {} to somebody who has never seen it."),
    ("continuation", "Continue: Nobody in the village spoke of {} any more, until"),
)
_SUBJECTS = (
    *("a lighthouse", "a lost key", "an old bridge", "a market in the morning", "the first snow"),
    *("a train at night", "an empty theatre", "a garden behind a wall", "a broken clock"),
    *("a kite in a storm", "a letter that came too late", "a shop that sells silence"),
    *("the last ferry", "a house without doors", "a fox in the city", "a violin", "a small island"),
    *("a map with a hole in it", "the smell of bread", "a dog that waits"),
)


class Writing(Task):
    """First the same prompts always, in an order by the seed; then forms and subjects, each pair
    once.
    """

    summary: ClassVar = "open prompts: distinct n-grams, repetition; not judged"
    max_tokens: ClassVar = 128
    judges: ClassVar = False

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        del progress
        chance = random.Random(f"{seed} writing")
        pairs = list(product(_FORMS, _SUBJECTS))
        prompts = [
            *(("open", text) for text in chance.sample(_PROMPTS, len(_PROMPTS))),
            *(
                (kind, form.format(subject))
                for (kind, form), subject in chance.sample(pairs, len(pairs))
            ),
        ]
        return Items(
            [
                Item(f"writing-{number}", text, kind)
                for number, (kind, text) in enumerate(prompts[:n], 1)
            ]
        )

    def judge(self, item: Item, text: str) -> Verdict:
        del item, text
        return Verdict()
