"""One answer with known records: whatever shows it says the same of it, and what is true."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import read_files
import read_screens
from click.testing import CliRunner
from debugged import Scripted
from driving import chatting
from harness import Driver, hosted, press, scenario, settled
from known_answer import (
    INSERTED,
    LAST,
    SPLITS,
    THIRD,
    UNLIKE,
    UNMEASURED,
    Known,
    Said,
    agree,
    disagreements,
    truth,
)
from scripted import SPLIT, STORY, inspection, token
from test_replay import replaying

from entropix_mlx.analysis.explain import ordinal, plain
from entropix_mlx.cli.main import cli
from entropix_mlx.cli.options import SessionOptions
from entropix_mlx.records.measures import percent
from entropix_mlx.records.quadrants import sentence, told
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.trace.trace import TraceWriter
from entropix_tui.replay.recording import Recording
from entropix_tui.screens.help import HelpBox
from entropix_tui.screens.vocabulary import Vocabulary
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.conversation.view import ConversationView
from entropix_tui.widgets.inspector.candidates import Candidates, TrialCandidates
from entropix_tui.widgets.inspector.facts import Facts
from entropix_tui.widgets.strips.lane import WIDTH
from entropix_tui.widgets.summary import RunSummary

ROOMY = (200, 80)
"""Columns and rows in which every instrument is seen whole."""
LOOKED_AT = (
    "alfa",
    "bravo",
    "golf",
    "hotel",
    UNLIKE,
    THIRD,
    INSERTED,
    UNMEASURED,
    "papa",
    "sierra",
)
"""Tokens of every quadrant, of none, and those that are something special."""


def looked_at(known: Known) -> tuple[str, ...]:
    """All of them under one split; one of each quadrant, and the valley, under the others."""
    if known.name == "calibrated":
        return LOOKED_AT
    first = {known.named(word).quadrant: word for word in (*reversed(LOOKED_AT), THIRD)}
    valleys = [word for word in LOOKED_AT if known.named(word).index in known.valleys]
    return (*first.values(), *valleys)


FIGURES = "tokens, tokens per second, mean entropy, perplexity, valleys, all shares together"
CANDIDATES = "candidate 1, raw 1, raw 3, drawn 1, p, p drawn"
FIELDS = "tokens, strategy, forced, index, entropy, varentropy, temperature, rank, p"
WHY = (
    "candidate 1, raw 2, strategy, temperature, forced, rank, p, p drawn, entropy, varentropy, word"
)
TOLD = {
    "text": "word, forced, valley before",
    "note": "tokens, tokens per second, mean entropy, valleys",
    "status": "context",
    "transport": "tokens",
    "summary": f"{FIGURES}, context, seed",
    "strips": "valleys, valley at, entropy, varentropy",
    "plane": "word, entropy, varentropy",
    "facts": f"{WHY}, index, surprisal, sentence, valley at",
    "candidates": f"{CANDIDATES}, rank",
    "trial": f"{CANDIDATES}, rank, temperature",
    "vocabulary": "rank, p, index, entropy",
    "welcome": "word of HELV, sentence of LEHV, sentence of HEHV",
    "help": "word of HELV, sentence of LEHV, sentence of HEHV",
    "proposal": f"{WHY}, {CANDIDATES}",
    "line": f"{FIGURES}, seed",
    "colours": "quadrant",
    "jsonl": FIELDS,
    "steps": "tokens, index, candidate 3, raw 2, rank, p, strategy, temperature, forced",
    "diff": FIGURES,
    "Markdown": f"{FIGURES}, word of HEHV, seed",
    "CSV": f"{FIELDS}, valleys, valley at",
    "JSON": f"{FIELDS}, valleys, valley at",
    "page": f"{FIGURES}, {FIELDS}, {CANDIDATES}, quadrant, valley at, "
    "surprisal, sentence of HELV, context",
    "picture": "quadrant",
}
"""What each has to tell, of the whole answer and of `THIRD`."""

EACH = pytest.mark.parametrize("name", SPLITS)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> read_files.Call:
    monkeypatch.setenv("COLORTERM", "truecolor")

    def call(*arguments: object) -> tuple[str, str]:
        done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        return done.stdout, done.stderr

    return call


def recorded(folder: Path, known: Known) -> Path:
    path = folder / "known.jsonl"
    with TraceWriter(path) as writer:
        for record in (known.header, *known.records):
            writer.write(record)
    return path


def consistent(known: Known, said: list[Said], *whom: str) -> None:
    """None of it contradicts the records or itself; `whom`: all that had to speak, of all that
    `TOLD` has of them.
    """
    facts = list(truth(known))
    found = disagreements([*facts, *said])
    assert not found, "\n".join(found)
    known_of = {one.what for one in facts}
    unknown = {one.what for one in said} - known_of
    assert not [what for what in unknown if not re.search("^bar of |of the split$", what)]
    for by in whom:
        heard = {one.what for one in said if one.by == by}
        for needed in TOLD[by.rpartition("'s ")[2]].split(", "):
            whats = {needed, *(f"{needed} {of} {THIRD}" for of in ("of", "about"))}
            assert not whats & known_of or whats & heard, f"{by} tells no {needed}"


def test_what_disagrees_is_found() -> None:
    assert agree("12.5", "12.48")
    assert agree("sure", "sure")
    assert not agree("12.5", "12.6")
    assert not agree("27", "28")
    assert not agree("sure", "open")
    assert not agree("-", "0.00")
    one, other = Said("one", "rank", "3"), Said("other", "rank", "2")
    assert disagreements([one, one, Said("one", "p", "2")]) == []
    assert disagreements([one, other]) == ["rank: '2' says other, '3' says one"]


def test_the_scripted_story_does_not_contradict_itself() -> None:
    for record in [token(n, text) for n, text in enumerate(STORY, 1)]:
        rank, logprob, quadrant = record.rank, record.logprob, record.quadrant
        assert rank is not None
        assert logprob is not None
        assert quadrant is not None
        own = record.candidates[rank]
        assert (own[0], own[1], own[2]) == (record.id, record.text, logprob)
        raws = [raw for _, _, raw, _ in record.candidates]
        assert raws == sorted(raws, reverse=True)
        shares = [math.exp(raw) for raw in raws]
        assert sum(shares) <= 1
        assert math.fsum(final for *_, final in record.candidates) == pytest.approx(1)
        assert told(quadrant, SPLIT, shares) == sentence(quadrant, SPLIT)
        said, p = plain(record), percent(math.exp(logprob))
        if rank:
            assert f", {ordinal(rank + 1)}" in said
        if rank < 2:
            assert p in said
        row = inspection(record, [(0, 0)]).head
        assert [one[:3] for one in row[:3]] == [one[:3] for one in record.candidates]
        assert all(one[2] >= other[2] for one, other in pairwise(row))


@EACH
def test_the_answer_has_what_is_to_be_told(name: str) -> None:
    known = Known.of(name)
    quadrants = {record.quadrant for record in known.tokens}
    assert quadrants >= {"LELV", "HELV", "LEHV", "HEHV"}
    assert len(known.valleys) == 1
    assert known.named(THIRD).rank == 2
    assert known.named(INSERTED).forced == "clarify"
    assert known.named(UNMEASURED).entropy is None
    assert known.tokens[-1].text == ""
    if name == "guide":
        assert sum(record.quadrant is None for record in known.tokens) > 1


@EACH
def test_commands_and_files(
    name: str, tmp_path: Path, call: read_files.Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Known.of(name)
    path = recorded(tmp_path, known)
    said = [*read_files.show(call, path, known), *read_files.diff(call, path, known)]
    said += read_files.exports(call, path, known)

    def run(_request: object) -> Iterator[Any]:
        yield from known.records

    model = SimpleNamespace(
        tokenizer=SimpleNamespace(has_chat_template=True), info=SimpleNamespace(name="smollm2-135m")
    )
    session = SimpleNamespace(header=known.header, seed=known.header.seed, run=run, stop=None)
    monkeypatch.setattr("entropix_mlx.cli.generate.load_model", lambda *_: model)
    monkeypatch.setattr("entropix_models.devices.release_thread", lambda: None)
    monkeypatch.setattr(SessionOptions, "begin", lambda *_: session)
    _, told = call("generate", "Which?")
    said += read_files.one_line("generate's line", told.splitlines()[-1], known)
    consistent(
        known,
        said,
        *("generate's line", "trace show's line", "trace show's colours", "trace show's jsonl"),
        *("trace show's steps", "trace's diff"),
        *("Markdown", "CSV", "JSON", "the export's page", "the export's picture"),
    )


# The screens.


async def drawn(driver: Driver, view: ConversationView) -> None:
    """Whatever has come, and where the cursor went, is on the screen."""
    summary = view.side.summary
    await driver.until(
        lambda: (
            view.flush() is None
            and not (view._behind or view._stale)
            and view.strips._dirty_from is None
            and not (summary._dirty and summary.is_on_screen)
        )
    )
    await settled(driver.pilot)


async def of_the_view(by: str, driver: Driver, view: ConversationView, known: Known) -> list[Said]:
    """All that a conversation's screen says of the answer, and of some tokens one by one."""
    app = driver.pilot.app
    await drawn(driver, view)
    words = read_screens.legend(app, view.legend, known)
    strips, tokens = view.strips, view.tokens
    said = [
        *read_screens.text(f"{by}'s text", app, tokens, words),
        *read_screens.note(f"{by}'s note", app, tokens),
        *read_screens.counts(by, app),
        *read_screens.summary(f"{by}'s summary", app, view.side.summary, known),
        *read_screens.split_lines(f"{by}'s strips", app, strips, view.legend),
        *read_screens.strip_marks(f"{by}'s strips", app, strips, WIDTH, known),
    ]
    for word in looked_at(known):
        assert tokens.move_to(TokenRef(known.named(word).index))
        await drawn(driver, view)
        assert view.ref == TokenRef(known.named(word).index)
        said += read_screens.strips(f"{by}'s strips", app, strips, word)
        said += read_screens.plane(f"{by}'s plane", app, view.side.plane, word)
        view.inspector.open_page("token")
        await drawn(driver, view)
        said += read_screens.facts(f"{by}'s facts", app, view.inspector.query_one(Facts), known)
        listed = view.inspector.query_one("#inspector-token").query_one(Candidates)
        said += read_screens.candidates(f"{by}'s candidates", app, listed, word)
        view.inspector.open_page("candidates")
        await drawn(driver, view)
        trial = view.inspector.query_one(TrialCandidates)
        said += read_screens.candidates(f"{by}'s trial", app, trial, word)
    return said


