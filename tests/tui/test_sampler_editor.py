"""Turning a sampler's editor: steps, ranges, what counts as changed, and saving under a name."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropix_mlx.records.record import RunHeader
from entropix_mlx.sampling import presets
from entropix_mlx.sampling.calibration import PROVISIONAL, key, stored
from entropix_mlx.sampling.settings import Settings, declared, own_presets, parameters
from entropix_models.errors import DamagedFileError, UsageError
from entropix_tui.widgets.sampler.editor import (
    THRESHOLDS,
    SamplerEditor,
    about,
    calibration_of,
    note,
    shown,
)

MEASURED = {"capture", "layers", "quadrants"}
BOUND = Settings.make().bind(PROVISIONAL)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTROPIX_CONFIG", str(tmp_path))


def knobs_of(settings: Settings = BOUND) -> SamplerEditor:
    editor = SamplerEditor()
    editor.show(settings, PROVISIONAL)
    return editor


def test_everything_but_what_is_measured_is_offered() -> None:
    assert all(about(name) for name in parameters())
    assert {note(name) for name in THRESHOLDS} >= {"greedy H<", "resample H>", "and V>"}
    for preset in declared():
        editor = knobs_of(Settings.make(preset).bind(PROVISIONAL))
        offered = [name for _, names in editor.offered() for name in names]
        assert set(offered) == declared()[preset].usual().keys() - MEASURED


@given(
    st.sampled_from([n for n in BOUND.parameters() if n not in MEASURED]),
    st.lists(st.tuples(st.sampled_from([-1, 1]), st.booleans()), max_size=40),
)
def test_steps_stay_in_range_and_on_the_grid(name: str, moves: list[tuple[int, bool]]) -> None:
    editor = knobs_of()
    kind = editor.settings.parameters()[name].metadata["kind"]
    for direction, large in moves:
        before = editor.value(name)
        try:
            editor.move(name, direction, large=large)
        except UsageError:
            assert editor.value(name) == before
        after = editor.value(name)
        if name == "clarify":
            assert after in kind.values
            assert after != before
            continue
        assert isinstance(after, int | float)
        low, high, by = kind.low, kind.high, kind.step[large]
        assert low <= after <= high
        if after not in (before, low, high):
            assert after / by == pytest.approx(round(after / by))
            assert (after > before) == (direction > 0)  # type: ignore[operator]


def test_a_step_from_between_goes_to_the_next_multiple() -> None:
    editor = knobs_of()
    editor.put("temperature", "0.73")
    editor.move("temperature", 1)
    assert editor.value("temperature") == 0.8
    editor.move("temperature", -1, large=True)
    assert editor.value("temperature") == 0.5
    editor.move("top_k", 1)
    assert editor.value("top_k") == 28


def test_changes_add_up_and_go_back_one_by_one() -> None:
    editor = knobs_of()
    editor.put("temperature", "0.5")
    editor.put("helv_entropy", "3")
    assert editor.changed == ["temperature", "helv_entropy"]
    assert editor.settings == dataclasses.replace(BOUND, temperature=0.5, helv_entropy=3.0)
    editor.reset("temperature")
    assert editor.changed == ["helv_entropy"]
    editor.reset("helv_entropy")
    assert editor.settings == BOUND  # the model's threshold again


def test_what_makes_no_sense_changes_nothing() -> None:
    editor = knobs_of()
    for name, text in [("temperature", "0"), ("top_k", "2.5"), ("min_temperature", "9")]:
        with pytest.raises(UsageError) as caught:
            editor.put(name, text)
        assert name in str(caught.value)
        assert editor.settings == BOUND
    editor.put("min_temperature", "1.2")
    editor.put("max_temperature", "1.3")
    editor.put("min_temperature", "1.25")
    with pytest.raises(UsageError, match="above"):
        editor.move("min_temperature", 1, large=True)


def test_switching_presets_keeps_what_is_measured() -> None:
    kept = {"capture": "false", "layers": "0,2", "quadrants": "guide"}
    settings = Settings.make("calibrated", kept).bind(PROVISIONAL)
    editor = knobs_of(settings)
    assert editor.changed == []
    for name in declared():
        editor.choose(name)
        assert (editor.settings.capture, editor.settings.layers) == (False, "0,2")
        assert editor.settings.quadrants == "guide"
        assert editor.settings.preset == name
        own = declared()[name].usual().get("lelv_entropy")
        assert editor.settings.lelv_entropy == (1.5 if own is None else own)


def test_thresholds_that_were_set_are_told_from_the_models() -> None:
    set_ = Settings.make("calibrated", {"helv_entropy": "3"}).bind(PROVISIONAL)
    assert knobs_of(set_).changed == ["helv_entropy"]
    without = SamplerEditor()
    without.show(set_)  # no calibration to tell it by
    assert without.changed == []
    without.put("helv_entropy", "5")
    without.reset("helv_entropy")
    assert without.value("helv_entropy") == 3


def test_settings_that_were_not_bound() -> None:
    editor = SamplerEditor()
    editor.show(Settings.make())
    assert shown(editor.value("helv_entropy")) == "model's"
    with pytest.raises(UsageError, match="type a number"):
        editor.move("helv_entropy", 1)
    editor.put("helv_entropy", "3")
    assert editor.settings == Settings.make("calibrated", {"helv_entropy": "3"})


def test_saving_leaves_the_models_thresholds_to_the_model() -> None:
    editor = knobs_of(Settings.make("calibrated", {"capture": "false"}).bind(PROVISIONAL))
    editor.put("temperature", "0.5")
    editor.put("hehv_varentropy", "12")
    editor.save("mine")
    assert own_presets()["mine"].values == {"temperature": "0.5", "hehv_varentropy": "12.0"}
    assert (editor.name, editor.changed) == ("mine", [])
    editor.put("temperature", "0.6")
    assert editor.changed == ["temperature"]
    editor.reset("temperature")
    assert editor.value("temperature") == 0.5
    assert editor.names == [*declared(), "mine"]
    again = SamplerEditor()
    again.show(editor.settings, PROVISIONAL)
    assert (again.name, again.changed) == ("mine", [])
    with pytest.raises(UsageError, match="built-in"):
        editor.save("greedy")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1 + 0.2, "0.3"), (True, "on"), (False, "off"), (27, "27"), (None, "model's")],
)
def test_shown(value: float | bool | None, text: str) -> None:
    assert shown(value) == text


def header(calibration: str | None) -> RunHeader:
    return RunHeader(
        model="m",
        revision=None,
        device="cpu",
        dtype="float32",
        sampler={},
        calibration=calibration,
        seed=1,
        date=None,
        versions={},
        created="",
    )


def test_the_calibration_of_a_run() -> None:
    parts = ("smollm2-135m", "0.1.2", "Q4_1")
    assert calibration_of(header(key(*parts))) == stored(key(*parts)) is not None
    assert calibration_of(header(None)) == PROVISIONAL
    for elsewhere in ("none", "../calibrations/none", "../../pyproject", "/etc/passwd", ""):
        assert calibration_of(header(elsewhere)) is None


def test_a_damaged_presets_file() -> None:
    presets.file().write_text("[x\n")
    editor = knobs_of()
    assert editor.name == "calibrated"
    editor.choose("greedy")
    with pytest.raises(DamagedFileError):
        _ = editor.names
