"""Questions answered side by side, in a thread of the model's own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from turns import DATE, session, tokens, turn

from entropix_mlx.evaluation import answer_queue
from entropix_mlx.evaluation.answer_queue import AnswerQueue
from entropix_mlx.evaluation.answered import Question, Seeds, answered
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_models import devices, loader
from entropix_models.errors import DamagedFileError, EntropixError
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources

ASKED = [("Hello", 1), ("Hello", 2), ("One", 1), ("A longer one", 5)]


def question(
    model: LanguageModel, text: str, seed: int, preset: str = "temperature", count: int = 8
) -> Question:
    ids = model.tokenizer.chat([{"role": "user", "content": text}], date=DATE)
    request = TurnRequest(text, max_tokens=count, ids=tuple(ids))
    return Question(request, Settings.make(preset), seed)


def alone(model: LanguageModel, text: str, seed: int, preset: str = "temperature") -> list[int]:
    return [r.id for r in tokens(turn(session(model, preset, seed=seed), text, 8))]


def test_each_by_its_seed_and_sampler(llama: LanguageModel) -> None:
    asked = [(text, seed, preset) for text, seed in ASKED for preset in ("temperature", "original")]
    found = dict(answered(llama, [question(llama, *one) for one in asked], rows=3))
    for n, one in enumerate(asked):
        assert [r.id for r in found[n].tokens] == alone(llama, *one)
        assert found[n].end.tokens == len(found[n].tokens)


def test_special_tokens_are_no_text(llama: LanguageModel, scripted: Callable[[str], None]) -> None:
    scripted("so")
    ((_, one),) = answered(llama, [question(llama, "Hello", 1)], rows=1)
    assert one.text(llama.tokenizer) == "so"
    assert [r.text for r in one.said(llama.tokenizer)] == ["s", "o"]
    assert len(one.tokens) == 3


def test_seeds_depend_on_the_prompt_and_how_often_it_came() -> None:
    def drawn(prompts: list[list[int]], seed: int = 7) -> list[tuple[int, int]]:
        seeds = Seeds()
        return sorted((prompt[0], seeds.next(seed, prompt)) for prompt in prompts)

    first = drawn([[1], [2], [1]])
    assert first == drawn([[1], [1], [2]])
    assert len(set(first)) == 3
    assert not set(first) & set(drawn([[1], [2], [1]], seed=8))


@pytest.fixture
def queue(llama_folder: Path) -> Iterator[AnswerQueue]:
    def load() -> LanguageModel:
        return loader.load(sources.resolve(str(llama_folder)), devices.choose("cpu"))

    made = AnswerQueue(load, rows=3)
    yield made
    made.close()


def test_from_many_threads(queue: AnswerQueue, llama: LanguageModel) -> None:
    def ask(one: tuple[str, int]) -> list[int]:
        return [r.id for r in queue.ask(question(llama, *one)).result().tokens]

    with ThreadPoolExecutor(len(ASKED)) as pool:
        found = list(pool.map(ask, ASKED))
    assert found == [alone(llama, *one) for one in ASKED]


def test_those_that_wait_are_answered_together(
    queue: AnswerQueue, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, groups = threading.Event(), threading.Event(), []

    def held(model: LanguageModel, questions: list[Question], *others: Any) -> Any:
        groups.append(len(questions))
        begun.set()
        go.wait()
        return answered(model, questions, *others)

    monkeypatch.setattr(answer_queue, "answered", held)
    futures = [queue.ask(question(llama, "Hello", 1))]
    begun.wait()
    futures += [queue.ask(question(llama, *one)) for one in ASKED]
    gone = queue.ask(question(llama, "Nobody waits for this", 1))
    assert gone.cancel()
    go.set()
    assert [len(one.result().tokens) > 0 for one in futures] == [True] * 5
    assert groups == [1, 4]


def test_an_error_is_of_those_it_struck(
    queue: AnswerQueue, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise DamagedFileError("the logits are not finite")

    with monkeypatch.context() as patch:
        patch.setattr(answer_queue, "answered", fail)
        with pytest.raises(DamagedFileError, match="not finite"):
            queue.ask(question(llama, "Hello", 1)).result()
    assert queue.ask(question(llama, "Hello", 1)).result().tokens


def test_closing_breaks_off(queue: AnswerQueue, llama: LanguageModel) -> None:
    future = queue.ask(question(llama, "Hello", 1, count=400))
    queue.close()
    with pytest.raises(EntropixError, match="was closed"):
        future.result()
    with pytest.raises(EntropixError, match="was closed"):
        queue.ask(question(llama, "Hello", 1))


def test_what_loading_raises() -> None:
    def fail() -> LanguageModel:
        raise DamagedFileError("no model at all")

    with pytest.raises(DamagedFileError, match="no model at all"):
        AnswerQueue(fail, rows=1)
