"""A turn on real weights: what is yielded, what is written, where it stops."""

import datetime
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import mlx.core as mx
import msgspec
import numpy as np
import pytest
from turns import end, plain, session, timeless, tokens, turn, whole

from entropix_mlx.decoding.batch import Batch
from entropix_mlx.records.quadrants import quadrant_of
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord, TurnRecord
from entropix_mlx.sampling.calibration import GUIDE, PROVISIONAL
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.language_model import LanguageModel


class TestDeterminism:
    def test_views_traces_and_speed_change_nothing(self, llama: LanguageModel, file: Path) -> None:
        expected = timeless(turn(session(llama)))
        with TraceWriter(file) as trace:
            traced = turn(session(llama, trace=trace))
        assert timeless(traced) == expected
        slow = []
        for record in session(llama).send("Hello", max_tokens=12):
            mx.eval(mx.ones((400, 400)) @ mx.ones((400, 400)))  # takes its time
            slow.append(record)
        assert timeless(slow) == expected
        one, other = (timeless(turn(session(llama, "temperature", seed=s))) for s in (7, 8))
        assert one != other

    def test_what_is_written_is_what_is_yielded(self, llama: LanguageModel, file: Path) -> None:
        with TraceWriter(file) as trace:
            made = session(llama, trace=trace)
            yielded = turn(made) + turn(made, "And then?")
        assert whole(file).records == yielded
        assert whole(file).header == made.header

    def test_a_seed_is_drawn_and_told(self, llama: LanguageModel) -> None:
        one, other = session(llama, seed=None), session(llama, seed=None)
        assert one.header.seed == one.seed != other.seed
        assert timeless(turn(session(llama, seed=one.seed))) == timeless(turn(one))


class TestQuadrants:
    @pytest.mark.parametrize("name", ["calibrated", "median", "guide"])
    def test_they_are_told_by_the_split_that_the_header_names(
        self, llama: LanguageModel, name: str
    ) -> None:
        made = session(llama, overrides={"quadrants": name})
        split = made.header.quadrant_split
        assert split is not None
        assert split == PROVISIONAL.split_of(name)
        assert made.header.sampler["quadrants"] == name
        for record in tokens(turn(made)):
            assert record.quadrant == quadrant_of(
                record.entropy or 0.0, record.varentropy or 0.0, split
            )

    def test_a_session_has_one_split(self, llama: LanguageModel) -> None:
        made = session(llama, overrides={"quadrants": "guide"})
        assert made.use(Settings.make("calibrated", {"quadrants": "median"})) is None
        event = made.use(Settings.make("temperature", {"quadrants": "median"}))
        assert event is not None
        assert "quadrants" not in (event.detail or {})
        assert made.settings.quadrants == "guide"
        for record in tokens(turn(made)):
            assert record.quadrant == quadrant_of(
                record.entropy or 0.0, record.varentropy or 0.0, GUIDE
            )


class TestHeader:
    def test_fields(self, llama: LanguageModel) -> None:
        header = session(llama, overrides={"top_k": "9"}).header
        assert (header.model, header.revision, header.schema) == ("llama", None, 1)
        assert (header.device, header.dtype) == ("cpu", "float32")
        assert header.sampler["preset"] == "calibrated"
        assert header.sampler["top_k"] == 9
        assert header.sampler["lelv_entropy"] == PROVISIONAL.entropy.low
        assert header.calibration is None
        assert header.seed == 7
        assert header.date is None  # its template prints none
        assert {"entropix-mlx", "mlx", "mlx-lm", "python"} <= header.versions.keys()
        assert datetime.datetime.fromisoformat(header.created).tzinfo is not None

    def test_baselines_have_thresholds_too(self, llama: LanguageModel) -> None:
        sampler = session(llama, "greedy").header.sampler
        assert sampler["hehv_entropy"] == PROVISIONAL.entropy.high
        assert "temperature" not in sampler


