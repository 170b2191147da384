"""Traces under their model once more: numbers that stand, numbers that were changed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from turns import session, tokens, turn, whole

from entropix_mlx.checks.rerun import rerun
from entropix_mlx.checks.verify import COMPARED, circumstances, tolerances, verify
from entropix_mlx.debugger.commands import execute
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import Refused
from entropix_mlx.decoding.make_records import header_of
from entropix_mlx.decoding.score import score
from entropix_mlx.records.record import Event, PromptRecord, RunHeader, TokenRecord
from entropix_mlx.sampling.calibration import METRICS, PROVISIONAL
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.trace.trace import Trace, TraceWriter
from entropix_models.errors import TraceError
from entropix_models.language_model import LanguageModel


@pytest.fixture
def file(tmp_path: Path, llama: LanguageModel) -> Path:
    """Two turns, a branch of the first answer, settings and a seed that change on the way."""
    path = tmp_path / "run.jsonl"
    made = session(llama, trace=TraceWriter(path), score_prompts=True)
    first = tokens(turn(made, "One", 14))
    turn(made, "Two", 10)
    list(made.run(TurnRequest(max_tokens=9, after=first[4].index, force=(11, 12), seed=99)))
    hot = Settings.make("temperature", {"temperature": "3"})
    for record in made.send("Three", max_tokens=12):
        if isinstance(record, TokenRecord) and len(made.ids) % 7 == 0:
            made.use(hot)
    made.close()
    return path


def checked(llama: LanguageModel, trace: Trace) -> Any:
    return verify(llama, trace, Settings.make(trace.header.sampler["preset"]))


def changed(trace: Trace, index: int, **fields: Any) -> Trace:
    records = [
        msgspec.structs.replace(r, **fields)
        if isinstance(r, TokenRecord) and r.index == index
        else r
        for r in trace.records
    ]
    return replace(trace, records=records)


def a_token(trace: Trace) -> TokenRecord:
    return [r for r in trace.records if isinstance(r, TokenRecord)][20]


@pytest.mark.slow
def test_what_was_recorded_stands_in_every_branch(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    found = checked(llama, trace)
    assert found.stands
    assert not found.unread
    drawn = sum(isinstance(r, TokenRecord) for r in trace.records)
    scored = sum(len(r.records or ()) for r in trace.records if isinstance(r, PromptRecord))
    assert found.tokens == drawn + scored - 1, "the very first met no distribution"
    assert {off.metric for off in found.deviations if off.compared} == set(COMPARED)
    assert all(off.greatest < 1e-3 for off in found.deviations if off.metric != "rank")


@pytest.mark.slow
@pytest.mark.parametrize("metric", [*METRICS, "logprob", "rank"])
def test_a_number_that_was_changed_is_found(llama: LanguageModel, file: Path, metric: str) -> None:
    trace = whole(file)
    record = a_token(trace)
    value = getattr(record, metric)
    wrong = value + 5 + value // 2 if metric == "rank" else value * 1.05 + 0.01
    found = checked(llama, changed(trace, record.index, **{metric: wrong}))
    assert not found.stands
    (beyond,) = [off for off in found.deviations if off.beyond]
    assert (beyond.metric, beyond.at, beyond.beyond) == (metric, record.index, 1)


@pytest.mark.slow
def test_a_candidate_or_bytes_that_were_changed_are_found(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    record = a_token(trace)
    id, text, logprob, p = record.candidates[0]
    other = [(id, text, logprob - 0.1, p), *record.candidates[1:]]
    found = checked(llama, changed(trace, record.index, candidates=other))
    assert [off.metric for off in found.deviations if off.beyond] == ["candidates"]
    found = checked(llama, changed(trace, record.index, bytes="00ff"))
    assert found.wrong_bytes == [record.index]
    assert not found.stands


def test_a_quadrant_that_was_changed_is_found(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    record = a_token(trace)
    other = "LELV" if record.quadrant != "LELV" else "HEHV"
    found = checked(llama, changed(trace, record.index, quadrant=other))
    (beyond,) = [off for off in found.deviations if off.beyond]
    assert (beyond.metric, beyond.at, beyond.beyond) == ("quadrant", record.index, 1)
    assert not found.stands
    split = trace.header.quadrant_split
    assert split is not None
    higher = msgspec.structs.replace(split, entropy=20.0)
    elsewhere = msgspec.structs.replace(trace.header, quadrant_split=higher)
    assert not checked(llama, replace(trace, header=elsewhere)).stands


def test_a_trace_without_a_split_is_not_asked_for_its_quadrants(
    llama: LanguageModel, file: Path
) -> None:
    trace = whole(file)
    older = msgspec.structs.replace(trace.header, quadrant_split=None)
    found = checked(llama, replace(changed(trace, 5, quadrant="HEHV"), header=older))
    assert found.stands
    assert {off.metric for off in found.deviations if not off.compared} == {"quadrant"}


def test_an_id_that_was_changed_spoils_what_follows(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    record = a_token(trace)
    assert not checked(llama, changed(trace, record.index, id=record.id ^ 1)).stands


def test_ids_of_another_model_are_refused(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    with pytest.raises(TraceError, match="name the model"):
        checked(llama, changed(trace, a_token(trace).index, id=2**40))


def test_what_lost_its_beginning_is_counted(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    cut = replace(trace, records=[r for r in trace.records if getattr(r, "index", 0) != 0])
    found = checked(llama, cut)
    assert found.unread == sum(isinstance(r, TokenRecord) for r in trace.records)
    assert not found.tokens


@pytest.mark.slow
def test_all_is_generated_again(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    assert sum(isinstance(r, Event) and r.kind == "setting" for r in trace.records) >= 2
    found = rerun(llama, trace, file)
    assert found.parting is None
    assert found.same == sum(isinstance(r, TokenRecord) for r in trace.records)


@pytest.mark.parametrize("said", [{"clarify": "guide"}, {"clarify": True}, {}])
def test_a_trace_from_when_a_text_was_inserted_by_default(
    llama: LanguageModel, tmp_path: Path, said: dict[str, Any]
) -> None:
    """It was a switch, and before that no setting at all."""
    path = tmp_path / "run.jsonl"
    inserting = {"lelv_entropy": "0", "helv_entropy": "0", "helv_varentropy": "1000"}
    inserting |= {"clarify": "true", "resamples": "1"}
    made = session(llama, trace=TraceWriter(path), score_prompts=True, overrides=inserting)
    recorded = tokens(turn(made, "One", 14))
    made.close()
    assert [r.forced for r in recorded[:5]] == [*["clarify"] * 4, None]
    trace = whole(path)
    new = ("clarify", "resamples")
    sampler = {k: v for k, v in trace.header.sampler.items() if k not in new} | said
    trace = replace(trace, header=msgspec.structs.replace(trace.header, sampler=sampler))
    assert checked(llama, trace).stands
    again = rerun(llama, trace, path)
    assert (again.same, again.parting) == (len(recorded), None)


def test_another_seed_parts_at_once(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    header: RunHeader = msgspec.structs.replace(trace.header, seed=8)
    found = rerun(llama, replace(trace, header=header), file)
    assert found.parting is not None
    drawn = [r for r in trace.records if isinstance(r, TokenRecord)]
    assert found.parting.recorded == drawn[found.same]
    assert found.parting.now is not None
    assert found.parting.now.id != found.parting.recorded.id


@pytest.mark.slow
def test_forced_tokens_within_an_answer(llama: LanguageModel, file: Path) -> None:
    trace = whole(file)
    record = a_token(trace)
    forced = changed(trace, record.index, id=42, forced="user")
    found = rerun(llama, forced, file)
    at = [r.index for r in trace.records if isinstance(r, TokenRecord)].index(record.index)
    assert found.same > at, "the token is forced, what comes after it may be another"


def test_what_a_debugger_decided_is_decided_again(llama: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    hot = {"temperature": "4"}
    made = Debugger(session(llama, "temperature", overrides=hot, trace=TraceWriter(path)))
    for line in (
        "ask One", "redraw 3", "step", "ban", "ban", "step", "step", "redraw", "set temperature=9",
        "step", "ban", "redraw", "take 2", "step", "step", "rewind 3", "ban", "step", "redraw 5",
        "step", "redraw", "ask Two", "ban", "step", "step",
    ):  # fmt: skip
        for output in execute(made, line):
            assert not isinstance(output, Refused), output.message
    made.leave()
    made.session.close()
    trace = whole(path)
    again = [r for r in trace.records if isinstance(r, Event) and r.kind == "redraw"]
    assert len(again) >= 5
    assert any(len(event.detail["banned"]) == 2 for event in again if event.detail)
    found = rerun(llama, trace, path)
    assert found.parting is None
    assert found.same == sum(isinstance(r, TokenRecord) for r in trace.records)
    without = replace(trace, records=[r for r in trace.records if r not in again])
    assert rerun(llama, without, path).parting is not None
    nonsense = [
        msgspec.structs.replace(r, detail={"redraw": "x", "banned": [-1, 10**9, None, 1.5]})
        if r in again
        else r
        for r in trace.records
    ]
    assert rerun(llama, replace(trace, records=nonsense), path).parting is not None


def test_nothing_was_generated(llama: LanguageModel, file: Path) -> None:
    header = msgspec.structs.replace(whole(file).header, sampler={})
    with pytest.raises(TraceError, match="nothing to generate"):
        rerun(llama, replace(whole(file), header=header), file)


def test_what_is_another_than_it_was(llama: LanguageModel, file: Path) -> None:
    header = whole(file).header
    assert circumstances(header, llama) == []
    versions = header.versions | {"mlx": "0.1"}
    other = msgspec.structs.replace(header, device="metal", dtype="bfloat16", versions=versions)
    said = circumstances(other, llama)
    assert [line.split(":")[0] for line in said] == ["precision", "device", "mlx"]
    assert tolerances(other, llama)["entropy"] > tolerances(header, llama)["entropy"]


@pytest.mark.slow
def test_a_scored_text_longer_than_the_context(llama: LanguageModel) -> None:
    ids = [5 + n * n % 60 for n in range(900)]
    scored = list(score(llama, ids, PROVISIONAL))
    header = header_of(llama, None, PROVISIONAL, seed=None, date=None)
    found = verify(llama, Trace(header, b"", list(scored)), Settings.make("greedy"))
    assert found.stands
    assert found.tokens == 899
    longer = msgspec.structs.replace(header, sampler={"preset": "greedy"})
    with pytest.raises(TraceError, match="reads 512"):
        verify(llama, Trace(longer, b"", list(scored)), Settings.make("greedy"))


@pytest.mark.model
def test_an_answer_of_the_real_model(smollm2: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    made = session(smollm2, "calibrated", trace=TraceWriter(path), score_prompts=True)
    first = tokens(turn(made, "Which is larger, 9.9 or 9.11?", 10))
    list(made.run(TurnRequest(max_tokens=5, after=first[3].index, seed=2)))
    made.close()
    trace = whole(path)
    found = checked(smollm2, trace)
    assert found.stands
    assert {off.metric for off in found.deviations if off.compared} == set(COMPARED)
    again = rerun(smollm2, trace, path)
    assert again.parting is None
    assert again.same == sum(isinstance(r, TokenRecord) for r in trace.records)
    record = first[-1]
    wrong = changed(trace, record.index, attn_entropy=record.attn_entropy + 0.05)  # type: ignore[operator]
    assert not checked(smollm2, wrong).stands
