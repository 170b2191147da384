"""The inspector's page on attention: the map of the heads, and where they looked."""

import math

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.geometry import Size
from textual.widget import Widget

from entropix_mlx.records.inspection import Attention, Inspection
from entropix_tui.tokens.labels import spelling
from entropix_tui.widgets.inspector.attended import Attended, TextOf
from entropix_tui.widgets.inspector.attention_map import COLLAPSED, OVERLOADED, AttentionMap


class AttentionPage(Container):
    """Without an inspection it says why there is none; the empty map keeps the focus."""

    DEFAULT_CSS = """
    AttentionPage {
        layout: vertical;
        AttentionMap { height: auto; max-height: 60%; }
        _Beside { height: 1fr; _Notes { height: auto; } Attended { height: 1fr; } }
        &.-empty AttentionMap { height: 1; }
        &.-empty Attended { display: none; }
        &.-columns {
            layout: horizontal;
            AttentionMap { width: 3fr; height: 1fr; max-height: 100%; }
            _Beside { width: 4fr; height: 1fr; padding-left: 1; }
        }
    }
    """

    def __init__(self, text_of: TextOf, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="-empty")
        self.text_of = text_of
        self.inspection: Inspection | None = None
        self.attention: Attention | None = None
        self._otherwise = ""
        self.map = AttentionMap()
        self.attended = Attended(text_of)
        self._notes = _Notes()

    def compose(self) -> ComposeResult:
        yield self.map
        with _Beside():
            yield self._notes
            yield self.attended

    def show(
        self,
        inspection: Inspection | None,
        otherwise: str = "",
        recorded: Attention | None = None,
    ) -> None:
        """An inspection; what was recorded instead; or the reason why there is none (yet)."""
        attention = inspection.attention if inspection else recorded
        if inspection is not None and attention is None:
            otherwise = "attention was not captured for this model"
        if self.attention is None is attention and otherwise == self._otherwise:
            return
        self.inspection, self.attention, self._otherwise = inspection, attention, otherwise
        if attention is None and self.attended.has_focus:
            self.map.focus()  # what is hidden would lose it to the whole screen
        self.set_class(attention is None, "-empty")
        self.map.show(attention)
        self.attended.show(inspection)
        self._notes.say(Text(otherwise))
        self._describe()

    def on_attention_map_head_chosen(self, event: AttentionMap.HeadChosen) -> None:
        event.stop()
        self._describe()

    def _describe(self) -> None:
        if self.attention is not None:
            self._notes.say(self._legend(self.attention), self._head(*self.map.place))

    def _legend(self, attention: Attention) -> Text:
        top = math.log2(max(1, attention.keys))
        text = Text(f"layers × heads, ░▒▓█ 0 to {top:.1f} bits\n")
        for sign, name in ((COLLAPSED, "collapsed"), (OVERLOADED, "overloaded")):
            count = self.map.count("collapsed" if name == "collapsed" else "overloaded")
            text.append(f"{sign} {count} {name}  ")
        return text.append(f"of {math.prod(self.map.shape)}")

    def _head(self, layer: int, head: int) -> Text:
        attention = self.attention
        assert attention is not None
        bits = float(attention.entropy[layer, head])
        text = Text(f"layer {layer} head {head}: {bits:.2f} bits", style="bold")
        if found := self.map.state_at(layer, head):
            text.append(f", {found}")
        if self.inspection is None:
            return text.append("\nwhere it looked is not recorded", "not bold")
        text.append("\nlooks most at", "not bold")
        for position in attention.strongest[layer, head].tolist():
            if 0 <= position < len(self._places):
                spelt = spelling(self.text_of(*self._places[position]), position)
                text.append(f" {spelt}", "not bold").append(f"·{position}", "not bold dim")
        return text

    @property
    def _places(self) -> list[tuple[int, int]]:
        return self.inspection.places if self.inspection else []


class _Beside(Vertical):
    pass


class _Notes(Widget):
    """Lays the screen out anew when it needs more rows than it ever did, and only then."""

    def __init__(self) -> None:
        super().__init__()
        self._said: tuple[Text, ...] = ()
        self._most = 0

    def say(self, *said: Text) -> None:
        self._said = said
        self.refresh(layout=self._rows(self.size.width) > self._most)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        self._most = max(self._most, self._rows(width))
        return self._most

    def _rows(self, width: int) -> int:
        return len(self.render().wrap(self.app.console, width)) if width else 1

    def render(self) -> Text:
        return Text("\n").join(self._said)
