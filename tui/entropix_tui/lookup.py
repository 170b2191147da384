"""Tokens found in a conversation's tree by their spots."""

from entropix_mlx.records import PromptRecord, TokenRecord
from entropix_mlx.tree import Tree
from entropix_tui import labels
from entropix_tui.spots import Spot

BEFORE = 200
"""Characters before a token that are worth showing."""


def record_at(tree: Tree, spot: Spot) -> TokenRecord | None:
    """A token's record, of the model's or of a prompt that was scored."""
    if spot.index not in tree:
        return None
    node = tree[spot.index]
    if isinstance(node, TokenRecord):
        return node
    records = node.records or ()
    return records[spot.nth] if spot.nth < len(records) else None


def text_of(tree: Tree, spot: Spot) -> str:
    """A token's own text, for a list."""
    record = record_at(tree, spot)
    return "" if record is None else labels.token(record)


def text_before(tree: Tree, spot: Spot) -> str:
    """The last of what was said before a token in the same turn."""
    if spot.index not in tree:
        return ""
    node = tree[spot.index]
    if isinstance(node, PromptRecord):
        return "".join(record.text for record in (node.records or ())[: spot.nth])[-BEFORE:]
    parts: list[str] = []
    length = 0
    for index in tree.up(tree.parent(spot.index)):
        before = tree[index]
        if isinstance(before, PromptRecord) or length >= BEFORE:
            break
        parts.append(before.text)
        length += len(before.text)
    return "".join(reversed(parts))[-BEFORE:]


def asked_before(tree: Tree, index: int) -> PromptRecord | None:
    """The user's turn that the record at `index` answers, or is."""
    for above in tree.up(index):
        node = tree[above]
        if isinstance(node, PromptRecord) and node.role == "user":
            return node
    return None


def said(tree: Tree) -> list[PromptRecord]:
    """What the user has said on the way to where the conversation stands."""
    return [node for node in tree.path() if isinstance(node, PromptRecord) and node.role == "user"]
