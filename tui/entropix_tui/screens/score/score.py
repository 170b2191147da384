"""A given text in all instruments: what of it the model did not expect."""

from typing import Literal

from entropix_mlx.analysis.surprise import surprises
from entropix_mlx.records.lost import LOST, sentence
from entropix_mlx.records.record import End, Event, TokenRecord
from entropix_mlx.records.tree import ROOT
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import (
    Failed,
    Loading,
    Output,
    Ready,
    Restored,
    Scored,
    Unsaved,
)
from entropix_tui.keys.keynames import key_of
from entropix_tui.screens.conversation.screen import ConversationScreen
from entropix_tui.screens.score.keys import COMMANDS, KEYS, TASKS
from entropix_tui.screens.score.panel import ScorePanel, ScoreStatus
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.inspector.inspector import Inspector
from entropix_tui.widgets.surprises import Surprises

RANKED = 200
"""Surprises that are listed."""


class ScoreScreen(ConversationScreen):
    """Each text is a branch of one tree. `text` is scored at once; without one it is asked for.

    `chat`: the conversation over whose screen this one is opened, to which it goes back; that
    screen drains the engine, adds to `inbox`, and keeps this one with its texts.
    """

    BINDING_GROUP_TITLE = "A scored text"
    BINDINGS = KEYS
    DEFAULT_CSS = "ScoreScreen.-high Surprises { height: 10; }"
    PALETTE = COMMANDS
    TASKS = TASKS

    def __init__(
        self,
        engine: Engine,
        text: str | None = None,
        chat: Conversation | None = None,
    ) -> None:
        conversation = Conversation()
        self.panel = ScorePanel()
        view = ConversationView(conversation, home=self.panel.ranked, takes=False)
        self.scored = ScoreStatus(conversation, id="status")
        super().__init__(engine, view, self.scored, self.panel, max_tokens=0)
        self.texts: list[str] = []
        """What was scored, in the order of the tree's roots."""
        self.inbox: list[Output] = []
        """What has come out of the chat's engine."""
        self._given = text
        self._chat = chat
        self._put = self._shown = ""  # the text that was given to be changed, as it is, and shown
        self._questioned = ""  # the unscored text that was asked about, and may be dropped
        self._waiting = False  # whether the engine has a text that has come to no end

    def on_screen_resume(self) -> None:
        """Opened, once more perhaps: the model is as the chat has it, quadrants as here."""
        chat, conversation = self._chat, self.conversation
        if chat is not None and not self._waiting:
            conversation.phase = chat.phase if chat.phase in ("loading", "failed") else "ready"
            conversation.loading, conversation.context = chat.loading, chat.context
            conversation.calibration = chat.calibration
        if conversation.header is not None:
            self.view.use()
        self.tell()

    def on_mount(self) -> None:
        self.view.tokens.colour_by("surprisal")
        if self._chat is None:
            self.call_after_refresh(self.engine.start)
        if self._given is None:
            self.write("")
        else:
            self.call_after_refresh(self.score, self._given)

    # What comes.

    def coming(self) -> list[Output]:
        if self._chat is None:
            return super().coming()
        came, self.inbox = self.inbox, []
        return came

    def take(self, output: Output) -> None:
        """Take in one output; the conversation beside which texts are scored is not shown."""
        conversation = self.conversation
        match output:
            case Scored(Loading() as far):
                self.scored.scored = far
            case Scored(told):
                if isinstance(told, Restored):
                    self._begin_anew()
                self.view.take(told)
                if isinstance(told, Failed):
                    self._fail(told)
                elif isinstance(told, Event) and told.kind == LOST:
                    self.notify(sentence(told), severity="warning", markup=False, timeout=15)
                elif isinstance(told, Unsaved):
                    self.notify(one_line(told.message), severity="warning", markup=False)
                elif isinstance(told, End):
                    self.scored.scored, self._waiting = None, False
                    self.rank()
            case Loading() if conversation.phase in ("loading", "failed"):
                conversation.phase, conversation.loading = "loading", output
            case Ready():
                conversation.context, conversation.calibration = output.context, output.calibration
                conversation.loading = None
                conversation.phase = "reading" if self._waiting else "ready"
            case Failed(scope="load"):
                conversation.apply(output)
                self._fail(output, tell=self._chat is None)  # a chat tells it itself

    def _begin_anew(self) -> None:
        """Another session scores: it knows nothing of the texts before."""
        if len(self.texts) > 1:
            self.notify("Another conversation: its list of scored texts begins here.", markup=False)
        del self.texts[:-1]

    def _fail(self, failed: Failed, *, tell: bool = True) -> None:
        """Something has come to nothing: a text that did is there to be changed."""
        conversation = self.conversation
        severity: Literal["warning", "error"] = "warning"
        if failed.scope != "aside":
            self.scored.scored, severity = None, "error"
        if tell:
            self.notify(one_line(failed.message), severity=severity, markup=False)
        if failed.scope == "aside":
            return
        waited, self._waiting = self._waiting, False
        if len(conversation.tree.children(ROOT)) < len(self.texts):  # nothing came of the last
            text = self.texts.pop()
            if self.draft:  # the same, or another one
                self._show_editor(True)
            else:
                self.write(text)
        elif waited:
            self.rank()

    # The text.

    def score(self, text: str) -> None:
        """Score a text, a branch of its own."""
        conversation = self.conversation
        if not text.strip():
            self.refuse("There is nothing to score: write a text.")
            return
        if conversation.busy:
            self.refuse("A text is being scored: Esc stops it.")
            return
        self.texts.append(text)
        self._waiting = True
        conversation.continue_(ROOT)
        if conversation.context is None:
            conversation.phase = "loading"
        self.panel.ranked.note = "the list comes when the text is scored"
        self.panel.ranked.show((), "")
        self._show_editor(False)
        self.engine.score(text, anew=conversation.header is None)
        self.show_turn()

    def action_score(self) -> None:
        self.score(self._written())

    def _written(self) -> str:
        """What is written; a text that was put there and not changed is as it was given."""
        editor = self.panel.editor
        return self._put if editor.text == self._shown else editor.text

    @property
    def draft(self) -> str:
        """What is written and was not scored; empty if there is nothing."""
        written = self._written()
        return written if written.strip() and written not in self.texts else ""

    def _tell_kept(self) -> None:
        if self.draft:
            self.notify("What you have written is kept, not scored yet.", markup=False)

    def _replace(self, text: str) -> None:
        """Let a text be written in place of the last one, which is shown first if it was not
        scored: it is dropped when that is asked for once more.
        """
        draft = self.draft
        if draft and draft != self._questioned:
            self._show_editor(True)
            self._questioned = draft
            keys = (key_of(self, "score"), key_of(self, "new"))
            self.refuse("This is not scored yet: {} scores it, {} drops it.".format(*keys))
        else:
            self.write(text)

    def write(self, text: str) -> None:
        """Let a text be written, or changed."""
        editor = self.panel.editor
        editor.put(text)
        self._put, self._shown = text, editor.text
        self._show_editor(True)

    def _show_editor(self, writing: bool) -> None:
        self._questioned = ""
        self.panel.set_class(writing, "-writing")
        self.view.display = not writing
        self.set_focus(self.panel.editor if writing else self.panel.ranked)
        self.refresh_bindings()

    @property
    def is_writing(self) -> bool:
        return self.panel.has_class("-writing")

    @property
    def text(self) -> str:
        """The text in view; empty if there is none."""
        tree = self.conversation.tree
        path = tree.path()
        return self.texts[tree.children(ROOT).index(path[0].index)] if path else ""

    def action_edit(self) -> None:
        if self.conversation.busy:
            self.refuse("A text is being scored: Esc stops it.")
        else:
            self._replace(self.text)

    def action_new(self) -> None:
        if self.conversation.busy:
            self.refuse("A text is being scored: Esc stops it.")
        else:
            self._replace("")

    def action_open(self) -> None:
        """Read a text from a file, and score it."""
        from entropix_tui.screens.open_text import OpenText

        def read(text: str | None) -> None:
            if text is not None:
                self.score(text)
                self._tell_kept()

        self.app.push_screen(OpenText(), read)

    def check_action(
        self,
        action: str,
        parameters: tuple[object, ...],  # noqa: ARG002
    ) -> bool | None:
        """While a text is written there is none to look at; else there is none to be scored."""
        if action == "score":
            return self.is_writing
        if action in ("edit", "cursor", "branches", "of", "export"):
            return not self.is_writing
        return True

    def offer(self, action: str, does: str) -> str:
        match action:
            case "score" if not self._written().strip():
                return ""
            case "edit" | "new" | "open" if self.conversation.busy:
                return ""
        return super().offer(action, does)

    @property
    def is_away(self) -> bool:
        if self.is_writing:
            return self._chat is not None or not self.conversation.is_empty
        return self._chat is not None or super().is_away

    # The ranking.

    def rank(self) -> None:
        """List the surprises of the text in view; the cursor goes to the greatest."""
        records = [node for node in self.conversation.tree.path() if isinstance(node, TokenRecord)]
        ranked = self.panel.ranked
        ranked.note = (
            "nothing surprised the model: every token was the one it expected"
            if any(record.logprob is not None for record in records)
            else "nothing was measured: a first token meets no distribution"
        )
        ranked.show(surprises(records, most=RANKED), "".join(record.text for record in records))
        if (first := ranked.current) is not None:
            self.call_after_refresh(self.view.tokens.move_to, TokenRef(first.record.index))

    def on_surprises_moved(self, event: Surprises.Moved) -> None:
        self.view.tokens.move_to(TokenRef(event.surprise.record.index))

    def on_rows_taken(self, event: Surprises.Taken) -> None:
        if event.rows is self.panel.ranked:
            self.view.tokens.focus()

    def switch_to(self, leaf: int) -> None:
        if self.conversation.busy:
            self.refuse("A text is being scored: Esc stops it.")
            return
        super().switch_to(leaf)
        self.rank()

    # Leaving.

    def on_inspector_inspection_wanted(self, event: Inspector.InspectionWanted) -> None:
        self.engine.inspect_scored(event.index)

    def stop(self) -> bool:
        if self.is_writing and not self.conversation.is_empty:
            self._show_editor(False)
            self._tell_kept()
            return True
        if super().stop():
            return True
        if self._chat is not None and (self.is_writing or self.view.tokens.cursor is None):
            self._tell_kept()
            self.dismiss()
            return True
        return False

    def halt_answer(self) -> bool:
        """Stop the scoring, or the loading before it; what was scored is kept."""
        if runs := self.runs:
            self.engine.stop()
        return runs

    @property
    def runs(self) -> bool:
        conversation = self.conversation
        return conversation.busy or (conversation.phase == "loading" and self._waiting)