@pytest.mark.slow
@EACH
@scenario
async def test_the_chat(name: str) -> None:
    known = Known.of(name)
    async with chatting(known.session(), size=ROOMY) as chat:
        await chat.phase("ready")
        said = list(read_screens.sentences("the chat's welcome", chat.app))
        await press(chat.pilot, "f1", *"quadrant")
        box = chat.app.screen.query_one(HelpBox)
        said += read_screens.sentences("the chat's help", chat.app, box)
        await press(chat.pilot, "escape", "escape")
        await chat.ask("Which?")
        view = chat.screen.view
        said += await of_the_view("the chat", chat, view, known)
        for word in looked_at(known):
            if word == UNMEASURED:
                continue  # no distribution, no vocabulary
            assert view.tokens.move_to(TokenRef(known.named(word).index))
            await drawn(chat, view)
            view.action_vocabulary()
            await chat.until(lambda: isinstance(chat.app.screen, Vocabulary))
            await settled(chat.pilot)
            said += read_screens.vocabulary("the chat's vocabulary", chat.app, word)
            await press(chat.pilot, "escape")
    consistent(
        known,
        said,
        *parts("the chat", "welcome help status vocabulary"),
    )


def parts(by: str, more: str) -> list[str]:
    """What a conversation's screen has, and `more`."""
    names = f"text note summary strips plane facts candidates trial {more}".split()
    return [f"{by}'s {name}" for name in names]


