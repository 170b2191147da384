"""An engine's session from a script: records without a model, paced by the test."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from entropix_mlx.records import (
    QUADRANTS,
    End,
    Event,
    FinishReason,
    PromptRecord,
    RunHeader,
    TokenRecord,
)
from entropix_tui.engine import Progress, TurnRecord

HEADER = RunHeader(
    model="smollm2-135m",
    revision="0.1.2",
    device="CPU, 2 cores",
    dtype="float32",
    sampler={
        "preset": "calibrated",
        "lelv_entropy": 1.5,
        "helv_entropy": 4.0,
        "lelv_varentropy": 3.0,
        "hehv_varentropy": 10.0,
    },
    calibration="smollm2-135m",
    seed=7,
    date=None,
    versions={},
    created="2026-01-01T00:00:00Z",
)

STORY = re.findall(
    r" ?[A-Za-z]{1,8}|\s?[0-9]|[^\sA-Za-z0-9]|\n",
    "The number 9.9 is larger than 9.11.\n\nTo compare two decimals, write both with as many"
    " digits: 9.90 and 9.11. Ninety hundredths are more than eleven, so 9.9 is the larger one.",
)
"""Tokens of an answer, much as a model's tokenizer would cut them."""


def token(index: int, text: str, raw: bytes | None = None, **fields: object) -> TokenRecord:
    """A record whose figures follow from its index."""
    entropy = (index * 37 % 61) / 10
    varentropy = (index * 53 % 149) / 10
    quadrant = QUADRANTS[(entropy > 2.5) + 2 * (varentropy > 9)]
    values: dict[str, object] = {
        "id": 100 + index,
        "parent": index - 1,
        "bytes": (text.encode() if raw is None else raw).hex(),
        "logprob": -0.25 * (index % 7) - 0.01,
        "rank": index % 3,
        "entropy": entropy,
        "varentropy": varentropy,
        "attn_entropy": 2.5,
        "attn_varentropy": 0.75,
        "agreement": 0.625,
        "interaction_strength": 4.25,
        "quadrant": quadrant,
        "region": quadrant,
        "strategy": "adaptive",
        "temperature": 0.875,
        "top_k": 27,
        "top_p": 0.9,
        "min_p": 0.03,
        "candidates": [
            (100 + index, text, -0.5, 0.75),
            (5, " [red]", -1.5, 0.25),
            (6, "\n", -4.0, 0.0),
        ],
        "ms": 80.0,
    }
    return TokenRecord(index=index, text=text, **(values | fields))  # type: ignore[arg-type]


class Gate:
    """Lets as many records pass as the test has allowed."""

    def __init__(self, allowed: int | None = None) -> None:
        self._condition = threading.Condition()
        self._allowed = allowed  # None: all
        self._stopped = False

    def allow(self, more: int) -> None:
        with self._condition:
            self._allowed = (self._allowed or 0) + more
            self._condition.notify_all()

    def open(self) -> None:
        with self._condition:
            self._allowed = None
            self._condition.notify_all()

    def stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def reset(self) -> None:
        with self._condition:
            self._stopped = False

    def wait(self) -> bool:
        """Wait for leave to go on; False after a stop."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopped or self._allowed != 0, timeout=30)
            if self._stopped:
                return False
            if self._allowed:
                self._allowed -= 1
            return True


Step = str | TokenRecord | Event | Exception
"""What a script is made of: a token's text, a finished record, an event, or an error to raise."""


@dataclass
class ScriptedSession:
    """Answers turn after turn from a script; the last one again when it runs out."""

    answers: Sequence[Sequence[Step]] = (STORY,)
    gate: Gate = field(default_factory=Gate)
    header: RunHeader = HEADER
    context: int | None = 2048
    heard: list[str] = field(default_factory=list)
    closed: bool = False
    _index: int = 0

    def send(self, text: str, *, max_tokens: int) -> Iterator[TurnRecord]:
        steps = self.answers[min(len(self.heard), len(self.answers) - 1)]
        self.heard.append(text)
        self.gate.reset()
        yield PromptRecord(
            index=self._next(), parent=self._index - 2, role="user", ids=[1] * 12, text=text
        )
        reason: FinishReason = "stop"
        tokens = 0
        for step in steps:
            if not self.gate.wait():
                reason = "interrupted"
                break
            if isinstance(step, Exception):
                raise step
            if isinstance(step, str):
                step = token(self._next(), step)
            tokens += isinstance(step, TokenRecord)
            yield step
            if tokens == max_tokens:
                reason = "length"
                break
        yield End(
            leaf=self._index - 1,
            finish_reason=reason,
            tokens=tokens,
            seconds=tokens * 0.08,
            prefill_seconds=0.5,
        )

    def stop(self) -> None:
        self.gate.stop()

    def close(self) -> None:
        self.closed = True

    def _next(self) -> int:
        self._index += 1
        return self._index - 1


@dataclass
class ScriptedFactory:
    """Makes the sessions given, one after another; reports progress as a download would."""

    sessions: Sequence[ScriptedSession | Exception]
    gate: Gate = field(default_factory=Gate)
    made: int = 0

    def __call__(self, progress: Progress) -> ScriptedSession:
        for done in range(0, 101, 20):
            while not self.gate.wait():
                progress("downloading smollm2-135m", done, 100)
            progress("downloading smollm2-135m", done, 100)
        session = self.sessions[min(self.made, len(self.sessions) - 1)]
        self.made += 1
        if isinstance(session, Exception):
            raise session
        return session
