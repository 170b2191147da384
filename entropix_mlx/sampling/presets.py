"""The user's own presets: a base preset and the values that differ from it, each under a name.

They are kept in one TOML file, a table a preset, that is meant to be read and edited by hand.
"""

import json
import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_config_path

from entropix_mlx.sampling.settings import PRESETS, Settings
from entropix_models.errors import DamagedFileError, EntropixError, UsageError
from entropix_models.paths import disk_errors

NAME = re.compile("[a-z0-9-]{1,40}")
_HEAD = """\
# Samplers by name, for --sampler and the chat's sampler panel: a base preset and what differs.
# `entropix-mlx samplers PRESET` tells every setting. Comments are lost when the program saves.
"""


class Preset(NamedTuple):
    """`values` are text, as `Settings.make` takes them; all of them hold for `base`."""

    base: str
    values: dict[str, str]


def file() -> Path:
    """`presets.toml` in `$ENTROPIX_CONFIG`, or in the platform's folder for configuration."""
    chosen = os.environ.get("ENTROPIX_CONFIG")
    folder = Path(chosen).expanduser() if chosen else user_config_path("entropix-mlx")
    return folder / "presets.toml"


def load() -> dict[str, Preset]:
    """The user's presets by name; none if there is no file.

    Raises DamagedFileError, which names the file and the place, and EntropixError for a file that
    cannot be read.
    """
    source = file()
    try:
        tables = tomllib.loads(source.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise EntropixError(f"{source} could not be read ({reason})") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DamagedFileError(f"{source}: not TOML ({_one_line(error)}); mend it") from error
    return {name: _preset(source, name, table) for name, table in tables.items()}


def save(name: str, settings: Settings) -> None:
    """Keep settings under a name, in place of what had it.

    What differs from the base preset is written, a threshold too: settings that were not bound
    keep following the model's calibration. Raises UsageError for a name that cannot be given,
    DamagedFileError rather than write over a damaged file, EntropixError for a disk that refuses.
    """
    check(name)
    base = PRESETS[settings.preset]
    values = {key: _text(getattr(settings, key)) for key in base if _differs(settings, key)}
    _write({**load(), name: Preset(settings.preset, values)})


def delete(name: str) -> None:
    """Forget a preset. Raises UsageError if there is none of that name, else as `save`."""
    known = load()
    if name not in known:
        raise UsageError(f"there is no preset {name!r} of yours in {file()}")
    _write({other: preset for other, preset in known.items() if other != name})


def check(name: str) -> None:
    """Raises UsageError for what cannot be the name of a preset of the user's."""
    if name in PRESETS:
        raise UsageError(f"{name!r} is a built-in preset; choose another name")
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a preset: up to 40 of a-z, 0-9 and -")


def _differs(settings: Settings, key: str) -> bool:
    value = getattr(settings, key)
    return value is not None and value != PRESETS[settings.preset][key]


def _preset(source: Path, name: str, table: object) -> Preset:
    """One table of the file, checked against what its base can be given."""
    try:
        check(name)
        if not isinstance(table, dict):
            raise UsageError("not a table of settings")
        base = table.get("base", "calibrated")
        if not isinstance(base, str) or base not in PRESETS:
            raise UsageError(f"base = {base!r}: give one of {', '.join(PRESETS)}")
        values = {}
        for key, value in table.items():
            if key == "base":
                continue
            if not isinstance(value, bool | int | float | str):
                raise UsageError(f"{key!r}: give one value")
            values[key] = _text(value)
        settings = Settings.make(base, values)
    except UsageError as error:
        raise DamagedFileError(f"{source}: [{_shown(name)}] {_one_line(error)}") from error
    return Preset(base, {key: _text(getattr(settings, key)) for key in values})


def _text(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _shown(name: str) -> str:
    """A name as it may stand in a message, whatever somebody wrote into the file."""
    return name if NAME.fullmatch(name) else repr(name)


def _write(presets: Mapping[str, Preset]) -> None:
    """Replace the file, whole or not at all."""
    target = file()
    text = _HEAD
    for name, preset in presets.items():
        text += f"\n[{name}]\nbase = {json.dumps(preset.base)}\n"
        text += "".join(f"{key} = {_toml(key, value)}\n" for key, value in preset.values.items())
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with disk_errors(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(text, encoding="utf-8")
            os.replace(unfinished, target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _toml(key: str, text: str) -> str:
    """A value as it was checked: all but `layers` are numbers or truth values."""
    return json.dumps(text) if key == "layers" else text
