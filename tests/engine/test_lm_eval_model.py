"""The model of lm-eval beside lm-eval's own, on the same weights and a local task."""

import json
import runpy
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from entropix_models.errors import UsageError

DATA = Path(__file__).parents[1] / "data" / "harness"
TASKS = ("sentence_choices", "sentence_answers", "sentence_texts")

pytestmark = [
    pytest.mark.harness,
    pytest.mark.slow,
    pytest.mark.usefixtures("harness_logs"),
    pytest.mark.filterwarnings("ignore"),  # of many libraries
]

pytest.importorskip("lm_eval", reason="needs lm-eval: pip install -e '.[eval]'")


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.chdir(DATA)  # where the tasks' file is
    # It starts pip and others to say with what it was run.
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda _: None)


def asked(*arguments: Any) -> Any:
    from lm_eval.api.instance import Instance

    return Instance("loglikelihood", {}, arguments, 0)


def words(count: int, seed: int = 0) -> str:
    drawn = np.random.default_rng(seed).choice(["one", "two", "three", "é", "Wort", "."], count)
    return " ".join(drawn)


def ours(folder: Path, **arguments: Any) -> Any:
    from entropix_mlx.evaluation.lm_eval_model import EntropixLM

    return EntropixLM(model=str(folder), device="cpu", **arguments)


def hf(folder: Path, **arguments: Any) -> Any:
    """lm-eval's own model of the folder, in float32."""
    pytest.importorskip("accelerate", reason="lm-eval's hf needs accelerate")
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    network = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    return HFLM(pretrained=network, tokenizer=tokenizer, **arguments)


@pytest.fixture(scope="module")
def made(llama_folder: Path) -> Any:
    """`made(**arguments)`: our model of the random Llama."""
    return partial(ours, llama_folder)


@pytest.fixture(scope="module")
def theirs(llama_folder: Path) -> Any:
    """`theirs(**arguments)`: lm-eval's."""
    return partial(hf, llama_folder)


PAIRS = [
    ("The capital", " is Paris"),
    ("The capital", " is Rome"),
    ("The capital ", "is Rome"),  # its space goes to the continuation
    ("", "Hello"),
    ("", "<|im_start|>Hello"),
    ("<|im_start|>user\nHi<|im_end|>\n", "é"),
    (words(200), words(3, 1)),  # longer than the window
    (words(5), words(14, 2)),
]


class TestLikelihoods:
    @pytest.mark.parametrize("max_length", [512, 100])
    def test_of_continuations(self, made: Any, theirs: Any, max_length: int) -> None:
        requests = [asked(*pair) for pair in PAIRS]
        own = made(max_length=max_length).loglikelihood(requests)
        reference = theirs(max_length=max_length, batch_size=3).loglikelihood(requests)
        for (logprob, is_greedy), (theirs_, greedy) in zip(own, reference, strict=True):
            assert logprob == pytest.approx(theirs_, abs=1e-3)
            assert is_greedy == greedy

    @pytest.mark.parametrize("max_length", [512, 40])
    def test_of_whole_texts(self, made: Any, theirs: Any, max_length: int) -> None:
        requests = [asked(words(count, count)) for count in (1, 30, 9)]
        own = made(max_length=max_length).loglikelihood_rolling(requests)
        reference = theirs(max_length=max_length, batch_size=2).loglikelihood_rolling(requests)
        assert own == pytest.approx(reference, abs=1e-3)

    def test_what_is_most_likely(self, made: Any, theirs: Any) -> None:
        (best,) = made().generate_until([asked("Hello", {"max_gen_toks": 3})])
        requests = [asked("Hello", best), asked("Hello", best + "x")]
        assert [greedy for _, greedy in made().loglikelihood(requests)] == [True, False]
        assert [greedy for _, greedy in theirs().loglikelihood(requests)] == [True, False]


