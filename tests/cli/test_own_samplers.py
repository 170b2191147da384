"""Samplers of one's own: a class in a file, or an installed package's; only where it is named."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.checks.contract import examine
from entropix_mlx.sampling import own, settings
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError

Call = Callable[..., Any]

MINE = """
from dataclasses import dataclass

import mlx.core as mx

from entropix_mlx.sampling import draw, explanation, filters
from entropix_mlx.sampling.explanation import Line
from entropix_mlx.sampling.link import Link
from entropix_mlx.sampling.parameters import number
from entropix_mlx.sampling.settings import Settings, Strategy


@dataclass(frozen=True, kw_only=True)
class Halved(Settings):
    share: float = number(0.01, 1, default=0.5, doc="share of the favourite", step=(0.05, 0.2))

    summary = "tokens at least half as likely as the favourite"
    strategies = {"halved": Strategy()}

    @classmethod
    def step(cls, seen):
        kept = seen.logits - mx.max(seen.logits) >= mx.log(seen.p["share"])
        stages = (filters.Stage("halved", seen.p["share"], mx.where(kept, seen.logits, -mx.inf)),)
        log_p = filters.log_p(stages)
        drawn = draw.places(log_p, 1, seen.key)
        one, off = mx.array(1.0), mx.array(0.0)
        return draw.Outcome(
            region=draw.region(seen.measured[0], seen.measured[1], seen.p),
            strategy=mx.array(0),
            params=filters.SamplingParams(one, off, one, off),
            stages=stages,
            drawn=drawn,
            looked=mx.array(1),
            chosen=drawn[0],
            final=mx.exp(log_p),
        )

    def explain(self, told):
        rule = Line("rule", f"at least {self.share:g} of the favourite")
        return [rule, *explanation.draw(told.record, self.to_dict())]


@dataclass(frozen=True, kw_only=True)
class Third(Link):
    summary = "a third as likely as the favourite"
    formula = ("p >= max p / 3",)

    @staticmethod
    def apply(pool, at):
        return pool.keep(pool.odds >= mx.max(pool.odds) / 3), mx.array(1 / 3)


class NotFinite(Halved):
    @classmethod
    def step(cls, seen):
        outcome = super().step(seen)
        return outcome._replace(final=outcome.final / 0)


class DrawsWhatIsGone(Halved):
    @classmethod
    def step(cls, seen):
        outcome = super().step(seen)
        return outcome._replace(chosen=mx.argmin(seen.logits))


class SaysOtherOdds(Halved):
    @classmethod
    def step(cls, seen):
        outcome = super().step(seen._replace(logits=seen.logits * 0.3))
        squares = outcome.final**2
        return outcome._replace(final=squares / mx.sum(squares))


class TakesTheBest(Halved):
    @classmethod
    def step(cls, seen):
        best = mx.arange(seen.logits.shape[0]) == mx.argmax(seen.logits)
        return super().step(seen._replace(logits=mx.where(best, -mx.inf, seen.logits)))


class Searches(Halved):
    @classmethod
    def step(cls, seen):
        outcome = super().step(seen)
        place = mx.searchsorted(mx.cumsum(outcome.final), mx.random.uniform(key=seen.key))
        return outcome._replace(chosen=place, drawn=place[None])


class Forgets(Halved):
    def state(self, path, vocabulary):
        return (mx.array(0.0),)

    @classmethod
    def step(cls, seen):
        colder = seen.logits * (1 + seen.state[0])
        return super().step(seen._replace(logits=colder))._replace(state=(seen.state[0] + 3,))


class SaysNothing(Halved):
    def explain(self, told):
        return []


class Breaks(Halved):
    @classmethod
    def step(cls, seen):
        return nothing
