"""The user's own presets as they are stored: a base and the values that differ from it, by name.

They are kept in one TOML file, a table a preset, that is meant to be read and edited by hand.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_config_path

from entropix_models.errors import DamagedFileError, EntropixError, UsageError
from entropix_models.paths import write_whole

NAME = re.compile("[a-z0-9-]{1,40}")
_BARE = re.compile(r"true|false|(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?")
_HEAD = """\
# Samplers by name, for --sampler and the chat's sampler panel: a base preset and what differs.
# `entropix-mlx samplers PRESET` tells every setting. Comments are lost when the program saves.
"""


class Preset(NamedTuple):
    """`values` are text, as `Settings.make` takes them."""

    base: str
    values: dict[str, str]


def file() -> Path:
    """`presets.toml` in `$ENTROPIX_CONFIG`, or in the platform's folder for configuration."""
    chosen = os.environ.get("ENTROPIX_CONFIG")
    folder = Path(chosen).expanduser() if chosen else user_config_path("entropix-mlx")
    return folder / "presets.toml"


def load() -> dict[str, Preset]:
    """The user's presets by name, as they are written; none if there is no file.

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
    return {name: _preset(name, table) for name, table in tables.items()}


def save(presets: Mapping[str, Preset]) -> None:
    """Replace the file, whole or not at all. Raises EntropixError for a disk that refuses."""
    target = file()
    content = _HEAD
    for name, preset in presets.items():
        content += f"\n[{name}]\nbase = {json.dumps(preset.base)}\n"
        content += "".join(f"{key} = {_toml(value)}\n" for key, value in preset.values.items())
    write_whole(target, content.encode())


def text(value: bool | int | float | str) -> str:
    """A value as `Settings.make` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def wrong(name: str, error: Exception) -> str:
    """The message for a table that cannot be used, whatever somebody wrote into the file."""
    shown = name if NAME.fullmatch(name) else repr(name)
    return f"{file()}: [{shown}] {_one_line(error)}"


def _preset(name: str, table: object) -> Preset:
    if not isinstance(table, dict):
        raise DamagedFileError(wrong(name, UsageError("not a table of settings")))
    base = table.get("base", "calibrated")
    values = {}
    for key, value in table.items():
        if key == "base":
            continue
        if not isinstance(value, bool | int | float | str):
            raise DamagedFileError(wrong(name, UsageError(f"{key!r}: give one value")))
        values[key] = text(value)
    return Preset(base if isinstance(base, str) else repr(base), values)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _toml(text: str) -> str:
    """A value that was checked: a number or a truth value as it is, anything else in quotes."""
    return text if _BARE.fullmatch(text) else json.dumps(text)
