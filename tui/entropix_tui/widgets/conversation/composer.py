"""Where the user writes to a conversation: the next turn, or something else that Enter does."""

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget

from entropix_mlx.records.record import PromptRecord
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.conversation.history import History
from entropix_tui.keys import slash
from entropix_tui.keys.slash import unslashed
from entropix_tui.tokens import lookup
from entropix_tui.widgets.prompt import Prompt

_HINTS = {
    "loading": "the model is loading: write on, Enter sends when it is ready",
    "reading": "Esc stops",
    "generating": "write on; Esc stops, then Enter sends",
    "failed": "Enter tries to load the model again",
}


@dataclass
class Draft:
    """What the prompt is used for instead of the next turn, and what was being written before.

    `edited`: the user's turn that is written anew; None while a system prompt is. `origin`: what
    had the focus.
    """

    edited: PromptRecord | None
    before: str
    origin: Widget | None


class Composer(Container):
    """The prompt, with a hint of what Enter does; what was sent comes back from `history`.

    What is written stays there until `sent`, or `wait` has it sent once there is a model.
    """

    DEFAULT_CSS = "Composer { height: auto; }"

    @dataclass
    class Sent(Message):
        """A text is to be said, in place of the message `edited` if there is one."""

        text: str
        edited: PromptRecord | None

    @dataclass
    class SystemPromptGiven(Message):
        """A new conversation is to begin with this."""

        text: str

    class ContinueWanted(Message):
        """Enter was pressed with nothing written."""

    def __init__(self, conversation: Conversation, history: History | None = None) -> None:
        super().__init__(id="composer")
        self.conversation = conversation
        self.prompt = Prompt(history, id="prompt")
        self.draft: Draft | None = None
        # What stands there, and what of it is to be sent as soon as there is a model.
        self._waiting: tuple[str, str] | None = None
        self._asked = ""  # what looked like a command, and is sent if it was meant
        self._question = ""
        self._hint = ""
        self._has_text = False

    def compose(self) -> ComposeResult:
        yield self.prompt

    @property
    def is_written(self) -> bool:
        """Whether a text is being written now."""
        return self.prompt.has_focus and bool(self.prompt.text)

    def tell(self) -> None:
        """Say at the prompt what Enter would do."""
        hint = _HINTS.get(self.conversation.phase, "")
        if self._is_waiting:
            hint = "sent as it stands when the model is ready"
        if self.conversation.can_go_on:
            hint = "Enter on an empty line continues the answer"
        if self._asked and self._asked == self.prompt.text:
            hint = self._question
        if hint != self._hint:
            self.prompt.border_subtitle = self._hint = hint

    # Enter.

    @on(Prompt.Submitted)
    def action_submit(self) -> None:
        """Send what is written; if nothing is, go on with an answer that was cut off."""
        self.prompt.focus()
        text, draft = self.prompt.text, self.draft
        if draft is not None and draft.edited is None:
            self.cancel()
            self.prompt.focus()
            self.post_message(self.SystemPromptGiven(text.strip()))
        elif text.strip():
            if not self._asks():
                edited = None if draft is None else draft.edited
                self.post_message(self.Sent(unslashed(text), edited))
        else:
            self.post_message(self.ContinueWanted())

    def take(self) -> str | None:
        """What is written, taken away; None if it is asked first what was meant by it."""
        if self._asks():
            return None
        return unslashed(self.prompt.take().strip())

    def _asks(self) -> bool:
        """Ask what was meant by what is written: once, if it looks like a command."""
        text = self.prompt.text
        if text == self._asked:
            return False
        self._question = slash.question(text, self.screen)
        if not self._question:
            return False
        self._asked = text
        self.app.bell()
        self.tell()
        return True

    def on_text_area_changed(self) -> None:
        if self._has_text != bool(self.prompt.text):
            self._has_text = not self._has_text
            self.refresh_bindings()  # of an empty line Enter does something else
        if self._asked:
            self._asked = ""
            self.tell()

    def sent(self) -> None:
        """What is written was said."""
        self.prompt.take()
        self.leave()

    def wait(self, text: str) -> None:
        """Have this sent when there is a model, if it is still what is written."""
        self._waiting = self.prompt.text, text

    @property
    def _is_waiting(self) -> bool:
        return self._waiting is not None and self.prompt.text == self._waiting[0]

    def send_waiting(self) -> None:
        """The model may have come: say what was waiting for it."""
        if self._waiting is not None and self.conversation.phase == "ready":
            waits, text = self._is_waiting, self._waiting[1]
            self._waiting = None
            if waits:
                self.post_message(self.Sent(text, None))

    def put(self, text: str) -> None:
        """Write a text that is to be sent, now or when there is a model."""
        self.prompt.put(text)
        self.prompt.focus()
        self.wait(text)
        self.send_waiting()

    def take_back_unsent(self) -> None:
        """What was said in vain can be sent again, or changed."""
        unsent, self.conversation.unsent = self.conversation.unsent, None
        if unsent is not None and not self.prompt.text:
            self.prompt.put(unsent)

    # Writing something else than the next turn.

    def action_edit(self, step: int) -> None:
        """Walk over what the user has said on this branch, back (-1) or forth (1)."""
        messages = lookup.messages(self.conversation.tree)
        if not messages:
            return
        at = len(messages) + step
        if self.draft is not None and self.draft.edited in messages:
            at = messages.index(self.draft.edited) + step
        if at >= len(messages):
            self.cancel()
        elif at >= 0:
            self.edit(messages[at])

    def edit(self, message: PromptRecord) -> None:
        """Write a turn anew; sending it makes a branch."""
        earlier = [m for m in lookup.messages(self.conversation.tree) if m.index < message.index]
        title = f"editing message {1 + len(earlier)}, Esc cancels"
        self._begin(message, title, message.text)

    def action_system_prompt(self) -> None:
        """Begin a new conversation with another system prompt."""
        title = "system prompt of a new conversation, Esc cancels"
        self._begin(None, title, self.conversation.system)

    def _begin(self, edited: PromptRecord | None, title: str, text: str) -> None:
        if self.draft is None:
            self.draft = Draft(edited, self.prompt.text, self.screen.focused)
        else:
            self.draft.edited = edited
        self.prompt.mode = title
        self.prompt.put(text)
        self.prompt.focus()

    def cancel(self) -> bool:
        """Go back to what was being written before; False if that is what is written now."""
        if self.draft is None:
            return False
        draft = self.draft
        self.forget()
        self.prompt.put(draft.before)
        (draft.origin or self.prompt).focus()
        return True

    def forget(self) -> None:
        """What is written is for the next turn."""
        self.draft = None
        self.prompt.mode = ""

    def follow(self) -> None:
        """Another branch is in view, on which the message that is edited may not be."""
        edited = None if self.draft is None else self.draft.edited
        if edited is not None and edited not in lookup.messages(self.conversation.tree):
            self.forget()

    def leave(self) -> None:
        """What is written waits for nothing of this conversation."""
        self.forget()
        self._waiting = None