class TestRecords:
    def test_indices_make_a_chain(self, llama: LanguageModel) -> None:
        made = session(llama, system="Be brief.")
        records = turn(made, prefill="Well,") + turn(made, "More")
        places = [r for r in records if isinstance(r, PromptRecord | TokenRecord)]
        assert [r.index for r in places] == list(range(len(places)))
        assert [r.parent for r in places] == list(range(-1, len(places) - 1))
        prompts = [r for r in records if isinstance(r, PromptRecord)]
        assert [r.role for r in prompts] == ["system", "user", "assistant", "user"]
        ends = [r for r in records if isinstance(r, End)]
        assert ends[0].leaf == places.index(prompts[-1]) - 1
        assert ends[1].leaf == len(places) - 1

    def test_prompts_tell_every_id_of_the_context(self, llama: LanguageModel) -> None:
        made = session(llama, system="Be brief.")
        records = turn(made, prefill="Well,") + turn(made, "More")
        told: list[int] = []
        for record in records:
            told += record.ids if isinstance(record, PromptRecord) else []
            told += [record.id] if isinstance(record, TokenRecord) else []
        assert told == made.ids

    def test_the_template_is_that_of_transformers(
        self, llama: LanguageModel, llama_folder: Path
    ) -> None:
        from transformers import PreTrainedTokenizerFast

        made = session(llama, system="Be brief.")
        first = turn(made, "Où est-ce?")[1]
        assert isinstance(first, PromptRecord)
        reference = PreTrainedTokenizerFast.from_pretrained(llama_folder)
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Où est-ce?"},
        ]
        expected = reference.apply_chat_template(messages, add_generation_prompt=True)
        assert first.ids == list(getattr(expected, "input_ids", expected))

    def test_raw_text_is_text_with_its_special_tokens(self, llama: LanguageModel) -> None:
        prompt = turn(session(llama), "a<|im_end|>b", raw=True)[0]
        assert isinstance(prompt, PromptRecord)
        assert prompt.ids == [*llama.tokenizer.encode("a"), 1, *llama.tokenizer.encode("b")]
        typed = turn(session(llama), "a<|im_end|>b")[0]
        assert isinstance(typed, PromptRecord)
        assert typed.ids.count(1) == 1  # the template's own

    def test_a_text_comes_to_the_ids_that_are_given(self, llama: LanguageModel) -> None:
        made = session(llama)
        request = TurnRequest("as it reads", max_tokens=1, ids=(70, 71, 1), prefill="é")
        prompt = next(iter(made.run(request)))
        assert isinstance(prompt, PromptRecord)
        assert prompt.text == "as it reads"
        assert prompt.ids == [70, 71, 1, *llama.tokenizer.encode("é")]
        blank = TurnRequest("", max_tokens=1, ids=(70,))
        assert next(iter(session(llama).run(blank))) == msgspec.structs.replace(
            prompt, text="", ids=[70]
        )

    def test_texts_are_the_plain_output(self, llama: LanguageModel) -> None:
        """Random bytes, so characters are torn and broken."""
        found = tokens(turn(session(llama, "temperature", overrides={"temperature": "3"}), "x", 60))
        text = "".join(r.text for r in found)
        decoded = plain(llama, found)
        assert decoded.startswith(text)
        assert len(decoded) - len(text) <= 1  # a last character that was not complete
        assert all(bytes.fromhex(r.bytes) == llama.tokenizer.token_bytes(r.id) for r in found)
        assert any(not r.text for r in found)

    def test_the_end_token_is_a_record_without_text(
        self, llama: LanguageModel, scripted: Callable[[str], None]
    ) -> None:
        scripted("é!")
        records = turn(session(llama), max_tokens=50)
        found = tokens(records)
        assert [r.text for r in found] == ["", "é", "!", ""]
        assert found[-1].id in llama.tokenizer.stop_ids
        assert bytes.fromhex(found[-1].bytes).startswith(b"<|")
        assert end(records).finish_reason == "stop"
        assert end(records).tokens == 4

    def test_every_measure_is_there(self, llama: LanguageModel) -> None:
        for record in tokens(turn(session(llama))):
            values = (record.entropy, record.varentropy, record.attn_entropy, record.logprob)
            assert all(value is not None and np.isfinite(value) for value in values)
            assert record.ms is not None
            assert record.ms > 0
            assert record.quadrant
            assert record.region
            assert 8 <= len(record.candidates) <= 9
            assert record.id in [c[0] for c in record.candidates]
        unseen = tokens(turn(session(llama, "greedy", overrides={"capture": "false"})))
        assert all(r.attn_entropy is r.agreement is r.interaction_strength is None for r in unseen)

    COURSE = (*[6.0] * 20, *[1.0] * 20, *[6.0] * 25, *[0.5] * 20, *[6.0] * 25)

    def along(
        self, course: Sequence[float], made: Session, patching: pytest.MonkeyPatch, last: int = -1
    ) -> list[TurnRecord]:
        """A turn whose tokens have these entropies; it is left at record `last`."""
        read, entropies = Batch._read, iter(course)
        with patching.context() as patch:
            patch.setattr(
                Batch, "_read", lambda *a: read(*a)._replace(entropy=next(entropies), id=70)
            )
            records = []
            running = made.send("Hello", max_tokens=len(course))
            for record in running:
                records.append(record)
                if isinstance(record, TokenRecord) and record.index == last:
                    running.close()
        return records

    @pytest.mark.slow
    def test_valleys_are_where_the_entropies_have_them(
        self, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Against SciPy, over the same moving average."""
        from scipy.signal import find_peaks

        course = self.COURSE
        records = self.along(course, session(llama), monkeypatch)
        smooth = [course[0]]
        for value in course[1:]:
            smooth.append(0.05 * value + 0.95 * smooth[-1])
        bottoms, _ = find_peaks(-np.array(smooth), prominence=PROVISIONAL.valley_delta)
        events = [r for r in records if isinstance(r, Event)]
        first = tokens(records)[0].index
        assert [e.at for e in events] == [first + int(at) for at in bottoms]
        assert len(events) == 2
        for event in events:
            before = records[records.index(event) - 1]
            assert isinstance(before, TokenRecord)
            assert before.index == event.index > (event.at or 0)

    @pytest.mark.slow
    def test_a_valley_is_told_of_a_token_that_was_the_last_one_looked_at(
        self, llama: LanguageModel, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        records = self.along(self.COURSE, session(llama), monkeypatch)
        valley, *_ = (record for record in records if isinstance(record, Event))
        with TraceWriter(file) as trace:
            made = session(llama, trace=trace)
            *_, last = self.along(self.COURSE, made, monkeypatch, last=valley.index)
        assert isinstance(last, TokenRecord)
        assert whole(file).records[-2] == valley


class TestStopping:
    def test_stop_texts(self, llama: LanguageModel, scripted: Callable[[str], None]) -> None:
        scripted("one two three")
        made = session(llama)
        records = turn(made, max_tokens=50, stop=[" thr", "zzz"])
        found = tokens(records)
        assert "".join(r.text for r in found) == "one two"
        assert plain(llama, found) == "one two thr"
        assert end(records).finish_reason == "stop"
        assert end(records).tokens == len("one two thr")
        assert made.ids[-len(found) :] == [r.id for r in found]

    def test_length(self, llama: LanguageModel) -> None:
        records = turn(session(llama, "greedy"), max_tokens=3)
        assert end(records).finish_reason == "length"
        assert end(records).tokens == len(tokens(records)) == 3

    def test_no_tokens(self, llama: LanguageModel, file: Path) -> None:
        with TraceWriter(file) as trace:
            records = turn(session(llama, trace=trace), max_tokens=0)
        assert [type(r) for r in records] == [PromptRecord, End]
        assert end(records).finish_reason == "length"
        assert whole(file).records == records

    def test_stop_from_another_thread(self, llama: LanguageModel, file: Path) -> None:
        with TraceWriter(file) as trace:
            made = session(llama, "greedy", trace=trace)
            records = []
            for record in made.send("Hello", max_tokens=400):
                records.append(record)
                if len(tokens(records)) == 3:
                    thread = threading.Thread(target=made.stop)
                    thread.start()
                    thread.join()
        assert end(records).finish_reason == "interrupted"
        assert end(records).tokens == 3
        assert whole(file).records == records
        assert end(turn(made, "Again", 2)).finish_reason == "length"

    def test_prefill_is_interrupted(self, llama: LanguageModel, file: Path) -> None:
        made: list[Session] = []

        def progress(_stage: str, done: int, _total: int | None, unit: str) -> None:
            assert unit == "tokens"
            if done >= 64:
                made[0].stop()

        with TraceWriter(file) as trace:
            made.append(session(llama, trace=trace, progress=progress))
            records = turn(made[0], "long " * 60)
        assert [type(r) for r in records] == [PromptRecord, End]
        assert end(records).finish_reason == "interrupted"
        assert whole(file).records == records

    @pytest.mark.parametrize("stop", [[], ["\0never", "ab\0never"]])
    @pytest.mark.parametrize("taken", [1, 2, 5])
    def test_leaving_early(
        self,
        llama: LanguageModel,
        file: Path,
        scripted: Callable[[str], None],
        taken: int,
        stop: list[str],
    ) -> None:
        """The file ends with an end, and holds every token that the context holds."""
        scripted("xyababab\0zz")
        with TraceWriter(file) as trace:
            made = session(llama, trace=trace)
            running = made.send("Hello", max_tokens=50, stop=stop)
            for _ in range(taken):
                next(running)
            running.close()
        trace_read = whole(file)
        last = trace_read.records[-1]
        assert isinstance(last, End)
        assert last.finish_reason == "interrupted"
        told = tokens(trace_read.records)
        assert last.tokens == len(told)
        places = [r.index for r in trace_read.records if isinstance(r, PromptRecord | TokenRecord)]
        assert places == list(range(len(places)))
        assert last.leaf == places[-1]
        prompt = trace_read.records[0]
        assert isinstance(prompt, PromptRecord)
        assert made.ids == prompt.ids + [r.id for r in told]

    def test_leaving_while_a_record_waits(
        self, llama: LanguageModel, file: Path, scripted: Callable[[str], None]
    ) -> None:
        """Several records are settled at once; who leaves after the first loses none."""
        scripted("xabcabd..")
        with TraceWriter(file) as trace:
            made = session(llama, trace=trace)
            running = made.send("Hello", max_tokens=50, stop=["abcabx"])
            assert [type(next(running)) for _ in range(3)] == [
                PromptRecord,
                TokenRecord,
                TokenRecord,
            ]
            running.close()
        told = tokens(whole(file).records)
        assert "".join(r.text for r in told) == "xabcabd"
        assert made.ids[-7:] == [r.id for r in told]