@pytest.mark.slow
@EACH
@scenario
async def test_the_replay_of_its_trace(name: str) -> None:
    known = Known.of(name)
    recording = Recording(Path("/somewhere/known.jsonl"), known.header, known.records, ())
    async with replaying(recording, size=ROOMY) as replay:
        await replay.shown()
        said = await of_the_view("the replay", replay, replay.screen.view, known)
    consistent(known, said, *parts("the replay", "transport"))


@EACH
@pytest.mark.parametrize("size", [(48, 16), (36, 10), (80, 4)], ids=["table", "dense", "lines"])
@scenario
async def test_the_summary_at_any_height(name: str, size: tuple[int, int]) -> None:
    known = Known.of(name)
    async with hosted(RunSummary, size) as (host, pilot):
        host.split = known.header.quadrant_split
        widget = host.query_one(RunSummary)
        for record in known.records:
            widget.take(record)
        widget.facts(known.header.seed, 2048)
        await settled(pilot)
        said = list(read_screens.summary("the widget's summary", host, widget, known))
    consistent(known, said, "the widget's summary")


@dataclass(kw_only=True)
class Proposing(Scripted):
    """Proposes the known tokens one after another."""

    known: Known

    def record(self, step: int | None = None, **_fields: Any) -> TokenRecord:
        return self.known.tokens[self._said() if step is None else step]

    def _waterfall(self, _rest: str) -> None:
        """It says nothing of these tokens."""


@pytest.mark.slow
@EACH
@scenario
async def test_the_debugger(name: str) -> None:
    known = Known.of(name)
    script = Proposing(known=known)
    said: list[Said] = []
    async with hosted(script.make, ROOMY) as (host, pilot):
        host.split = known.header.quadrant_split
        await settled(pilot)
        screen = script.screen
        assert screen is not None
        for record in known.tokens:
            word = record.text.strip() or LAST
            why, listed = screen.proposal._why, screen.proposal.candidates
            said += read_screens.proposal("the debugger's proposal", host, why, known)
            said += read_screens.candidates("the debugger's proposal", host, listed, word)
            if record is not known.tokens[-1]:
                await press(pilot, "s")
    consistent(known, said, "the debugger's proposal")
