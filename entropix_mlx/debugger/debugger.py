"""gdb for tokens: lines of commands in, host values out. It knows no screen.

The model halts between computing a distribution and drawing from it. What the commands are is in
`commands.COMMANDS`; `Debugger` holds the state that they act on, and the ways in which it changes.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from entropix_mlx.conditions.operands import Proposed
from entropix_mlx.debugger.breakpoints import Breakpoints, Hit
from entropix_mlx.debugger.outputs import Finished, Halt, Looking, Message, Output, Place
from entropix_mlx.debugger.stepper import Stepper
from entropix_mlx.records.record import (
    USER,
    Event,
    FinishReason,
    PromptRecord,
    TokenRecord,
    TurnRecord,
)
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.halted import Halted
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.session import Session
from entropix_mlx.session.turn import Turn
from entropix_models.errors import UsageError

TAIL = 4096
"""Characters of the answer that conditions are given."""


class Debugger:
    """One conversation, halted. Belongs to the session's thread, but for `stop`."""

    def __init__(self, session: Session, *, max_tokens: int = 512) -> None:
        self.session = session
        self.max_tokens = max_tokens
        self.breakpoints = _kept(session)
        self._last_kept = self.breakpoints.to_dict()
        self.displays: list[str] = []
        self.cursor: int | None = None
        """The recorded token that is looked at; None where the model halts."""
        self.stepper: Stepper | None = None
        self.met = False
        """Whether a breakpoint is the reason for the present halt."""
        self._stopped = threading.Event()
        # Where the conversation stood before turns that nothing has come of, and its newest record.
        self._before: tuple[int, int] | None = None

    def stop(self) -> None:
        """Halt at the next token; from any thread."""
        self._stopped.set()

    def ask(self, text: str | None, after: int | None = None) -> Iterator[Output]:
        """Send a prompt, if there is one, and halt before the first token that follows."""
        request = TurnRequest(text, max_tokens=self.max_tokens, after=after)
        yield from self.begin(self.session.prepare(request))

    def go_to(self, index: int) -> Iterator[Output]:
        """Halt after a record, as it was before the token that followed was drawn."""
        yield from self.ask(None, after=index)

    def leave(self, reason: FinishReason = "interrupted") -> list[TurnRecord]:
        """End the turn that is halted, if one is; its end. Where one had only gone back, and
        nothing was taken there, the conversation stands where it did before.
        """
        tree, told = self.session.tree, self._end_turn(reason)
        before, self._before = self._before, None
        if told and before is not None and before[1] == tree.newest:
            stood = before[0]
            if tree.leaf != stood and tree.leaf in tree.up(stood):
                told.append(self.session.stand(stood))
        return told

    def _end_turn(self, reason: FinishReason = "interrupted") -> list[TurnRecord]:
        self.keep_breakpoints()
        told = self.stepper.leave(reason) if self.stepper and not self.stepper.ended else []
        self.stepper = None
        return told

    @property
    def is_halted(self) -> bool:
        """Whether an answer is under way."""
        return self.stepper is not None and self.stepper.halted is not None

    @property
    def running(self) -> Stepper:
        """The turn that is halted. Raises UsageError if none is."""
        if self.stepper is None or self.stepper.halted is None:
            raise UsageError("no answer is under way: ask something, or go back to a token")
        return self.stepper

    @property
    def live(self) -> Halted:
        """Where it is halted. Raises UsageError as `running`."""
        halted = self.running.halted
        assert halted is not None
        return halted

    def begin(self, turn: Turn) -> Iterator[Output]:
        """Run a turn, halted before its first token."""
        yield from self._end_turn()
        tree = self.session.tree
        if self._before is None or self._before[1] != tree.newest:
            self._before = tree.leaf, tree.newest
        if turn.leaf not in tree.up(self._before[0]):
            self._before = turn.leaf, tree.newest  # another branch was gone to
        self._stopped.clear()
        self.cursor = None
        self.stepper = Stepper(self.session, turn)
        decoder = self.session.context.decoder
        before = decoder.read
        yield from self.stepper.take()
        read = decoder.read - before
        yield self.here(self.check(), reread=0 if turn.prompts else read - 1)

    def here(self, hits: Sequence[Hit] = (), *, reread: int = 0) -> Place:
        """Where it stands; the rest as in `Halt`."""
        if self.cursor is not None:
            return Looking(self.cursor)
        if not self.is_halted:
            return Finished(self.stepper.turn.outcome.reason if self.stepper else None)
        return Halt(self.live.proposal(), list(hits), reread)

    def make_live(self) -> Iterator[Output]:
        """Where a recorded token is looked at: return to before it was drawn."""
        if self.cursor is not None:
            parent = self.session.tree.parent(self.cursor)
            yield from self.go_to(parent)

    # Going on.

    def onwards(self) -> Iterator[Output]:
        """From a halt that no breakpoint was the reason of, to the next one that is, or the end."""
        if self.is_halted and not self.met:
            yield from self.run(lambda _taken, _proposed: False)

    def insert(self, text: str) -> Iterator[Output]:
        """Take the tokens of a text in place of what is proposed, but for the last one, which
        becomes the proposal. Raises UsageError for an empty text, and for one that no tokens say.
        """
        tokenizer = self.session.model.tokenizer
        if places := tokenizer.lost(text):
            raise UsageError(f"there is no token for U+{ord(text[places[0]]):04X}: leave it out")
        ids = tokenizer.encode(text)
        if not ids:
            raise UsageError("type what? give a text, in quotation marks if it begins with a space")
        for n, id in enumerate(ids):
            self.live.reconsider(force=id)
            if n + 1 < len(ids):
                yield from self.running.take()

    def run(
        self, enough: Callable[[TokenRecord, TokenRecord], bool], pace: float = 0.0
    ) -> Iterator[Output]:
        """Take tokens until a breakpoint is met, the answer ends, or it is `enough`.

        `enough(taken, proposed)` is asked after each token; `pace`: seconds to wait after each.
        """
        self._stopped.clear()
        hits: list[Hit] = []
        while True:
            yield from self.running.take()
            if not self.is_halted:
                break
            hits = []
            for hit in self.check():
                if hit.action.kind == "stop":
                    hits.append(hit)
                else:
                    yield from self._act(hit)
            if hits or self._stopped.wait(pace):
                break
            last = self.session.tree[self.session.tree.leaf]  # a prompt if a stop text may begin
            if isinstance(last, TokenRecord) and enough(last, self.live.proposal()):
                break
        yield self.here(hits)

    def _act(self, hit: Hit) -> Iterator[Output]:
        """What a breakpoint does that doesn't stop."""
        yield Message([f"breakpoint {hit.number} at {self.live.index}: {hit.reason}"])
        if hit.action.kind == "preset":
            event = self.session.use(Settings.make(hit.action.preset))
            if event is not None:
                yield event
        elif hit.action.kind == "fork":
            yield from self._fork(hit.action.ways)
        elif hit.action.kind == "inject":
            yield from self.insert(hit.action.text)

    def _fork(self, ways: int) -> Iterator[Output]:
        """A branch of one token for each of the most likely ones but the one that is proposed."""
        proposal, leaf = self.live.proposal(), self.session.tree.leaf
        others = [id for id, *_ in proposal.candidates if id != proposal.id][: ways - 1]
        rest = TurnRequest(max_tokens=self.running.turn.request.max_tokens, after=leaf)
        yield from self._end_turn()
        for id in others:
            yield from self.session.run(TurnRequest(max_tokens=1, after=leaf, force=(id,)))
        self.stepper = Stepper(self.session, self.session.prepare(rest))
        yield from self.stepper.take()

    # Conditions.

    def proposed(self) -> Proposed:
        """What a condition is asked about where it halts."""
        halted, session = self.live, self.session
        record, leaf = halted.proposal(), session.tree.leaf
        events = session.tree.events(leaf)
        return self._asked(
            record,
            leaf,
            p_of=self._p_of,
            incomplete=halted.leaves_open(record.id),
            room=session.context_length - len(session.ids),
            valley=next((event.at for event in events if event.kind == "valley"), None),
        )

    def recorded(self, index: int) -> Proposed:
        """What a condition is asked about a token that was taken; probabilities of tokens that are
        not among its candidates are not known.
        """
        tree, special = self.session.tree, self.session.model.tokenizer.special_ids
        record = tree[index]
        assert isinstance(record, TokenRecord)
        listed = {text: math.exp(logprob) for _, text, logprob, _ in record.candidates}
        incomplete = not record.text and record.id not in special
        return self._asked(record, tree.parent(index), p_of=listed.get, incomplete=incomplete)

    def _asked(self, record: TokenRecord, after: int, **known: Any) -> Proposed:
        """What a condition is asked about a token after the record `after`."""
        before, tokenizer = self.session.tree.answer(after), self.session.model.tokenizer
        return Proposed(
            record=record,
            before=before[-1] if before else None,
            step=len(before),
            so_far="".join(token.text for token in before)[-TAIL:] + record.text,
            is_end=record.id in tokenizer.stop_ids and record.forced != USER,
            is_special=record.id in tokenizer.special_ids,
            **known,
        )

    def decisions(self) -> list[TokenRecord | PromptRecord | Event]:
        """The path's decisions that were not the sampler's."""
        tree = self.session.tree
        found: list[TokenRecord | PromptRecord | Event] = []
        for node in tree.path():
            found += [event for event in tree.events(node.index) if event.kind == "setting"]
            if isinstance(node, PromptRecord) or node.forced:
                found.append(node)
        return found

    def check(self) -> list[Hit]:
        """The breakpoints that are met where it halts."""
        self.met = False
        if not self.is_halted or not len(self.breakpoints):
            return []
        hits = self.breakpoints.check(self.proposed())
        self.met = any(hit.action.kind == "stop" for hit in hits)
        return hits

    def _p_of(self, text: str) -> float | None:
        ids = self.session.model.tokenizer.encode(text)
        return self.live.p(ids[0]) if len(ids) == 1 else None

    def keep_breakpoints(self) -> None:
        """Write them into the trace, if anything about them has changed."""
        plain = self.breakpoints.to_dict()
        if plain != self._last_kept:
            self.session.note("breakpoints", plain)
            self._last_kept = plain


def _kept(session: Session) -> Breakpoints:
    """The breakpoints that a resumed session was left with."""
    kept = session.tree.last_event("breakpoints")
    return Breakpoints() if kept is None else Breakpoints.from_dict(kept.detail)
