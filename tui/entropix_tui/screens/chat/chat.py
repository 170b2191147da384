"""The chat: a conversation that goes on."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from entropix_mlx.records.lost import LOST, sentence
from entropix_mlx.records.record import Event, TokenRecord
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.conversation.demos import DEMOS
from entropix_tui.conversation.history import History
from entropix_tui.conversation.provisional import is_provisional, is_quick, remedy
from entropix_tui.engine.engine import Engine
from entropix_tui.engine.outputs import Failed, Inspected, Output, Ready, Unsaved
from entropix_tui.engine.protocol import Calibrate, Fresh, Resume, SessionRequest, Switch
from entropix_tui.screens.chat.branches import ChatBranches
from entropix_tui.screens.chat.keys import COMMANDS, KEYS, TASKS
from entropix_tui.tokens import lookup
from entropix_tui.widgets.conversation.composer import Composer
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.sampler.panel import SamplerPanel
from entropix_tui.widgets.status import StatusLine
from entropix_tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from entropix_mlx.trace.archive import Archive
    from entropix_tui.screens.score.score import ScoreScreen


class ChatScreen(ChatBranches):
    """What is said goes to the engine; so does whatever makes another branch of it.

    `archive`: where conversations are saved; None: they are not. `demo`: what is said first, by its
    name in `DEMOS`. `step`: the lines that the debugger begins with, before anything else.
    """

    AUTO_FOCUS = "#prompt"
    BINDING_GROUP_TITLE = "The conversation"
    BINDINGS = KEYS
    PALETTE = COMMANDS
    TASKS = TASKS

    def __init__(
        self,
        engine: Engine,
        *,
        max_tokens: int = 512,
        archive: "Archive | None" = None,
        history: History | None = None,
        demo: str | None = None,
        step: Sequence[str] = (),
    ) -> None:
        conversation = Conversation()
        composer = Composer(conversation, history)
        self.welcome = Welcome(conversation, id="welcome")
        view = ConversationView(conversation, home=composer.prompt, empty=self.welcome)
        status = StatusLine(conversation, id="status")
        super().__init__(engine, view, status, composer, max_tokens=max_tokens)
        self.archive = archive
        self.scoring: ScoreScreen | None = None  # while it is open
        self._scores: ScoreScreen | None = None  # kept, with its texts
        self._demo = demo
        self._first_steps = list(step)

    def on_mount(self) -> None:
        if self._demo is not None:
            self.composer.put(DEMOS[self._demo])
        # The first paint comes first: loading holds the interpreter for a while.
        self.call_after_refresh(self.engine.start)
        if self._first_steps:
            self.call_after_refresh(self.step, self._first_steps)

    def check_action(self, action: str, parameters: object) -> bool | None:  # noqa: ARG002
        """Over a text that is being written, Ctrl+arrows move by word; else by token."""
        if action == "calibrate":
            return is_provisional(self.conversation.header)
        return action != "cursor" or not self.composer.is_written

    def offer(self, action: str, does: str) -> str:
        conversation = self.conversation
        match action:
            case "leave" if self.composer.draft is not None:
                return "cancel"
            case "submit" if conversation.busy:
                return ""
            case "submit" if conversation.can_go_on and not self.composer.prompt.text:
                return "continue"
            case "regenerate" | "compare" if conversation.phase != "ready" or not conversation.used:
                return ""
            case "new_chat" if conversation.is_empty:
                return ""
            case "sessions" if self.archive is None:
                return ""
            case "continue" if not conversation.can_go_on:
                return ""
        return super().offer(action, does)

    # What comes out of the engine.

    def take(self, output: Output) -> None:
        if self.scoring is not None:
            self.scoring.inbox.append(output)
        super().take(output)
        match output:
            case Ready(note=note) if note and not self.conversation.is_empty:
                self.notify(note, markup=False)
            case Inspected(inspection):
                from entropix_tui.screens.candidate_picker import CandidatePicker

                if isinstance(self.app.screen, CandidatePicker):
                    self.app.screen.fill(inspection)
            case Event() as event if event.kind == LOST:
                self.notify(sentence(event), severity="warning", markup=False, timeout=15)
            case Unsaved(message):
                self.notify(message, severity="warning", markup=False, timeout=15)
            case Failed(message):
                self.notify(message, severity="error", markup=False)
                self.composer.take_back_unsent()

    def show_batch(self) -> None:
        super().show_batch()
        self.composer.send_waiting()

    def tell(self) -> None:
        super().tell()
        self.composer.tell()
        if self.conversation.is_empty:
            self.welcome.tell()

    # Saying something.

    def on_composer_sent(self, event: Composer.Sent) -> None:
        tree, edited = self.conversation.tree, event.edited
        if self.conversation.can_send:
            self.composer.sent()
            after = tree.leaf if edited is None else tree.parent(edited.index)
            self.run(TurnRequest(event.text, max_tokens=self.max_tokens, after=after))
        elif self.conversation.phase == "loading" and edited is None:
            self.composer.wait(event.text)
            self.show_turn()

    def run(self, request: TurnRequest) -> bool:
        """A turn, which is shown at once; False if the model is at work."""
        conversation, text = self.conversation, request.text
        if not conversation.can_send or (text is None and conversation.phase != "ready"):
            self.refuse_now()
            return False
        self.composer.forget()
        if text is None:
            conversation.continue_(request.after)
        else:
            conversation.say(text, request.after)
        self.engine.run(request)
        self.show_turn()
        return True

    def on_welcome_chosen(self, event: Welcome.Chosen) -> None:
        self.composer.put(event.prompt)

    def action_demo(self, name: str) -> None:
        if self.conversation.is_empty:
            self.composer.put(DEMOS[name])

    def stop(self) -> bool:
        return self.composer.cancel() or super().stop()

    def halt_answer(self) -> bool:
        if runs := self.runs:
            self.engine.stop()
        return runs

    @property
    def runs(self) -> bool:
        conversation = (self.scoring or self).conversation
        return conversation.busy or conversation.phase == "loading"

    # Going on without saying anything.

    def on_composer_continue_wanted(self) -> None:
        if self.conversation.can_go_on:
            self.action_continue()

    def action_continue(self) -> None:
        """Continue an answer that was cut off."""
        if self.conversation.can_go_on:
            after = self.conversation.tree.leaf
            self.run(TurnRequest(max_tokens=self.max_tokens, after=after))
        else:
            self.refuse("Only an answer that was stopped or cut off can be continued.")

    def on_sampler_panel_changed(self, event: SamplerPanel.Changed) -> None:
        self.engine.use(event.settings)

    def action_step(self) -> None:
        """Halt before each token: at the cursor's, and what is written stays so; without a cursor,
        of what is written, or at the last one.
        """
        if self.conversation.phase != "ready":
            self.refuse_now()
            return
        tree, composer = self.conversation.tree, self.composer
        written = composer.prompt.text.strip() if composer.draft is None else ""
        ref = self.view.tokens.ref
        if ref is not None and (index := lookup.drawn_from(tree, ref.index)) is not None:
            self.step([f"rewind @{index}"])
        elif written:
            if (said := composer.take()) is not None:
                self.step([f"ask {json.dumps(said)}"])
        else:
            drawn = tree.leaf in tree and isinstance(tree[tree.leaf], TokenRecord)
            self.step([f"rewind @{tree.leaf}"] if drawn else [])

    def action_score(self) -> None:
        """A given text in all instruments, and back."""
        from entropix_tui.screens.score.score import ScoreScreen

        def left(_: None) -> None:
            self.scoring = None
            self.view.use()  # quadrants may be told by another split there

        if self.conversation.busy:
            self.refuse_now()
            return
        if self._scores is None:
            self._scores = ScoreScreen(self.engine, chat=self.conversation)
            self.app.install_screen(self._scores, "score")  # else it would end when it is left
        self.scoring = self._scores
        self.app.push_screen(self.scoring, left)

    # Other conversations.

    def renew(self, request: SessionRequest) -> None:
        """Another conversation in place of this one, which ends first."""
        self.composer.leave()
        self.conversation.leaving = True
        self.engine.renew(request)

    def on_composer_system_prompt_given(self, event: Composer.SystemPromptGiven) -> None:
        self.renew(Fresh(event.text))

    def action_new_chat(self) -> None:
        self.renew(Fresh())
        self.composer.prompt.focus()

    def action_calibrate(self) -> None:
        """Measure the model's own thresholds and words, where that takes no longer than one waits;
        elsewhere say what does.
        """
        header = self.conversation.header
        if header is not None and not is_quick(header):
            self.refuse(f"{remedy(header)}.")
        elif self.conversation.phase != "ready":
            self.refuse_now()
        else:
            self.renew(Calibrate())

    def action_sessions(self) -> None:
        """List the saved conversations."""
        from entropix_tui.screens.sessions import SessionsScreen

        if self.archive is None:
            self.refuse("Sessions are not saved in this run (--no-save).")
            return

        def go(name: str | None) -> None:
            if name is not None and name != self.conversation.name:
                self.renew(Resume(name))

        self.app.push_screen(SessionsScreen(self.archive, current=self.conversation.name), go)

    def action_models(self) -> None:
        """List the models."""
        from entropix_tui.screens.models import ModelsScreen

        current = header.model if (header := self.conversation.header) else None

        def go(name: str | None) -> None:
            if name is not None and name != current:
                self.renew(Switch(name))

        self.app.push_screen(ModelsScreen(current=current), go)

    def action_about(self) -> None:
        """Which model this is and why, where the conversation is kept, its seed."""
        self.notify(one_line(" · ".join(self.conversation.about())), markup=False, timeout=12)