def test_a_model_whose_texts_begin_with_a_token(
    make_llama: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_llama(tmp_path / "llama")
    spec = json.loads((folder / "tokenizer.json").read_text())
    begin = {"id": "<|im_start|>", "ids": [0], "tokens": ["<|im_start|>"]}
    single = [
        {"SpecialToken": {"id": begin["id"], "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    spec["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {begin["id"]: begin},
    }
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    own, reference = ours(folder), hf(folder)
    for text in ("Hello", "<|im_start|>Hello", ""):
        for special in (None, False):
            found = own.tok_encode(text, add_special_tokens=special)
            assert found == reference.tok_encode(text, add_special_tokens=special)
    requests = [asked(*pair) for pair in PAIRS]
    for (logprob, _), (theirs_, _) in zip(
        own.loglikelihood(requests), reference.loglikelihood(requests), strict=True
    ):
        assert logprob == pytest.approx(theirs_, abs=1e-3)
    texts = [asked(words(9))]
    assert own.loglikelihood_rolling(texts) == pytest.approx(
        reference.loglikelihood_rolling(texts), abs=1e-3
    )


CONTEXTS = ("The capital", "One two", words(150), "Hi")


class TestAnswers:
    @pytest.mark.parametrize("max_length", [512, 60])
    def test_greedy_ones(self, made: Any, theirs: Any, max_length: int) -> None:
        requests = [asked(text, {"max_gen_toks": 12, "until": []}) for text in CONTEXTS]
        own = made(max_length=max_length).generate_until(requests)
        assert own == theirs(max_length=max_length, batch_size=1).generate_until(requests)

    def test_they_end_before_texts(self, made: Any, theirs: Any) -> None:
        (whole,) = made().generate_until([asked("Hi", {"max_gen_toks": 20})])
        until = [whole[5:7], "never said"]
        request = asked("Hi", {"max_gen_toks": 20, "until": until})
        (own,) = made().generate_until([request])
        assert own == whole[: whole.index(until[0])]
        assert [own] == theirs().generate_until([request])

    def test_drawn_ones_by_the_seed(self, made: Any) -> None:
        requests = [asked("Hi", {"do_sample": True, "temperature": 1.0, "max_gen_toks": 8})] * 3
        first = made(seed=1).generate_until(requests)
        assert len(set(first)) == 3
        assert made(seed=1, rows=1).generate_until(requests) == first
        assert made(seed=2).generate_until(requests) != first

    def test_by_a_sampler(self, made: Any) -> None:
        request = asked("Hi", {"do_sample": False, "temperature": 0.0, "max_gen_toks": 8})
        greedy, drawn = (
            made(**of).generate_until([request])
            for of in ({}, {"sampler": "temperature", "temperature": 3})
        )
        assert greedy != drawn

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"num_beams": 4}, "asks for num_beams, which is not known here"),
            ({"max_gen_toks": 512}, "an answer of 512 tokens leaves no room"),
            ({"do_sample": True, "temperature": 99.0}, "temperature"),
        ],
    )
    def test_what_cannot_be_followed(self, made: Any, given: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            made().generate_until([asked("Hi", given)])


def test_the_chat_template(made: Any, theirs: Any) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Où?"},
        {"role": "assistant", "content": "In"},
    ]
    own, reference = made(), theirs()
    assert own.apply_chat_template(messages[:2]) == reference.apply_chat_template(messages[:2])
    begun = own.apply_chat_template(messages, add_generation_prompt=False)
    assert begun == reference.apply_chat_template(messages, add_generation_prompt=False)
    assert own.tok_encode(begun) == reference.tok_encode(begun)
    assert own.prefix_token_id == reference.prefix_token_id
    assert own.eot_token_id == reference.eot_token_id


@pytest.fixture
def tasks() -> Iterator[Any]:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(DATA), include_defaults=False)


@pytest.mark.parametrize("chat", [False, True])
def test_a_local_task(llama_folder: Path, tasks: Any, theirs: Any, chat: bool) -> None:
    from lm_eval import simple_evaluate

    import entropix_mlx.evaluation.lm_eval_model  # noqa: F401 (so that its name is known)

    common: dict[str, Any] = {
        "tasks": list(TASKS),
        "task_manager": tasks,
        "num_fewshot": 1,
        "apply_chat_template": chat,
        "bootstrap_iters": 0,
    }
    own = simple_evaluate(
        model="entropix_mlx", model_args=f"model={llama_folder},device=cpu,seed=3,rows=4", **common
    )
    reference = simple_evaluate(model=theirs(batch_size=4), **common)
    for name in TASKS:
        for metric, value in reference["results"][name].items():
            if isinstance(value, float):
                assert own["results"][name][metric] == pytest.approx(value, rel=1e-4), metric
        for ours, one in zip(own["samples"][name], reference["samples"][name], strict=True):
            assert ours["arguments"] == one["arguments"]
    assert [len(own["samples"][name]) for name in TASKS] == [20] * 3
    assert own["config"]["entropix_mlx"]["seed"] == 3


def test_the_command(llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the documentation has it, without the ten seconds in which it looks at all its tasks."""
    from lm_eval import tasks
    from lm_eval.api.registry import model_registry

    known = {name: model for name, model in model_registry.items() if name != "entropix_mlx"}
    monkeypatch.setattr(model_registry, "_objs", known)
    monkeypatch.setattr(tasks, "TaskManager", partial(tasks.TaskManager, include_defaults=False))
    command = ["lm_eval", "--model", "entropix_mlx", "--device", "cpu", "--limit", "3"]
    command += ["--model_args", f"model={llama_folder},min_p=0.2", 'sampler="top-k=9,min-p"']
    command += ["--include_path", str(DATA), "--tasks", ",".join(TASKS)]
    command += ["--output_path", str(tmp_path), "--log_samples"]
    monkeypatch.setattr(sys, "argv", command)
    runpy.run_module("entropix_mlx.evaluation.lm_eval_model", run_name="__main__")
    (results,) = tmp_path.rglob("results_*.json")
    told = json.loads(results.read_text())
    assert set(told["results"]) == set(TASKS)
    sampler = told["config"]["entropix_mlx"]["sampler"]
    assert (sampler["preset"], sampler["top_k"], sampler["min_p"]) == ("top-k,min-p", 9, 0.2)


def test_the_device_that_lm_eval_names_where_nobody_does(llama_folder: Path) -> None:
    from entropix_mlx.evaluation.lm_eval_model import EntropixLM

    made = EntropixLM.create_from_arg_obj({"model": str(llama_folder)}, {"device": "cuda:0"})
    assert made._arguments.device == "auto"
    made = EntropixLM.create_from_arg_string(
        f"model={llama_folder},device=cpu", {"device": "mps", "batch_size": "5"}
    )
    assert (made._arguments.device, made._arguments.rows) == ("cpu", 5)
