"""`entropix-mlx samplers` and `--sampler` know the user's presets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entropix_mlx.cli.options import settings_of
from entropix_mlx.sampling import presets
from entropix_mlx.sampling.settings import Settings, declared, save_preset

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTROPIX_CONFIG", str(tmp_path))


def test_a_preset_of_ones_own(call: Call) -> None:
    save_preset("warm", Settings.make("calibrated", {"temperature": "1.25"}))
    listed = call("samplers")
    *_, last = listed.text.splitlines()
    assert last.split(maxsplit=1) == ["warm", "yours: calibrated with temperature 1.25"]
    columns = {line.index(line.split(maxsplit=1)[1]) for line in listed.text.splitlines()}
    assert len(columns) == 1
    shown = call("samplers", "warm")
    assert shown.status == 0
    lines = dict(line.split(maxsplit=1) for line in shown.text.splitlines())
    assert lines["temperature"].startswith("1.25 ")
    assert lines["lelv_entropy"].startswith("calibrated ")
    told = json.loads(call("samplers", "--json").text)
    assert told.keys() == {*declared(), "warm"}
    assert told["calibrated"] == declared()["calibrated"].usual()
    assert told["warm"]["temperature"] == 1.25
    assert settings_of("warm", ("top_k=5",)) == Settings.make(
        "calibrated", {"temperature": "1.25", "top_k": "5"}
    )


def test_a_damaged_file_is_a_note_beside_the_built_in_ones(call: Call) -> None:
    presets.file().write_text("[warm\n")
    listed = call("samplers")
    assert listed.status == 0
    assert len(listed.text.splitlines()) == len(declared())
    assert listed.err.count("\n") == 1
    assert str(presets.file()) in listed.err
    named = call("samplers", "warm")
    assert (named.status, named.err.count("\n")) == (1, 1)
    assert call("samplers", "greedy").status == 0
