"""The branches of the conversation: gone to, named, compared."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from entropix_mlx.records.tree import Tree
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.branches import Twig, twigs
from entropix_tui.conversation.comparison import Existing
from entropix_tui.screens.choice_screen import ChoiceScreen
from entropix_tui.tokens.labels import fit
from entropix_tui.widgets.choices import CURRENT, Choices

LONGEST_NAME = 60


class BranchChoices(Choices[Twig]):
    """As a tree; a branch stands below the one that it began on."""

    NOTHING = "Nothing has been said yet."

    def __init__(self, present: int) -> None:
        super().__init__(id="branches")
        self.present = present
        self.names: dict[int, str] = {}
        """Names that were given here, by leaf."""

    def name_of(self, item: Twig) -> str:
        return self.names.get(item.branch.leaf, item.branch.name)

    def heading(self, width: int) -> str:
        return fit(
            f"    {fit('branch', width - 31)} {'began':>9} {'tokens':>7} {'H bits':>8}", width
        )

    def line(self, item: Twig, width: int) -> Text:
        note, room = self.look("note"), width - 29
        text = Text(f"{CURRENT if item.branch.leaf == self.present else ' '} ", end="")
        rails = f"{item.rails} " if item.rails else ""
        text.append(fit(rails, min(len(rails), room // 2)), note)
        room -= min(len(rails), room // 2)
        name = one_line(self.name_of(item))
        if name:
            name = fit(name, min(len(name) * 2, room)).rstrip()
            text.append(name, "bold")
            room -= Text(name).cell_len
            text.append("  " if room >= 2 else "")
            room -= 2 if room >= 2 else 0
        for part, style in self._story(item):
            drawn = fit(part, room).rstrip() if Text(part).cell_len > room else part
            text.append(drawn, style)
            room -= Text(drawn).cell_len
        text.append(" " * room)
        began = f"{item.turn}" if not item.token else f"{item.turn}:{item.token}"
        text.append(f" {began:>9}", note)
        text.append(f" {item.branch.tokens:>7}")
        entropy = "-" if item.entropy is None else f"{item.entropy:.2f}"
        return text.append(f" {entropy:>8}")

    def _story(self, item: Twig) -> list[tuple[str, str]]:
        """What was replaced by what, or how it begins."""
        if not (item.old or item.new):
            return [(item.beginning, "")]
        return [(fit(item.old, 24).rstrip(), "strike"), (" → ", ""), (item.new, "bold")]

    def words(self, item: Twig) -> str:
        return f"{self.name_of(item)} {item.old} {item.new} {item.beginning}"


class OwnBranchChoices(BranchChoices):
    """With what can be done to a branch."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Switch", id="branches.switch", tooltip="Go on in this branch"),
        Binding("n", "screen.name", "Name", id="branches.name"),
        Binding(
            "d", "screen.compare", "Side by side", id="branches.compare",
            tooltip="Beside the present branch",
        ),
    ]  # fmt: skip


class Branches(ChoiceScreen[Twig, int | Existing | None]):
    """Gives back the leaf of the branch to switch to, a comparison with the present one, or None.

    `name` is called with a leaf and its new name, as often as one is given; without it none can be.
    """

    HEADING = "Branches"
    BINDING_GROUP_TITLE = "Branches"
    choices: BranchChoices

    def __init__(self, tree: Tree, *, name: Callable[[int, str], None] | None) -> None:
        super().__init__(OwnBranchChoices(tree.leaf_below(tree.leaf)))
        self.conversation = tree
        self.give = name

    def on_mount(self) -> None:
        present = self.choices.present
        self.choices.fill(twigs(self.conversation), at=lambda twig: twig.branch.leaf == present)

    def check_action(self, action: str, parameters: object) -> bool | None:  # noqa: ARG002
        return action != "name" or self.give is not None

    def about(self, item: Twig) -> Text:
        note = self.choices.look("note")
        text = Text(no_wrap=True, overflow="ellipsis")
        if item.old or item.new:
            text.append(item.old, "strike").append(" → ").append(item.new, "bold").append("\n")
        text.append(f"{item.beginning}\n")
        where = f"token {item.token} of the answer in turn {item.turn}"
        where = where if item.token else f"the prompt of turn {item.turn}"
        return text.append(
            f"begins at {where} · {item.branch.tokens} tokens of its own"
            f"{' · you are here' if item.branch.leaf == self.choices.present else ''}",
            note,
        )

    def take(self, item: Twig) -> None:
        self.dismiss(item.branch.leaf)

    def action_compare(self) -> None:
        item = self.choices.current
        if item is None:
            return
        if item.branch.leaf == self.choices.present:
            self.say("This is the present branch: choose another one to compare it with.")
        else:
            self.dismiss(Existing(item.branch.leaf))

    def action_name(self) -> None:
        item = self.choices.current
        if item is not None:
            self.ask("Name", self.choices.name_of(item), lambda name: self._rename(item, name))

    def _rename(self, item: Twig, name: str) -> None:
        name = name[:LONGEST_NAME]
        if name != self.choices.name_of(item):
            self.choices.names[item.branch.leaf] = name
            self.choices.changed()
            if self.give is not None:
                self.give(item.branch.leaf, name)
