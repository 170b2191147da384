"""A given text in all instruments: what of it the model did not expect."""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from entropix_mlx.analysis.surprise import surprises
from entropix_mlx.records.record import End, TokenRecord
from entropix_mlx.records.tree import ROOT
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import Failed, Loading, Output, Ready, Scored, Unsaved
from entropix_tui.screens.conversation.screen import ConversationScreen
from entropix_tui.screens.score.keys import COMMANDS, KEYS, TASKS
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.inspector.inspector import Inspector
from entropix_tui.widgets.status import StatusLine, progress
from entropix_tui.widgets.surprises import Surprises
from entropix_tui.widgets.text_editor import Editor

RANKED = 200
"""Surprises that are listed."""


class ScoreStatus(StatusLine):
    """The chat's, which says how far the scoring is."""

    scored: Loading | None = None

    def state(self) -> str:
        match self.conversation.phase:
            case "loading":
                return f"◌ {progress(self.conversation.loading)}"
            case "reading" | "generating":
                return f"◌ {progress(self.scored)}" if self.scored else "◌ scoring"
            case "failed":
                return "✗ no model"
        return "■ scored" if self.conversation.header else "□ nothing is scored yet"


class ScoreText(Editor):
    """Where the text is written. Enter and Tab are part of it, so that what a terminal pastes as
    if it were typed stays whole.
    """

    BINDING_GROUP_TITLE = "The text to be scored"
    HELP = "Type or paste a text; Ctrl+R scores it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "write('\\t')", "Tab", id="score.tab", priority=True, show=False,
                tooltip="A tab is part of the text"),
        Binding("ctrl+j", "write('\\n')", "New line", id="score.newline", priority=True,
                show=False, tooltip="Begin a new line"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    ScoreText { height: 1fr; border: round $border-blurred; }
    ScoreText:focus { border: round $border; }
    """

    def action_write(self, what: str) -> None:
        self._replace_via_keyboard(what, *self.selection)


class ScorePanel(Vertical):
    """Below the view: the ranked list; in place of both, the text while it is written."""

    DEFAULT_CSS = """
    ScorePanel {
        height: auto;
        & > Surprises { height: 6; }
        & > ScoreText { display: none; }
        &.-writing { height: 1fr; }
        &.-writing > Surprises { display: none; }
        &.-writing > ScoreText { display: block; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="score")
        self.ranked = Surprises(id="surprises")
        self.editor = ScoreText(
            placeholder="Type or paste a text: what of it does the model not expect?", id="text"
        )

    def compose(self) -> ComposeResult:
        yield self.ranked
        yield self.editor


class ScoreScreen(ConversationScreen):
    """Each text is a branch of one tree. `text` is scored at once; without one it is asked for.

    `chat`: the conversation over whose screen this one is opened, to which it goes back; that
    screen drains the engine and adds to `inbox`.
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
        if chat is not None and chat.phase == "ready":
            conversation.phase, conversation.context = "ready", chat.context
            conversation.calibration = chat.calibration
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
                self.view.take(told)
                if isinstance(told, Failed):
                    self._fail(told)
                elif isinstance(told, Unsaved):
                    self.notify(one_line(told.message), severity="warning", markup=False)
                elif isinstance(told, End):
                    self.scored.scored = None
                    self.rank()
            case Loading() if conversation.phase in ("loading", "failed"):
                conversation.phase, conversation.loading = "loading", output
            case Ready():
                conversation.context, conversation.calibration = output.context, output.calibration
                conversation.loading = None
                conversation.phase = "reading" if self.texts else "ready"
            case Failed(scope="load"):
                conversation.apply(output)
                self._fail(output, tell=self._chat is None)  # a chat tells it itself

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
        if len(conversation.tree.children(ROOT)) < len(self.texts):  # nothing came of the last
            self.write(self.texts.pop())

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

    def write(self, text: str) -> None:
        """Let a text be written, or changed."""
        editor = self.panel.editor
        editor.put(text)
        self._put, self._shown = text, editor.text
        self._show_editor(True)

    def _show_editor(self, writing: bool) -> None:
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
            self.write(self.text)

    def action_new(self) -> None:
        if self.conversation.busy:
            self.refuse("A text is being scored: Esc stops it.")
        else:
            self.write("")

    def action_open(self) -> None:
        """Read a text from a file, and score it."""
        from entropix_tui.screens.open_text import OpenText

        def read(text: str | None) -> None:
            if text is not None:
                self.score(text)

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
            return True
        if super().stop():
            return True
        if self._chat is not None and (self.is_writing or self.view.tokens.cursor is None):
            self.dismiss()
            return True
        return False

    def halt_answer(self) -> bool:
        """Stop the scoring, or the loading before it; what was scored is kept."""
        if self.conversation.busy or (self.conversation.phase == "loading" and self.texts):
            self.engine.stop()
            return True
        return False
