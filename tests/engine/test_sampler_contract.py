"""What holds for every sampler that is declared, and that a new one needs no more than its file."""

import json
import math
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from scipy.stats import chisquare

from entropix_mlx.analysis.explain import why
from entropix_mlx.decoding import choice
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.make_records import token_record
from entropix_mlx.records.measures import MEASURES
from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling import sampler
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.decision import Decision
from entropix_mlx.sampling.parameters import Number
from entropix_mlx.sampling.past import Past
from entropix_mlx.sampling.sampler import Sampler, Stages, draw_key
from entropix_mlx.sampling.settings import Settings, declared, named
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_mlx.session.resume import settings_of
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel

CHAINS = (
    *("top-k,min-p,temperature", "xtc,top-p,temperature", "repetition,dry,min-p,mirostat"),
    "top-n-sigma,calibrated",
)
every_sampler = pytest.mark.parametrize("name", [*declared(), *CHAINS])
every_row = pytest.mark.parametrize("row", range(4))

ROWS = np.random.default_rng(4).normal(0, 1, (12, 24)) * np.linspace(0.02, 6, 12)[:, None]
"""From even ones to steep ones."""
ATTENTION = (2.5, 1.0, 0.5, 4.0)
WORDS = Vocabulary((20, 21))


def class_of(name: str) -> type[Settings]:
    found = named(name)
    assert found is not None
    return found


def bound(name: str, **overrides: str) -> Sampler:
    return Sampler(Settings.make(name, overrides), PROVISIONAL, WORDS, attention=True)


def logits(row: int) -> mx.array:
    return mx.array(ROWS[row].astype(np.float32))


def decide(sampler: Sampler, row: int, key: mx.array, state: Any = None) -> Decision:
    start = sampler.state(()) if state is None else state
    return sampler.decide(logits(row), mx.array(ATTENTION), 10 + row, start, key)


def path(sampler: Sampler) -> tuple[list[Choice], list[Any]]:
    """Choices along the rows, and the state after each."""
    state, choices, states = sampler.state(()), [], []
    for row in range(len(ROWS)):
        decision = decide(sampler, row, draw_key(3, row), state)
        state = decision.state
        choices.append(choice.drawn(decision, attention=True))
        states.append(state)
    return choices, states


class TestDeclaration:
    @every_sampler
    def test_it_says_what_it_is(self, name: str) -> None:
        sampler = class_of(name)
        assert sampler.summary
        assert "\n" not in sampler.summary
        assert sampler.strategies
        assert all(s.look in (None, *QUADRANTS) for s in sampler.strategies.values())
        assert not {measure.name for measure in sampler.measures} & MEASURES.keys()
        assert Settings.make(name).preset == name

    @every_sampler
    def test_parameters_are_bounded_and_documented(self, name: str) -> None:
        for parameter, field in class_of(name).parameters().items():
            kind = field.metadata["kind"]
            assert field.metadata["doc"]
            wrong = ["", "x", "nan"]
            if isinstance(kind, Number):
                assert math.isfinite(kind.low)
                assert math.isfinite(kind.high)
                assert 0 < kind.step[0] <= kind.step[1] <= kind.high - kind.low
                assert field.default is None or kind.low <= field.default <= kind.high
                wrong += [str(kind.low - 1), str(kind.high + 1)]
            for text in wrong:
                with pytest.raises(UsageError, match=parameter):
                    Settings.make(name, {parameter: text})

    @every_sampler
    def test_a_header_has_all_of_it(self, name: str) -> None:
        for parameter, field in class_of(name).parameters().items():
            kind = field.metadata["kind"]
            text = str(field.default)
            if isinstance(kind, Number):
                text = str(min((field.default or 0) + kind.step[0], kind.high))
            made = Settings.make(name, {parameter: text}).bind(PROVISIONAL)
            told = json.loads(json.dumps(made.to_dict(), allow_nan=False))
            assert settings_of(told, Path("run.jsonl")).bind(PROVISIONAL) == made


