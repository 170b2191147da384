"""The provider of inspect-ai, found by its entry point, on a local task."""

import asyncio
import gc
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from turns import DATE, session, tokens, turn

from entropix_models.errors import ModelNotFoundError, UsageError
from entropix_models.language_model import LanguageModel

DATA = Path(__file__).parents[1] / "data" / "harness"

pytestmark = [
    pytest.mark.harness,
    pytest.mark.slow,
    pytest.mark.usefixtures("harness_logs"),
    pytest.mark.filterwarnings("ignore"),  # of many libraries
]

pytest.importorskip("inspect_ai", reason="needs inspect-ai: pip install -e '.[eval]'")


@pytest.fixture(scope="module")
def model(llama_folder: Path) -> Iterator[Any]:
    """By its name alone: nothing of ours was imported for it."""
    from inspect_ai.model import get_model

    made = get_model(
        f"entropix_mlx/{llama_folder}", device="cpu", seed=3, rows=4, date=str(DATE), memoize=False
    )
    yield made
    made.api.close()


def said(model: Any, messages: Any, **config: Any) -> Any:
    from inspect_ai.model import GenerateConfig

    return asyncio.run(model.generate(messages, config=GenerateConfig(**config)))


def test_an_answer(model: Any, llama: LanguageModel) -> None:
    output = said(model, "Hello", temperature=0, max_tokens=7)
    records = tokens(turn(session(llama, "greedy"), "Hello", 7))
    assert output.completion == "".join(record.text for record in records)
    assert output.stop_reason == "max_tokens"
    read = len(llama.tokenizer.chat([{"role": "user", "content": "Hello"}], date=DATE))
    usage = output.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (read, 7, read + 7)
    assert output.metadata["sampler"]["preset"] == "greedy"


def test_nothing_asked_for_is_the_usual_sampler(model: Any, llama: LanguageModel) -> None:
    output = said(model, "Hello", max_tokens=9)
    drawn = turn(session(llama, "calibrated", seed=output.metadata["seed"]), "Hello", 9)
    assert output.completion == "".join(record.text for record in tokens(drawn))


def test_messages(model: Any, llama: LanguageModel) -> None:
    from inspect_ai.model import (
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageUser,
        ContentText,
    )

    messages = [
        ChatMessageSystem(content="Be brief."),
        ChatMessageUser(content=[ContentText(text="One")]),
        ChatMessageAssistant(content="Two"),
        ChatMessageUser(content="Three"),
    ]
    begun = ChatMessageAssistant(content="Fo")
    plain: list[Any] = [{"role": one.role, "content": one.text} for one in messages]
    ids = llama.tokenizer.chat(plain, date=DATE)
    assert model.api._ids(messages) == ids
    assert model.api._ids([*messages, begun]) == ids + llama.tokenizer.encode("Fo")
    assert said(model, [*messages, begun], max_tokens=2).usage.input_tokens == len(ids) + 2


def test_how_answers_end(model: Any, llama: LanguageModel, scripted: Callable[[str], None]) -> None:
    scripted("so it is")
    assert said(model, "Hello").stop_reason == "stop"
    output = said(model, "Hello", stop_seqs=["it"])
    assert (output.completion, output.stop_reason) == ("so ", "stop")
    scripted("so it is so")
    assert said(model, "x" * 485).stop_reason == "model_length"
    assert said(model, "x" * 600).error.endswith("is 512")
    assert llama.info.context_length == 512


def test_log_probabilities(model: Any, llama: LanguageModel) -> None:
    output = said(model, "Hello", temperature=1.5, max_tokens=9, logprobs=True, top_logprobs=3)
    content = output.choices[0].logprobs.content
    seed = output.metadata["seed"]
    made = session(llama, "temperature", seed=seed, overrides={"temperature": "1.5"})
    records = [r for r in tokens(turn(made, "Hello", 9)) if r.id not in llama.tokenizer.special_ids]
    assert [bytes(one.bytes) for one in content] == [bytes.fromhex(r.bytes) for r in records]
    for one, record in zip(content, records, strict=True):
        assert one.logprob == pytest.approx(record.logprob, abs=1e-4)
        assert [top.logprob for top in one.top_logprobs] == pytest.approx(
            [logprob for _, _, logprob, _ in record.candidates[:3]], abs=1e-4
        )
        assert math.fsum(math.exp(top.logprob) for top in one.top_logprobs) <= 1


def test_the_same_question_again(model: Any) -> None:
    """Each time another answer; with the same seed the same ones."""
    config = {"temperature": 2.0, "max_tokens": 8}
    first = [said(model, "Hi", seed=1, **config).completion for _ in range(2)]
    other = [said(model, "Hi", seed=2, **config).completion for _ in range(2)]
    assert len({*first, *other}) == 4


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"frequency_penalty": 1.0}, "does not know frequency_penalty"),
        ({"num_choices": 2}, "an answer has one choice"),
        ({"logprobs": True, "top_logprobs": 20}, "the 8 most likely"),
        ({"temperature": 99.0}, "temperature"),
    ],
)
def test_what_cannot_be_followed(model: Any, config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        said(model, "Hello", **config)


def test_what_it_cannot_read(model: Any) -> None:
    from inspect_ai.model import ChatMessageUser, ContentImage
    from inspect_ai.tool import ToolInfo

    with pytest.raises(UsageError, match="reads text, no image"):
        said(model, [ChatMessageUser(content=[ContentImage(image="data:image/png;base64,AA")])])
    with pytest.raises(UsageError, match="calls no tools"):
        asyncio.run(model.generate("Hello", tools=[ToolInfo(name="t", description="d")]))


def test_a_model_that_is_not_there() -> None:
    from inspect_ai.model import get_model

    with pytest.raises(ModelNotFoundError):
        get_model("entropix_mlx/no-such-model", device="cpu", memoize=False)


def test_a_local_task(llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inspect_ai import eval

    monkeypatch.chdir(DATA)
    (log,) = eval(
        "sentences.py",
        model=f"entropix_mlx/{llama_folder}",
        model_args={"device": "cpu", "sampler": "calibrated", "draws": 3},
        epochs=2,
        max_tokens=6,
        log_dir=str(tmp_path),
        display="none",
    )
    gc.collect()  # what inspect leaves open is told of here, where nobody minds
    assert log.status == "success", log.error
    assert log.samples is not None
    assert len(log.samples) == 10
    outputs = [sample.output for sample in log.samples]
    assert all(output.metadata["sampler"]["draws"] == 3 for output in outputs)
    assert len({output.metadata["seed"] for output in outputs}) == 10
    assert {output.usage.output_tokens for output in outputs} <= set(range(1, 7))
