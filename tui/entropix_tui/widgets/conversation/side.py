"""The panel beside the text, or the drawer under it: the plane, and one page below or beside it."""

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from entropix_tui.widgets.inspector.attended import TextOf
from entropix_tui.widgets.inspector.inspector import Inspector
from entropix_tui.widgets.plane.plane import QuadrantPlane
from entropix_tui.widgets.sampler.panel import SamplerPanel
from entropix_tui.widgets.summary import RunSummary

Page = Literal["summary", "inspector", "sampler"]

WIDTH, TEXT = 48, 98
"""Columns of the panel beside a text at least, and of the text at most: longer lines tire."""
TALL = 42
"""Rows of a screen from which on the plane and any page have room one below the other."""


class SidePanel(Container):
    """`summary`, `inspector` and `sampler` are the pages; one of them is in sight.

    `text` gets the focus when the panel goes out of sight, `home` when the sampler closes.
    `text_of` is the inspector's.
    """

    DEFAULT_CSS = """
    SidePanel {
        height: 10; width: 100%; layout: horizontal;
        & > QuadrantPlane { width: 1fr; height: 1fr; }
        & > RunSummary { width: 1fr; height: 1fr; padding-left: 1; }
        & > Inspector, & > SamplerPanel { width: 1fr; height: 1fr; display: none; }
        &.-inspector Inspector { display: block; }
        &.-sampler SamplerPanel { display: block; }
        &.-inspector QuadrantPlane, &.-sampler QuadrantPlane { display: none; }
        &.-inspector RunSummary, &.-sampler RunSummary { display: none; }
        &.-beside {
            height: 1fr; layout: vertical; padding-left: 1;
            & > QuadrantPlane { width: 100%; height: 1fr; min-height: 8; }
            & > RunSummary { width: 100%; height: 15; max-height: 60%; padding: 1 0 0 0; }
            & > Inspector, & > SamplerPanel { width: 100%; height: 1fr; }
        }
        &.-beside.-tall > QuadrantPlane { display: block; height: 14; }
        &.-beside.-tall > RunSummary { height: 1fr; max-height: 100%; }
    }
    """

    def __init__(self, text_of: TextOf, *, text: Widget, home: Widget) -> None:
        super().__init__(id="side")
        self.plane = QuadrantPlane()
        self.summary = RunSummary()
        self.inspector = Inspector(text_of, id="inspector")
        self.sampler = SamplerPanel(id="sampler")
        self.idle = False
        """Whether there is nothing yet that its instruments could show."""
        self.points = False
        """Whether there is a token under the cursor to be inspected."""
        self._text, self._home = text, home
        self._wanted: bool | None = None  # what the user has asked for; None: nothing yet
        self._sampler_open = False

    def compose(self) -> ComposeResult:
        yield self.plane
        yield self.summary
        yield self.inspector
        yield self.sampler

    @property
    def page(self) -> Page:
        """What there is to show."""
        if self._sampler_open:
            return "sampler"
        return "inspector" if self.points else "summary"

    def show(self) -> None:
        """Beside a wide text there is always a panel; under a narrow one, when it is wanted."""
        beside, page = self.screen.has_class("-wide"), self.page
        tall = self.screen.size.height >= TALL
        pages = {f"-{name}": name == page for name in ("inspector", "sampler")}
        # At once: each change styles all that is in here anew.
        self.update_classes({"-beside": beside, "-tall": tall, **pages})
        self.plane.divide(by_sampler=page == "sampler")
        self.styles.width = max(WIDTH, self.screen.size.width - TEXT) if beside else None
        wanted = self._wanted
        if wanted is None:
            wanted = page != "summary" or (beside and not self.idle)
        if self.display is not wanted:
            if not wanted and self.has_focus_within:
                self._text.focus()
            self.display = wanted

    def action_panel(self) -> None:
        """Show or hide the panel."""
        self._wanted = not self.display
        self.show()

    def action_sampler(self) -> None:
        """Open the sampler, or close it."""
        if self.close_sampler():
            return
        self._sampler_open = True
        self._see()
        self.sampler.focus()

    def close_sampler(self) -> bool:
        """Whether it was open."""
        if not self._sampler_open:
            return False
        within = self.sampler.has_focus
        self._sampler_open = False
        self.show()
        if within:
            self._home.focus()
        return True

    def show_inspector(self) -> None:
        """Have the inspector in sight."""
        within, self._sampler_open = self.sampler.has_focus_within, False
        self._see()
        if within:
            self.inspector.focus()

    def see_inspector(self) -> None:
        """Have the inspector in sight, with the focus."""
        self.show_inspector()
        self.inspector.focus()

    def _see(self) -> None:
        if self._wanted is False:
            self._wanted = None
        self.show()
