"""Prompts that show something: where a small model is sure, has a favourite, or has no idea.

The guide's own are beginnings of a text. A chat model takes such a beginning for something said to
it and answers with small talk, so they are put as what to complete.
"""

DEMOS: dict[str, str] = {
    "numbers": "Which number is larger, 9.9 or 9.11?",
    "robot": "Write a short story about a robot that learns to paint.",
    "night": "Continue: It was a dark and stormy night; the rain fell in torrents",
    "detective": "Continue: The detective entered the room and saw",
    "capital": "Complete the sentence: The capital of France is",
    "language": "Complete the sentence: The best programming language for",
    "quantum": "Complete the sentence: The quantum fluctuations",
    "decimals": "Which number is larger, 9.8 or 9.11?",
    "three": "Which number is the largest, 9.9, 9.11 or 9.1102001?",
}
"""By the name that `--demo` takes."""

KEYS = dict(enumerate([*DEMOS][:4], 2))
"""The function keys of the first ones, and their names."""
