"""What an empty conversation shows: what the colours mean, and something to try."""

from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from entropix_mlx.palette import CAPTIONS
from entropix_mlx.records import QUADRANTS
from entropix_tui import cues
from entropix_tui.demos import DEMOS


class Explanation(Static):
    """The four quadrants, each in its own look."""

    def __init__(self, colours: cues.Colours) -> None:
        super().__init__()
        self.colours = colours

    def render(self) -> Text:
        dark = self.app.current_theme.dark
        text = Text("Every token shows how sure the model was when it came:\n\n")
        for quadrant in QUADRANTS:
            word = f" {cues.WORDS[quadrant]} "
            text.append("  ").append(word, cues.style(quadrant, self.colours, dark))
            text.append(f"  {_MEANING[quadrant]}", cues.style("answer", self.colours, dark))
            if self.size.width >= 90:
                caption = f"{'':{32 - len(_MEANING[quadrant])}}{CAPTIONS[quadrant]}"
                text.append(caption, cues.style("note", self.colours, dark))
            text.append("\n")
        return text.append("\nTry one (Tab, arrows, Enter; F2 to F5; or the mouse):")


class Welcome(VerticalScroll, can_focus=False):
    """The explanation and the demo prompts."""

    DEFAULT_CSS = """
    Welcome { padding: 1 2; }
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

    def __init__(self, colours: cues.Colours, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.colours = colours

    def compose(self) -> ComposeResult:
        yield Explanation(self.colours)
        yield OptionList(
            *(
                Option(Text(f"F{key} {demo.prompt}", no_wrap=True, overflow="ellipsis"), id=name)
                for key, (name, demo) in enumerate(DEMOS.items(), 2)
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(DEMOS[event.option.id or ""].prompt))


_MEANING = {
    "LELV": "it knew what comes next",
    "HELV": "many words would do alike",
    "LEHV": "a few ways on: a real choice",
    "HEHV": "it had no idea",
}
