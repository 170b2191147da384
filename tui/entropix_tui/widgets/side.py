"""The panel beside the text, or the drawer under it: the plane, and one page below or beside it."""

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

Page = Literal["summary", "inspector", "sampler"]

TALL = 42
"""Rows of a screen from which on the plane and any page have room one below the other."""


class SidePanel(Container):
    """`summary`, `inspector` and `sampler` are the pages; one of them is in sight."""

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
            width: 48; height: 1fr; layout: vertical; padding-left: 1;
            & > QuadrantPlane { width: 100%; height: 1fr; min-height: 8; }
            & > RunSummary { width: 100%; height: 15; max-height: 60%; padding: 1 0 0 0; }
            & > Inspector, & > SamplerPanel { width: 100%; height: 1fr; }
        }
        &.-beside.-tall > QuadrantPlane { display: block; height: 14; }
        &.-beside.-tall > RunSummary { height: 1fr; max-height: 100%; }
    }
    """

    def __init__(
        self, plane: Widget, summary: Widget, inspector: Widget, sampler: Widget | None
    ) -> None:
        super().__init__(id="side")
        self._parts = [plane, summary, inspector, *([sampler] if sampler is not None else [])]
        self.page: Page = "summary"

    def compose(self) -> ComposeResult:
        yield from self._parts

    def stand(self, *, beside: bool, tall: bool) -> None:
        """`beside` the text or under it; if it is `tall`, the plane stays beside every page."""
        self.set_class(beside, "-beside")
        self.set_class(tall, "-tall")

    def open(self, page: Page) -> None:
        """Have a page in sight."""
        self.page = page
        for name in ("summary", "inspector", "sampler"):
            self.set_class(name == page, f"-{name}")
