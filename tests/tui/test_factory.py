"""Sessions as the engine's thread makes them: saved, resumed, on the model that they need."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from gathering import running
from scripted import HEADER, prompt, token

from entropix_mlx.records.record import End, PromptRecord, TokenRecord
from entropix_mlx.sampling.calibration import Band, Calibration, stored
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.trace.archive import Archive
from entropix_mlx.trace.attention_file import read_attention
from entropix_mlx.trace.trace import TraceWriter, read_trace
from entropix_models.errors import EntropixError, TraceError, UsageError
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.autosave import AutosavedAttention, AutosaveWriter
from entropix_tui.engine.factory import SessionFactory
from entropix_tui.engine.outputs import Failed, Inspected, Loading, Ready, Renewed, Restored
from entropix_tui.engine.protocol import AS_STARTED, Calibrate, Fresh, Resume, Switch
from entropix_tui.replay.recorded_heads import RecordedHeads


def quiet(_stage: str, _done: int, _total: int | None) -> None:
    pass


def test_a_disk_that_fills_up_is_complained_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[str] = []
    kept = AutosaveWriter(TraceWriter(tmp_path / "a.jsonl"), complaints.append)
    kept.write(HEADER)
    kept.write(prompt(0, "hello"))

    def full(_file: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        kept.write(prompt(1, "again"))
        kept.write(prompt(2, "and again"))
    kept.write(prompt(3, "too late"))
    kept.close()
    assert len(complaints) == 1
    assert complaints[0].startswith("not saved from here on: ")
    assert "no space left" in complaints[0]
    trace = read_trace(tmp_path / "a.jsonl")
    assert [record.text for record in trace.records if isinstance(record, PromptRecord)] == [
        "hello"
    ]


def test_so_is_one_that_has_no_room_for_attention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[str] = []
    path = tmp_path / "a.jsonl.attention"
    kept = AutosavedAttention(path, complaints.append, append=False)
    kept.add(1, np.ones((2, 3), np.float32))

    def full(_file: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        kept.add(2, np.ones((2, 3), np.float32))
    kept.add(3, np.ones((2, 3), np.float32))
    kept.close()
    assert len(complaints) == 1
    assert complaints[0].startswith("attention is not saved from here on: ")
    assert read_attention(path).indices.tolist() == [1]


def test_without_an_archive_nothing_can_be_resumed() -> None:
    factory = SessionFactory(Settings.make(), model="smollm2-135m")
    with pytest.raises(UsageError, match="--no-save"):
        factory.past(Resume("any"))


def test_what_is_not_there_cannot_be_resumed(tmp_path: Path) -> None:
    factory = SessionFactory(Settings.make(), archive=Archive(tmp_path))
    with pytest.raises(TraceError, match="no such session"):
        factory.prepare(Resume("any"), quiet)
    (tmp_path / "torn.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(TraceError, match="no header"):
        factory.prepare(Resume("torn"), quiet)


@pytest.mark.parametrize("wish", [AS_STARTED, Fresh("Be kind."), Switch("x")])
def test_only_a_resumed_one_has_a_past(wish: Fresh | Switch) -> None:
    assert SessionFactory(Settings.make()).past(wish) is None


@pytest.mark.model
@pytest.mark.slow
def test_saved_left_and_resumed_on_the_real_model(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    factory = SessionFactory(
        Settings.make("greedy"),
        model="smollm2-135m",
        seed=3,
        archive=archive,
        name="one",
        trace_attention=True,
    )
    with running(factory) as got:
        got.engine.run(TurnRequest("What is the capital of France?", max_tokens=4))
        got.until_count(End)
        first = [record for record in got.outputs if isinstance(record, TokenRecord)]
        got.engine.inspect(first[0].index)
        got.engine.renew(Fresh("Be terse."))
        got.until_count(Ready, 2)
        got.engine.run(TurnRequest("Hello.", max_tokens=2))
        got.until_count(End, 2)
        got.engine.renew(Switch("no-such-model"))
        got.until_count(Failed)
        got.engine.renew(Resume("one"))
        got.until_count(Restored)
        got.until_count(Ready, 3)
        got.engine.run(TurnRequest(max_tokens=2))
        got.until_count(End, 3)
    one, two, three = (ready for ready in got.of(Ready) if isinstance(ready, Ready))
    assert (one.name, one.system, one.settings.preset) == ("one", "", "greedy")
    assert two.name not in (None, "one")
    assert two.system == "Be terse."
    assert (three.name, three.system, three.header.seed) == ("one", "", 3)
    (failed,) = got.of(Failed)
    assert isinstance(failed, Failed)
    assert (failed.scope, "no-such-model" in failed.message) == ("turn", True)
    assert len(got.of(Renewed)) == 2
    roles = [record.role for record in got.outputs if isinstance(record, PromptRecord)]
    assert roles == ["user", "system", "user"]
    records = read_trace(archive.path("one")).records
    assert [record for record in records if isinstance(record, TokenRecord)][:4] == first
    assert records[-1].leaf == first[-1].index + 2  # type: ignore[union-attr]
    drawn = [record for record in records if isinstance(record, TokenRecord)]
    kept = read_attention(archive.attention("one"))
    assert kept.indices.tolist() == [record.index for record in drawn]
    for entropy, record in zip(kept.entropy, drawn, strict=True):
        assert entropy.mean(dtype=float) == pytest.approx(record.attn_entropy, abs=2e-3)
    (inspected,) = got.of(Inspected)
    assert isinstance(inspected, Inspected)
    computed = inspected.inspection.attention
    recalled = RecordedHeads.read(archive.attention("one"), records).at(first[0].index)
    assert computed is not None
    assert recalled is not None
    assert recalled.keys == computed.keys
    np.testing.assert_allclose(recalled.entropy, computed.entropy, atol=2e-3, rtol=1e-3)
    assert len(archive.list()) == 2


@pytest.mark.model
@pytest.mark.slow
def test_a_folder_that_cannot_be_written_does_not_stop_the_conversation(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    factory = SessionFactory(
        Settings.make(), model="smollm2-135m", archive=Archive(blocked / "sessions")
    )
    complaints: list[str] = []
    session, ready = factory(AS_STARTED, None, quiet, complaints.append)
    assert ready.name is None
    assert len(complaints) == 1
    assert complaints[0].startswith("this conversation is not saved: ")
    session.close()


@pytest.mark.model
@pytest.mark.slow
def test_a_model_is_calibrated_and_the_next_session_has_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = stored("smollm2-135m@0.1.2@Q4-1")
    assert shipped is not None
    mine = msgspec.structs.replace(shipped, entropy=Band(0.5, 1.5, 2.5))

    def survey(_model: object, prompts: list[str], told: Callable[[int, int], None]) -> Calibration:
        told(0, 0)
        told(len(prompts), 9)
        return mine

    monkeypatch.setattr("entropix_mlx.session.survey.survey", survey)
    factory = SessionFactory(Settings.make(), model="smollm2-135m")
    with running(factory) as got:
        got.until_count(Ready)
        got.engine.renew(Calibrate())
        got.until_count(Ready, 2)

        def stopped(_model: object, _prompts: object, told: Callable[[int, int], None]) -> None:
            got.engine.stop()
            told(1, 1)

        monkeypatch.setattr("entropix_mlx.session.survey.survey", stopped)
        got.engine.renew(Calibrate())
        got.until_count(Failed)
        got.engine.run(TurnRequest("Hello.", max_tokens=1))
        got.until_count(End)
    before, after = (ready for ready in got.of(Ready) if isinstance(ready, Ready))
    assert before.settings.helv_entropy == shipped.entropy.high
    assert after.calibration == stored(shipped.name) == mine
    assert after.settings.helv_entropy == 2.5
    stages = [output.stage for output in got.outputs if isinstance(output, Loading)]
    assert "calibrating smollm2-135m, prompt" in stages
    (failed,) = (output for output in got.outputs if isinstance(output, Failed))
    assert "Stopped: smollm2-135m has no thresholds" in failed.message


def test_a_session_that_another_program_has_open_is_refused(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    held = archive.open("one")
    try:
        with pytest.raises(EntropixError, match="open in another program"):
            Archive(tmp_path).open("one")
    finally:
        held.close()


def test_the_end_of_a_long_session_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(tmp_path)
    with archive.open("long") as writer:
        for record in (HEADER, prompt(0, "hi"), *(token(n, f" w{n}") for n in range(1, 300))):
            writer.write(record)
    factory = SessionFactory(Settings.make(), archive=archive)
    assert factory.past(Resume("long"), end=True) is None, "short enough to be read at once"
    monkeypatch.setattr("entropix_tui.engine.factory.LONG", 2000)
    monkeypatch.setattr("entropix_tui.engine.factory.ENOUGH", 9000)
    end, whole = factory.past(Resume("long"), end=True), factory.past(Resume("long"))
    assert end is not None
    assert whole is not None
    assert len(whole.records) == 300
    assert list(end.records) == list(whole.records)[-len(end.records) :]
    assert 5 < len(end.records) < 50
    said = Conversation()
    said.apply(end)
    said.apply(whole)
    fresh = Conversation()
    fresh.apply(whole)
    assert said.transcript.blocks[-1].text == fresh.transcript.blocks[-1].text
    assert (said.used, said.branches, len(said.tree)) == (fresh.used, fresh.branches, 300)
