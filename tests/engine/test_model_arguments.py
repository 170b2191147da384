"""What harnesses say of a model, and what of a request decides."""

import datetime
import logging
from pathlib import Path

import pytest

from entropix_mlx.evaluation import model_arguments
from entropix_mlx.evaluation.model_arguments import ModelArguments
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError


def test_what_is_given() -> None:
    given = {"model": "x", "sampler": "temperature", "top_k": 40, "capture": False, "seed": 7}
    found = ModelArguments.of({**given, "rows": 3, "device": None, "date": "2026-01-02"})
    assert found == ModelArguments(
        model="x",
        device="auto",
        sampler="temperature",
        seed=7,
        rows=3,
        date=datetime.date(2026, 1, 2),
        values={"top_k": "40", "capture": "false"},
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pretrained": "gpt2"}, "unknown argument pretrained: a model has model, device"),
        ({"sampler": "hot"}, "unknown sampler 'hot'"),
        ({"sampler": "greedy", "draws": 3}, "'greedy' has no setting 'draws'"),
        ({"rows": 0}, "rows 0: give a number, 1 or more"),
        ({"seed": "x"}, "seed x: give a number"),
        ({"date": "yesterday"}, "date yesterday: give YYYY-MM-DD"),
    ],
)
def test_what_makes_no_sense(given: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ModelArguments.of(given)


def test_loading(llama_folder: Path) -> None:
    model = ModelArguments.of({"model": str(llama_folder), "device": "cpu"}).load()
    assert model.info.context_length == 512


class TestWithoutASampler:
    arguments = ModelArguments.of({})

    def test_the_usual_one(self) -> None:
        assert self.arguments.settings({}, "calibrated") == Settings.make("calibrated")

    def test_no_temperature_is_greedy(self) -> None:
        found = self.arguments.settings({"temperature": 0.0, "top_p": 0.9}, "calibrated")
        assert found == Settings.make("greedy")

    def test_a_temperature(self) -> None:
        found = self.arguments.settings({"temperature": 0.5, "top_k": 40}, "calibrated")
        assert found == Settings.make("temperature", {"temperature": "0.5", "top_k": "40"})

    def test_a_nucleus_of_the_models_own_distribution(self) -> None:
        found = self.arguments.settings({"top_p": 0.9}, "calibrated")
        assert found == Settings.make("temperature", {"temperature": "1", "top_p": "0.9"})


class TestWithASampler:
    def test_it_stays(self, caplog: pytest.LogCaptureFixture) -> None:
        arguments = ModelArguments.of({"sampler": "calibrated", "draws": 3})
        own = Settings.make("calibrated", {"draws": "3"})
        assert arguments.settings({}, "greedy") == own
        model_arguments._note.cache_clear()  # of other tests
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert arguments.settings({"temperature": 0, "top_p": 1}, "greedy") == own
        assert [record.getMessage() for record in caplog.records] == [
            "a task asks for the most likely tokens; sampler calibrated decides"
        ]

    def test_its_settings_are_what_is_asked_for(self) -> None:
        arguments = ModelArguments.of({"sampler": "top-k=40,temperature=0.8", "capture": False})
        found = arguments.settings({"temperature": 1.5}, "greedy")
        expected = {"top_k": "40", "temperature": "1.5", "capture": "false"}
        assert found == Settings.make("top-k,temperature", expected)

    def test_what_it_does_not_have(self) -> None:
        arguments = ModelArguments.of({"sampler": "greedy"})
        with pytest.raises(UsageError, match=r"asks for temperature 0\.7: .* has no setting"):
            arguments.settings({"temperature": 0.7}, "greedy")
