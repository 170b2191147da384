"""The text of a halted answer: what was taken, and at its end what would be taken next."""

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT, Node, Tree
from entropix_mlx.terminal.palette import FORCED
from entropix_tui.transcript.blocks import REPLACEMENT, Answer
from entropix_tui.transcript.transcript import Place, Transcript

GHOST = "◇"
"""Stands before a token that is proposed, not taken."""


class Draft:
    """The transcript of one path of a tree, which somebody else adds records to."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.transcript = Transcript()
        self.leaf = ROOT
        """The last record that was taken."""
        self.used = 0
        """Tokens in the model's context."""
        self.ghost: Place | None = None
        """Where the proposal stands."""
        self.version = 0
        """Changes whenever the whole text was made anew."""

    def rebuild(self, leaf: int) -> None:
        """Show the path to a record, with nothing proposed; the time grows with its length."""
        self.version += 1
        self.transcript.clear()
        self.ghost, self.used, self.leaf = None, 0, leaf
        path = self.tree.path(leaf) if leaf in self.tree else []
        for node in path:
            self._append(node)
        for node in path:
            for event in self.tree.events(node.index):
                if event.kind == "valley" and event.at is not None:
                    self.transcript.mark_valley(event.at)

    def take(self, node: Node) -> None:
        """A record that came: the proposal that was taken, or anything else."""
        parent = self.tree.parent(node.index) if node.index in self.tree else node.parent
        if self.ghost is not None:
            if parent == self.leaf and isinstance(node, TokenRecord) and self._becomes(node):
                self._accept(node)
                return
            self.withdraw()
        if parent != self.leaf:
            self.rebuild(parent)
        self._append(node)
        self.leaf = node.index

    def propose(self, proposal: TokenRecord) -> None:
        """Show what would follow its parent."""
        if proposal.parent != self.leaf:
            self.rebuild(proposal.parent)
        elif self.ghost is not None:
            if self._becomes(proposal):
                return
            self.withdraw()
        self.transcript.add(proposal)
        answer = self._answer
        piece = len(answer.records) - 1
        for sign in FORCED.values():
            answer.mark(piece, sign, False)
        answer.mark(piece, GHOST)
        self.ghost = Place(len(self.transcript.blocks) - 1, piece)

    def withdraw(self) -> None:
        """Nothing is proposed any more."""
        if self.ghost is not None:
            # What a token did to the bytes before it is not undone piece by piece.
            self.rebuild(self.leaf)

    @property
    def _answer(self) -> Answer:
        """The answer that the proposal stands in."""
        assert self.transcript.answer is not None
        return self.transcript.answer

    def _becomes(self, record: TokenRecord) -> bool:
        """Put another token in place of the proposal, if that changes nothing before it."""
        assert self.ghost is not None
        answer, piece = self._answer, self.ghost.piece
        before = answer.records[piece]
        if record.index != before.index:
            return False
        if (record.id, record.text) != (before.id, before.text):
            near = [answer.piece(n) for n in (piece - 1, piece) if n >= 0]
            whole = all(one.shown is None for one in near)
            if not whole or not record.text or REPLACEMENT in record.text + before.text:
                return False
            answer.section_of(piece).change(piece, text=record.text)
        answer.records[piece] = record
        return True

    def _accept(self, record: TokenRecord) -> None:
        assert self.ghost is not None
        piece, self.ghost = self.ghost.piece, None
        self._answer.mark(piece, GHOST, False)
        if record.forced:
            self._answer.mark(piece, FORCED.get(record.forced, ""))
        self.leaf = record.index
        self.used += 1

    def _append(self, node: Node) -> None:
        self.transcript.add(node)
        self.used += len(node.ids) if isinstance(node, PromptRecord) else 1
