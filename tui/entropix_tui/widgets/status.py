"""One line of facts about the run."""

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult

from entropix_mlx.terminal.glyphs import one_line
from entropix_models.progress import BYTES
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.conversation.provisional import is_provisional
from entropix_tui.engine.outputs import Loading
from entropix_tui.look.humanize import size
from entropix_tui.look.throttle import SELDOM, Pace
from entropix_tui.tokens.labels import fitting
from entropix_tui.widgets.styled import Styled

_SPIN = {"ready": "●", "failed": "✗"}


def progress(loading: Loading | None) -> str:
    """How far the making of a session is; None: nothing has been told of it yet."""
    if loading is None:
        return "starting"
    share = f"{100 * loading.done // loading.total} %" if loading.total else "…"
    if loading.unit == BYTES and (loading.done or loading.total):
        share += f" {size(loading.done)}" + (f" of {size(loading.total)}" if loading.total else "")
    return f"{one_line(loading.stage)} {share}"


def state(conversation: Conversation) -> str:
    """What the engine does, in a few words."""
    loading = conversation.loading
    match conversation.phase:
        case "loading":
            return progress(loading)
        case "reading":
            if loading is not None and loading.total:
                return f"reading {loading.done}/{loading.total}"
            return "reading"
        case "failed":
            return "no model"
        case phase:
            return phase


def facts(conversation: Conversation) -> list[str]:
    """The run's figures, the most wanted first: a narrow screen drops the last ones."""
    header, settings = conversation.header, conversation.settings
    found: list[str] = []
    if conversation.unsaved is not None:
        found.append("not saved")
    if header is not None:
        if is_provisional(header):
            found.append("thresholds provisional")
        found += [header.model, settings.preset if settings is not None else ""]
    # It is what an answer is made again by.
    if conversation.seed is not None:
        found.append(f"seed {conversation.seed}")
    if conversation.branches > 1:
        found.append(f"{conversation.branches} branches")
    if conversation.phase == "generating" and conversation.rate is not None:
        found.append(f"{conversation.rate:.1f} tok/s")
    if conversation.used:
        of = f"/{conversation.context} tokens" if conversation.context else " tokens of context"
        found.append(f"{conversation.used}{of}")
    if conversation.name is not None:
        found.append(conversation.name)
    if header is not None:
        found.append(header.device.split(",")[0])
    return [one_line(fact) for fact in found if fact]


class StatusLine(Styled):
    """State at the left, facts at the right."""

    DEFAULT_CSS = "StatusLine { height: 1; background: $panel; }"

    def __init__(self, conversation: Conversation, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.conversation = conversation
        self._pace = Pace(SELDOM)
        self._told: tuple[object, ...] = ()

    def tell(self) -> None:
        """Repaint: at once when something is another, now and then when figures have grown.

        What is painted together with the text costs all that lies between them.
        """
        of = self.conversation
        now = (of.phase, of.loading, of.settings, of.seed, of.name, of.unsaved)
        if now != self._told or self._pace.due():
            self._told = now
            self.refresh()

    def state(self) -> str:
        """What stands at the left."""
        mark = _SPIN.get(self.conversation.phase, "◌")
        return f"{mark} {state(self.conversation)}"

    def render(self) -> RenderResult:
        width = self.size.width
        left = f" {self.state()}"
        right = fitting(facts(self.conversation), width - len(left) - 3)
        text = Text(left, style=Style(bold=True), no_wrap=True, overflow="ellipsis")
        text.append(" " * max(1, width - len(left) - len(right) - 1))
        return text.append(right, Style(bold=False))
