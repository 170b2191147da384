"""What an empty conversation shows: what the colours mean, and something to try."""

import textwrap
from dataclasses import dataclass
from typing import Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from entropix_mlx.records.quadrants import KINDS, QUADRANTS, Quadrant, sentence
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.conversation.demos import DEMOS, KEYS
from entropix_tui.conversation.provisional import is_provisional, remedy
from entropix_tui.widgets.styled import Styled

WORD = 14
"""Cells of a quadrant's word."""
ROOMY = 32
"""Rows of a screen from which on there is room for a second line."""


class Explanation(Styled):
    """The four quadrants, each in its own look: what is true of its tokens, and where there is room
    entropix's words for it. Until there is a model nothing is known of its: their room is kept.
    """

    def __init__(self, conversation: Conversation) -> None:
        super().__init__()
        self.conversation = conversation

    def render(self) -> Text:
        text = Text("Every token shows how sure the model was when it came:\n\n")
        text.append_text(self._quadrants())
        return text.append("\nTry one (Tab, arrows, Enter; F2 to F5; or the mouse):")

    def _quadrants(self) -> Text:
        known = self.conversation.header is not None
        text = Text()
        for quadrant in QUADRANTS:
            first, *_ = KINDS[quadrant].sentences
            lines = self._lines(quadrant, sentence(quadrant, self.split) if known else first.text)
            if known:
                text.append(f"  {self.word(quadrant)}".ljust(WORD), self.look(quadrant))
                text.append_text(Text("\n" + " " * WORD).join(lines)).append("\n")
            else:
                text.append("\n" * len(lines))
        if not known:
            text = Text("  What the colours say comes with the model.", self.look("note")) + text
        return text

    def _lines(self, quadrant: Quadrant, said: str) -> list[Text]:
        """What is said of a quadrant, beside its word."""
        parts = [(said, "answer")]
        if self.screen.size.height >= ROOMY:
            parts.append((KINDS[quadrant].caption, "note"))
        return [
            Text(line, self.look(look))
            for words, look in parts
            for line in textwrap.wrap(words, max(20, self.size.width - WORD))
        ]


class About(Styled):
    """Which model this is and why, where the conversation is kept, what its thresholds lack, its
    system prompt.
    """

    DEFAULT_CSS = "About { height: auto; min-height: 3; padding-bottom: 1; }"

    def __init__(self, conversation: Conversation) -> None:
        super().__init__()
        self.conversation = conversation

    @property
    def lines(self) -> list[str]:
        about, system = self.conversation.about(), self.conversation.system
        lines = [about[:2], about[2:]]
        header = self.conversation.header
        if header is not None and is_provisional(header):
            lines.append([remedy(header)])
        if system:
            lines.append([f"system prompt: {system}"])
        return [one_line(" · ".join(line)) for line in lines if line]

    def render(self) -> Text:
        text = Text("\n").join(Text(line, self.look("note")) for line in self.lines)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


class Demos(OptionList):
    """Page keys do nothing where nothing has room; see `screens.palette` for Textual's fault."""

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        if self.scrollable_content_region:
            super()._move_page(direction)


class Welcome(VerticalScroll, can_focus=False):
    """The explanation, the demo prompts, and what there is to know of the model."""

    DEFAULT_CSS = """
    Welcome { padding: 0 2; }
    Welcome Explanation { height: auto; }
    Welcome OptionList {
        height: auto; border: none; padding: 0; background: transparent;
        & > .option-list--option-highlighted {
            background: transparent; color: $foreground; text-style: none;
        }
        &:focus { border: none; }
        &:focus > .option-list--option-highlighted {
            background: $block-cursor-background; color: $block-cursor-foreground;
        }
    }
    """

    @dataclass
    class Chosen(Message):
        """A demo prompt was picked."""

        prompt: str

    def __init__(self, conversation: Conversation, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._about = About(conversation)
        self._explanation = Explanation(conversation)
        self.conversation = conversation
        self._told: tuple[object, ...] = ()

    def tell(self) -> None:
        """Show what has become known of the model and the session."""
        known = self.conversation.header is not None
        told = self._about.lines, known, self._explanation.split
        if told != self._told:
            self._told = told
            self._about.refresh(layout=True)
            self._explanation.refresh(layout=True)

    def compose(self) -> ComposeResult:
        yield self._about
        yield self._explanation
        yield Demos(
            *(
                Option(Text(f"F{key} {DEMOS[name]}", no_wrap=True, overflow="ellipsis"), id=name)
                for key, name in KEYS.items()
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(DEMOS[event.option.id or ""]))
