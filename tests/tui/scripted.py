"""An engine's session from a script: records without a model, paced by the test."""

import math
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import numpy as np

from entropix_mlx.records.inspection import HEAD, TAIL, Attention, Inspection
from entropix_mlx.records.quadrants import KINDS, Quadrant, QuadrantSplit, quadrant_of
from entropix_mlx.records.record import (
    Candidate,
    End,
    Event,
    FinishReason,
    PromptRecord,
    RunHeader,
    TokenRecord,
)
from entropix_mlx.records.tree import Tree
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.progress import Progress
from entropix_tui.engine.outputs import Ready, Restored, TurnRecord, Unsaved
from entropix_tui.engine.protocol import Complain, Fresh, Resume, SessionRequest

SETTINGS = Settings.make(
    "calibrated",
    {
        "lelv_entropy": "1.5",
        "lelv_varentropy": "3",
        "helv_entropy": "4",
        "helv_varentropy": "6",
        "lehv_entropy": "1.5",
        "lehv_varentropy": "8",
        "hehv_entropy": "4",
        "hehv_varentropy": "10",
    },
)
"""As a session has them: thresholds filled in."""

SPLIT = QuadrantSplit(
    name="calibrated",
    entropy=2.5,
    usual=((0.0, 9.0),),
    sentences={quadrant: kind.sentences[0].id for quadrant, kind in KINDS.items()},
)
HEADER = RunHeader(
    model="smollm2-135m",
    revision="0.1.2",
    device="CPU, 2 cores",
    dtype="float32",
    sampler=SETTINGS.to_dict(),
    calibration="smollm2-135m",
    seed=7,
    date=None,
    versions={},
    created="2026-01-01T00:00:00Z",
    quadrant_split=SPLIT,
)

STORY = re.findall(
    r" ?[A-Za-z]{1,8}|\s?[0-9]|[^\sA-Za-z0-9]|\n",
    "The number 9.9 is larger than 9.11.\n\nTo compare two decimals, write both with as many"
    " digits: 9.90 and 9.11. Ninety hundredths are more than eleven, so 9.9 is the larger one.",
)
"""Tokens of an answer, much as a model's tokenizer would cut them."""

OPENING = ("<|im_start|>", "user", "\n")
CLOSING = ("<|im_end|>", "\n", "<|im_start|>", "assistant", "\n")
"""A chat template's tokens around what the user has said."""

MEASURED = (
    *("logprob", "rank", "entropy", "varentropy", "attn_entropy", "attn_varentropy"),
    *("agreement", "interaction_strength", "quadrant", "region"),
)
SHARES: dict[Quadrant, tuple[float, float, float]] = {
    "LELV": (0.9, 0.06, 0.02),
    "LEHV": (0.62, 0.11, 0.05),
    "HELV": (0.31, 0.22, 0.13),
    "HEHV": (0.26, 0.17, 0.08),
}
"""Of the three most likely tokens: what is said of a quadrant is true of them."""

VOCABULARY = 1000
LAYERS, HEADS = 6, 4


def token(index: int, text: str, raw: bytes | None = None, **fields: object) -> TokenRecord:
    """A record whose figures follow from its index, and from each other."""
    entropy = (index * 37 % 61) / 10
    varentropy = (index * 53 % 149) / 10
    quadrant = quadrant_of(entropy, varentropy, SPLIT)
    assert quadrant is not None
    shares, rank = SHARES[quadrant], index % 3
    likely = [(5, " [red]"), (6, "\n")]
    likely.insert(rank, (100 + index, text))
    values: dict[str, object] = {
        "id": 100 + index,
        "parent": index - 1,
        "bytes": (text.encode() if raw is None else raw).hex(),
        "logprob": math.log(shares[rank]),
        "rank": rank,
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
            (*one, math.log(p), p / sum(shares)) for one, p in zip(likely, shares, strict=True)
        ],
        "ms": 80.0,
    }
    return TokenRecord(index=index, text=text, **(values | fields))  # type: ignore[arg-type]