class TestStep:
    @every_sampler
    @every_row
    def test_it_is_a_function_of_the_key(self, name: str, row: int) -> None:
        one, other = (decide(bound(name), row, draw_key(5, 1)) for _ in range(2))
        assert one.ints.tolist() == other.ints.tolist()
        assert one.floats.tolist() == other.floats.tolist()

    @every_sampler
    @every_row
    def test_the_most_likely_can_always_be_drawn(self, name: str, row: int) -> None:
        if class_of(name).takes_best:
            pytest.skip("its definition may remove it, which it says")
        ints, floats = decide(bound(name, **quiet(name)), row, draw_key(5, 1)).read()
        assert ints.listed[0] == int(ROWS[row].argmax())
        assert floats.ps[0] > 0

    @every_sampler
    @every_row
    def test_draws_are_as_frequent_as_told(self, name: str, row: int) -> None:
        """Against the probabilities of each draw: a coin may have decided what is left."""
        one, count = bound(name, **quiet(name)), 3000
        keys = mx.stack([draw_key(11, depth) for depth in range(count)])

        def drawn(key: mx.array) -> tuple[mx.array, mx.array, mx.array]:
            seen = one.stages(logits(row), mx.array(ATTENTION), 10 + row, one.state(()), key)
            return decide(one, row, key).token, seen.ids[seen.outcome.chosen], seen.outcome.final

        ids = np.array(one.stages(logits(row), mx.array(ATTENTION), 10, one.state(()), keys[0]).ids)
        tokens, chosen, final = (np.array(each) for each in mx.vmap(drawn)(keys))
        finals = np.zeros((count, ROWS.shape[1]))
        finals[:, ids] = final  # one row, where no key comes into it
        assert (tokens == chosen).all()
        assert (finals[np.arange(count), tokens] > 0).all()
        np.testing.assert_allclose(finals.sum(axis=1), 1, atol=1e-5)
        observed = np.bincount(tokens, minlength=ROWS.shape[1]).astype(float)
        expected = finals.astype(np.float64).sum(axis=0)
        often = expected >= 5
        f, e = (np.append(x[often], x[~often].sum()) for x in (observed, expected))
        assert f[e < 1e-3].sum() == 0
        f, e = f[e >= 1], e[e >= 1]
        assert len(f) < 2 or chisquare(f, e * f.sum() / e.sum()).pvalue > 1e-4

    @every_sampler
    @pytest.mark.parametrize("ids", [24, 3000])
    def test_rows_are_decided_as_each_alone(self, name: str, ids: int) -> None:
        """One program mapped over rows, each with its own settings, memory, key and forced id."""
        warm = "temperature" in class_of(name).parameters()
        decided, arguments = [], []
        for row in range(3):
            one = bound(name, **({"temperature": str(0.7 + row / 4)} if warm else {}))
            state = path(one)[1][4 * row]
            given = sampler._given(
                mx.array(np.resize(ROWS[3 * row], ids).astype(np.float32)),
                mx.array(ATTENTION) / (1 + row),
                10 + row,
                draw_key(6, row),
                5 if row == 2 else None,
            )
            arguments.append((given, state, one.scalars))
            decided.append(sampler._decide(one._program, *arguments[-1]))

        def stacked(*parts: Any) -> Any:
            if isinstance(parts[0], dict):
                return {key: stacked(*(part[key] for part in parts)) for key in parts[0]}
            if isinstance(parts[0], tuple):
                return tuple(stacked(*piece) for piece in zip(*parts, strict=True))
            return mx.stack(list(parts))

        rows = mx.vmap(partial(sampler._decide, one._program))(*stacked(*arguments))
        for mapped, alone in zip(rows, zip(*decided, strict=True), strict=True):
            assert mapped.tolist() == [array.tolist() for array in alone]

    @every_sampler
    @every_row
    def test_each_stage_leaves_a_part_of_the_one_before(self, name: str, row: int) -> None:
        sampler = bound(name)
        seen: Stages = sampler.stages(
            logits(row), mx.array(ATTENTION), 10, sampler.state(()), draw_key(1, 1)
        )
        assert len({stage.name for stage in seen.stages}) == len(seen.stages)
        before = np.ones(ROWS.shape[1], bool)
        for stage in seen.stages:
            left = np.isfinite(np.array(stage.weights))
            assert left[0] or class_of(name).takes_best, "the most likely stays"
            assert not (left & ~before).any()
            before = left
        final = np.array(seen.outcome.final)
        assert final.sum() == pytest.approx(1, abs=1e-5)
        ids = np.array(seen.ids)
        kept = np.array(seen.order)[before]
        assert set(ids[final > 0]) <= set(kept)
        looked = np.array(seen.outcome.drawn)[: int(seen.outcome.looked.item())]
        assert int(seen.outcome.chosen.item()) in looked
        assert (final[looked] > 0).all()

    @every_sampler
    def test_its_state_is_a_function_of_the_records(self, name: str) -> None:
        sampler = bound(name)
        choices, states = path(sampler)
        for n, state in enumerate(states):
            again = sampler.state([one.past for one in choices[: n + 1]])
            assert len(again) == len(state)
            # A place may be told as never or as so long ago that it makes no difference.
            for key in range(3):
                one, other = (
                    decide(sampler, n, draw_key(8, key), made).ints.tolist()
                    for made in (state, again)
                )
                assert one == other

    @every_sampler
    def test_a_record_is_the_same_past(self, name: str, llama: LanguageModel) -> None:
        for one in path(bound(name))[0]:
            record = token_record(llama.tokenizer, one, 1, 0, "", None)
            assert Past.along([record]) == [one.past]


