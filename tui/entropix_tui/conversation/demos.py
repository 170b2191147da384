"""Prompts that show something: where a small model is sure, forks, or is lost."""

from typing import NamedTuple


class Demo(NamedTuple):
    """A prompt and what to look for in its answer."""

    prompt: str
    look_for: str


DEMOS: dict[str, Demo] = {
    "numbers": Demo("Which number is larger, 9.9 or 9.11?", "the fork at the number it settles on"),
    "robot": Demo(
        "Write a short story about a robot that learns to paint.", "calm prose, forks at each idea"
    ),
    "night": Demo(
        "Continue: It was a dark and stormy night; the rain fell in torrents",
        "a cliché it knows, then open country",
    ),
    "detective": Demo(
        "Continue: The detective entered the room and saw", "many good ways on: high varentropy"
    ),
}
"""By the name that `--demo` takes."""
