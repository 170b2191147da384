"""The sampler panel by keys and mouse: what it posts, what it refuses, what it shows."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from harness import Host, drive, until
from textual import events
from textual.pilot import Pilot

from entropix_mlx.sampling import presets
from entropix_mlx.sampling.calibration import PROVISIONAL, Band
from entropix_mlx.sampling.settings import Settings, declared, own_presets, save_preset
from entropix_tui.widgets.sampler.editor import THRESHOLDS
from entropix_tui.widgets.sampler.panel import SamplerPanel
from entropix_tui.widgets.sampler.setting_rows import NAME, VALUE

BOUND = Settings.make().bind(PROVISIONAL)
SIDE, DRAWER = (48, 30), (80, 10)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTROPIX_CONFIG", str(tmp_path))


def panel_of(settings: Settings = BOUND) -> SamplerPanel:
    panel = SamplerPanel()
    panel.styles.height = "1fr"
    panel.editor.show(settings, PROVISIONAL)
    panel._rows = panel._list()
    return panel


def changes(host: Host) -> list[Settings]:
    return [m.settings for m in host.posted if isinstance(m, SamplerPanel.Changed)]


def foot(host: Host) -> str:
    return " ".join(host.rows()[-3:-1])


async def posted(host: Host, pilot: Pilot[None], count: int) -> Settings:
    """The last of `count` messages, once they are there."""
    await until(pilot, lambda: len(changes(host)) >= count)
    assert len(changes(host)) == count
    return changes(host)[-1]


def test_a_value_moves_at_once() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        await pilot.press("down", "right")
        assert (await posted(host, pilot, 1)).temperature == 0.75
        await pilot.press("shift+right")
        settings = await posted(host, pilot, 2)
        assert settings.temperature == 1.0
        assert settings.helv_entropy == BOUND.helv_entropy
        row = next(row for row in host.rows() if "temperature" in row)
        assert "•" in row
        await pilot.press("backspace")
        assert await posted(host, pilot, 3) == BOUND
        assert "•" not in "".join(host.rows())

    drive(panel, steps, SIDE)


def test_a_held_key_floods_nobody() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel._at = 2
        for _ in range(30):  # between two turns of the loop, as fast as it can be
            panel.action_move(1)
        assert changes(host) == []
        assert (await posted(host, pilot, 1)).temperature == pytest.approx(2.2)

    drive(panel, steps, SIDE)


def test_numbers_are_typed() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        await pilot.press("down", "1", "full_stop", "2", "9", "backspace", "5")
        assert "1.25▏" in "\n".join(host.rows())
        assert changes(host) == []
        await pilot.press("enter")
        assert (await posted(host, pilot, 1)).temperature == 1.25
        await pilot.press("enter", "9", "escape")
        assert panel.settings.temperature == 1.25
        await pilot.press("9", "down", "up")  # left without Enter
        assert panel.settings.temperature == 1.25
        assert len(changes(host)) == 1

    drive(panel, steps, SIDE)


def test_what_makes_no_sense_is_told_in_one_line_and_not_posted() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        await pilot.press("down", "9", "9", "enter")
        text = "\n".join(host.rows())
        assert "temperature='99': give a number" in text
        assert "0.01 to" in text
        assert " 10" in foot(host)
        assert panel.settings == BOUND
        await pilot.press("down")
        assert "give a number" not in "\n".join(host.rows())
        await pilot.press("end", "up", "up", "up", "up", "up")
        assert panel._chosen == "min_temperature"
        await pilot.press("9", "enter")
        assert "above max_temperature" in "\n".join(host.rows())
        assert panel._held is None  # nothing is on its way either
        assert changes(host) == []

    drive(panel, steps, SIDE)


def test_presets_and_what_each_has() -> None:
    save_preset("mine", Settings.make("temperature", {"top_p": "0.5"}))
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        names = list(declared())
        for count, name in enumerate(names[1:], 1):
            await pilot.press("right")
            assert (await posted(host, pilot, count)).preset == name
        text = "\n".join(host.rows())
        assert "lelv_entropy" not in text
        await pilot.press("right")
        settings = await posted(host, pilot, len(names))
        assert (settings.preset, settings.top_p) == ("temperature", 0.5)
        assert "mine" in host.rows()[1]
        assert settings.hehv_entropy == PROVISIONAL.entropy.high  # regions go on being named
        await pilot.press("right", "left", *["left"] * (len(names) - names.index("greedy")))
        await until(pilot, lambda: changes(host)[-1].preset == "greedy")
        assert len([row for row in host.rows() if "◂" in row]) == 1

    drive(panel, steps, SIDE)


def test_a_chain_has_its_settings_in_a_column() -> None:
    panel = SamplerPanel()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.show(Settings.make("dry,dynatemp").bind(PROVISIONAL))
        panel.focus()
        await pilot.press("down")
        rows = [row for row in host.rows() if "\u25c2" in row]
        assert any("dry_allowed_length " in row for row in rows)
        values = [row for row in rows if "preset" not in row]
        assert len({row.index("\u25c2") for row in values}) == 1
        await pilot.press("right")
        assert (await posted(host, pilot, 1)).preset == "dry,dynatemp"

    drive(panel, steps, SIDE)


def test_saving_under_a_name_and_deleting_it() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        await pilot.press("down", "right", "s", *"my-own")
        assert "save as: my-own▏" in foot(host)
        await pilot.press("enter")
        assert own_presets()["my-own"].values == {"temperature": "0.75"}
        assert "my-own" in host.rows()[1]
        assert not panel.editor.changed
        await pilot.press("s", *["backspace"] * 6, *"Bad", "enter")
        assert "is no name" in foot(host)
        await pilot.press("s", *["backspace"] * 6, *"greedy", "enter")
        assert "built-in" in foot(host)
        await pilot.press("s", "escape", "s", "tab")
        assert list(own_presets()) == ["my-own"]
        panel.focus()
        await pilot.press("delete")
        assert "once more" in foot(host)
        await pilot.press("down", "delete")
        assert "my-own" in own_presets()
        await pilot.press("delete")
        assert own_presets() == {}
        assert panel.editor.name == "calibrated"
        assert panel.editor.changed == ["temperature"]
        await pilot.press("delete")
        assert "built in" in foot(host)

    drive(panel, steps, SIDE)


def test_a_damaged_file_leaves_the_built_in_presets() -> None:
    presets.file().write_text("[x\n")
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        await pilot.press("right")
        assert (await posted(host, pilot, 1)).preset == list(declared())[1]
        assert "presets.toml" in "\n".join(host.rows())
        await pilot.press("s", "x", "enter")
        assert "not TOML" in "\n".join(host.rows())
        assert presets.file().read_text() == "[x\n"

    drive(panel, steps, (120, 30))


def test_the_mouse_does_all_of_it() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        y = next(i for i, row in enumerate(host.rows()) if "temperature" in row)
        x = NAME + 1
        await pilot.click(SamplerPanel, offset=(x + VALUE + 1, y))
        assert (await posted(host, pilot, 1)).temperature == 0.75
        await pilot.click(SamplerPanel, offset=(x, y), shift=True)
        assert (await posted(host, pilot, 2)).temperature == 0.5
        await pilot.click(SamplerPanel, offset=(x + 3, y))
        assert "▏" in host.rows()[y]
        await pilot.click(SamplerPanel, offset=(3, y - 1))  # a heading
        assert panel._chosen == "temperature"
        await pilot.click(SamplerPanel, offset=(3, y + 1))
        assert panel._chosen == "top_p"
        assert panel._writing is None
        assert len(changes(host)) == 2

    drive(panel, steps, SIDE)


def test_a_drawer_scrolls_to_the_setting() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        assert "┃" in host.rows()[1]
        for name in ("temperature", "top_p", "top_k", "min_p", "draws", *THRESHOLDS):
            await pilot.press("down")
            rows = [row for row in host.rows() if "▸ " in row[:4]]
            assert len(rows) == 1
            assert name in rows[0]
        await pilot.press("end")
        assert "look_ahead" in host.rows()[-3]
        await pilot.press("home")
        assert "preset" in host.rows()[1]
        await pilot._post_mouse_events([events.MouseScrollDown], SamplerPanel)
        assert "preset" not in "\n".join(host.rows())

    drive(panel, steps, DRAWER)


@pytest.mark.slow
def test_one_of_a_few_words() -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.focus()
        await pilot.press("end", "up", "right")
        assert (await posted(host, pilot, 1)).clarify == "insert"
        await pilot.press("enter")
        assert (await posted(host, pilot, 2)).clarify == "ask"
        await pilot.press("left")
        assert (await posted(host, pilot, 3)).clarify == "insert"

    drive(panel, steps, SIDE)


def test_showing_a_sessions_settings_posts_nothing() -> None:
    panel = SamplerPanel()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.show(Settings.make("entropixplained").bind(PROVISIONAL), PROVISIONAL)
        await pilot.pause()
        assert panel._held is None
        assert "entropixplained" in host.rows()[1]
        assert changes(host) == []

    drive(panel, steps, SIDE)


def test_its_own_changes_coming_back_do_not_undo_later_ones() -> None:
    panel = SamplerPanel()

    async def steps(host: Host, pilot: Pilot[None]) -> None:
        panel.show(BOUND, PROVISIONAL)
        panel.focus()
        await pilot.press("down", "right")
        first = await posted(host, pilot, 1)
        await pilot.press("right")
        panel.show(first, PROVISIONAL)  # the engine is one step behind
        assert panel.settings.temperature == 0.8
        second = await posted(host, pilot, 2)
        panel.show(second, PROVISIONAL)
        panel.show(first, PROVISIONAL)  # somebody else's: a branch where it was so
        assert panel.settings.temperature == 0.75
        panel.show(BOUND, PROVISIONAL)
        assert panel.settings.temperature == 0.7
        assert len(changes(host)) == 2

    drive(panel, steps, SIDE)


def test_another_models_thresholds() -> None:
    panel = SamplerPanel()

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        other = msgspec.structs.replace(PROVISIONAL, entropy=Band(1.0, 2.0, 3.0))
        panel.show(BOUND, PROVISIONAL)
        panel.show(Settings.make().bind(other), other)
        await pilot.pause()
        assert panel.editor.changed == []
        assert panel.settings.helv_entropy == 3.0

    drive(panel, steps, SIDE)


@pytest.mark.parametrize("size", [(5, 4), (10, 3), (20, 6)])
def test_no_size_is_too_small(size: tuple[int, int]) -> None:
    panel = panel_of()

    async def steps(host: Host, pilot: Pilot[None]) -> None:  # noqa: ARG001
        panel.focus()
        await pilot.press("down", "right", "end", "home", "s", "x", "escape")

    drive(panel, steps, size)


@pytest.mark.parametrize("size", [SIDE, DRAWER], ids=["48x30", "80x10"])
def test_how_it_looks(looks: Any, size: tuple[int, int]) -> None:
    panel = panel_of()

    async def steps(pilot: Pilot[None]) -> None:
        panel.focus()
        await pilot.press("down", "right", "down", "right", "down")

    assert looks(Host(lambda: panel), size, steps)
