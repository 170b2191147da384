"""What the present answer shall be compared with: another seed, sampler, prompt, or a branch."""

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, ContentSwitcher, Input, Label, Static

from entropix_mlx.records.record import PromptRecord
from entropix_mlx.records.tree import Tree
from entropix_mlx.sampling.settings import Settings, declared, own_presets
from entropix_mlx.terminal.glyphs import one_line
from entropix_models.errors import EntropixError, UsageError
from entropix_tui.conversation.branches import twigs
from entropix_tui.conversation.comparison import Again, Comparison, Existing, Reworded
from entropix_tui.keys import slash
from entropix_tui.screens.branches import BranchChoices
from entropix_tui.tokens.labels import fit
from entropix_tui.widgets.choices import CURRENT, Choices, Words
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.prompt import Prompt
from entropix_tui.widgets.rows import Rows
from entropix_tui.widgets.styled import Styled
from entropix_tui.widgets.text_editor import harmless

SEEDS = 2**32

WAYS = {
    "by_seed": ("another seed", "#seed"),
    "by_sampler": ("another sampler", "#sampler-b"),
    "by_prompt": ("another prompt", "#text"),
    "by_branch": ("a branch", "BranchChoices"),
}
"""What can differ: its name, and what has the focus then."""


class Ways(Styled):
    """The ways that there are, in one row; that in hand is marked and reversed. A click chooses."""

    DEFAULT_CSS = "Ways { height: 1; margin-bottom: 1; }"

    @dataclass
    class Chosen(Message):
        way: str

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names
        self.way = next(iter(names))

    def render(self) -> RenderResult:
        text = Text(no_wrap=True, overflow="ellipsis")
        for way, name in self.names.items():
            mark = "▸" if way == self.way else " "
            text.append(f"{mark}{name} ", "bold reverse" if way == self.way else "").append(" ")
        return text

    def on_click(self, event: events.Click) -> None:
        x = event.x
        for way, name in self.names.items():
            x -= len(name) + 3
            if x < 0:
                self.post_message(self.Chosen(way))
                return