class TestExplanation:
    @every_sampler
    def test_it_is_true_to_the_record(self, name: str, llama: LanguageModel) -> None:
        sampler = bound(name)
        for row, one in enumerate(path(sampler)[0]):
            record = token_record(llama.tokenizer, one, 1, 0, "", None)
            assert record.strategy in sampler.settings.strategies
            lines = why(record, sampler.settings, keys=10 + row)
            assert [line.kind for line in lines[:2]] == ["plain", "rule"]
            text = "\n".join(line.text for line in lines)
            assert "do not explain" not in text
            for left, sign, right in re.findall(r"([\d.]+) ([<>=]) ([\d.]+)", text):
                a, b = float(left), float(right)
                assert {"<": a < b, ">": a > b, "=": a == b}[sign]
            drawn = "\n".join(line.text for line in lines if line.kind == "draw")
            if record.forced:
                assert not drawn
            elif record.temperature is None:
                assert "no randomness" in drawn
            else:
                assert f"{record.temperature:.4g}" in drawn

    @every_sampler
    def test_of_a_strategy_that_it_does_not_know(self, name: str, llama: LanguageModel) -> None:
        """A trace may have been made by a newer program."""
        one = path(bound(name))[0][0]._replace(strategy="mirostat", forced="policy")
        record = token_record(llama.tokenizer, one, 1, 0, "", None)
        assert "policy" in why(record, bound(name).settings)[0].text


def quiet(name: str) -> dict[str, str]:
    """Settings with which nothing is inserted."""
    return {"clarify": "false"} if "clarify" in class_of(name).parameters() else {}


