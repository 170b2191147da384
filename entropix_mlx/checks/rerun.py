"""A trace generated again, from its prompts, settings and seed: do the same tokens come?"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from entropix_mlx.records.record import End, Event, PromptRecord, RunHeader, TokenRecord, TurnRecord
from entropix_mlx.records.tree import ROOT
from entropix_mlx.session.halted import Halted
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.resume import changed, settings_of
from entropix_mlx.session.session import Session
from entropix_mlx.session.turn import Prompt
from entropix_mlx.trace.trace import Trace
from entropix_models.errors import TraceError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet


class Parting(NamedTuple):
    """The first token that is another: what was recorded, and what comes now (None: nothing)."""

    recorded: TokenRecord
    now: TokenRecord | None


class Rerun(NamedTuple):
    """How many tokens were the same, and where they part; None if all came again."""

    same: int
    parting: Parting | None


@dataclass
class _Turn:
    """What follows a record: prompts, tokens, and the changes before each token, in order."""

    after: int
    last: int
    prompts: list[PromptRecord] = field(default_factory=list)
    tokens: list[TokenRecord] = field(default_factory=list)
    changes: dict[int, list[Event]] = field(default_factory=dict)


def rerun(model: LanguageModel, trace: Trace, path: Path, progress: Progress = quiet) -> Rerun:
    """Generate every answer of the trace again, up to the first token that is another.

    Tokens that a person forced are forced again, those drawn again or with ids banned are so once
    more; settings change where they were changed. Raises TraceError for a trace in which nothing
    was generated, or which has lost a beginning.
    """
    header, records = trace.header, trace.records
    if not header.sampler:
        raise TraceError(f"{path} holds a text that was scored: there is nothing to generate again")
    sampler = _Sampler(
        Session(
            model,
            settings_of(header.sampler, path),
            seed=header.seed,
            score_prompts=any(isinstance(r, PromptRecord) and r.records for r in records),
            progress=progress,
        ),
        header,
        path,
    )
    now = {ROOT: ROOT}  # the record of this run that stands for one of the trace
    same = 0
    for turn in _turns(records):
        if turn.after not in now:
            raise TraceError(f"{path} has lost record {turn.after}: what follows cannot be made")
        with closing(_again(sampler, turn, now[turn.after])) as found:
            for prompt in turn.prompts:
                now[prompt.index] = next(found).index
            for recorded in turn.tokens:
                token = next(found, None)
                if not isinstance(token, TokenRecord) or token.id != recorded.id:
                    return Rerun(same, Parting(recorded, token))  # type: ignore[arg-type]
                now[recorded.index] = token.index
                same += 1
    return Rerun(same, None)


class _Sampler:
    """The session of the rerun, and the settings that the trace has come to."""

    def __init__(self, session: Session, header: RunHeader, path: Path) -> None:
        self.session = session
        self._path = path
        self._settings, self._seed = dict(header.sampler), header.seed

    def change(self, event: Event) -> None:
        """Sample as it was changed to, from the next token on."""
        self._settings, self._seed = changed(self._settings, self._seed, event)
        self.session.use(settings_of(self._settings, self._path))
        if self._seed is not None:
            self.session.reseed(self._seed)


def _turns(records: Sequence[TurnRecord]) -> Iterator[_Turn]:
    """The trace's turns in the order in which they ran."""
    turn: _Turn | None = None
    waiting: list[Event] = []  # changes before the next turn
    for record in records:
        if isinstance(record, PromptRecord | TokenRecord):
            follows = turn is not None and turn.last == record.parent
            is_prompt = isinstance(record, PromptRecord)
            if turn is None or not follows or (is_prompt and turn.tokens):
                if turn is not None:
                    yield turn
                turn = _Turn(record.parent, record.parent)
                turn.changes[0], waiting = waiting, []
            if isinstance(record, PromptRecord):
                turn.prompts.append(record)
            else:
                turn.tokens.append(record)
            turn.last = record.index
        elif isinstance(record, Event) and record.kind in ("setting", "redraw"):
            changes = turn.changes.setdefault(len(turn.tokens), []) if turn else waiting
            changes.append(record)
        elif isinstance(record, End) and turn is not None:
            # Changes after the last token are the next turn's.
            left = turn.changes.pop(len(turn.tokens), []) if turn.tokens else []
            waiting = [event for event in left if event.kind == "setting"]
            yield turn
            turn = None
    if turn is not None:
        yield turn


def _again(sampler: _Sampler, turn: _Turn, after: int) -> Generator[PromptRecord | TokenRecord]:
    """The same turn, as it comes now: halted before each token, to decide it as it was decided."""
    session = sampler.session
    for event in turn.changes.get(0, ()):
        if event.kind == "setting":
            sampler.change(event)
    prompts = [Prompt(prompt.role, prompt.ids, prompt.text) for prompt in turn.prompts]
    request = TurnRequest(max_tokens=len(turn.tokens), after=after)
    again = session.prepare(request, prompts)
    with closing(session.step(again)) as records:
        for record in records:
            if isinstance(record, Halted):
                _decide(sampler, turn, again.outcome.tokens, record)
            elif isinstance(record, PromptRecord | TokenRecord):
                yield record


def _decide(sampler: _Sampler, turn: _Turn, done: int, halted: Halted) -> None:
    """Have the token after so many decided as the recorded one was."""
    changes = turn.changes.get(done, ())
    for event in changes:
        if event.kind == "setting" and done:
            sampler.change(event)
    if turn.tokens[done : done + 1] and turn.tokens[done].forced == "user":
        halted.reconsider(turn.tokens[done].id)
        return
    for event in changes:
        if event.kind == "redraw":
            halted.reconsider(None, *_redrawn(event, halted.pending.distribution.logits.size))


def _redrawn(event: Event, vocabulary: int) -> tuple[int, tuple[int, ...]]:
    """Number and banned ids of a `redraw` event; what cannot be right counts as nothing."""
    detail = event.detail or {}
    redraw, banned = detail.get("redraw"), detail.get("banned")
    ids = [id for id in banned if isinstance(id, int)] if isinstance(banned, list) else []
    return (
        redraw if isinstance(redraw, int) and 0 <= redraw < 2**31 else 0,
        tuple(id for id in ids if 0 <= id < vocabulary),
    )
