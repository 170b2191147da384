"""Prompts that show something: where a small model is sure, forks, or is lost."""

DEMOS = {
    "numbers": "Which number is larger, 9.9 or 9.11?",  # a fork at the number it settles on
    "robot": "Write a short story about a robot that learns to paint.",  # forks at each idea
    # A cliché that it knows, then open country.
    "night": "Continue: It was a dark and stormy night; the rain fell in torrents",
    # Many good ways on: high varentropy.
    "detective": "Continue: The detective entered the room and saw",
}
"""By the name that `--demo` takes."""
