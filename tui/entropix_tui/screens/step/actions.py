"""What the debugger's keys do: each sends a line of its language."""

import json
from collections.abc import Callable

from textual.widget import Widget

from entropix_mlx.records.tree import ROOT
from entropix_tui.debugger.model import Debugging
from entropix_tui.screens.step.pages import PAGES, Page, Pages
from entropix_tui.screens.step.proposal import Proposal
from entropix_tui.screens.step.status import StepStatus
from entropix_tui.screens.step.text import StepText
from entropix_tui.tokens import lookup
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.command_line import COMMAND, Ask, CommandLine
from entropix_tui.widgets.keys import TellingScreen

SPEEDS = (1, 2, 5, 10, 20, 50)
"""Tokens a second of a run in the open."""
MOST_WAITING = 4
"""Lines that may wait to be answered: a key that is held down does not run away."""

ASKS: dict[str, Ask] = {
    "": COMMAND,
    "ask": Ask("ask", "ask", "a prompt", quoted=True),
    "type": Ask("type", "type", "a text, as it stands", quoted=True),
    "set": Ask("set", "set", "temperature=0.5"),
    "break": Ask("break", "break", "entropy > 3 and rank > 1"),
    "display": Ask("display", "display", "entropy rank"),
}


class StepActions(TellingScreen):
    """The part of the debugger's screen that acts: its parts, and what keys do to them."""

    def __init__(
        self,
        debugging: Debugging,
        context: int | None,
        *,
        debug: Callable[[str], None],
        stop: Callable[[], None],
    ) -> None:
        super().__init__()
        self.debug = debug
        self.stop_run = stop
        self.debugging = debugging
        self.status = StepStatus(debugging, context)
        self.text = StepText(debugging.draft, id="text")
        self.proposal = Proposal()
        self.pages = Pages(lambda *place: lookup.text_of(debugging.tree, TokenRef(*place)))
        self.command = CommandLine()
        self.speed = 5
        self.wants_vocabulary = False
        """Whether the vocabulary's page opens when its figures have come."""

    def flush(self) -> None:
        """Show what has come."""
        raise NotImplementedError

    def send(self, line: str, *, silent: bool = False) -> None:
        """Send a line; `silent`: only for what it shows."""
        self.debugging.send(line, silent=silent)
        self.debug(line)
        self.status.refresh()
        self.tell_offers()

    def offer(self, action: str, does: str) -> str:
        debugging = self.debugging
        looking, halted = debugging.phase == "looking", debugging.proposal is not None
        match action.removeprefix("screen."):
            case "leave" if debugging.running:
                return "stop"
            case "leave" if self.focused is self.command.field or self.pages.page is not None:
                return "close"
            case "go('step')":
                can = looking or halted
            case "go('next')" | "go('continue')":
                can = halted
            case "go('back')":
                can = debugging.has_before
            case "forward":
                can = looking
            case "take":
                can = True
            case "go('rewind')":
                can = looking or debugging.phase == "over"
            case "ask('ask')":
                can = debugging.phase in ("waiting", "over")
            case _:
                return does
        return does if can and not debugging.running else ""

    # Going on, and deciding.

    def action_go(self, line: str) -> None:
        if self.debugging.running or len(self.debugging.sent) >= MOST_WAITING:
            self.app.bell()
        else:
            self.send(line)

    def action_forward(self) -> None:
        if self.debugging.phase == "looking":
            self.action_go("step")
        else:
            self.app.bell()  # the next one is not recorded yet: s takes it

    def action_run(self) -> None:
        self.action_go(f"run {self.speed}")

    def action_speed(self, step: int) -> None:
        at = SPEEDS.index(self.speed) + step
        self.speed = SPEEDS[max(0, min(at, len(SPEEDS) - 1))]
        self.app.notify(f"{self.speed} tokens a second", markup=False, timeout=2)
        if self.debugging.running.startswith("run"):
            self.stop_run()
            self.send(f"run {self.speed}")

    def action_take_row(self) -> None:
        self.action_take(self.proposal.candidates.row + 1)

    def action_take(self, number: int) -> None:
        """Take a listed candidate; the one that is proposed as the sampler's own."""
        id_ = self.proposal.candidate(number - 1)
        if id_ is None:
            self.app.bell()
        elif self.debugging.record is not None and id_ == self.debugging.record.id:
            self.action_go("step")
        else:
            self.action_go(f"take {number}")

    def take_token(self, id_: int, text: str) -> None:
        """Take any token, by its number if it is listed."""
        ids = [listed for listed, *_ in self.proposal.candidates.listed]
        if id_ in ids:
            self.action_take(ids.index(id_) + 1)
        else:
            self.action_go(f"take {json.dumps(text, ensure_ascii=False)}")

    def look_at(self, ref: TokenRef | None) -> None:
        """Look at a recorded token; None: at what is proposed."""
        debugging = self.debugging
        if ref is None:
            looking = debugging.phase == "looking"
            steps = 1 + (debugging.steps_to(debugging.leaf) or 0) if looking else 0
        else:
            found = None if ref.nth else debugging.steps_to(ref.index)
            if found is None:
                debugging.say(
                    "refused",
                    f"{ref.index} is no token of this answer: rewind @INDEX goes to others",
                )
                self.flush()
                return
            steps = found
        if steps:
            self.action_go(f"step {steps}" if steps > 0 else f"back {-steps}")

    # Writing.

    def action_ask(self, what: str) -> None:
        self.begin(ASKS[what], " ".join(self.debugging.displays) if what == "display" else "")

    def begin(self, ask: Ask, value: str = "") -> None:
        """Let something be written."""
        self.command.begin(ask, value)
        # At once: what is typed after the key is for the field, and `focus()` comes a while later.
        self.set_focus(self.command.field)

    def on_command_line_given(self, event: CommandLine.Given) -> None:
        event.stop()
        if event.typed:
            self.debugging.say("typed", event.line)
        self.send(event.line)
        if not event.typed:
            self.close_field()
        self.flush()

    def on_command_line_left(self, event: CommandLine.Left) -> None:
        event.stop()
        self.close_field()

    def close_field(self) -> None:
        self.command.begin(COMMAND)
        self.set_focus(None)
        self.settle_focus()

    def settle_focus(self) -> None:
        """Have the focus where it can be seen."""
        if self.focused is not None and _in_sight(self.focused):
            return
        for widget in (self.proposal.candidates, self.pages.target, self.text):
            if widget is not None and _in_sight(widget):
                widget.focus()
                return

    # Pages.

    def action_page(self, page: Page) -> None:
        """Open a page, or close it."""
        self.open_page(None if self.pages.page == page else page)

    def action_turn(self, step: int) -> None:
        """The page after (1) or before (-1) the open one."""
        pages, at = list(PAGES), self.pages.page
        begin = -1 if step > 0 else 0
        self.open_page(pages[((begin if at is None else pages.index(at)) + step) % len(pages)])

    def open_page(self, page: Page | None) -> None:
        self.set_class(page is not None, "-paged")
        self.pages.open(page, self.debugging)
        target = self.pages.target
        if target is not None and self.focused is not self.command.field:
            target.focus()
        self.call_after_refresh(self.settle_focus)
        self.flush()

    # The whole vocabulary.

    def action_vocabulary(self) -> None:
        """All that could be taken here; it is asked for first if it isn't known."""
        self.wants_vocabulary = True
        line = self.debugging.wants("attention")
        if line is not None:
            self.send(line, silent=True)
        self.show_vocabulary()

    def show_vocabulary(self) -> None:
        """Show it if it is wanted and has come; say why it won't."""
        debugging = self.debugging
        why, record = debugging.why_not("attention"), debugging.record
        if not self.wants_vocabulary or (debugging.sent and not why):
            return
        self.wants_vocabulary = False
        if why or record is None or debugging.inspection is None:
            debugging.say("refused", why or "there is no token here")
            self.flush()
            return
        from entropix_tui.screens.vocabulary import Vocabulary

        inspection = debugging.inspection

        def take(id_: int | None) -> None:
            listed = [*inspection.head, *inspection.tail]
            if id_ is not None:
                self.take_token(id_, next(text for id, text, *_ in listed if id == id_))

        self.app.push_screen(Vocabulary(record, inspection), take)

    # Breakpoints.

    def switch_point(self) -> None:
        if (point := self.pages.points.current) is not None:
            self.send(f"{'disable' if point.enabled else 'enable'} {point.number}")

    def action_delete_point(self) -> None:
        if (point := self.pages.points.current) is not None:
            self.send(f"delete {point.number}")

    def action_ignore_point(self) -> None:
        if (point := self.pages.points.current) is not None:
            verb = f"ignore {point.number}"
            self.begin(Ask(verb, verb, "how many hits to let pass"))

    # Branches.

    def branch_number(self, leaf: int) -> int | None:
        """A branch's number in the debugger's list."""
        leaves = [branch.leaf for branch in self.debugging.tree.branches()]
        return leaves.index(leaf) + 1 if leaf in leaves else None

    def _branch(self) -> int | None:
        twig = self.pages.branches.current
        return None if twig is None else self.branch_number(twig.branch.leaf)

    def switch_branch(self) -> None:
        if (number := self._branch()) is not None:
            self.action_go(f"branch {number}")

    def action_name_branch(self) -> None:
        if (number := self._branch()) is not None:
            self.begin(Ask(f"name {number}", f"name {number}", "a name"))

    def action_prune_branch(self) -> None:
        if (number := self._branch()) is not None:
            self.action_go(f"prune {number}")

    def action_compare_branch(self) -> None:
        """Show the branch beside the present one, from where they part."""
        from entropix_tui.conversation.comparison import Side
        from entropix_tui.screens.compare.compare import Compare

        twig, debugging = self.pages.branches.current, self.debugging
        if twig is None or debugging.leaf == ROOT or debugging.running:
            return
        here = debugging.tree.leaf_below(debugging.leaf)
        if twig.branch.leaf == here:
            debugging.say(
                "refused", "that is the present branch: choose another one to compare it with"
            )
            self.flush()
            return

        def kept(leaf: int | None) -> None:
            number = None if leaf in (None, here) else self.branch_number(leaf or 0)
            if number is not None:
                self.action_go(f"branch {number}")

        sides = Side(here), Side(twig.branch.leaf)
        self.app.push_screen(Compare(debugging.tree, *sides), kept)

    # The rest.

    def action_colour(self) -> None:
        self.text.action_colour(1)

    def action_leave(self) -> None:
        """Escape: stop or close the nearest thing that can be."""
        if self.debugging.running:
            self.stop_run()
        elif self.focused is self.command.field:
            self.close_field()
        elif self.pages.page is not None:
            self.open_page(None)
        else:
            self.dismiss()


def _in_sight(widget: Widget) -> bool:
    """Whether it has room on the screen, as far as is known without laying it out."""
    return all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))
