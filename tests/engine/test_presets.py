"""The user's named presets: kept whole, checked when read, in nobody's way when damaged."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from entropix_mlx.sampling import presets
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.settings import (
    Settings,
    declared,
    delete_preset,
    own_presets,
    save_preset,
)
from entropix_models.errors import DamagedFileError, EntropixError, UsageError


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "config"
    monkeypatch.setenv("ENTROPIX_CONFIG", str(folder))
    yield folder
    assert not list(folder.glob(".*")), "an unfinished file was left"


def put(text: str | bytes) -> Path:
    file = presets.file()
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_what_is_saved_can_be_named() -> None:
    assert own_presets() == {}
    warm = Settings.make("calibrated", {"temperature": "1.25", "clarify": "on", "top_k": "9"})
    save_preset("warm", warm)
    save_preset("plain", Settings.make("temperature", {"min_p": "0.1"}))
    assert list(own_presets()) == ["warm", "plain"]
    made = Settings.make("warm")
    assert made == warm
    assert made.preset == "calibrated"  # anyone can repeat a run from its header
    assert Settings.make("warm", {"temperature": "0.5"}).temperature == 0.5
    assert own_presets()["warm"].values == {
        "temperature": "1.25",
        "top_k": "9",
        "clarify": "guide",
    }
    save_preset("warm", Settings.make("greedy"))
    delete_preset("plain")
    assert own_presets() == {"warm": presets.Preset("greedy", {})}
    with pytest.raises(UsageError, match="no preset 'plain'"):
        delete_preset("plain")


def test_thresholds_follow_the_model_unless_they_were_set() -> None:
    save_preset("free", Settings.make("calibrated", {"helv_entropy": "5"}))
    free = Settings.make("free")
    assert (free.helv_entropy, free.lelv_entropy) == (5.0, None)
    save_preset("fixed", free.bind(PROVISIONAL))
    assert Settings.make("fixed").lelv_entropy == PROVISIONAL.entropy.low
    save_preset("baseline", Settings.make("greedy").bind(PROVISIONAL))
    assert own_presets()["baseline"].values == {}


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64).map(str)
TEXTS = st.one_of(
    NUMBERS,
    st.integers(0, 100).map(str),
    st.sampled_from(["true", "off", "all", "0,3-5", "1e-5", " 0.5 "]),
)


@given(
    st.from_regex(presets.NAME, fullmatch=True).filter(lambda name: name not in declared()),
    st.sampled_from(sorted(declared())),
    st.dictionaries(st.sampled_from(sorted(declared()["calibrated"].usual())), TEXTS, max_size=6),
)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_round_trip(name: str, base: str, overrides: dict[str, str]) -> None:
    try:
        settings = Settings.make(base, overrides)
    except UsageError:
        return
    save_preset(name, settings)
    assert Settings.make(name) == settings
    assert tomllib.loads(presets.file().read_text())[name]["base"] == base


@pytest.mark.parametrize("name", ["", "Warm", "a b", "a.b", "ä", "x" * 41, "a\n", "[a]"])
def test_names(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        save_preset(name, Settings.make())
    assert "\n" not in str(caught.value)
    assert not presets.file().exists()


@pytest.mark.parametrize("name", declared())
def test_the_built_in_ones_keep_their_names(name: str) -> None:
    with pytest.raises(UsageError, match="built-in"):
        save_preset(name, Settings.make())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[warm\n", ("line 1",)),
        ("\n[warm]\ntemperature = = 1\n", ("line 3",)),
        (b"\xff\xfe", ("not TOML",)),
        ("warm = 1\n", ("[warm]", "table")),
        ("[warm]\nbase = 'none'\n", ("[warm]", "'none'", "calibrated")),
        ("[warm]\nbase = []\n", ("[warm]", "base")),
        ("[warm]\ntemperature = 99\n", ("[warm]", "temperature", "10")),
        ("[warm]\ntemprature = 1\n", ("[warm]", "did you mean")),
        ("[warm]\ntop_k = 2.5\n", ("[warm]", "whole")),
        ("[warm]\ntop_k = [1]\n", ("[warm]", "top_k")),
        ("[warm]\ntemperature = nan\n", ("[warm]", "temperature")),
        ("[warm]\nmin_temperature = 2\n", ("[warm]", "max_temperature")),
        ("[greedy]\nbase = 'calibrated'\n", ("built-in",)),
        ('["\\u001b[31m"]\n', ("x1b",)),
    ],
)
def test_a_damaged_file_is_one_line_and_stops_no_built_in_preset(
    text: str | bytes, words: tuple[str, ...]
) -> None:
    file = put(text)
    before = file.read_bytes()
    for use in (own_presets, lambda: Settings.make("warm")):
        with pytest.raises(DamagedFileError) as caught:
            use()
        message = str(caught.value)
        assert "\n" not in message
        assert "\x1b" not in message
        for word in (str(file), *words):
            assert word in message
    assert Settings.make("calibrated").temperature == 0.7
    with pytest.raises(DamagedFileError):  # what somebody wrote there is not lost
        save_preset("other", Settings.make())
    assert file.read_bytes() == before


def test_written_by_hand() -> None:
    put("# mine\n[warm]\ntemperature = 1\nclarify = true\nlayers = '0, 2'\n")
    warm = Settings.make("warm")
    assert (warm.preset, warm.temperature, warm.clarify) == ("calibrated", 1.0, "guide")
    save_preset("other", warm)
    assert Settings.make("warm") == Settings.make("other") == warm


def test_unknown_names_are_told_all_presets() -> None:
    save_preset("warm", Settings.make())
    with pytest.raises(UsageError) as caught:
        Settings.make("wram")
    assert "did you mean 'warm'" in str(caught.value)
    assert "calibrated" in str(caught.value)


def test_a_full_disk_leaves_the_file_as_it_was() -> None:
    save_preset("warm", Settings.make())
    before = presets.file().read_bytes()
    with (
        mock.patch.object(Path, "write_bytes", side_effect=OSError(28, "No space left")),
        pytest.raises(EntropixError, match="disk is full"),
    ):
        save_preset("cold", Settings.make())
    assert presets.file().read_bytes() == before


def test_a_folder_in_place_of_the_file_is_told() -> None:
    presets.file().mkdir(parents=True)
    with pytest.raises(EntropixError, match=r"presets\.toml could not be read"):
        own_presets()


def test_they_import_no_mlx() -> None:
    program = (
        "import sys, entropix_mlx.sampling.settings as s; s.own_presets();"
        "sys.exit(any(m.split('.')[0] in ('mlx', 'numpy', 'textual') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
