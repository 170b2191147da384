"""Tokens found in a conversation's tree by their spots."""

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_tui.tokens import labels
from entropix_tui.tokens.token_ref import TokenRef

BEFORE = 200
"""Characters before a token that are worth showing."""


def record_at(tree: Tree, ref: TokenRef) -> TokenRecord | None:
    """A token's record, of the model's or of a prompt that was scored."""
    if ref.index not in tree:
        return None
    node = tree[ref.index]
    if isinstance(node, TokenRecord):
        return node
    records = node.records or ()
    return records[ref.nth] if ref.nth < len(records) else None


def text_of(tree: Tree, ref: TokenRef) -> str:
    """A token's own text, for a list."""
    record = record_at(tree, ref)
    return "" if record is None else labels.token(record)


def text_before(tree: Tree, ref: TokenRef) -> str:
    """The last of what was said before a token in the same turn."""
    if ref.index not in tree:
        return ""
    node = tree[ref.index]
    if isinstance(node, PromptRecord):
        return "".join(record.text for record in (node.records or ())[: ref.nth])[-BEFORE:]
    parts: list[str] = []
    length = 0
    for index in tree.up(tree.parent(ref.index)):
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


def drawn_from(tree: Tree, index: int) -> int | None:
    """The first token that the model said at or after a record, on the present branch."""
    path = tree.path()
    at = next((at for at, node in enumerate(path) if node.index == index), len(path))
    return next((node.index for node in path[at:] if isinstance(node, TokenRecord)), None)


def messages(tree: Tree) -> list[PromptRecord]:
    """What the user has said on the way to where the conversation stands."""
    return [node for node in tree.path() if isinstance(node, PromptRecord) and node.role == "user"]