TYPICAL = '''
"""Locally typical sampling: tokens about as surprising as the distribution is on average."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from entropix_mlx.records.measures import Measure, Scale, sampled
from entropix_mlx.sampling import explanation
from entropix_mlx.sampling.explanation import Line, Told
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.settings import Settings, Strategy, Support

GAP = sampled("gap", Scale("gap", "D", "bits", 8.0, "how far the favourite is from typical"))


@dataclass(frozen=True, kw_only=True)
class Typical(Settings):
    mass: float = number(0.1, 1, default=0.6, doc="mass that is kept", step=(0.05, 0.2))

    summary: ClassVar[str] = "locally typical"
    strategies: ClassVar[Mapping[str, Strategy]] = {
        "typical": Strategy("HEHV"),
        "bold": Strategy(),
    }
    measures: ClassVar[tuple[Measure, ...]] = (GAP,)

    def state(self, path, vocabulary):
        import mlx.core as mx
        return (mx.array(sum(not past.is_prompt for past in path)),)

    @classmethod
    def step(cls, seen):
        import mlx.core as mx
        from entropix_mlx.sampling import draw, filters

        log_p = seen.logits - mx.logsumexp(seen.logits)
        gap = mx.abs(-log_p / mx.log(mx.array(2.0)) - seen.measured[0])
        order = mx.argsort(gap)
        p = mx.exp(log_p)[order]
        kept = (mx.cumsum(p) - p < seen.p["mass"])[mx.argsort(order)]
        kept = kept | (mx.arange(log_p.shape[0]) == mx.argmax(log_p))
        stages = (filters.Stage("typical", seen.p["mass"], mx.where(kept, log_p, -mx.inf)),)
        log_p = filters.log_p(stages)
        drawn = draw.places(log_p, 1, seen.key)
        one, off = mx.array(1.0), mx.array(0.0)
        return draw.Outcome(
            region=draw.region(seen.measured[0], seen.measured[1], seen.p),
            strategy=mx.where(seen.state[0] % 3 == 2, 1, 0),
            params=filters.SamplingParams(one, off, one, off),
            stages=stages,
            drawn=drawn,
            looked=mx.array(1),
            chosen=drawn[0],
            final=mx.exp(log_p),
            state=(seen.state[0] + 1,),
            measures=(mx.where(seen.state[0] == 1, mx.inf, gap[mx.argmax(log_p)]),),
        )

    def explain(self, told: Told) -> list[Line]:
        rule = Line("rule", f"typical of a distribution of {told.record.entropy:.2f} bits")
        return [rule, *explanation.draw(told.record, self.to_dict())]
'''
"""The fifth."""

