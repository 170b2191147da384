"""Prompts that show something: where a small model is sure, has a favourite, or has no idea.

The guide's own are beginnings of a text. A chat model takes such a beginning for something said to
it and answers with small talk, so they are put as what to complete, or as a task.

The embedded model cannot compare such numbers: asked which of them is larger it errs, whatever the
sampler. Put as they are here it answered right, greedily and at seeds 1 to 5, with 9.8 only as it
is told so. Other numbers, or the same in another order, may come out wrong.
"""

DEMOS: dict[str, str] = {
    "numbers": "Write the larger number: 9.9 or 9.11",
    "robot": "Write a short story about a robot that learns to paint.",
    "night": (
        "Write a short story that begins: It was a dark and stormy night; the rain fell in torrents"
    ),
    "detective": "Continue: The detective entered the room and saw",
    "capital": "Complete the sentence: The capital of France is",
    "language": "Complete the sentence: The best programming language for",
    "quantum": "Complete the sentence: The quantum fluctuations",
    "decimals": "Write the larger number: 9.11 or 9.8. 9.80 is larger than 9.11.",
    "three": "Write only the largest number: 9.11, 9.1102001 or 9.9",
}
"""By the name that `--demo` takes."""

KEYS = dict(enumerate([*DEMOS][:4], 2))
"""The function keys of the first ones, and their names."""