def scored(text: str, *, first: bool = True) -> list[TokenRecord]:
    """What a prompt's `records` are: its tokens and the template's, as a score has them.

    `first`: nothing came before, so that the first token has no figures.
    """
    pieces = [*OPENING, *(re.findall(r" ?\S+|\s", text)), *CLOSING]
    drawn: dict[str, Any] = dict.fromkeys(
        ("strategy", "temperature", "top_k", "top_p", "min_p", "ms")
    )
    unknown: dict[str, Any] = dict.fromkeys(MEASURED)
    records = []
    for nth, piece in enumerate(pieces):
        fields = drawn | (unknown | {"candidates": []} if first and nth == 0 else {})
        records.append(token(nth, piece, **fields))
    return records


def prompt(
    index: int, text: str, *, parent: int | None = None, role: str = "user", score: bool = True
) -> PromptRecord:
    """A prompt that was read; `score` False: its reading was interrupted."""
    records = scored(text, first=index == 0)
    return PromptRecord(
        index=index,
        parent=index - 1 if parent is None else parent,
        role=role,
        ids=[record.id for record in records],
        text=text,
        records=records if score else None,
    )


def inspection(record: TokenRecord, places: list[tuple[int, int]]) -> Inspection:
    """What an engine would find out about a token: its recorded candidates at their ranks, all
    others share what is left; attention with figures that follow from its index.
    """
    random = np.random.default_rng(record.index)
    row = _vocabulary(record)
    logprobs = np.array([logprob for _, _, logprob, _ in row], np.float32)
    keys = max(1, len(places))
    weights = random.dirichlet(np.full(keys, 0.3)).astype(np.float32)
    attention = Attention(
        entropy=(random.random((LAYERS, HEADS)) * np.log2(keys)).astype(np.float32),
        keys=keys,
        weights=weights,
        strongest=random.integers(0, keys, (LAYERS, HEADS, 4)).astype(np.int32),
    )
    normaliser = float(random.normal(12, 4))
    head, tail = row[:HEAD], row[-TAIL:]
    return Inspection(record.index, logprobs, normaliser, head, tail, attention, places)


def _vocabulary(record: TokenRecord) -> list[Candidate]:
    """From the most likely one down."""
    first, rank = list(record.candidates), record.rank or 0
    own = first.pop() if rank >= len(first) else None  # one far down the list
    known = dict(enumerate(first))
    if own:
        known[rank] = own
    left = 1 - math.fsum(math.exp(logprob) for _, _, logprob, _ in known.values())
    before = rank - len(first) if own else 0  # they are likelier than it
    more = math.exp(own[2]) * 1.01 if own else 0.0
    least = (left - before * more) / (VOCABULARY - len(known) - before)
    assert least > 0
    row: list[Candidate] = []
    for n in range(VOCABULARY):
        p = more if own and n < rank else least
        row.append(known.get(n) or (2000 + n, f" w{n}", math.log(p), p))
    return [(id, text, logprob, math.exp(logprob)) for id, text, logprob, _ in row]


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


Recorded = TypeVar("Recorded", PromptRecord, TokenRecord, Event, End)

Step = str | TokenRecord | Event | Exception | Unsaved
"""What a script is made of: a token's text, a finished record, an event, an error to raise, or
a save that fails."""


