"""One line of facts about the run, and one that says what the colours mean."""

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from entropix_mlx.records import QUADRANTS
from entropix_tui import cues
from entropix_tui.conversation import Conversation
from entropix_tui.glyphs import one_line
from entropix_tui.transcript import FORCED, VALLEY

_SPIN = {"ready": "●", "failed": "✗"}


def state(conversation: Conversation) -> str:
    """What the engine does, in a few words."""
    loading = conversation.loading
    match conversation.phase:
        case "loading":
            if loading is None:
                return "starting"
            if loading.total:
                return f"{one_line(loading.stage)} {100 * loading.done // loading.total} %"
            return f"{one_line(loading.stage)} …"
        case "reading":
            tokens = conversation.reading
            if loading is not None and loading.total:
                return f"reading {loading.done}/{loading.total}"
            return f"reading {tokens} tokens" if tokens else "reading"
        case "failed":
            return "no model"
        case phase:
            return phase


def facts(conversation: Conversation) -> list[str]:
    """The run's figures, the most wanted first: a narrow screen drops the last ones."""
    header = conversation.header
    found = []
    if header is not None:
        found = [header.model, header.sampler.get("preset", "")]
    if conversation.rate is not None:
        found.append(f"{conversation.rate:.1f} tok/s")
    if conversation.used:
        of = f"/{conversation.context}" if conversation.context else ""
        found.append(f"{conversation.used}{of} tokens")
    if header is not None:
        if header.seed is not None:
            found.append(f"seed {header.seed}")
        found.append(header.device.split(",")[0])
    return [one_line(str(fact)) for fact in found if fact]


class StatusLine(Widget):
    """State at the left, facts at the right."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "StatusLine { height: 1; background: $panel; }"

    def __init__(self, conversation: Conversation, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.conversation = conversation

    def render(self) -> RenderResult:
        width = self.size.width
        mark = _SPIN.get(self.conversation.phase, "◌")
        left = f" {mark} {state(self.conversation)}"
        right = ""
        for fact in facts(self.conversation):
            longer = f"{right} · {fact}" if right else fact
            if len(left) + len(longer) + 3 <= width:
                right = longer
        text = Text(left, style=Style(bold=True), no_wrap=True, overflow="ellipsis")
        text.append(" " * max(1, width - len(left) - len(right) - 1))
        return text.append(right, Style(bold=False))


class Legend(Widget):
    """What colour says, always in sight."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Legend { height: 1; }"

    def __init__(self, colours: cues.Colours, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.colours = colours
        self.letters = colours == "none"
        self.plain = False

    def restyle(self, *, letters: bool, plain: bool) -> None:
        self.letters, self.plain = letters, plain
        self.refresh()

    def render(self) -> RenderResult:
        wide = self.size.width >= 126
        dark = self.app.current_theme.dark
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        if self.plain:
            return text.append("colours are off: Ctrl+L shows how sure the model was of each token")
        text.append("next token was " if wide else "")
        for quadrant in QUADRANTS:
            letter = cues.LETTERS.get(quadrant)
            if self.letters and letter:
                text.append(f"{letter}=")
            text.append(f" {cues.WORDS[quadrant]} ", cues.style(quadrant, self.colours, dark))
            if wide:
                text.append(f" {_PLANE[quadrant]}")
            text.append("  ")
        text.append(f"{VALLEY} valley  {FORCED['clarify']} inserted")
        return text


_PLANE = {
    "LELV": "low H, low V",
    "HELV": "high H, low V",
    "LEHV": "low H, high V",
    "HEHV": "high H, high V",
}
