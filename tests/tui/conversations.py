"""Conversations to show: prompts and answers whose ids follow from their words."""

from collections.abc import Sequence
from typing import Any

from scripted import STORY, prompt, token

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree

ASKED = "Which number is larger, 9.9 or 9.11?"


def id_of(text: str) -> int:
    """The same text has the same id, as far as tests go."""
    return sum((n + 1) * byte for n, byte in enumerate(text.encode())) % 49_000


def said(texts: Sequence[str], first: int, parent: int, **fields: Any) -> list[TokenRecord]:
    """Tokens that follow each other, the first of them a record."""
    return [
        token(index, text, parent=parent if index == first else index - 1, id=id_of(text), **fields)
        for index, text in enumerate(texts, first)
    ]


def asked(index: int, text: str = ASKED, parent: int = -1) -> PromptRecord:
    """A prompt whose ids follow from its words."""
    plain = prompt(index, text, parent=parent)
    ids = [id_of(record.text) for record in plain.records or ()]
    return PromptRecord(
        index=index, parent=parent, role="user", ids=ids, text=text, records=plain.records
    )


OTHER = [*STORY[:9], " smaller", *STORY[10:20], " well", *STORY[20:]]
"""The story with a word replaced and another one put in."""


def two_answers() -> tuple[Tree, int, int]:
    """One prompt, two answers, and their leaves."""
    first, second = said(STORY, 1, 0), said(OTHER, 100, 0)
    tree = Tree.of([asked(0), *first, *second])
    return tree, first[-1].index, second[-1].index


def two_prompts() -> tuple[Tree, int, int]:
    """One word of the prompt replaced, what was answered to either, and the leaves."""
    first, second = said(STORY, 1, 0), said(OTHER, 201, 200)
    changed = asked(200, ASKED.replace("larger", "smaller"))
    tree = Tree.of([asked(0), *first, changed, *second])
    return tree, first[-1].index, second[-1].index
