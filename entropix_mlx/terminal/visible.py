"""Model text that is safe to send to a terminal."""

import re

STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Controls (but tab and line feed), the marks that turn the direction of writing, and halves of
surrogate pairs, which no terminal can be sent.
"""


def escaped(text: str) -> str:
    """The text with everything that could steer a terminal shown by its number: `‹1B›`."""
    return STEERING.sub(lambda match: f"‹{ord(match[0]):02X}›", text)
