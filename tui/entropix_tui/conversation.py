"""What the screen knows of a conversation: everything that came out of the engine, taken in."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from entropix_mlx.records import End, Event, PromptRecord, RunHeader, TokenRecord
from entropix_tui.engine import Failed, Loading, Output, Ready, Renewed
from entropix_tui.transcript import Answer, Transcript

Phase = Literal["loading", "ready", "reading", "generating", "failed"]
"""`reading`: the prompt is being prefilled; `failed`: there is no session to send to."""

_ENDS = {
    "length": "cut off at the token limit",
    "interrupted": "stopped",
    "exit": "ended early by the exit policy",
    "error": "ended by an error",
}


@dataclass
class Conversation:
    """One conversation, its transcript and its figures; no widget, no model."""

    transcript: Transcript = field(default_factory=Transcript)
    phase: Phase = "loading"
    loading: Loading | None = None
    header: RunHeader | None = None
    context: int | None = None
    used: int = 0
    """Tokens in the model's context."""
    reading: int = 0
    """Tokens of the prompt that is being prefilled; 0 while they are not known."""
    valleys: int = 0
    answer: Answer | None = None
    leaving: bool = False
    """Whether a new conversation has been asked for, and this one is still coming to its end."""
    failures: list[Failed] = field(default_factory=list)
    _ms: deque[float] = field(default_factory=lambda: deque(maxlen=24))

    @property
    def busy(self) -> bool:
        return self.phase in ("reading", "generating")

    @property
    def can_send(self) -> bool:
        return self.phase in ("ready", "failed") and not self.leaving

    @property
    def rate(self) -> float | None:
        """Tokens per second over the last two dozen."""
        total = sum(self._ms)
        return 1000 * len(self._ms) / total if total else None

    @property
    def is_empty(self) -> bool:
        return not self.transcript.blocks

    def restart(self) -> None:
        """Forget everything said; the session is being made anew."""
        self.transcript.clear()
        self.phase, self.loading, self.answer = "loading", None, None
        self.leaving = False
        self.used = self.reading = self.valleys = 0
        self._ms.clear()

    def say(self, text: str) -> None:
        """The user's turn, shown before the engine has taken it."""
        self.transcript.say(text)
        self.phase = "loading" if self.phase == "failed" else "reading"
        self.reading = 0

    def apply(self, output: Output) -> None:
        """Take in one output of the engine."""
        match output:
            case TokenRecord():
                self._token(output)
            case PromptRecord():
                self.reading = len(output.ids)
                self.used += len(output.ids)
                self.answer = None
            case Event():
                self._event(output)
            case End():
                self._end(output)
            case Loading():
                self.loading = output  # of the model, or of the prompt while that is read
            case Ready():
                self.header, self.context, self.loading = output.header, output.context, None
                # A turn that had to load first goes on from here.
                pending = bool(self.transcript.blocks) and self.transcript.blocks[-1].kind == "user"
                self.phase = "reading" if pending else "ready"
            case Renewed():
                self.restart()
            case Failed():
                self.failures.append(output)
                self.transcript.say(output.message, "error")
                self.phase = "failed" if self.phase == "loading" else "ready"
                self.answer, self.loading = None, None

    def _token(self, record: TokenRecord) -> None:
        if self.answer is None:
            self.answer = self.transcript.begin_answer()
            self.valleys = 0
            self._ms.clear()
        self.phase, self.loading = "generating", None
        self.used += 1
        if record.ms is not None:
            self._ms.append(record.ms)
        self.answer.add(record)

    def _event(self, event: Event) -> None:
        if event.kind == "valley" and event.at is not None and self.answer is not None:
            self.valleys += self.answer.mark_valley(event.at)

    def _end(self, end: End) -> None:
        entropies = (
            [r.entropy for r in self.answer.records if r.entropy is not None] if self.answer else []
        )
        parts = [f"{end.tokens} token{'s' * (end.tokens != 1)}"]
        if end.tokens and end.seconds > 0:
            parts.append(f"{end.tokens / end.seconds:.1f} tok/s")
        if entropies:
            parts.append(f"mean entropy {sum(entropies) / len(entropies):.2f} bits")
        if self.valleys:
            parts.append(f"{self.valleys} valley{'s' * (self.valleys != 1)}")
        if end.finish_reason in _ENDS:
            parts.append(_ENDS[end.finish_reason])
        self.transcript.say(" · ".join(parts), "note")
        self.phase, self.answer, self.loading = "ready", None, None

    def last_answer(self) -> str | None:
        """The text of the newest answer, exactly as the model gave it."""
        for block in reversed(self.transcript.blocks):
            if isinstance(block, Answer):
                return block.text
        return None