class SamplerChoices(Choices[str]):
    """The samplers by name, for one side; the empty name is the answer that there is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Compare", id="compare_setup.take_sampler"),
    ]

    def __init__(self, side: str, present: str, *, id: str) -> None:
        super().__init__(id=id)
        self.side, self.present = side, present

    def heading(self, width: int) -> str:
        return fit(f"  {self.side}", width)

    def line(self, item: str, width: int) -> Text:
        sign = CURRENT if item == self.present else " "
        return Text(fit(f"{sign} {one_line(item) or 'the answer as it is'}", width))

    def words(self, item: str) -> str:
        return item


class OtherBranches(BranchChoices):
    """Those that are not the present one."""

    NOTHING = "There is no other branch yet."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Compare", id="compare_setup.take"),
    ]


class CompareSetup(ModalScreen[Comparison | None]):
    """Gives back what to set beside the present branch, or None.

    `asked`: the last thing that was said in it. `settings`: those that the user has now, for the
    other side to differ from. `presets`: the samplers by name; `draw` proposes a seed.
    """

    BINDING_GROUP_TITLE = "Comparing"
    AUTO_FOCUS = "#seed"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+d", "start", "Compare", id="compare_setup.start", priority=True,
                tooltip="Make the other branch and show both"),
        Binding("ctrl+r", "random", "Another seed", id="compare_setup.random", priority=True),
        Binding("f2", "way('by_seed')", "Seed", id="compare_setup.seed"),
        Binding("f3", "way('by_sampler')", "Sampler", id="compare_setup.sampler"),
        Binding("f4", "way('by_prompt')", "Prompt", id="compare_setup.prompt"),
        Binding("f5", "way('by_branch')", "Branch", id="compare_setup.branch"),
        Binding("escape", "dismiss(None)", "Close", id="compare_setup.close"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CompareSetup {
        align: center middle;
        & > Vertical {
            width: 92; max-width: 100%; height: 22; max-height: 100%;
            border: round $border; background: $surface; padding: 0 1;
        }
        ContentSwitcher { height: 1fr; }
        #by_sampler #samplers { height: 1fr; }
        SamplerChoices { width: 1fr; height: 1fr; background: $surface; }
        Horizontal { height: 1; margin-bottom: 1; }
        Horizontal Label { width: 10; }
        Input { border: none; height: 1; padding: 0; background: $panel; width: 1fr; }
        Input:focus { border: none; }
        Prompt { height: 1fr; max-height: 100%; }
        Static { color: $text-muted; }
        #says { height: 2; color: $error; }
        BranchChoices { height: 1fr; background: $surface; }
        Button { height: 1; min-width: 12; border: none; margin-left: 1; }
    }
    """

    def __init__(
        self,
        tree: Tree,
        asked: PromptRecord,
        settings: Settings,
        *,
        presets: Sequence[str] = tuple(declared()),
        draw: Callable[[], int] = lambda: secrets.randbelow(SEEDS),
    ) -> None:
        super().__init__()
        self.conversation = tree
        self.asked = asked
        self.settings = settings
        self.presets = presets
        self._questioned = ""  # the prompt that looked like a command, and is sent if it was meant
        self._tried = ""  # the prompt's text when Enter was pressed
        self.draw = draw
        present = tree.leaf_below(tree.leaf)
        self.others = [twig for twig in twigs(tree) if twig.branch.leaf != present]
        names = {way: name for way, (name, _) in WAYS.items()}
        if not self.others:
            del names["by_branch"]
        self.ways = Ways(names)

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Text("Compare the answer with …")
            yield self.ways
            with ContentSwitcher(initial="by_seed"):
                with Vertical(id="by_seed"):
                    with Horizontal():
                        yield Label("Seed", markup=False)
                        yield Input(str(self.draw()), type="integer", id="seed")
                        yield Button("Random", id="random", compact=True)
                    yield Static(
                        "The same prompt and sampler; only the draws are others.", markup=False
                    )
                with Vertical(id="by_sampler"):
                    present = self.settings.preset
                    with Horizontal(id="samplers"):
                        yield SamplerChoices("A, at the left", "", id="sampler-a")
                        yield SamplerChoices("B, at the right", present, id="sampler-b")
                    with Horizontal():
                        yield Label("Changes B", markup=False)
                        yield Words(
                            placeholder="NAME=VALUE ..., such as temperature=1.2", id="changes"
                        )
                    yield Static(
                        f"The same prompt and seed. {CURRENT} is what there is: changes to it are "
                        "made to the present settings.",
                        markup=False,
                    )
                with Vertical(id="by_prompt"):
                    yield Static("Edit one word and see what it does to the rest.", markup=False)
                    yield Prompt(id="text")
                with Vertical(id="by_branch"):
                    yield OtherBranches(self.conversation.leaf_below(self.conversation.leaf))
            yield Static(id="says", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Prompt).put(self.asked.text)
        self.query_one(OtherBranches).fill(self.others)
        a, b = self.query(SamplerChoices)
        a.fill(["", *self.presets])
        b.fill(dict.fromkeys((*self.presets, b.present)), at=lambda name: name == b.present)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A way that leads nowhere is not offered, nor a seed where none is drawn by it."""
        if action == "random":
            return self.ways.way == "by_seed"
        return action != "way" or parameters[0] in self.ways.names

    def offer(self, action: str, does: str) -> str:
        """In a list Enter does the same."""
        return "" if action == "start" and isinstance(self.focused, Rows) else does

    def action_way(self, way: str) -> None:
        """Show the fields of one of `WAYS`."""
        self._say("")
        self.ways.way = way
        self.ways.refresh()
        self.query_one(ContentSwitcher).current = way
        self.query_one(WAYS[way][1]).focus()
        self.refresh_bindings()

    def on_ways_chosen(self, event: Ways.Chosen) -> None:
        self.action_way(event.way)

    @on(Button.Pressed)
    def action_random(self) -> None:
        self.query_one("#seed", Input).value = str(self.draw())

    def on_input_changed(self) -> None:
        self._say("")

    def on_text_area_changed(self, event: Prompt.Changed) -> None:
        """What was said is of the text that was tried: news of it may come later than that."""
        if event.text_area.text != self._tried:
            self._say("")

    @on(Input.Submitted)
    @on(Prompt.Submitted)
    @on(Rows.Taken)
    def action_start(self) -> None:
        """Give back what the open fields say, or tell what is wrong with it."""
        make = {
            "by_seed": self._another_seed,
            "by_sampler": self._another_sampler,
            "by_prompt": self._another_prompt,
            "by_branch": self._branch,
        }[self.ways.way]
        try:
            self.dismiss(make())
        except UsageError as error:
            self._say(str(error))

    def _another_seed(self) -> Comparison:
        text = self.query_one("#seed", Input).value.strip()
        if not text.isdecimal() or not 0 <= int(text) < SEEDS:
            raise UsageError(f"a seed is a whole number from 0 to {SEEDS - 1}")
        return Again(self.asked.index, seed=int(text))

    def _another_sampler(self) -> Comparison:
        a, b = (choices.current or "" for choices in self.query(SamplerChoices))
        left = self._made(a, {}) if a else None
        right = self._made(b, overrides(self.query_one("#changes", Input).value))
        if left is None and right == self.settings:
            raise UsageError("these are the present settings: change something")
        if left == right:
            raise UsageError("A and B are the same sampler: change one of them")
        return Again(self.asked.index, settings=right, against=left)

    def _made(self, preset: str, changes: dict[str, str]) -> Settings:
        """A sampler by name; of the present one, the present settings."""
        if preset != self.settings.preset:
            return Settings.make(preset, changes)
        present = self.settings.to_dict()
        del present["preset"]
        return Settings.make(preset, {name: str(v) for name, v in present.items()} | changes)

    def _another_prompt(self) -> Comparison:
        text = self._tried = self.query_one("#text", Prompt).text
        if not text.strip():
            raise UsageError("the prompt is empty: write something")
        if text in (self.asked.text, harmless(self.asked.text)):
            raise UsageError("this is what was asked: change a word")
        if text != self._questioned:
            self._questioned = text
            if question := slash.question(text, self.app.screen_stack[-2]):
                raise UsageError(question)
        return Reworded(self.asked.index, slash.unslashed(text))

    def _branch(self) -> Comparison:
        item = self.query_one(OtherBranches).current
        if item is None:
            raise UsageError("there is no other branch yet: the other ways make one")
        return Existing(item.branch.leaf)

    def _say(self, words: str) -> None:
        self.query_one("#says", Static).update(Text(one_line(words)))


def presets() -> list[str]:
    """The samplers by name; only those that are built in if the user's file is damaged."""
    with suppress(EntropixError):
        return [*declared(), *own_presets()]
    return list(declared())


def overrides(text: str) -> dict[str, str]:
    """`NAME=VALUE` parts, divided by spaces or commas. Raises UsageError."""
    try:
        parts = shlex.split(text.replace(",", " "))
    except ValueError:
        raise UsageError("a quotation mark is not closed: close it") from None
    found = {}
    for part in parts:
        name, sign, value = part.partition("=")
        if not (name and sign and value):
            raise UsageError(f"{part!r}: write changes as NAME=VALUE")
        found[name] = value
    return found