@dataclass
class ScriptedSession:
    """Answers turn after turn from a script; the last one again when it runs out.

    A turn that goes on from the middle of an answer of the same script says the rest of it.
    `past`: what it has when it is resumed, `ending`: what is shown of that at first. `calls`:
    every turn and aside that was asked for.
    """

    answers: Sequence[Sequence[Step]] = (STORY,)
    gate: Gate = field(default_factory=Gate)
    header: RunHeader = HEADER
    context_length: int | None = 2048
    settings: Settings = SETTINGS
    name: str | None = None
    note: str = ""
    system: str = ""
    past: Sequence[TurnRecord] = ()
    ending: Sequence[TurnRecord] = ()
    heard: list[str] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    closed: bool = False
    complain: Complain = lambda _message: None
    _index: int = 0
    _turns: int = 0

    def __post_init__(self) -> None:
        self.tree = Tree.of(self.past)
        self._index = self.tree.newest + 1
        self._script: dict[int, int] = {}  # record index -> the answer that it came from

    @property
    def ready(self) -> Ready:
        said = self.name, self.note, self.system
        return Ready(self.header, self.context_length, self.settings, *said)

    def run(self, request: TurnRequest) -> Iterator[TurnRecord]:
        if request.text is not None:
            return self.send(request.text, max_tokens=request.max_tokens, after=request.after)
        return self.continue_(
            max_tokens=request.max_tokens,
            after=request.after,
            force=request.force,
            seed=request.seed,
            settings=request.settings,
        )

    def send(self, text: str, *, max_tokens: int, after: int | None = None) -> Iterator[TurnRecord]:
        self.calls.append(("send", {"text": text, "max_tokens": max_tokens, "after": after}))
        self.heard.append(text)
        self.gate.reset()
        parent = self.tree.leaf if after is None else after
        prompts = [prompt(self._next(), text, parent=parent)]
        if self.system and parent == -1:
            opening = PromptRecord(
                index=prompts[0].index, parent=-1, role="system", ids=[], text=self.system
            )
            prompts = [opening, prompt(self._next(), text, parent=opening.index)]
        return self._turn(prompts, (), max_tokens, None, None)

    def continue_(
        self,
        *,
        max_tokens: int,
        after: int | None = None,
        force: Sequence[int] = (),
        seed: int | None = None,
        settings: Settings | None = None,
    ) -> Iterator[TurnRecord]:
        call = {"max_tokens": max_tokens, "after": after, "force": list(force)}
        self.calls.append(("continue_", call | {"seed": seed, "settings": settings}))
        self.gate.reset()
        self.tree.leaf = self.tree.leaf if after is None else after
        if self.tree.leaf == -1:
            raise UsageError("there is nothing to go on from; say something first")
        return self._turn([], force, max_tokens, seed, settings)

    def use(self, settings: Settings) -> Event | None:
        self.calls.append(("use", {"settings": settings}))
        changes = changed(self.settings, settings)
        self.settings = settings
        if not changes:
            return None
        return self._kept(Event(kind="setting", index=self._index - 1, detail=changes))

    def name_branch(self, leaf: int, name: str) -> Event:
        self.calls.append(("name_branch", {"leaf": leaf, "name": name}))
        return self._kept(Event(kind="branch", index=leaf, detail={"name": name}))

    def return_to(self, index: int, seed: int | None) -> Event | None:
        self.calls.append(("return_to", {"index": index, "seed": seed}))
        self.tree.leaf = index
        if seed is None:
            return None
        return self._kept(Event(kind="setting", index=self.tree.newest, detail={"seed": seed}))

    def inspect(self, index: int) -> Inspection:
        self.calls.append(("inspect", {"index": index}))
        if index not in self.tree or not isinstance(record := self.tree[index], TokenRecord):
            raise UsageError(f"record {index} is no token")
        places: list[tuple[int, int]] = []
        for node in self.tree.path(self.tree.parent(index)):
            ids = node.ids if isinstance(node, PromptRecord) else [node.id]
            places += [(node.index, nth) for nth in range(len(ids))]
        return inspection(record, places)

    def stop(self) -> None:
        self.gate.stop()

    def close(self) -> None:
        self.closed = True

    def _turn(
        self,
        prompts: list[PromptRecord],
        force: Sequence[int],
        max_tokens: int,
        seed: int | None,
        settings: Settings | None,
    ) -> Iterator[TurnRecord]:
        script = min(self._turns, len(self.answers) - 1)
        self._turns += 1
        steps = list(self.answers[script])
        if not prompts and self._script.get(self.tree.leaf) == script:
            steps = steps[self._said() + len(force) :]
        yield from map(self._kept, prompts)
        began = self.tree.leaf
        others = [index for index in self.tree.children(began) if not prompts]
        changes = changed(self.settings, settings) if settings else {}
        changes |= {} if seed is None else {"seed": seed}
        if changes:
            yield self._kept(Event(kind="setting", index=began, detail=changes))
        reason: FinishReason = "stop"
        tokens = 0
        shift = 0
        for step in [*self._forced(began, force), *steps]:
            if not self.gate.wait():
                reason = "interrupted"
                break
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Unsaved):
                self.complain(step.message)
                continue
            if isinstance(step, Event):
                at = None if step.at is None else step.at + shift
                yield self._kept(msgspec.structs.replace(step, index=step.index + shift, at=at))
                continue
            if isinstance(step, str):
                record = token(self._index, step, parent=self.tree.leaf)
            else:  # a script may be said again: then its records are others
                index = max(self._index, step.index)
                shift = index - step.index
                record = msgspec.structs.replace(step, index=index, parent=self.tree.leaf)
            self._index = record.index + 1
            self._script[record.index] = script
            tokens += 1
            yield self._kept(record)
            if others:
                yield self._kept(Event(kind="fork", index=record.index, at=others[0]))
                others = []
            if tokens == max_tokens:
                reason = "length"
                break
        if settings and (back := changed(settings, self.settings)):
            yield self._kept(Event(kind="setting", index=self.tree.leaf, detail=back))
        yield self._kept(
            End(
                leaf=self.tree.leaf,
                finish_reason=reason,
                tokens=tokens,
                seconds=0.5 + tokens * 0.08,
                prefill_seconds=0.5,
            )
        )

    def _forced(self, after: int, force: Sequence[int]) -> list[TokenRecord]:
        known = {
            id: text
            for child in self.tree.children(after)
            if isinstance(node := self.tree[child], TokenRecord)
            for id, text, *_ in node.candidates
        }
        return [
            token(self._index + n, known.get(id, f" w{id}"), id=id, forced="user", strategy=None)
            for n, id in enumerate(force)
        ]

    def _said(self) -> int:
        """How many tokens the present answer has."""
        count = 0
        for index in self.tree.up(self.tree.leaf):
            if isinstance(self.tree[index], PromptRecord):
                break
            count += 1
        return count

    def _kept(self, record: Recorded) -> Recorded:
        self.tree.add(record)
        return record

    def _next(self) -> int:
        self._index += 1
        return self._index - 1