"""


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "OWN", {})
    monkeypatch.setattr("entropix_mlx.sampling.chain.OWN", settings.OWN)
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    return file


class TestCheck:
    @pytest.mark.parametrize("name", ["Halved", "Third"])
    def test_a_right_one(self, call: Call, name: str) -> None:
        done = call("samplers", "check", f"./mine.py:{name}")
        assert (done.status, done.err) == (0, "")
        assert done.text.count("ok ") == len(done.text.splitlines()) == 9

    @pytest.mark.parametrize(
        ("name", "what", "why"),
        [
            ("NotFinite", "its probabilities are finite", "are ["),
            ("DrawsWhatIsGone", "only what is kept is drawn", "whose probability is 0"),
            ("SaysOtherOdds", "draws are as frequent as told", "not as many as told"),
            ("TakesTheBest", "the most likely token is kept", "takes_best is not declared"),
            ("Searches", "rows are decided together as alone", "vmap"),
            ("Forgets", "its memory follows from the path alone", "not that of the steps"),
            ("SaysNothing", "it explains what it did", "no line of the kind 'rule'"),
            ("Breaks", "its probabilities are finite", "line 108: NameError: name 'nothing'"),
        ],
    )
    def test_what_is_wrong_is_told(self, call: Call, name: str, what: str, why: str) -> None:
        done = call("samplers", "check", f"./mine.py:{name}")
        assert done.status == 1
        wrong = [line for line in done.text.splitlines() if line.startswith("wrong ")]
        assert any(line.startswith(f"wrong  {what}") and why in line for line in wrong), wrong

    def test_it_is_the_built_in_ones_contract_too(self) -> None:
        for name in ("calibrated", "mirostat", "xtc,top-p,temperature"):
            assert [found.wrong for found in examine(Settings.make(name))] == [None] * 9

    def test_two_words_are_check_and_one(self, call: Call) -> None:
        done = call("samplers", "greedy", "calibrated")
        assert (done.status, done.err.count("\n")) == (2, 1)


class TestFile:
    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("x = = 1\n", "mine.py, line 1: invalid syntax"),
            ("\n\nimport nothing_of_that_name\n", "mine.py, line 3: ModuleNotFoundError"),
            ("\n1 / 0\n", "mine.py, line 2: ZeroDivisionError"),
            ("Halved = 3\n", "is no subclass of Settings or Link"),
            ("", "has no 'Halved'"),
            (MINE.replace("def step(", "def stop("), "Halved has no 'step'"),
            (MINE.replace("default=0.5", "default=None"), ""),
            (b"\xff\xfe\x00", "mine.py"),
        ],
    )
    def test_what_cannot_be_used_is_one_sentence(
        self, call: Call, mine: Path, source: str | bytes, words: str
    ) -> None:
        mine.write_bytes(source if isinstance(source, bytes) else source.encode())
        done = call("samplers", "./mine.py:Halved")
        if not words:
            assert done.status == 0
            return
        assert done.status == 2
        assert words in done.err
        assert done.err.count("\n") == 1

    def test_a_name_that_it_has_not(self, call: Call) -> None:
        done = call("samplers", "./mine.py:Thrid")
        assert done.status == 2
        assert "it has Halved, Third" in done.err
        assert "could not be read" in call("samplers", "./other.py:X").err

    def test_an_error_while_it_draws(self, call: Call, llama_folder: Path) -> None:
        done = call(
            *("generate", "Hi", "--model", str(llama_folder), "--sampler", "mine.py:Breaks"),
            *("--max-tokens", "2", "--seed", "1"),
        )
        assert done.status == 2
        assert "mine.py, line 108: NameError" in done.err.splitlines()[-1]


def test_what_a_package_brings(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "site"
    info = packages / "brought-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / "brought_along.py").write_text(MINE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[entropix_mlx.samplers]\nhalved = brought_along:Halved\nbroken = brought_along:Nothing\n"
    )
    monkeypatch.syspath_prepend(str(packages))
    assert Settings.make(own.chosen("halved")).to_dict()["preset"] == "halved"
    shown = call("samplers", "halved")
    assert (shown.status, shown.text.split()[:2]) == (0, ["share", "0.5"])
    broken = call("samplers", "broken")
    assert (broken.status, broken.err.count("\n")) == (2, 1)
    assert call("samplers", "not_brought").status == 2


class TestTrace:
    def run(self, call: Call, model: Path, *more: str) -> Any:
        return call(
            *("generate", "Hi", "--model", str(model), "--max-tokens", "3", "--seed", "1"),
            *("--trace", "run.jsonl", *more),
        )

    def test_it_names_the_file_and_reruns_with_it_alone(
        self, call: Call, mine: Path, llama_folder: Path
    ) -> None:
        made = self.run(call, llama_folder, "--sampler", "./mine.py:Halved", "--set", "share=0.3")
        assert made.status == 0, made.err
        header = json.loads(Path("run.jsonl").read_text().splitlines()[0])["sampler"]
        assert header["preset"] == "mine.py:Halved"
        assert header["sha256"] == hashlib.sha256(mine.read_bytes()).hexdigest()
        assert header["share"] == 0.3

        def verify(*more: str) -> Any:
            settings.OWN.clear()  # another process
            model = ("--model", str(llama_folder))
            return call("trace", "verify", "run.jsonl", "--rerun", *model, *more)

        alone = verify()
        assert alone.status == 1
        assert "is a sampler of somebody's own" in alone.err.splitlines()[-1]
        again = verify("--sampler", "./mine.py:Halved")
        assert again.status == 0, again.err
        assert "the same 3 tokens" in again.text
        mine.write_text(f"{MINE}\n# another file\n")
        other = verify("--sampler", "./mine.py:Halved")
        assert other.status == 1
        assert "another file of that name" in other.err

    def test_it_never_causes_an_import(self, call: Call, mine: Path, llama_folder: Path) -> None:
        assert self.run(call, llama_folder, "--sampler", "./mine.py:Halved").status == 0
        settings.OWN.clear()
        mine.write_text("raise SystemExit('imported')\n")
        for command in (("show",), ("verify",), ("verify", "--rerun"), ("diff", "run.jsonl")):
            done = call("trace", command[0], "run.jsonl", *command[1:])
            assert "imported" not in done.err + done.text
        assert call("trace", "show", "run.jsonl").status == 0


def test_its_class_is_known_by_its_name_alone(mine: Path) -> None:
    assert own.chosen("calibrated") == "calibrated"
    name = own.chosen(f"{mine}:Halved")
    assert name == "mine.py:Halved"
    assert Settings.make(name, {"share": "0.2"}).share == 0.2
    with pytest.raises(UsageError, match="unknown sampler"):
        Settings.make("mine.py:Third")
