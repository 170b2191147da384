"""What leads away from the chat: lists, comparisons, help, the clipboard, files."""

import datetime
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.settings import Settings, declared, own_presets
from entropix_mlx.terminal.glyphs import one_line
from entropix_models.errors import EntropixError
from entropix_tui.look import screenshot
from entropix_tui.screens.chat.views import ViewActions
from entropix_tui.tokens import lookup

if TYPE_CHECKING:
    from entropix_mlx.trace.archive import Archive
    from entropix_tui.conversation.alternatives import Comparison
    from entropix_tui.screens.compare.compare import Compare
    from entropix_tui.screens.step.step import StepScreen


class ScreenActions(ViewActions):
    """The part of the chat screen that opens others."""

    archive: "Archive | None"

    def __init__(self) -> None:
        super().__init__()
        self.beside: Compare | None = None
        """The comparison that is on the screen."""
        self.stepping: StepScreen | None = None
        """The debugger's screen, while it is open."""
        self._afterwards: int | None = None  # the branch to return to when the turn is over

    def action_sessions(self) -> None:
        """List the saved conversations."""
        from entropix_tui.screens.sessions import SessionsScreen

        if self.archive is None:
            self._refuse("Sessions are not saved in this run (--no-save).")
            return

        def go(name: str | None) -> None:
            if name is not None and name != self.conversation.name:
                self.resume(name)

        screen = SessionsScreen(self.archive, self.colours, current=self.conversation.name)
        self.app.push_screen(screen, go)

    def action_branches(self) -> None:
        """List every way that this conversation has gone."""
        from entropix_tui.screens.branches import Branches

        def go(chosen: "int | Comparison | None") -> None:
            if isinstance(chosen, int):
                self.switch_to(chosen)
            elif chosen is not None:
                self.compare(chosen)

        screen = Branches(self.conversation.tree, self.colours, name=self.engine.name_branch)
        self.app.push_screen(screen, go)

    def action_models(self) -> None:
        """List the models."""
        from entropix_tui.screens.models import ModelsScreen

        header = self.conversation.header
        current = header.model if header is not None else None

        def go(name: str | None) -> None:
            if name is not None and name != current:
                self.switch_model(name)

        self.app.push_screen(ModelsScreen(self.colours, current=current), go)

    def action_help(self) -> None:
        from entropix_tui.screens.help import Help

        self.app.push_screen(Help(self.colours))

    def action_jump(self) -> None:
        from entropix_tui.screens.jump import jump

        jump(cast("Screen[object]", self))

    # Taking something along.

    def action_copy_answer(self) -> None:
        """Copy the last answer; in an answer with the cursor, that one. OSC 52: works over SSH."""
        text = self.tokens.answer()
        if text is None:
            self._refuse("There is no answer to copy yet.")
            return
        self.app.copy_to_clipboard(text)
        self.app.notify(f"Copied {len(text)} characters.", markup=False)

    def action_export(self, suffix: str) -> None:
        """Write the conversation, or what is on the screen, to a file."""
        from entropix_tui.screens.save_as import save

        said = self.conversation
        if said.header is None:
            self._refuse("There is nothing to export yet.")
            return
        from entropix_mlx.export.formats import FORMATS, by_ending
        from entropix_mlx.export.passage import Passage

        name = by_ending(Path(f"conversation{suffix}")) if suffix != ".svg" else None
        if name is None:
            what, data = "the screen as a picture", screenshot.svg(self.app)
        else:
            what = f"the conversation as {FORMATS[name].title}"
            data = FORMATS[name].make(Passage.of(said.header, said.tree))
        now = datetime.datetime.now()
        kind = "screen" if suffix == ".svg" else "chat"
        save(self.app, what, screenshot.default_name(kind, suffix, now, Path.cwd()), data)

    def action_about(self) -> None:
        """Which model this is and why, where the conversation is kept, its seed."""
        self.app.notify(one_line(" · ".join(self.conversation.about())), markup=False, timeout=12)

    # The debugger.

    def action_step(self) -> None:
        """Halt before each token: at the cursor's, of what is written, or of the last answer."""
        said = self.conversation
        if said.phase != "ready":
            self._refuse("The model is at work: Esc stops it.")
            return
        written = self.prompt.text.strip()
        ref = self.tokens.ref if self.tokens.cursor is not None else None
        if ref is not None and isinstance(said.tree[ref.index], TokenRecord):
            self.step([f"rewind @{ref.index}"])
        elif written:
            self.prompt.take()
            self.step([f"ask {json.dumps(written)}"])
        elif said.tree.leaf in said.tree and isinstance(said.tree[said.tree.leaf], TokenRecord):
            self.step([f"rewind @{said.tree.leaf}"])
        else:
            self.step([])

    def step(self, lines: Sequence[str]) -> None:
        """Open the debugger; `lines` are its first commands."""
        from entropix_tui.screens.step.step import StepScreen

        said = self.conversation

        def debug(line: str) -> None:
            self.engine.debug(line, max_tokens=self.max_tokens)

        def left(leaf: int | None) -> None:
            self.stepping = None
            debug("end")
            if leaf is not None and leaf in said.tree and leaf != said.tree.leaf:
                self._afterwards = leaf

        self.stepping = StepScreen(
            said.tree,
            self.colours,
            debug=debug,
            stop=self.engine.stop,
            first=lines,
            settings=said.settings,
            seed=said.seed,
            context=said.context,
        )
        self.app.push_screen(self.stepping, left)

    # Side by side.

    def action_compare(self) -> None:
        """Set something beside the present answer."""
        from entropix_tui.screens.compare.setup import CompareSetup

        said = self.conversation
        asked = lookup.asked_before(said.tree, said.tree.leaf)
        if asked is None or said.settings is None:
            self._refuse("There is no answer to compare with yet.")
        elif said.phase != "ready":
            self._refuse("The model is at work: Esc stops it.")
        else:
            setup = CompareSetup(
                said.tree,
                asked,
                said.settings,
                self.colours,
                presets=_presets(),
                make=Settings.make,
            )
            self.app.push_screen(setup, self._chosen)

    def _chosen(self, comparison: "Comparison | None") -> None:
        if comparison is not None:
            self.compare(comparison)

    def compare(self, comparison: "Comparison") -> None:
        """Show the present branch beside another one, which is made if it is not there."""
        from entropix_tui.conversation.alternatives import Again, Existing
        from entropix_tui.conversation.comparison import Side
        from entropix_tui.screens.compare.compare import Compare

        said = self.conversation
        tree, leaf = said.tree, said.tree.leaf_below(said.tree.leaf)
        here = Side(leaf, said.samplers.at(leaf), said.finish(leaf))
        drawn = said.samplers.at(tree.newest + 1)
        match comparison:
            case Existing(other):
                there = Side(other, said.samplers.at(other), said.finish(other))
            case Again(after, seed, settings):
                if not self._go_on(after, seed=seed, settings=settings):
                    return
                drawn |= {} if settings is None else settings.to_dict()
                drawn |= {} if seed is None else {"seed": seed}
                there = Side(after, drawn, growing=True)
            case reworded:
                after = tree.parent(reworded.prompt)
                if not self.say(reworded.text, after):
                    return
                there = Side(after, drawn, growing=True)
        self.beside = Compare(tree, here, there, self.colours)
        self.app.push_screen(self.beside, lambda kept: self._compared(leaf, kept))

    def _compared(self, before: int, kept: int | None) -> None:
        """Go on with the branch that was kept; with none, where this began."""
        self.beside = None
        tree = self.conversation.tree
        wanted = before if kept is None else kept
        if wanted == tree.leaf or not self.conversation.busy:
            if wanted != tree.leaf:
                self.switch_to(wanted)
            return
        self._afterwards = wanted
        if kept is not None:
            self.engine.stop()

    def go_back(self) -> None:
        """The turn is over that was in the way of another branch."""
        if self._afterwards is not None and self.conversation.phase == "ready":
            leaf, self._afterwards = self._afterwards, None
            if leaf in self.conversation.tree:
                self.switch_to(leaf)


def _presets() -> list[str]:
    """The samplers by name; only those that are built in if the user's file is damaged."""
    with suppress(EntropixError):
        return [*declared(), *own_presets()]
    return list(declared())