def changed(before: Settings, after: Settings) -> dict[str, Any]:
    """The settings that differ, with their new values."""
    old = before.to_dict()
    return {name: value for name, value in after.to_dict().items() if old.get(name) != value}


@dataclass
class ScriptedFactory:
    """Makes the sessions given, one after another; reports progress as a download would.

    `refused`: what preparing the n-th request raises. `wishes`: those that were made.
    """

    sessions: Sequence[ScriptedSession | Exception]
    gate: Gate = field(default_factory=Gate)
    refused: dict[int, Exception] = field(default_factory=dict)
    wishes: list[SessionRequest] = field(default_factory=list)
    made: int = 0
    prepared: int = 0

    def prepare(self, _wish: SessionRequest, progress: Progress) -> None:
        self.prepared += 1
        progress("looking", 1, 1)
        if error := self.refused.get(self.prepared):
            raise error

    def past(self, request: SessionRequest, *, end: bool = False) -> Restored | None:
        session = self._next
        if not isinstance(request, Resume) or isinstance(session, Exception):
            return None
        if end:
            return Restored(session.ending, session.header) if session.ending else None
        return Restored(list(session.past), session.header)

    @property
    def _next(self) -> ScriptedSession | Exception:
        return self.sessions[min(self.made, len(self.sessions) - 1)]

    def __call__(
        self,
        request: SessionRequest,
        settings: Settings | None,
        progress: Progress,
        complain: Complain,
    ) -> tuple[ScriptedSession, Ready]:
        for done in range(0, 101, 20):
            while not self.gate.wait():
                progress("downloading smollm2-135m", done, 100)
            progress("downloading smollm2-135m", done, 100)
        session = self._next
        self.made += 1
        self.wishes.append(request)
        if isinstance(session, Exception):
            raise session
        session.complain = complain
        if isinstance(request, Fresh):
            session.settings = settings or session.settings
            session.system = session.system if request.system is None else request.system
        return session, session.ready
