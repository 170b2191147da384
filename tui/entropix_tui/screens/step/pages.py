"""The pages below the text: what is known of the place where it halts, one of them in sight."""

from typing import TYPE_CHECKING, ClassVar, Literal

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.branches import Twig, twigs
from entropix_tui.debugger.model import ASKED, Debugging, Tone
from entropix_tui.screens.branches import BranchChoices
from entropix_tui.widgets.inspector.attended import TextOf
from entropix_tui.widgets.inspector.attention_page import AttentionPage
from entropix_tui.widgets.inspector.futures import FuturesTable
from entropix_tui.widgets.inspector.lens import LensTable
from entropix_tui.widgets.inspector.waterfall import WaterfallPage
from entropix_tui.widgets.points import PointsList
from entropix_tui.widgets.styled import Styled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.style import Style

    from entropix_tui.debugger.model import Line

Page = Literal["waterfall", "attention", "lens", "futures", "points", "branches", "log"]
PAGES: dict[Page, str] = {
    "waterfall": "W",
    "attention": "A",
    "lens": "L",
    "futures": "F",
    "points": "P",
    "branches": "T",
    "log": "O",
}
"""In their order, each with the key that opens it; `[` and `]` turn them."""
NAMES: dict[Page, str] = {"points": "breakpoints"}
TONES: dict[Tone, tuple[str, str]] = {
    "typed": (": ", "user"),
    "said": ("  ", "answer"),
    "hit": ("● ", "user"),
    "refused": ("✗ ", "error"),
}
"""What stands before a line of the log, and its look."""
COLUMNS = 70
"""Cells from which on the attention has two columns."""


class StepBranches(BranchChoices):
    """With what can be done to a branch while debugging."""

    BINDING_GROUP_TITLE = "The branches of the debugger"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Switch", id="step.branch_switch",
                tooltip="Halt at the end of this branch"),
        Binding("n", "screen.name_branch", "Name", id="step.branch_name"),
        Binding("d", "screen.compare_branch", "Side by side", id="step.branch_compare",
                tooltip="Beside the present one, from where they part"),
        Binding("x,delete", "screen.prune_branch", "Prune", id="step.branch_prune",
                tooltip="Leave it out of the list; the trace keeps it"),
    ]  # fmt: skip

    def show(self, items: list[Twig], present: int) -> None:
        """The branches as they are now; the cursor stays on its one."""
        at = self.current
        leaf = present if at is None else at.branch.leaf
        self.present = present
        self.fill(items, at=lambda twig: twig.branch.leaf == leaf)


class StepLog(VerticalScroll, Styled, can_focus=True):
    """Everything that was typed and answered."""

    BINDING_GROUP_TITLE = "What was said"

    def __init__(self) -> None:
        super().__init__(id="log")
        self._text = Static(Text())

    def compose(self) -> ComposeResult:
        yield self._text

    def show(self, lines: "Iterable[Line]") -> None:
        text = Text("\n").join(drawn(line, self.look) for line in lines)
        self._text.update(text if text else Text("nothing was said yet"))
        self.scroll_end(animate=False)


def drawn(line: "Line", style: "Callable[[str], Style]") -> Text:
    """A line of the log, on one line."""
    sign, look = TONES[line.tone]
    return Text(f"{sign}{one_line(line.text)}", style(look))


