"""The Python interface, and the sampler inside mlx-lm's own loop."""

import html
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import entropix_mlx as ex
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_models.errors import ModelNotFoundError, UsageError
from entropix_models.language_model import LanguageModel


def test_names_are_all_there() -> None:
    assert all(getattr(ex, name) is not None for name in ex.__all__)
    assert dir(ex) == ex.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ex.nothing


def test_importing_is_light() -> None:
    program = (
        "import sys, entropix_mlx;"
        "sys.exit(any(m.split('.')[0] in ('mlx', 'mlx_lm', 'transformers', 'numpy', 'textual')"
        " for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_load_and_generate(llama_folder: Path) -> None:
    model = ex.load(str(llama_folder), device="cpu")
    runs = [
        list(ex.generate(model, "Hello", sampler="temperature", seed=7, max_tokens=5))
        for _ in range(2)
    ]
    assert [r.id for r in runs[0]] == [r.id for r in runs[1]]
    assert 1 <= len(runs[0]) <= 5
    assert runs[0][0].entropy is not None
    assert runs[0][0].quadrant


def test_settings_have_their_own_types(llama: LanguageModel) -> None:
    settings = {"temperature": 1.25, "top_k": 3, "capture": False}
    found = list(
        ex.generate(llama, "x", sampler="temperature", settings=settings, seed=1, max_tokens=3)
    )
    assert all(r.temperature == 1.25 and r.top_k == 3 and r.agreement is None for r in found)
    with pytest.raises(UsageError, match="draws"):
        next(iter(ex.generate(llama, "x", settings={"draws": 1.5})))
    with pytest.raises(UsageError, match="unknown sampler"):
        next(iter(ex.generate(llama, "x", sampler="hot")))


def test_a_trace_is_written(llama: LanguageModel, tmp_path: Path) -> None:
    with ex.TraceWriter(tmp_path / "run.jsonl") as trace:
        found = list(ex.generate(llama, "x", seed=1, max_tokens=3, trace=trace, stop=["zz"]))
    read = ex.read_trace(tmp_path / "run.jsonl")
    assert [r for r in read.records if isinstance(r, ex.TokenRecord)] == found
    assert read.problems == []


def test_a_conversation(llama: LanguageModel, tmp_path: Path) -> None:
    with ex.TraceWriter(tmp_path / "talk.jsonl") as trace:
        session = ex.Session(llama, ex.Settings.make("greedy"), trace=trace)
        said = list(session.send("Hello", max_tokens=3))
        again = list(session.run(ex.TurnRequest(max_tokens=2, after=said[0].index, force=(70,))))
    assert [type(r) for r in again] == [ex.TokenRecord, ex.Event, ex.TokenRecord, ex.End]
    assert ex.read_trace(tmp_path / "talk.jsonl").records == said + again


def test_a_run_keeps_what_came(llama: LanguageModel) -> None:
    run = ex.generate(llama, "Hello", seed=1, max_tokens=4, sampler="temperature")
    assert (run.records, run.text) == ([], "")
    first = next(run)
    assert run.tokens == [first]
    assert isinstance(run.records[0], ex.PromptRecord)
    rest = list(run)
    assert run.tokens == [first, *rest]
    assert run.text == "".join(token.text for token in run.tokens)
    assert isinstance(run.records[-1], ex.End)
    assert run.header.seed == 1
    assert "tokens so far" in repr(run)
    with pytest.raises(StopIteration):
        next(run)


def test_a_run_that_is_left_gets_its_end(llama: LanguageModel, tmp_path: Path) -> None:
    with ex.TraceWriter(tmp_path / "run.jsonl") as trace:
        run = ex.generate(llama, "x", seed=1, max_tokens=50, trace=trace, sampler="temperature")
        next(run)
        run.close()
        assert list(run) == []
    read = ex.read_trace(tmp_path / "run.jsonl")
    assert read.problems == []
    assert isinstance(read.records[-1], ex.End)


def test_notebooks_show_runs(llama: LanguageModel) -> None:
    """As one page in a frame, of what has come so far."""
    run = ex.generate(llama, "<i>Hi</i>", seed=1, max_tokens=3, sampler="temperature")
    assert "0 tokens" in run._repr_html_()
    run.finish()
    shown = run._repr_html_()
    assert f"{len(run.tokens)} tokens" in shown
    assert shown.startswith("<iframe ")
    assert shown.endswith("</iframe>")
    assert "<i>Hi" not in html.unescape(shown)
    assert "&lt;i&gt;Hi" in html.unescape(shown)
    scored = ex.score(llama, "abc").finish()
    assert scored.text == "abc"
    assert "A text under" in scored._repr_html_()


def test_score(llama: LanguageModel) -> None:
    found = list(ex.score(llama, "a<|im_end|>é"))
    assert [r.id for r in found] == llama.tokenizer.encode("a<|im_end|>é", special=True)
    assert found[1].id == 1
    assert "".join(r.text for r in found) == "a<|im_end|>é"


def test_unknown_models() -> None:
    with pytest.raises(ModelNotFoundError):
        ex.load("no-such-model", device="cpu")


class TestSampler:
    LOGITS = np.random.default_rng(5).normal(0, 2, 300).astype(np.float32)

    def test_it_says_what_it_cannot_see(self, caplog: pytest.LogCaptureFixture) -> None:
        ex.EntropixSampler(seed=1)
        assert "attention" in caplog.text
        assert "precision" in caplog.text

    def test_it_decides_as_the_engine_does(self) -> None:
        """Log-probabilities are logits, shifted; without attention its terms are gone."""
        ours = ex.EntropixSampler("calibrated", seed=3, settings={"clarify": False})
        engine = Sampler(
            Settings.make("calibrated", {"clarify": "false"}),
            PROVISIONAL,
            Vocabulary(),
            attention=False,
        )
        state = engine.state(())
        for depth in range(20):
            logits = mx.array(np.roll(self.LOGITS, depth) * (depth / 10))
            log_p = logits - mx.logsumexp(logits)
            decision = engine.decide(logits, None, depth + 1, state, draw_key(3, depth))
            state = decision.state
            assert ours(log_p[None]).tolist() == [decision.token.item()]

    def test_seeds(self) -> None:
        def run(seed: int) -> list[int]:
            made = ex.EntropixSampler("temperature", seed=seed, settings={"temperature": 3})
            return [int(made(mx.array(self.LOGITS)[None]).item()) for _ in range(30)]

        assert run(1) == run(1)
        assert run(1) != run(2)
        assert len(set(run(1))) > 10

    def test_rows_of_nobody_are_refused(self) -> None:
        made = ex.EntropixSampler(seed=1)
        with pytest.raises(ValueError, match="2 rows without their names"):
            made(mx.array(np.stack([self.LOGITS] * 2)))

    @pytest.mark.slow
    def test_in_mlx_lms_batches(self, llama_folder: Path, llama: LanguageModel) -> None:
        """Sequences of different lengths, which leave at different steps."""
        from mlx_lm import batch_generate, load

        loaded: Any = load(str(llama_folder))
        network, tokenizer = loaded[:2]
        texts = ("Hello", "A longer one", "Hello")
        prompts = [tokenizer.encode(text) for text in texts]
        most = [9, 3, 6]

        def run(preset: str, **settings: object) -> list[list[int]]:
            made = ex.EntropixSampler(preset, seed=4, settings=settings)
            said = batch_generate(
                network, tokenizer, prompts, max_tokens=most, sampler=made, return_token_ids=True
            )
            return [list(ids) for ids in said.token_ids]

        greedy = run("greedy")
        for n, text in enumerate(texts):
            own = ex.generate(llama, text, sampler="greedy", raw=True, max_tokens=most[n])
            assert greedy[n] == [record.id for record in own]
        drawn = run("temperature", temperature=3)
        assert drawn == run("temperature", temperature=3)
        assert drawn[0][:6] != drawn[2], "each sequence has draws of its own"
        assert [len(ids) for ids in run("calibrated", rolling=0.5)] == [len(ids) for ids in greedy]

    def test_wrong_settings(self) -> None:
        with pytest.raises(UsageError):
            ex.EntropixSampler("calibrated", settings={"top_p": 2})

    @pytest.mark.slow
    def test_in_mlx_lms_loop(self, llama_folder: Path, llama: LanguageModel) -> None:
        from mlx_lm import generate, load, stream_generate

        loaded: Any = load(str(llama_folder))
        network, tokenizer = loaded[:2]
        texts = [
            generate(
                network,
                tokenizer,
                prompt="Hello",
                max_tokens=8,
                sampler=ex.EntropixSampler("temperature", seed=4),
            )
            for _ in range(2)
        ]
        assert texts[0] == texts[1]
        assert texts[0]
        greedy = stream_generate(
            network, tokenizer, "Hello", max_tokens=8, sampler=ex.EntropixSampler("greedy")
        )
        own = ex.generate(llama, "Hello", sampler="greedy", raw=True, max_tokens=8)
        assert [response.token for response in greedy] == [record.id for record in own]

    @pytest.mark.slow
    @pytest.mark.parametrize("processed", [False, True])
    def test_speculation_is_refused_for_what_it_is(
        self, llama_folder: Path, processed: bool
    ) -> None:
        """With logits processors it asks for one place at a time, so that nothing else shows."""
        from mlx_lm import generate, load

        loaded: Any = load(str(llama_folder))
        network, tokenizer = loaded[:2]
        with pytest.raises(UsageError, match="speculative decoding takes drawn tokens back"):
            generate(
                network,
                tokenizer,
                prompt="Hello",
                max_tokens=8,
                draft_model=network,
                sampler=ex.EntropixSampler("temperature", seed=4),
                logits_processors=[lambda _, logits: logits] if processed else None,
            )


def test_the_readmes_example_imports_before_mlx() -> None:
    """Loading sets the BLAS whichever was imported first."""
    program = (
        "import json, mlx.core, entropix_mlx as ex\n"
        "from entropix_models import blas, devices\n"
        "devices.choose('cpu')\n"
        "print(json.dumps(blas.description()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    pytest.importorskip("scipy_openblas32")
    assert "OpenBLAS" in json.loads(done.stdout)
