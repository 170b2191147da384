"""What the user does to the conversation: say, stop, go on, say again, edit, fork, begin anew."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from textual.screen import Screen

from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.engine import Engine
from entropix_tui.tokens import lookup
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.prompt import Prompt

SEEDS = 2**32


@dataclass
class Draft:
    """What the prompt is used for instead of the next turn, and what was being written before.

    `edited`: the user's turn that is written anew; None while a system prompt is.
    """

    edited: PromptRecord | None
    before: str

    @property
    def kind(self) -> Literal["message", "system"]:
        return "system" if self.edited is None else "message"


class TurnActions(Screen[None]):
    """The half of the chat screen that talks to the engine."""

    conversation: Conversation
    engine: Engine
    prompt: Prompt
    max_tokens: int

    def __init__(self) -> None:
        super().__init__()
        self.draft: Draft | None = None
        self.draw_seed: Callable[[], int] = lambda: secrets.randbelow(SEEDS)
        self._pending: str | None = None  # to be sent as soon as there is a model

    def show_turn(self) -> None:
        """A turn has begun, or another branch is in view."""
        raise NotImplementedError

    # Saying something.

    def action_submit(self) -> None:
        """Enter: send what is written; if nothing is, go on with an answer that was cut off."""
        self.prompt.focus()
        text = self.prompt.text
        if self.draft is not None and self.draft.kind == "system":
            self._begin_with_system_prompt(text)
        elif text.strip():
            self._send(text)
        elif self.conversation.can_go_on:
            self.action_go_on()

    def _send(self, text: str) -> None:
        said = self.conversation
        if not said.can_send:
            if said.phase == "loading" and self.draft is None:
                self._pending = text
                self.show_turn()
            return
        self.prompt.take()
        self._pending = None
        edited = self.draft.edited if self.draft is not None else None
        after = said.tree.leaf if edited is None else said.tree.parent(edited.index)
        self.say(text, after)

    def say(self, text: str, after: int) -> bool:
        """The user's turn after record `after`; False if the model is at work."""
        if not self.conversation.can_send:
            self._refuse("The model is at work: Esc stops it.")
            return False
        self._forget_draft()
        self.conversation.say(text, after)
        self.engine.run(TurnRequest(text, max_tokens=self.max_tokens, after=after))
        self.show_turn()
        return True

    def send_when_ready(self, text: str) -> None:
        """Say this now, or as soon as the model is there and the prompt still holds it."""
        self.prompt.put(text)
        self.prompt.focus()
        if self.conversation.phase == "ready":
            self._send(text)
        else:
            self._pending = text

    @property
    def waits_to_send(self) -> bool:
        """Whether what is written will be sent when the model is there."""
        return self._pending is not None and self.prompt.text == self._pending

    def send_pending(self) -> None:
        """The model has come: say what was waiting for it."""
        if self._pending is not None and self.conversation.phase == "ready":
            waits, self._pending = self.waits_to_send, None
            if waits:
                self._send(self.prompt.text)

    def take_back_unsent(self) -> None:
        """What was said in vain can be sent again, or changed."""
        unsent, self.conversation.unsent = self.conversation.unsent, None
        if unsent is not None and not self.prompt.text:
            self.prompt.put(unsent)

    # Stopping.

    def stop_or_leave(self) -> bool:
        """Escape: the nearest thing that can be ended; False if there is none."""
        if self.draft is not None:
            before = self.draft.before
            self._forget_draft()
            self.prompt.put(before)
            self.prompt.focus()
            return True
        if self.conversation.busy or self.conversation.phase == "loading":
            self.engine.stop()
            return True
        return False

    # Going on without saying anything.

    def action_go_on(self) -> None:
        """Continue an answer that was cut off."""
        if self.conversation.can_go_on:
            self._go_on(self.conversation.tree.leaf)
        else:
            self._refuse("Only an answer that was stopped or cut off can be continued.")

    def action_regenerate(self) -> None:
        """The last answer once more, with another seed: a branch."""
        said = self.conversation
        asked = lookup.asked_before(said.tree, said.tree.leaf)
        if asked is None:
            self._refuse("There is no answer to make again yet.")
            return
        seed = self.draw_seed()
        if self._go_on(asked.index, seed=seed):
            self.app.notify(f"Once more, with seed {seed}.", markup=False)

    def fork(self, ref: TokenRef, id: int) -> None:
        """Take another candidate at a token: a branch."""
        tree = self.conversation.tree
        if ref.index in tree and isinstance(tree[ref.index], TokenRecord):
            self._go_on(tree.parent(ref.index), force=(id,))

    def _go_on(
        self,
        after: int,
        *,
        force: tuple[int, ...] = (),
        seed: int | None = None,
        settings: Settings | None = None,
    ) -> bool:
        if self.conversation.phase != "ready" or self.conversation.leaving:
            self._refuse("The model is at work: Esc stops it.")
            return False
        self._forget_draft()
        self.conversation.continue_(after)
        self.engine.run(
            TurnRequest(
                max_tokens=self.max_tokens, after=after, force=force, seed=seed, settings=settings
            )
        )
        self.show_turn()
        return True

    def switch_to(self, leaf: int) -> None:
        """Show another branch and say there what is said next."""
        if self.conversation.busy:
            self._refuse("The model is at work: Esc stops it, then branches can be changed.")
            return
        self._forget_draft()
        self.conversation.switch_to(leaf)
        self.show_turn()

    # Writing something else than the next turn.

    def action_edit(self, step: int) -> None:
        """Walk over what the user has said on this branch, back (-1) or forth (1)."""
        said = lookup.said(self.conversation.tree)
        at = len(said) + step
        if self.draft is not None and self.draft.edited in said:
            at = said.index(self.draft.edited) + step
        if at < 0 or not said:
            return
        if at >= len(said):
            self.stop_or_leave()
        else:
            self.edit(said[at])

    def edit(self, message: PromptRecord) -> None:
        """Write a turn anew; sending it makes a branch."""
        number = 1 + sum(
            other.index < message.index for other in lookup.said(self.conversation.tree)
        )
        self._draft_for(message, f"editing message {number}, Esc cancels", message.text)

    def action_system_prompt(self) -> None:
        """Begin a new conversation with another system prompt."""
        title = "system prompt of a new conversation, Esc cancels"
        self._draft_for(None, title, self.conversation.system)

    def _draft_for(self, edited: PromptRecord | None, title: str, text: str) -> None:
        before = self.prompt.text if self.draft is None else self.draft.before
        self.draft = Draft(edited, before)
        self.prompt.mode = title
        self.prompt.put(text)
        self.prompt.focus()

    def _forget_draft(self) -> None:
        self.draft = None
        self.prompt.mode = ""

    def _begin_with_system_prompt(self, text: str) -> None:
        before = self.draft.before if self.draft is not None else ""
        self._forget_draft()
        self.prompt.put(before)
        self._leave()
        self.engine.new_chat(text.strip())

    # Other conversations.

    def action_new_chat(self) -> None:
        self._leave()
        self.engine.new_chat()
        self.prompt.focus()

    def resume(self, name: str) -> None:
        """Go on with a saved conversation."""
        self._leave()
        self.engine.resume(name)

    def switch_model(self, name: str) -> None:
        """Begin a new conversation with another model."""
        self._leave()
        self.engine.switch_model(name)

    def _leave(self) -> None:
        self._forget_draft()
        self.conversation.leave()
        self._pending = None

    def _refuse(self, reason: str) -> None:
        self.app.notify(reason, severity="warning", markup=False)
