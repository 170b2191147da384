"""A recorded conversation: played, and looked at, without a model."""

import time
from collections.abc import Callable

from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.outputs import Failed, Loading, Output, Ready, Restored
from entropix_tui.replay.playback import Playback, Unit
from entropix_tui.replay.recording import NOT_RECORDED, IdleEngine, Recording
from entropix_tui.screens.conversation.screen import ConversationScreen
from entropix_tui.screens.replay.keys import COMMANDS, KEYS, TASKS
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.status import StatusLine, progress
from entropix_tui.widgets.text.token_view import TokenView
from entropix_tui.widgets.transport import Transport

LONG, ENOUGH = 20_000, 2_000
"""Of so many records the end is shown first; and how many of them fill any screen."""

REST = 0.2
"""Seconds without moving about after which the rest is shown too, which holds up the screen."""


class ReplayStatus(StatusLine):
    """The chat's, which says that this was recorded, or how far the model is."""

    has_model = False

    def state(self) -> str:
        if (loading := self.conversation.loading) is not None:
            return f"◌ {progress(loading)}"
        return "■ replay, with its model" if self.has_model else "■ replay"


class ReplayScreen(ConversationScreen):
    """Opens with everything shown and paused at the end: whoever opens a file wants to see what is
    in it, and Space plays it from the beginning; with `play` it plays of itself.

    `max_tokens`: of an answer that is gone on with in the debugger. `beside`: the leaves of two
    ways that are compared before anything else: all is shown then, and it plays afterwards.
    """

    AUTO_FOCUS = "#transport"
    BINDING_GROUP_TITLE = "The replay"
    BINDINGS = KEYS
    PALETTE = COMMANDS
    TASKS = TASKS

    def __init__(
        self,
        engine: IdleEngine,
        recording: Recording,
        *,
        play: bool = False,
        speed: float = 1.0,
        beside: tuple[int, int] | None = None,
        max_tokens: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        conversation, heads = Conversation(phase="ready"), recording.heads
        self.playback = Playback(recording.records)
        self.playback.speed = speed
        self.transport = Transport(self.playback, recording.path.name, id="transport")
        view = ConversationView(
            conversation,
            home=self.transport,
            recorded=lambda ref: None if heads is None else heads.at(ref.index),
        )
        view.tokens.asks -= {"edit"}
        self.status: ReplayStatus
        status = ReplayStatus(conversation, id="status")
        super().__init__(engine, view, status, self.transport, max_tokens=max_tokens)
        self.idle = engine
        self.recording = recording
        self._play_first = play
        self._beside = beside
        self._clock = clock
        self._then = clock()
        self._known = -1  # records that the conversation has; -1: not all that is to be shown
        self._glimpsed = -1  # the position of which the end alone is shown
        self._sought = 0.0  # when one last moved about
        self._begun = False
        self._pointing = False  # whether the cursor is to be put on the newest token

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What only the model knows is not offered before it is there."""
        asks = parameters[1] if action == "of" and parameters[0] == "ConversationView" else ""
        heads = self.recording.heads is not None
        has: dict[object, bool] = {"vocabulary": False, "attention": heads}
        return self.idle.has_model or has.get(asks, True)

    def offer(self, action: str, does: str) -> str:
        if action == "screen.play" and self.runs:
            return "pause"
        # The line's own arrows do that, and more.
        line = action in ("cursor(-1)", "cursor(1)") and self.transport.has_focus
        return "" if line else super().offer(action, does)

    def on_mount(self) -> None:
        self._show_problems()
        if self._beside is None:
            self._play_of_itself()
        self.call_after_refresh(self._first_look)

    def _show_problems(self) -> None:
        """Say what of the file can't be shown."""
        problems = self.recording.problems
        if not problems:
            return
        told = "\n".join(one_line(problem) for problem in problems[:3])
        more = f"\n… and {len(problems) - 3} more" if len(problems) > 3 else ""
        self.notify(told + more, severity="warning", markup=False, timeout=10)

    def _first_look(self) -> None:
        self._then = self._sought = self._clock()
        self._begun = True
        if self._beside is None:
            self.drain()
        else:
            self._show_all()
            one, other = self._beside
            self.switch_to(one)
            self.compare_with(self.conversation.side(other))

    def _play_of_itself(self) -> None:
        """Once, if that was asked for."""
        if self._play_first:
            self._play_first = False
            self.action_play()

    def compared(self, kept: int | None) -> None:
        super().compared(kept)
        self._play_of_itself()

    # What is to be shown.

    def coming(self) -> list[Output]:
        """The records up to where the playback stands, and what the debugger makes."""
        if not self._begun:
            return []
        now = self._clock()
        self.playback.advance(now - self._then)
        self._then = now
        batch: list[Output] = []
        due = self.playback.due(self._known) if self._known >= 0 else None
        if due is None:
            batch += self._anew(resting=now - self._sought >= REST)
        else:
            batch += due
            self._known += len(due)
        for output in self.engine.drain():
            if isinstance(output, PromptRecord | TokenRecord | Event | End):
                follows = self._known == len(self.playback.records)
                self.playback.append(output)
                if not follows:
                    continue
                self._known += 1
            batch.append(output)
        return batch

    def _anew(self, *, resting: bool) -> list[Output]:
        """All that is shown; of very much its end, as long as one still moves about."""
        shown, position = self.playback.shown, self.playback.position
        if resting or len(shown) <= LONG:
            self._known, self._glimpsed = len(shown), -1
        elif self._glimpsed == position:
            return []
        else:
            self._known, self._glimpsed = -1, position
            shown = shown[-ENOUGH:]
        return [Restored(shown, self.recording.header)]

    def _show_all(self) -> None:
        """Do not wait for rest."""
        self._sought = self._clock() - REST
        self.drain()

    def drain(self) -> None:
        before = self._known
        super().drain()
        if self._known != before and not self.runs:
            self.status.refresh()  # its figures stay for a while
        if self._pointing:
            self._pointing = False
            if (newest := self.conversation.tree.leaf) >= 0:
                self.view.tokens.move_to(TokenRef(newest))
        self.transport.tell()

    def take(self, output: Output) -> None:
        """Take in one output; the model, if it comes, is there for the debugger alone."""
        conversation = self.conversation
        match output:
            case Loading():
                conversation.loading = output
            case Ready():
                self._model_came(output)
            case Failed():
                conversation.loading = None
                conversation.failures.append(output)
                self._fail(output)
            case _:
                self.view.take(output)
                if isinstance(output, Restored):
                    self._in_force()
                conversation.phase = "ready"
        self.debugger_take(output)

    def show_turn(self) -> None:
        self._in_force()
        super().show_turn()

    def _in_force(self) -> None:
        """The settings after what is shown; on a branch that others follow, those of its end."""
        conversation = self.conversation
        leaf, newest = conversation.tree.leaf, conversation.tree.newest
        after = newest + 1 if leaf == newest else leaf
        conversation.settings = conversation.samplers.settings_at(after)
        conversation.seed = conversation.samplers.at(after).get("seed")
        self.view.use()

    def _model_came(self, ready: Ready) -> None:
        conversation = self.conversation
        self.idle.has_model = self.status.has_model = True
        self.refresh_bindings()
        self.status.refresh()
        conversation.loading, conversation.context = None, ready.context
        conversation.calibration = ready.calibration
        self.view.use()
        if ready.note:
            self.notify(one_line(ready.note), severity="warning", markup=False, timeout=10)
        self.view.look_again()

    def _fail(self, failed: Failed) -> None:
        if failed.message != NOT_RECORDED or self.view.vocabulary is not None:
            self.notify(
                one_line(failed.message),
                severity="error" if failed.scope != "aside" else "warning",
                markup=False,
            )
        if failed.scope == "aside":
            self.view.fail(failed.message)
        elif failed.scope == "load" and self.stepping is not None and self.stepping.is_current:
            self.stepping.dismiss()

    # Playing.

    def action_play(self) -> None:
        """Play or pause; at the end, from the beginning."""
        self.view.stage.close_markdown()
        self.playback.toggle()
        self._then = self._clock()
        if self.playback.playing:
            self._follow()
        self.transport.tell()

    def action_travel(self, unit: Unit, step: int) -> None:
        """Pause at the token, turn or valley after or before; its newest token has the cursor."""
        there = self.playback.beside(unit, step)
        if there is None:
            self.app.bell()
            if unit == "valley":
                way = "next" if step > 0 else "previous"
                self.app.notify(f"There is no {way} valley.", markup=False, timeout=3)
            return
        self._seek(there)
        self._pointing = True

    def action_seek(self, share: float) -> None:
        """Go to a share (0 to 1) of the whole."""
        self._seek(self.playback.place(share))

    def on_transport_sought(self, event: Transport.Sought) -> None:
        self._seek(self.playback.place(event.share), pause=False)

    def action_faster(self, step: int) -> None:
        self.playback.faster(step)
        self.transport.tell()

    def _seek(self, position: int, *, pause: bool = True) -> None:
        """Go to a position; it is shown with the next tick, so that keys that come fast add up."""
        self.view.stage.close_markdown()
        if pause:
            self.playback.playing = False
        self.playback.seek(position)
        self._sought = self._clock()
        self._follow()
        self.transport.tell()

    def _follow(self) -> None:
        """Have the newest token in view."""
        self._pointing = False
        tokens = self.view.tokens
        if tokens.cursor is not None:
            tokens.move_cursor(None)
        tokens.follow = True

    def halt_answer(self) -> bool:
        if runs := self.runs:
            self.action_play()
        return runs

    @property
    def runs(self) -> bool:
        return self.playback.playing

    # Stepping into it.

    @property
    def has_session(self) -> bool:
        return self.idle.has_model

    def action_step(self) -> None:
        """The debugger, at the token under the cursor, or the newest that is shown."""
        tree, ref = self.conversation.tree, self.view.tokens.ref
        index = tree.leaf if ref is None else ref.index
        if index in tree and isinstance(tree[index], TokenRecord):
            self._step_in(index)
        else:
            self.refuse("Put the cursor on a token of an answer: it can be stepped into.")

    def on_token_view_fork_wanted(self, event: TokenView.ForkWanted) -> None:
        if self.view.drawn(event.ref) is not None:
            self._step_in(event.ref.index)

    def fork(self, ref: TokenRef, id: int) -> None:  # noqa: ARG002
        """What another candidate leads to, the debugger finds out."""
        self._step_in(ref.index)

    def _step_in(self, index: int) -> None:
        """Everything is shown then: what the debugger makes follows all that was recorded."""
        self.playback.playing = False
        self.playback.seek(self.playback.length)
        self._show_all()
        self.step([f"rewind @{index}"])

    def action_about(self) -> None:
        """Which file, which model, when, what of it can't be read."""
        header = self.recording.header
        facts = [
            str(self.recording.path),
            f"{header.model} {header.revision or ''}".strip(),
            header.device,
            f"seed {header.seed}",
            header.created,
            *self.recording.problems[:5],
        ]
        self.notify(one_line(" · ".join(facts)), markup=False, timeout=12)
