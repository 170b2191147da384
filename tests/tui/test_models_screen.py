"""The list of models."""

from pathlib import Path
from typing import Any

import pytest
from harness import HOSTILE, SIZES, Host, hosted, press, scenario
from textual.pilot import Pilot

from entropix_models.errors import DamagedFileError, ModelNotFoundError
from entropix_tui.screens.models import Model, ModelsScreen, known, locate

MODELS = [
    Model("smollm2-135m", "SmolLM2 135M", "llama", "Q4_1", 98_362_432, 0, 8192, "wheel x"),
    Model("llama-3.2-1b", "Llama 3.2 1B", "llama", "4-bit", 695_283_921, 695_283_921, 131_072, "h"),
    Model("llama-3.2-1b-base", "Base", "llama", "bfloat16", None, None, 131_072, "hub y", False),
    Model("mine", "mine", "-", "8-bit", 5_000_000, 0, None, "gguf mine.gguf"),
]


def screen(models: Any = None, check: Any = None) -> ModelsScreen:
    return ModelsScreen(
        current="smollm2-135m",
        models=(lambda: MODELS) if models is None else models,
        check=check or (lambda _name: None),
    )


@pytest.mark.slow
@scenario
async def test_what_is_said_of_a_model() -> None:
    async with hosted(screen) as (app, pilot):
        text = app.text()
        for shown in ("● smollm2-135m", "✓ here", "↓ 695 MB", "↓ ?"):
            assert shown in text
        assert "nothing to download" in text
        assert "8,192" in text
        await press(pilot, "down")
        assert "695 MB to download, once" in app.text()
        await press(pilot, "down")
        assert "download of unknown size" in app.text()
        assert "base model" in app.text()
        await press(pilot, "up", "enter")
        assert app.answers == ["llama-3.2-1b"]


@pytest.mark.slow
@scenario
async def test_the_mouse_and_the_filter() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "slash", *"mine", "enter")
        assert app.answers == ["mine"]
    async with hosted(screen) as (app, pilot):
        y = next(n for n, row in enumerate(app.rows()) if "mine" in row)
        await pilot.click(offset=(10, y), times=2)
        await press(pilot)
        assert app.answers == ["mine"]


@scenario
async def test_another_one_by_its_name() -> None:
    def check(name: str) -> None:
        if "/" not in name:
            raise ModelNotFoundError(f"{name}: no model of that name; did you mean [b]?")

    async with hosted(lambda: screen(check=check)) as (app, pilot):
        await press(pilot, "tab", *"nonsense", "enter")
        assert "did you mean [b]?" in app.text()
        assert app.answers == []
        await press(pilot, "escape")
        assert app.focused is app.screen.choices  # type: ignore[attr-defined]
        await press(pilot, "tab", *"/x", "enter")
        assert app.answers == ["nonsense/x"]


@scenario
async def test_an_empty_field_says_nothing() -> None:
    async with hosted(screen) as (app, pilot):
        await press(pilot, "tab", "space", "enter", "escape", "escape")
        assert app.answers == [None]


@scenario
async def test_a_damaged_model_is_told() -> None:
    def damaged() -> list[Model]:
        raise DamagedFileError("[x]/config.json cannot be read; get the model anew")

    async with hosted(lambda: screen(models=damaged)) as (app, pilot):
        assert "[x]/config.json cannot be read" in app.text()
        await press(pilot, "enter", "tab", *"a/b", "enter")
        assert app.answers == ["a/b"]


@scenario
async def test_hostile_names() -> None:
    models = [Model(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, 0, 1, HOSTILE)]
    async with hosted(lambda: screen(models=lambda: models)) as (app, _):
        assert "[/red]" in app.text()
        assert not app.steering()


def test_the_catalogue_and_what_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENTROPIX_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    found = {model.name: model for model in known()}
    assert found["smollm2-135m"].download == 92_871_040  # the archive, not the file in it
    assert found["llama-3.2-1b-base"].size is None
    assert not found["llama-3.2-1b-base"].chat


def test_names_are_looked_for_on_the_disk_only() -> None:
    locate("some-organisation/some-model")
    with pytest.raises(ModelNotFoundError):
        locate("no such model")


@SIZES
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("down")

    assert looks(Host(screen), size, steps)
