"""Where the debugger stands, on one line; and the last that it said."""

from rich.style import Style
from rich.text import Text

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.debugger.model import Debugging
from entropix_tui.screens.step.pages import drawn
from entropix_tui.tokens.labels import fit, fitting
from entropix_tui.widgets.styled import Styled


def state(debugging: Debugging) -> str:
    """What it does, waits for, or where it halts."""
    record = debugging.record
    if debugging.waiting:
        return f"◌ {debugging.waiting}"
    if debugging.running:
        return f"▶ {debugging.running} · Esc stops"
    why = f" · {debugging.reason}" if debugging.reason else ""
    match debugging.phase:
        case "halted" if record is not None:
            return f"■ halted before {_token(debugging, record.index)}{why}"
        case "looking" if record is not None:
            return f"◀ looking back at {_token(debugging, record.index)}{why}"
        case "over":
            return f"□ the answer is over: {debugging.finish}"
    return "□ no answer is under way"


def _token(debugging: Debugging, index: int) -> str:
    """Which of its answer; by its record, as commands name it, where that is another number."""
    number = debugging.number
    return f"token {number}" if number == index else f"token {number} (@{index})"


class StepStatus(Styled):
    """State at the left, facts at the right."""

    DEFAULT_CSS = "StepStatus { height: 1; background: $panel; }"

    def __init__(self, debugging: Debugging, context: int | None) -> None:
        super().__init__(id="status")
        self.debugging = debugging
        self.context = context

    def facts(self) -> list[str]:
        """The most wanted first: a narrow screen drops the last ones."""
        debugging, found = self.debugging, [*self.debugging.pinned]
        if debugging.settings is not None:
            found.append(debugging.settings.preset)
        if debugging.seed is not None:
            found.append(f"seed {debugging.seed}")
        if debugging.draft.used:
            of = f"/{self.context}" if self.context else ""
            found.append(f"{debugging.draft.used}{of} tokens")
        return [one_line(fact) for fact in found]

    def render(self) -> Text:
        width, left = self.size.width, one_line(state(self.debugging))
        # What was met by a breakpoint may be longer than the line; the facts stay in sight.
        right = fitting(self.facts(), width - 24)
        room = max(1, width - len(right) - 3)
        text = Text(f" {fit(left, room)} ", style=Style(bold=True), no_wrap=True)
        return text.append(right, Style(bold=False))


class LogTail(Styled):
    """The newest lines of the log, as many as there is room for."""

    def __init__(self, debugging: Debugging) -> None:
        super().__init__(id="tail")
        self.debugging = debugging

    def render(self) -> Text:
        lines = list(self.debugging.log)[-max(1, self.size.height) :]
        text = Text(no_wrap=True, overflow="ellipsis")
        return text.append_text(Text("\n").join(drawn(line, self.look) for line in lines))
