"""Presets and their overrides: what makes no sense is told before a model is loaded."""

import dataclasses
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.recorded import can_be
from entropix_mlx.sampling.settings import Settings, declared
from entropix_models.errors import UsageError


def refused(preset: str, overrides: dict[str, str], *words: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings.make(preset, overrides)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_the_presets_are_those_of_the_specification() -> None:
    guide = Settings.make("entropixplained")
    assert (guide.temperature, guide.top_p, guide.top_k, guide.min_p) == (1.0, 0.9, 27, 0.03)
    assert guide.draws == 12
    assert (guide.resample_floor, guide.min_temperature, guide.max_temperature) == (2.0, None, None)
    calibrated = Settings.make()
    assert calibrated.preset == "calibrated"
    assert (calibrated.temperature, calibrated.draws) == (0.7, 12)
    assert (calibrated.min_temperature, calibrated.max_temperature) == (0.3, 1.5)
    assert calibrated.resample_floor == 0
    assert calibrated.lelv_entropy is None
    greedy, plain = Settings.make("greedy"), Settings.make("temperature")
    assert greedy.temperature is None
    assert (plain.top_k, plain.top_p, plain.min_p) == (0, 1.0, 0.0)
    assert {"calibrated", "entropixplained", "greedy", "temperature"} <= declared().keys()


@pytest.mark.parametrize("preset", declared())
def test_the_header_has_every_setting(preset: str) -> None:
    told = Settings.make(preset).bind(PROVISIONAL).to_dict()
    assert told["preset"] == preset
    assert told.keys() >= declared()[preset].usual().keys()
    assert None not in told.values()
    assert json.loads(json.dumps(told)) == told
    assert all(f"{corner}_entropy" in told for corner in ("lelv", "helv", "lehv", "hehv"))


@pytest.mark.parametrize("preset", declared())
def test_every_setting_can_be_given_as_text(preset: str) -> None:
    for name, value in declared()[preset].usual().items():
        text = "0.5" if value is None else str(value)
        expected = 0.5 if value is None else value
        assert getattr(Settings.make(preset, {name: text}), name) == expected


def test_typing_errors_get_a_suggestion() -> None:
    refused("calibratd", {}, "calibratd", "did you mean 'calibrated'", "entropixplained")
    refused("calibrated", {"temprature": "1"}, "temprature", "did you mean 'temperature'")
    refused("greedy", {"temperature": "1"}, "greedy", "temperature", "capture")
    refused("temperature", {"clarify": "true"}, "clarify")
    refused("", {}, "presets")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("temperature", "0"),
        ("temperature", "-1"),
        ("temperature", "nan"),
        ("temperature", "inf"),
        ("temperature", "1e400"),
        ("temperature", "hot"),
        ("temperature", ""),
        ("top_p", "0"),
        ("top_p", "1.01"),
        ("top_k", "2.5"),
        ("top_k", "0"),
        ("top_k", "101"),
        ("min_p", "-0.1"),
        ("draws", "0"),
        ("draws", "65"),
        ("lelv_entropy", "-1"),
        ("rolling", "0"),
        ("clarify", "maybe"),
        ("clarify", "2"),
        ("capture", "2"),
        ("layers", ""),
        ("layers", "a"),
        ("layers", "3-1"),
        ("layers", "1,,2"),
        ("layers", "-1"),
        ("layers", "²"),
        ("quadrants", ""),
        ("quadrants", "thirds"),
    ],
)
def test_values_out_of_range(name: str, text: str) -> None:
    refused("calibrated", {name: text}, name, repr(text))


def test_ranges_that_exclude_each_other() -> None:
    changes = {"min_temperature": "1", "max_temperature": "0.5"}
    refused("calibrated", changes, "min_temperature", "max_temperature")


def test_a_baseline_may_have_any_top_k() -> None:
    assert Settings.make("temperature", {"top_k": "0"}).top_k == 0
    assert Settings.make("temperature", {"top_k": "5000"}).top_k == 5000
    refused("temperature", {"top_k": "-1"}, "top_k")


@given(
    st.dictionaries(st.sampled_from(sorted(declared()["calibrated"].usual())), st.text(max_size=8))
)
def test_nothing_but_usage_errors(overrides: dict[str, str]) -> None:
    try:
        settings = Settings.make("calibrated", overrides)
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert json.dumps(settings.to_dict(), allow_nan=False)


def test_layers_are_checked_against_the_model() -> None:
    def indices(text: str, count: int = 30) -> list[int] | None:
        return Settings.make("greedy", {"layers": text}).layer_indices(count)

    assert indices("all") is None
    assert indices("0,3-5") == [0, 3, 4, 5]
    assert indices(" 5 , 4-5, 5 ") == [4, 5]
    for text in ("30", "29-30", "0-100"):
        with pytest.raises(UsageError, match="0 to 29"):
            indices(text)


def test_settings_are_values() -> None:
    settings = Settings.make("calibrated", {"top_k": "9"})
    assert settings == Settings.make("calibrated", {"top_k": "9"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.top_k = 3  # type: ignore[misc]
    bound = settings.bind(PROVISIONAL)
    assert bound.bind(PROVISIONAL) == bound
    assert settings.lelv_entropy is None


def test_they_import_no_mlx() -> None:
    program = (
        "import sys, entropix_mlx.sampling.settings as s; s.Settings.make();"
        "sys.exit(any(m.split('.')[0] in ('mlx', 'numpy', 'transformers') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "can"),
    [
        ("layers", "all", True),
        ("layers", "0,3-5", True),
        ("layers", "999", True),
        ("layers", "1000", False),
        ("layers", "5-3", False),
        ("layers", "nonsense", False),
        ("layers", "0-999," * 200 + "1", False),
        ("layers", 7, False),
        ("top_k", 40, True),
        ("top_k", 40.5, False),
        ("top_k", 10**400, False),
        ("temperature", 1, True),
        ("temperature", 1e308, False),
        ("temperature", True, False),
    ],
)
def test_what_a_file_says_of_a_setting_has_to_be_possible(
    name: str, value: object, can: bool
) -> None:
    assert can_be(name, value) == can