class Pages(Container):
    """What a page shows is what is known; the screen asks for the rest. The row of tabs is always
    there: it names the pages with their keys.
    """

    DEFAULT_CSS = """
    Pages {
        border-top: solid $border-blurred; border-title-color: $foreground;
        &:focus-within { border-top: heavy $border; }
        & > Container { display: none; height: 1fr; }
        & > Container.-open { display: block; }
        _Note { height: auto; padding: 0 1; display: none; }
        & > Container.-none _Note { display: block; }
        .what { height: 1fr; }
    }
    """

    def __init__(self, text_of: TextOf) -> None:
        super().__init__(id="pages")
        self.page: Page | None = None
        self.waterfall = WaterfallPage()
        self.attention = AttentionPage(text_of)
        self.lens = LensTable(id="lens")
        self.futures = FuturesTable(id="futures")
        self.points = PointsList(id="points")
        self.branches = StepBranches(-1)
        self.log_page = StepLog()
        self._notes = {page: _Note("", markup=False) for page in PAGES}
        self._widgets: dict[Page, Widget] = {
            "waterfall": self.waterfall,
            "attention": self.attention,
            "lens": self.lens,
            "futures": self.futures,
            "points": self.points,
            "branches": self.branches,
            "log": self.log_page,
        }
        self._branching = -1
        self._logged = -1
        self._titled: tuple[Page | None, bool] | None = None  # None: no title yet
        self._given: dict[Page, tuple[object, ...]] = {}

    def compose(self) -> ComposeResult:
        for page, widget in self._widgets.items():
            widget.add_class("what")
            with Container(id=f"page-{page}"):
                yield self._notes[page]
                yield widget

    @property
    def target(self) -> Widget | None:
        """What the keys of the open page are for."""
        inside: dict[Page, Widget] = {
            "waterfall": self.waterfall.table,
            "attention": self.attention.map,
        }
        return None if self.page is None else (self._widgets | inside)[self.page]

    def on_resize(self, event: events.Resize) -> None:
        self.attention.set_class(event.size.width >= COLUMNS, "-columns")

    def open(self, page: Page | None, debugging: Debugging) -> None:
        """Turn to a page, or to none."""
        self.page = page
        for each in PAGES:
            self.query_one(f"#page-{each}").set_class(each == page, "-open")
        self.show(debugging)

    def show(self, debugging: Debugging) -> None:
        """Have the open page show what is known."""
        self._title(debugging)
        page = self.page
        if page is None:
            return
        known = self._tell(page, debugging)
        token = debugging.proposal.id if debugging.proposal is not None else None
        what = debugging.waterfall if known else None
        match page:
            case "waterfall" if self._is_new(page, what, token):
                self.waterfall.show(what, token)
            case "attention" if self._is_new(
                page, inspection := debugging.inspection if known else None
            ):
                self.attention.show(inspection)
            case "lens" if self._is_new(page, layers := debugging.lens if known else ()):
                self.lens.show(layers)
            case "futures" if self._is_new(
                page, futures := debugging.futures if known else (), token
            ):
                self.futures.show(futures, token)
            case "points" if self._is_new(page, debugging.points):
                self.points.show(debugging.points)
            case "branches" if self._branching != debugging.branching and not debugging.running:
                self._branching = debugging.branching
                tree = debugging.tree
                present = tree.leaf_below(debugging.leaf) if debugging.leaf in tree else -1
                self.branches.show(twigs(tree), present)
            case "log" if self._logged != debugging.logged:
                self._logged = debugging.logged
                self.log_page.show(debugging.log)

    def _is_new(self, page: Page, *given: object) -> bool:
        """Whether a page does not show this very thing yet."""
        before = self._given.get(page, ())
        self._given[page] = given
        return len(before) != len(given) or any(
            a is not b for a, b in zip(given, before, strict=True)
        )

    def _tell(self, page: Page, debugging: Debugging) -> bool:
        """Whether there is something to show; instead of it, why there is not."""
        note = ""
        if page in ASKED:
            known = {
                "waterfall": debugging.waterfall,
                "attention": debugging.inspection,
                "lens": debugging.lens,
                "futures": debugging.futures,
            }
            note = debugging.why_not(page) or ("" if known[page] else "computing …")
        container = self.query_one(f"#page-{page}")
        if note or container.has_class("-none"):
            self._notes[page].update(one_line(note))
        container.set_class(bool(note), "-none")
        return not note

    def _title(self, debugging: Debugging) -> None:
        titled = self.page, self.page is not None and debugging.wants(self.page) is not None
        if titled == self._titled:
            return
        self._titled = titled
        tabs = []
        for page in PAGES:
            name = NAMES.get(page, page)
            tab = Content.assemble((PAGES[page], "bold"), f" {name}")
            tab += " …" if titled == (page, True) else ""
            tab = tab.stylize("bold reverse" if page == self.page else "")
            tabs.append(tab.stylize(f"@click=screen.page('{page}')"))
        self.border_title = Content("│").join(tabs)


class _Note(Static):
    pass
