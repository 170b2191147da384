"""The conversation's screen: it drains the engine thirty times a second and shows what came."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.screen import Screen

from entropix_mlx.records import Event, PromptRecord, RunHeader, TokenRecord
from entropix_tui import cues
from entropix_tui.conversation import Conversation
from entropix_tui.demos import DEMOS
from entropix_tui.engine import Engine, Failed, Output, Ready, Renewed
from entropix_tui.screens.help import Help
from entropix_tui.widgets.inspector import Inspector
from entropix_tui.widgets.keys import Key, KeyBar
from entropix_tui.widgets.prompt import Prompt
from entropix_tui.widgets.status import Legend, StatusLine
from entropix_tui.widgets.strip import ENTROPY, VARENTROPY, LiveStrip
from entropix_tui.widgets.token_view import TokenView
from entropix_tui.widgets.welcome import Welcome

TICK = 1 / 30
KEYS = (
    Key("Enter", "send", "submit"),
    Key("Esc", "stop", "stop"),
    Key("^N", "new", "new_chat"),
    Key("^Y", "copy", "copy_answer"),
    Key("^←→", "token", "cursor(-1)"),
    Key("^P", "commands", "app.command_palette"),
    Key("F1", "help", "help"),
    Key("^Q", "quit", "app.quit"),
)


class ChatScreen(Screen[None]):
    """Status, strips, transcript, legend, prompt."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar = [
        Binding("enter", "submit", "Send"),
        Binding("escape", "stop", "Stop"),
        Binding("ctrl+n", "new_chat", "New", priority=True),
        Binding("ctrl+y", "copy_answer", "Copy", priority=True),
        Binding("ctrl+left", "cursor(-1)", "Token before", priority=True),
        Binding("ctrl+right", "cursor(1)", "Token after", priority=True),
        Binding("f1", "help", "Help", priority=True),
        Binding("question_mark", "help", "Help", show=False),
        Binding("ctrl+q", "app.quit", "Quit", priority=True),
        Binding("ctrl+l", "toggle_colours", "Colours", show=False, priority=True),
        Binding("ctrl+g", "toggle_letters", "Letters", show=False, priority=True),
        Binding("pageup", "page(-1)", "Page up", show=False, priority=True),
        Binding("pagedown", "page(1)", "Page down", show=False, priority=True),
        *(
            Binding(f"f{key}", f"demo('{name}')", f"Demo {name}", show=False, priority=True)
            for key, name in enumerate(DEMOS, 2)
        ),
    ]
    CSS = """
    ChatScreen {
        layout: vertical;
        LiveStrip { height: 1; }
        #body { height: 1fr; }
        #stage { height: 1fr; width: 1fr; }
        #inspector { display: none; height: 10; }
        &.-inspecting #inspector { display: block; }
        &.-high LiveStrip { height: 4; margin-top: 1; }
        &.-high #stage { margin-top: 1; }
        &.-narrow #inspector { layout: horizontal; }
        &.-wide #body { layout: horizontal; }
        &.-wide #inspector { height: 1fr; width: 48; }
    }
    """

    def __init__(
        self, engine: Engine, colours: cues.Colours, *, max_tokens: int, demo: str | None = None
    ) -> None:
        super().__init__()
        self.engine = engine
        self.colours = colours
        self.max_tokens = max_tokens
        self.conversation = Conversation()
        self._pending = DEMOS[demo].prompt if demo else None
        self._hinted = ""

    def compose(self) -> ComposeResult:
        yield StatusLine(self.conversation, id="status")
        yield LiveStrip(ENTROPY, self.colours, id="entropy")
        yield LiveStrip(VARENTROPY, self.colours, id="varentropy")
        with Container(id="body"):
            with Vertical(id="stage"):
                yield Welcome(self.colours, id="welcome")
                yield TokenView(self.conversation.transcript, self.colours, id="tokens")
            yield Inspector(self.colours, id="inspector")
        yield Legend(self.colours, id="legend")
        yield Prompt(id="prompt")
        yield KeyBar(KEYS)

    def on_mount(self) -> None:
        self.strips = (
            self.query_one("#entropy", LiveStrip),
            self.query_one("#varentropy", LiveStrip),
        )
        self.tokens = self.query_one(TokenView)
        self.prompt = self.query_one(Prompt)
        self.status = self.query_one(StatusLine)
        if self._pending:
            self.prompt.put(self._pending)
        self._show_stage()
        self._hint()
        # The first paint comes first: loading holds the interpreter for a while.
        self.call_after_refresh(self.engine.start)
        self.set_interval(TICK, self.drain)

    # What comes out of the engine.

    def drain(self) -> None:
        """Take in everything that has come out since the last tick, as one batch."""
        batch = self.engine.drain()
        if not batch:
            return
        for output in batch:
            self.conversation.apply(output)
            self._to_strips(output)
        self.tokens.update(tail=all(isinstance(output, TokenRecord) for output in batch))
        for strip in self.strips:
            strip.refresh()
        self._show_stage()
        self._hint()
        if self._pending and self.conversation.can_send:
            pending, self._pending = self._pending, None
            if self.prompt.text == pending and self.conversation.phase == "ready":
                self.submit()

    def _to_strips(self, output: Output) -> None:
        entropy, varentropy = self.strips
        match output:
            case TokenRecord():
                entropy.append(output.index, output.entropy)
                varentropy.append(output.index, output.varentropy)
            case Event(kind="valley", at=int(at)):
                entropy.mark_valley(at)
                varentropy.mark_valley(at)
            case PromptRecord():
                for strip in self.strips:
                    strip.cursor = None
            case Ready():
                entropy.thresholds = thresholds(output.header, "lelv_entropy", "helv_entropy")
                varentropy.thresholds = thresholds(
                    output.header, "lelv_varentropy", "hehv_varentropy"
                )
            case Renewed():
                self.tokens.reset()
                self._inspect(None)
                for strip in self.strips:
                    strip.clear()
            case Failed():
                self.app.notify(output.message, severity="error", markup=False)

    def _show_stage(self) -> None:
        empty = self.conversation.is_empty
        if self.tokens.display is empty:
            self.query_one("#welcome").display = empty
            self.tokens.display = not empty

    def _hint(self) -> None:
        """Say at the prompt what Enter would do."""
        self.status.refresh()
        hint = {
            "loading": "the model is loading: write on, Enter works when it is ready",
            "reading": "Esc stops",
            "generating": "write on; Esc stops, then Enter sends",
            "failed": "Enter tries to load the model again",
        }.get(self.conversation.phase, "")
        if hint != self._hinted:
            self.prompt.border_subtitle = self._hinted = hint

    # What the user does.

    def on_prompt_submitted(self) -> None:
        self.submit()

    def on_welcome_chosen(self, event: Welcome.Chosen) -> None:
        self._use(event.prompt)

    def action_demo(self, name: str) -> None:
        if self.conversation.is_empty:
            self._use(DEMOS[name].prompt)

    def _use(self, text: str) -> None:
        self.prompt.put(text)
        self.prompt.focus()
        if self.conversation.phase == "ready":
            self.submit()
        else:
            self._pending = text

    def action_submit(self) -> None:
        """Enter outside the prompt, or a click on its name in the footer."""
        self.prompt.focus()
        self.submit()

    def submit(self) -> None:
        """Send the prompt, if there is one and the engine is free."""
        if not self.prompt.text.strip() or not self.conversation.can_send:
            return
        text = self.prompt.take()
        self._pending = None
        self.conversation.say(text)
        self.engine.send(text, max_tokens=self.max_tokens)
        self.tokens.follow = True
        self.tokens.update()
        self._show_stage()
        self._hint()

    def action_stop(self) -> None:
        if self.conversation.busy or self.conversation.phase == "loading":
            self.engine.stop()
        elif self.tokens.cursor is not None:
            self.tokens.move_cursor(None)
            self.prompt.focus()
        else:
            self.prompt.focus()

    def action_new_chat(self) -> None:
        self.conversation.leaving = True
        self._pending = None
        self.engine.new_chat()
        self.prompt.focus()

    def action_copy_answer(self) -> None:
        text = self.conversation.last_answer()
        if text is None:
            self.app.notify("There is no answer to copy yet.", markup=False)
            return
        self.app.copy_to_clipboard(text)
        self.app.notify(f"Copied {len(text)} characters.", markup=False)

    def action_help(self) -> None:
        self.app.push_screen(Help(self.colours))

    def action_page(self, step: int) -> None:
        move = self.tokens.scroll_page_down if step > 0 else self.tokens.scroll_page_up
        move(animate=False)

    def action_toggle_colours(self) -> None:
        self.tokens.restyle(plain=not self.tokens.plain)
        self._restyle_legend()

    def action_toggle_letters(self) -> None:
        self.tokens.restyle(letters=not self.tokens.letters)
        self._restyle_legend()

    def action_toggle_breaks(self) -> None:
        self.tokens.show_breaks(not self.conversation.transcript.breaks)

    def _restyle_legend(self) -> None:
        self.query_one(Legend).restyle(letters=self.tokens.letters, plain=self.tokens.plain)

    # The token cursor.

    def check_action(
        self,
        action: str,
        parameters: tuple[object, ...],  # noqa: ARG002
    ) -> bool | None:
        """Over a text that is being written, Ctrl+arrows move by word; else by token."""
        writing = self.focused is self.prompt and bool(self.prompt.text)
        return not (action == "cursor" and writing)

    def action_cursor(self, step: int) -> None:
        self.tokens.action_cursor(step)

    def on_token_view_cursor_moved(self, event: TokenView.CursorMoved) -> None:
        record = self.conversation.transcript.record_at(event.place) if event.place else None
        self._inspect(record)

    def _inspect(self, record: TokenRecord | None) -> None:
        self.set_class(record is not None, "-inspecting")
        self.query_one(Inspector).show(record)
        for strip in self.strips:
            strip.cursor = record.index if record else None
            strip.refresh()


def thresholds(header: RunHeader, *names: str) -> tuple[float, ...]:
    """The sampler's values of these names that are numbers."""
    found = (header.sampler.get(name) for name in names)
    return tuple(float(value) for value in found if isinstance(value, int | float))
