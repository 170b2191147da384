"""What makes another branch of a conversation, and what goes to one."""

import dataclasses
import secrets
from collections.abc import Callable

from entropix_mlx.records.record import CLARIFY, PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT, Node
from entropix_mlx.session.request import TurnRequest
from entropix_tui.conversation.comparison import Comparison, Existing, Side
from entropix_tui.engine.engine import Engine
from entropix_tui.screens.conversation.screen import ConversationScreen
from entropix_tui.tokens import lookup
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.conversation.composer import Composer
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.status import StatusLine
from entropix_tui.widgets.text.token_view import TokenView

SEEDS = 2**32


class ChatBranches(ConversationScreen):
    """The part of the chat's screen that makes branches, each a turn that follows an old record."""

    def __init__(
        self,
        engine: Engine,
        view: ConversationView,
        status: StatusLine,
        composer: Composer,
        *,
        max_tokens: int,
    ) -> None:
        super().__init__(engine, view, status, composer, max_tokens=max_tokens)
        self.composer = composer
        self.name_branch = engine.name_branch
        self.draw_seed: Callable[[], int] = lambda: secrets.randbelow(SEEDS)
        self._stood: tuple[int, int | None] | None = None
        """Leaf and seed from before a branch was made to be compared with."""

    def refuse_now(self) -> None:
        """Say why the model cannot do anything else."""
        failed = self.conversation.phase == "failed"
        self.refuse(
            "There is no model: Enter tries to load it again."
            if failed
            else "The model is at work: Esc stops it."
        )

    def run(self, request: TurnRequest) -> bool:
        """A turn, which is shown at once; False if the model is at work."""
        raise NotImplementedError

    def action_regenerate(self) -> None:
        """The last answer once more, with another seed: a branch."""
        tree = self.conversation.tree
        asked = lookup.asked_before(tree, tree.leaf)
        if asked is None:
            self.refuse("There is no answer to make again yet.")
            return
        seed = self.draw_seed()
        if self.run(TurnRequest(max_tokens=self.max_tokens, after=asked.index, seed=seed)):
            self.notify(f"Once more, with seed {seed}.", markup=False)

    def on_token_view_edit_wanted(self, event: TokenView.EditWanted) -> None:
        node = self.conversation.tree[event.index]
        if isinstance(node, PromptRecord):
            self.composer.edit(node)

    def on_token_view_fork_wanted(self, event: TokenView.ForkWanted) -> None:
        """Choose another candidate for a token."""
        from entropix_tui.screens.candidate_picker import CandidatePicker

        record = self.view.drawn(event.ref)
        if record is None:
            return
        known = self.view.inspection_of(record)
        picker = CandidatePicker(record, known)
        self.app.push_screen(picker, self.fork_at(event.ref))
        if known is None:
            self.engine.inspect(record.index)

    def fork(self, ref: TokenRef, id: int) -> None:
        """Take another candidate at a token: a branch."""
        tree = self.conversation.tree
        if ref.index in tree and isinstance(tree[ref.index], TokenRecord):
            after = tree.parent(ref.index)
            self.run(TurnRequest(max_tokens=self.max_tokens, after=after, force=(id,)))

    def on_token_view_without_wanted(self, event: TokenView.WithoutWanted) -> None:
        """Go on from before a clarifying text; none is put in for the rest of that answer."""
        tree, settings = self.conversation.tree, self.conversation.settings
        after = tree.parent(event.ref.index)
        while after in tree and _is_put_in(tree[after]):
            after = tree.parent(after)
        if settings is not None and "clarify" in settings.to_dict():
            settings = dataclasses.replace(settings, clarify="off")  # type: ignore[call-arg]
        if self.run(TurnRequest(max_tokens=self.max_tokens, after=after, settings=settings)):
            self.notify("On without it, with clarify=off for this answer.", markup=False)

    def switch_to(self, leaf: int) -> None:
        """Show another branch and say there what is said next."""
        if self.conversation.busy:
            self.refuse("The model is at work: Esc stops it, then branches can be changed.")
            return
        super().switch_to(leaf)
        self.composer.follow()
        if self.conversation.phase != "failed":
            self.engine.return_to(leaf, None)

    def action_compare(self) -> None:
        """Set something beside the present answer."""
        from entropix_tui.screens.compare.setup import CompareSetup, presets

        tree, settings = self.conversation.tree, self.conversation.settings
        asked = lookup.asked_before(tree, tree.leaf)
        if asked is None or settings is None:
            self.refuse("There is no answer to compare with yet.")
        elif self.conversation.phase != "ready":
            self.refuse_now()
        else:
            setup = CompareSetup(tree, asked, settings, presets=presets())
            self.app.push_screen(setup, self._compare)

    def _compare(self, comparison: Comparison | None) -> None:
        """Show the present branch beside another one, which is made if it is not there."""
        if comparison is None:
            return
        conversation, tree = self.conversation, self.conversation.tree
        if isinstance(comparison, Existing):
            self.compare_with(conversation.side(comparison.leaf))
            return
        requests = comparison.requests(tree, self.max_tokens)
        drawn = conversation.samplers.at(tree.newest + 1)
        self._stood = tree.leaf, conversation.seed
        sides = [conversation.side(tree.leaf_below(tree.leaf))]
        for request in requests:
            conversation.set_beside()
            self.engine.run(request)
            changed = {} if request.settings is None else request.settings.to_dict()
            changed |= {} if request.seed is None else {"seed": request.seed}
            after = ROOT if request.after is None else request.after
            sides.append(Side(after, drawn | changed, growing=True))
        self.compare_with(sides[-1], sides[-2])

    def compared(self, kept: int | None) -> None:
        """A branch that was made for this and not kept is one like any other."""
        stood, self._stood = self._stood, None
        if stood is None or self.beside is None:
            super().compared(kept)
            return
        a, b = self.beside.comparing.ways
        self.beside, leaf = None, stood[0] if kept is None else kept
        if kept == b.leaf and not a.growing:
            self.conversation.aside = 0  # it may still be growing
        else:
            if self.conversation.busy:
                self.engine.stop()
            self.engine.return_to(leaf, stood[1])
        if leaf != self.conversation.tree.leaf:
            super().switch_to(leaf)


def _is_put_in(node: Node) -> bool:
    return isinstance(node, TokenRecord) and node.forced == CLARIFY
