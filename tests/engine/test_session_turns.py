"""A conversation: what stays in the cache between turns, and what errors leave behind."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from turns import end, first_of, session, tokens, turn, whole

from entropix_mlx.decoding.batch import Batch
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.records.record import End, PromptRecord, TurnRecord
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.errors import ContextLengthError, UsageError
from entropix_models.language_model import LanguageModel


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "reason"), [(RuntimeError("gone"), "error"), (KeyboardInterrupt(), "interrupted")]
    )
    def test_in_mid_turn(
        self,
        llama: LanguageModel,
        file: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: BaseException,
        reason: str,
    ) -> None:
        """The trace says so, and the next turn knows exactly what was told."""
        read, calls = Batch._read, iter(range(100))

        def failing(*given: Any) -> Choice:
            if next(calls) == 3:
                raise error
            return read(*given)._replace(id=70)

        with TraceWriter(file) as trace:
            made = session(llama, trace=trace)
            yielded: list[TurnRecord] = []
            with monkeypatch.context() as patch:
                patch.setattr(Batch, "_read", failing)
                with pytest.raises(type(error)):
                    yielded.extend(made.send("Hello", max_tokens=10))
            records = whole(file).records
            last = records[-1]
            assert isinstance(last, End)
            assert (last.finish_reason, last.tokens) == (reason, 3)
            assert len(tokens(records)) == 3
            assert made.ids[-3:] == [70, 70, 70]
            following = turn(made, "Again", 1)
        direct = first_of(llama, made.ids[:-1])
        assert tokens(following)[0].entropy == pytest.approx(direct.entropy, abs=1e-4)

    def test_a_prompt_that_is_too_long(self, llama: LanguageModel, file: Path) -> None:
        with TraceWriter(file) as trace:
            made = session(llama, trace=trace)
            with pytest.raises(ContextLengthError, match="512") as caught:
                made.send("x" * 600, max_tokens=5)
            assert "\n" not in str(caught.value)
            assert trace.count == 0
            assert made.ids == []
            assert len(tokens(turn(made, "x" * 400))) > 0

    def test_the_context_is_never_left(self, llama: LanguageModel) -> None:
        made = session(llama, "greedy")
        records = turn(made, "x" * 470, max_tokens=400)
        assert len(made.ids) <= made.context_length == 512
        if end(records).finish_reason == "length":
            assert len(made.ids) == 512
            with pytest.raises(ContextLengthError):
                made.send("More", max_tokens=1)

    @pytest.mark.parametrize("text", ["", " ", "\n\t "])
    def test_an_empty_prompt(self, llama: LanguageModel, text: str) -> None:
        with pytest.raises(UsageError, match="empty"):
            session(llama).send(text, max_tokens=5)

    def test_a_stream_that_breaks(self, llama: LanguageModel) -> None:
        class Broken(io.BytesIO):
            def write(self, data: Any) -> int:
                if self.tell() > 4000:
                    raise BrokenPipeError
                return super().write(data)

        made = session(llama, trace=TraceWriter(Broken()))
        with pytest.raises(BrokenPipeError):
            turn(made, max_tokens=40)


class TestTurns:
    @pytest.fixture
    def reads(self, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        sizes: list[int] = []
        step = llama.step

        def counting(ids: mx.array, cache: Any, attention: Any = None) -> Any:
            sizes.append(ids.size)
            return step(ids, cache, attention)

        monkeypatch.setattr(llama, "step", counting)
        return sizes

    @pytest.mark.parametrize("leave", [False, True])
    def test_a_second_turn_reads_its_own_tokens_only(
        self, llama: LanguageModel, reads: list[int], leave: bool
    ) -> None:
        made = session(llama)
        if leave:
            running = made.send("Tell me a story", max_tokens=50)
            for _ in range(6):
                next(running)
            running.close()
        else:
            turn(made, "Tell me a story", 5)
        known, read = len(made.ids), sum(reads)
        records = turn(made, "And then?", 5)
        prompt = records[0]
        assert isinstance(prompt, PromptRecord)
        # Every id once: what the answer left unread, the prompt, all tokens but the last.
        assert read <= known <= read + 1
        assert sum(reads) == len(made.ids) - (1 if end(records).finish_reason == "length" else 0)
        assert sum(reads) - read <= 1 + len(prompt.ids) + 5

    def test_turns_are_one_text(self, llama: LanguageModel) -> None:
        made = session(llama)
        turn(made, "One", 6)
        turn(made, "Two", 6, prefill="So ")
        before = len(made.ids)
        records = turn(made, "Three", 1)
        prompt, token = records[0], tokens(records)[0]
        assert isinstance(prompt, PromptRecord)
        expected = first_of(llama, made.ids[: before + len(prompt.ids)])
        assert token.entropy == pytest.approx(expected.entropy, abs=1e-4)
        assert token.varentropy == pytest.approx(expected.varentropy, abs=1e-3)
        theirs = {id: logprob for id, logprob, _ in expected.candidates}
        for id, _, logprob, _ in token.candidates[:8]:
            assert logprob == pytest.approx(theirs[id], abs=1e-4)

    def test_an_interrupted_prompt_is_read_later(self, llama: LanguageModel) -> None:
        made = session(llama)
        made._progress = lambda *_, **__: made.stop()
        assert end(turn(made, "Never mind " * 20)).finish_reason == "interrupted"
        made._progress = lambda *_, **__: None
        records = turn(made, "Go on", 1)
        expected = first_of(llama, made.ids[:-1])
        assert tokens(records)[0].entropy == pytest.approx(expected.entropy, abs=1e-4)

    def test_a_whole_answer_is_not_ended_twice(
        self, llama: LanguageModel, scripted: Callable[[str], None]
    ) -> None:
        scripted("ok")
        made = session(llama)
        turn(made, "One", 10)
        assert made.ids[-1] in llama.tokenizer.stop_ids
        prompt = turn(made, "Two", 1)[0]
        assert isinstance(prompt, PromptRecord)
        assert prompt.ids == llama.tokenizer.encode(
            "\n<|im_start|>user\nTwo<|im_end|>\n<|im_start|>assistant\n", special=True
        )


@pytest.mark.model
class TestRealModel:
    def test_a_conversation(self, smollm2: LanguageModel, file: Path) -> None:
        with TraceWriter(file) as trace:
            made = session(smollm2, "greedy", trace=trace)
            first = turn(made, "What is the capital of France? Answer in one word.", 8)
            known = len(made.ids)
            second = turn(made, "And of Italy?", 2)
        assert "Paris" in "".join(r.text for r in tokens(first))
        prompt = second[0]
        assert isinstance(prompt, PromptRecord)
        expected = first_of(smollm2, made.ids[: known + len(prompt.ids)])
        token = tokens(second)[0]
        assert token.entropy == pytest.approx(expected.entropy, abs=1e-3)
        assert token.id == expected.id
        assert whole(file).records == first + second
        assert made.header.revision == "0.1.2"

    def test_its_own_calibration_is_told(self, smollm2: LanguageModel) -> None:
        from entropix_mlx.sampling.calibration import key, stored

        info = smollm2.info
        made = session(smollm2)
        own = key(info.name, info.revision, info.quantization)
        assert stored(own) is not None
        assert made.header.calibration == own
