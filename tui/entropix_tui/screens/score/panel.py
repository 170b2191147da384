"""A scored text on the screen: how far it is, its surprises, where it is written."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from entropix_tui.engine.outputs import Loading
from entropix_tui.widgets.status import StatusLine, progress
from entropix_tui.widgets.surprises import Surprises
from entropix_tui.widgets.text_editor import Editor


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