SCRIPT = """
import sys
folder, model, trace = sys.argv[1:]
import entropix_mlx.sampling.samplers
entropix_mlx.sampling.samplers.__path__.append(folder)

from pathlib import Path
from click.testing import CliRunner
from entropix_mlx.cli.main import cli

def run(*arguments):
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.stdout

listed = dict(line.split(maxsplit=1) for line in run("samplers").splitlines())
assert listed["typical"] == "locally typical"
assert "mass             0.6         mass that is kept" in run("samplers", "typical")

from entropix_mlx import api
from entropix_mlx.trace.trace import TraceWriter
loaded = api.load(model, device="cpu")
with TraceWriter(Path(trace)) as writer:
    list(api.generate(loaded, "Hello", sampler="typical", settings={"mass": 0.7}, seed=1,
                      max_tokens=7, trace=writer))

from entropix_mlx.trace.trace import read_trace
from entropix_mlx.records.record import TokenRecord
found = read_trace(Path(trace))
assert not found.problems, found.problems
tokens = [record for record in found.records if isinstance(record, TokenRecord)]
assert [token.strategy for token in tokens] == ["typical", "typical", "bold"] * 2 + ["typical"]
assert tokens[1].measures == {"gap": None} and tokens[0].measures["gap"] >= 0
assert found.header.sampler["mass"] == 0.7

from entropix_mlx.checks.rerun import rerun
from entropix_models.progress import quiet
again = rerun(loaded, found, Path(trace), quiet)
assert (again.parting, again.same) == (None, 7)

from entropix_mlx.session.resume import settings_of
from entropix_mlx.analysis.explain import why
from entropix_mlx.sampling.calibration import PROVISIONAL
settings = settings_of(found.header.sampler, Path(trace)).bind(PROVISIONAL)
assert why(tokens[0], settings)[1].text.startswith("typical of a distribution of ")

run("trace", "export", trace, "--out", trace + ".csv")
table = Path(trace + ".csv").read_text()
assert "gap" in table.splitlines()[0].split(",")

from entropix_mlx.conditions.parser import parse
parse('gap > 0.5 and strategy == "bold"')

from entropix_tui.look import color_scale
from entropix_tui.look.themes import ThemedApp
from entropix_tui.tokens.measures import MEASURES
from textual._context import active_app
from entropix_tui.widgets.sampler.editor import SamplerEditor
from entropix_tui.widgets.text.legend import Legend
assert (color_scale.STRATEGIES["typical"], color_scale.STRATEGIES["bold"]) == ("HEHV", "answer")
active_app.set(ThemedApp("true"))
legend = Legend()
legend.colour = "strategy"
told = [name for _, name, _ in legend._samples(200)[1]]
assert {"greedy", "adaptive", "typical", "bold"} <= {*told} and "sample" not in told
assert color_scale.looks("gap")(tokens[0]) in color_scale.CLASSES
assert MEASURES["gap"].value(tokens[0]) == tokens[0].measures["gap"]
editor = SamplerEditor()
editor.choose("typical")
editor.move("mass", 1)
assert (editor.settings.mass, editor.offered()) == (0.65, [("base", ["mass"])])

from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.waterfall import waterfall
from entropix_models.devices import release_thread
decoder = Decoder(loaded, settings, PROVISIONAL, 1)
decoder.begin(5)
seen = waterfall(decoder)
assert [stage.name for stage in seen.stages] == ["raw", "typical", "draws"]
assert 0 < seen.stages[1].removed < 0.4
decoder.use(settings_of({"preset": "calibrated"}, Path(trace)))  # another one, whose state differs
assert decoder.peek().strategy in ("greedy", "clarify", "explore", "resample", "adaptive")
release_thread()
print("all")
"""


@pytest.mark.slow
def test_a_fifth_one_needs_its_file_alone(tmp_path: Path, llama_folder: Path) -> None:
    folder = tmp_path / "samplers"
    folder.mkdir()
    (folder / "typical.py").write_text(TYPICAL)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(llama_folder), str(tmp_path / "run.jsonl")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.endswith("all\n"), done.stderr


def test_a_trace_of_a_newer_program_is_read(tmp_path: Path, llama: LanguageModel) -> None:
    """What is not known here is kept: a strategy, what forced a token, an ending, measures."""
    from entropix_mlx.records.record import End
    from entropix_mlx.trace.trace import TraceWriter, read_trace

    one = path(bound("greedy"))[0][0]._replace(strategy="mirostat", forced="policy")
    record = token_record(
        llama.tokenizer, one._replace(measures={"mu": 4.5, "tau": None}), 0, -1, "", None
    )
    file = tmp_path / "run.jsonl"
    header = (
        b'{"type":"header","model":"m","revision":null,"device":"cpu","dtype":"float32",'
        b'"sampler":{},"calibration":null,"seed":1,"date":null,"versions":{},"created":"",'
        b'"schema":1}\n'
    )
    file.write_bytes(header)
    with TraceWriter(file, append=True) as writer:
        writer.write(record)
        ended = End(leaf=0, finish_reason="policy", tokens=1, seconds=1.0, prefill_seconds=0.0)
        writer.write(ended)
    found = read_trace(file)
    assert not found.problems
    assert found.records == [record, ended]
    assert isinstance(found.records[0], TokenRecord)
    assert found.records[0].measures == {"mu": 4.5, "tau": None}
    line = found.lines[0].replace(b'"tau":null', b'"tau":NaN')
    file.write_bytes(header + line)
    assert "unreadable" in read_trace(file).problems[0]
