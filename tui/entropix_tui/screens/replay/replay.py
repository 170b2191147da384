"""A recorded conversation on the chat's screen: played, and looked at, without a model."""

import time
from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widget import Widget

from entropix_mlx.records.inspection import Attention
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.alternatives import Existing
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.outputs import Failed, Loading, Output, Ready, Restored
from entropix_tui.look import styles
from entropix_tui.replay.playback import Playback, Unit
from entropix_tui.replay.recording import FIXED, NOT_RECORDED, IdleEngine, Recording
from entropix_tui.screens.chat.chat import ChatScreen
from entropix_tui.screens.replay.keys import KEYS
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.keys import KeyBar
from entropix_tui.widgets.status import StatusLine
from entropix_tui.widgets.transport import Transport

_LIVE = frozenset(
    {"submit", "regenerate", "new_chat", "sessions", "edit", "demo", "models", "continue_"}
    | {"system_prompt", "compare"}
)
"""What only a conversation that goes on can do."""


LONG, ENOUGH = 20_000, 2_000
"""Of so many records the end is shown first; and how many of them fill any screen."""

REST = 0.2
"""Seconds without moving about after which the rest is shown too, which holds up the screen."""


class ReplayScreen(ChatScreen):
    """Opens with everything shown and paused at the end: whoever opens a file wants to see what is
    in it, and Space plays it from the beginning; with `play` it plays of itself.

    `max_tokens`: of an answer that is gone on with in the debugger. `beside`: the leaves of two
    ways that are compared before anything else: all is shown then, and it plays afterwards.
    """

    AUTO_FOCUS = "#transport"
    BINDING_GROUP_TITLE = "The replay"
    BINDINGS = KEYS

    UNOFFERED: ClassVar = frozenset(
        {"New conversation", "System prompt", "Stop", "Continue", "Regenerate", "Edit message"}
        | {"Step", "Fork here", "Sessions", "Model", "Side by side", "About this conversation"}
    )

    def __init__(
        self,
        engine: IdleEngine,
        recording: Recording,
        colours: styles.Colours,
        *,
        play: bool = False,
        speed: float = 1.0,
        beside: tuple[int, int] | None = None,
        max_tokens: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(engine, colours, max_tokens=max_tokens)
        self.idle = engine
        self.recording = recording
        self.playback = Playback(recording.records)
        self.playback.speed = speed
        self.transport = Transport(self.playback, recording.path.name, colours, id="transport")
        self.status = ReplayStatus(self.conversation, engine, id="status")
        self._play_first = play
        self._beside = beside
        self._clock = clock
        self._then = clock()
        self._known = -1  # records that the conversation has; -1: not all that is to be shown
        self._glimpsed = -1  # the position of which the end alone is shown
        self._sought = 0.0  # when one last moved about
        self._begun = False
        self._pointing = False  # whether the cursor is to be put on the newest token
        self.conversation.phase = "ready"

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.strips
        with Container(id="body"):
            with Vertical(id="stage"):
                yield self.tokens
                yield self.markdown
                yield self.search
            yield self.side
        yield self.legend
        yield self.transport
        yield KeyBar()

    @property
    def home(self) -> Widget:
        return self.transport

    def begin(self) -> None:
        self.show_problems()
        if self._beside is None:
            self._play_of_itself()
        self.call_after_refresh(self._first_look)

    def _first_look(self) -> None:
        self._then = self._sought = self._clock()
        self._begun = True
        if self._beside is None:
            self.drain()
        else:
            self._show_all()
            one, other = self._beside
            self.switch_to(one)
            self.compare(Existing(other))

    def _play_of_itself(self) -> None:
        """Once, if that was asked for."""
        if self._play_first:
            self._play_first = False
            self.action_play()

    def _compared(self, before: int, kept: int | None) -> None:
        super()._compared(before, kept)
        self._play_of_itself()

    def own_commands(self) -> list[tuple[str, str, Callable[[], Any]]]:
        def travel(unit: Unit, step: int) -> Callable[[], None]:
            return lambda: self.action_travel(unit, step)

        return [
            ("Play or pause", "At the end, from the beginning", self.action_play),
            ("To the beginning", "Nothing is shown", lambda: self.action_seek(0)),
            ("To the end", "All is shown", lambda: self.action_seek(1)),
            ("Next turn", "To where its answer begins", travel("turn", 1)),
            ("Turn before", "To where its answer began", travel("turn", -1)),
            ("Next valley", "To where it was confirmed", travel("valley", 1)),
            ("Valley before", "To where it was confirmed", travel("valley", -1)),
            ("Faster", "Up to at once", lambda: self.action_faster(1)),
            ("Slower", "Down to a quarter", lambda: self.action_faster(-1)),
            ("Step in", "The debugger at the cursor: loads the model", self.action_step),
            ("About this recording", "File, model, when", self.action_about),
        ]

    def show_problems(self) -> None:
        """Say what of the file can't be shown."""
        problems = self.recording.problems
        if not problems:
            return
        told = "\n".join(one_line(problem) for problem in problems[:3])
        more = f"\n… and {len(problems) - 3} more" if len(problems) > 3 else ""
        self.app.notify(told + more, severity="warning", markup=False, timeout=10)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in _LIVE and super().check_action(action, parameters)

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
        if self._known != before and not self.playback.playing:
            self.status.refresh()  # its figures stay for a while
        if self._pointing:
            self._pointing = False
            if (newest := self.conversation.tree.leaf) >= 0:
                self.tokens.move_to(TokenRef(newest))
        self.transport.tell()

    def take(self, output: Output) -> None:
        said = self.conversation
        match output:
            case Loading():
                said.loading = output
            case Ready():
                self.idle.has_model = True
                self.status.refresh()
                said.loading, said.context, said.calibration = (
                    None, output.context, output.calibration
                )  # fmt: skip
                self.use()
                if output.note:
                    self.app.notify(
                        one_line(output.note), severity="warning", markup=False, timeout=10
                    )
                self.inspector.show(None, None, "")
                self.look_at(self.ref)
            case Failed():
                said.loading = None
                said.failures.append(output)
                self.fail(output)
            case _:
                super().take(output)
                if isinstance(output, Restored):
                    self._in_force()
                said.phase = "ready"
                return
        if self.stepping is not None:
            self._to_debugger(self.stepping, output)

    def _in_force(self) -> None:
        """The settings after what is shown."""
        said = self.conversation
        after = said.tree.newest + 1
        said.settings = said.samplers.settings_at(after)
        said.seed = said.samplers.at(after).get("seed")
        self.use()

    def fail(self, failed: Failed) -> None:
        wanted = self._vocabulary is not None
        if failed.message != NOT_RECORDED or wanted:
            severity = "error" if failed.scope != "aside" else "warning"
            self.app.notify(one_line(failed.message), severity=severity, markup=False)  # type: ignore[arg-type]
        if failed.message == FIXED:
            self.use()  # the sampler's panel shows again what was recorded
        if failed.scope == "aside":
            self._vocabulary = None
            self.inspector.fail(failed.message)
        elif failed.scope == "load" and self.stepping is not None and self.stepping.is_current:
            self.stepping.dismiss(None)

    def show_stage(self) -> None:
        tokens = not self.markdown.display
        if self.tokens.display != tokens:
            self.tokens.display = tokens

    def hint(self) -> None:
        self.status.tell()

    def recorded_attention(self, ref: TokenRef) -> Attention | None:
        heads = self.recording.heads
        return None if heads is None else heads.at(ref.index)

    # Playing.

    def action_play(self) -> None:
        """Play or pause; at the end, from the beginning."""
        self.close_markdown()
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
        self.close_markdown()
        if pause:
            self.playback.playing = False
        self.playback.seek(position)
        self._sought = self._clock()
        self._follow()
        self.transport.tell()

    def _follow(self) -> None:
        """Have the newest token in view."""
        self._pointing = False
        if self.tokens.cursor is not None:
            self.tokens.move_cursor(None)
        self.tokens.follow = True

    def stop_or_leave(self) -> bool:
        if self.playback.playing:
            self.action_play()
            return True
        return False

    # Stepping into it.

    def action_step(self) -> None:
        """The debugger, at the token under the cursor, or the newest that is shown."""
        tree = self.conversation.tree
        ref = self.tokens.ref
        index = tree.leaf if ref is None else ref.index
        if index in tree and isinstance(tree[index], TokenRecord):
            self._step_in(index)
        else:
            self._refuse("Put the cursor on a token of an answer: it can be stepped into.")

    def choose_at(self, ref: TokenRef) -> None:
        if self._drawn(ref) is not None:
            self._step_in(ref.index)

    def fork(self, ref: TokenRef, id: int) -> None:  # noqa: ARG002
        self.choose_at(ref)

    def edit(self, message: PromptRecord) -> None:  # noqa: ARG002
        self._refuse(FIXED)

    def _step_in(self, index: int) -> None:
        """Everything is shown then: what the debugger makes follows all that was recorded."""
        self.playback.playing = False
        self.playback.seek(self.playback.length)
        self._show_all()
        self.step([f"rewind @{index}"])

    # What is said of it.

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
        self.app.notify(one_line(" · ".join(facts)), markup=False, timeout=12)


class ReplayStatus(StatusLine):
    """The chat's, which says that this was recorded, or how far the model is."""

    def __init__(
        self, conversation: Conversation, engine: IdleEngine, *, id: str | None = None
    ) -> None:
        super().__init__(conversation, id=id)
        self.engine = engine

    def state(self) -> str:
        if (loading := self.conversation.loading) is not None:
            share = f" {100 * loading.done // loading.total} %" if loading.total else " …"
            return f"◌ {one_line(loading.stage)}{share}"
        return "■ replay, with its model" if self.engine.has_model else "■ replay"
