"""`config.toml`: the user's keys and theme. A damaged one is told of, and never in the way."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_config_path

Theme = Literal["dark", "light", "auto"]
THEMES: tuple[Theme, ...] = ("dark", "light", "auto")
LARGEST = 1_000_000
"""Bytes of a configuration that is read at all."""


@dataclass
class Config:
    """What the file says, unchecked against the program's keys.

    `keys`: lists of keys with commas, by the binding's id; `notices`: one line each on what could
    not be used.
    """

    keys: dict[str, str] = field(default_factory=dict)
    theme: Theme = "auto"
    notices: list[str] = field(default_factory=list)

    def is_dark(self, environ: Mapping[str, str] = os.environ) -> bool:
        """Whether to begin dark; `auto` asks the terminal, as far as it says (`COLORFGBG`)."""
        if self.theme == "auto":
            return environ.get("COLORFGBG", "").rpartition(";")[2] not in ("7", "15")
        return self.theme == "dark"


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """`config.toml` in `$ENTROPIX_CONFIG`, or in the platform's folder for it."""
    chosen = environ.get("ENTROPIX_CONFIG")
    folder = Path(chosen).expanduser() if chosen else user_config_path("entropix-mlx")
    return folder / "config.toml"


def read(path: Path | None = None) -> Config:
    """The configuration; the defaults where there is none, or where it cannot be used."""
    path = config_path() if path is None else path
    config = Config()
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ValueError("it is larger than 1 MB")
        found = tomllib.loads(raw.decode("utf-8-sig"))
    except FileNotFoundError:
        return config
    except OSError as error:
        config.notices.append(f"{path} could not be read: {error.strerror}")
        return config
    except (ValueError, RecursionError) as error:
        reason = "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        config.notices.append(f"{path} was not used: {reason}")
        return config
    for name, table in found.items():
        if name not in ("keys", "view"):
            config.notices.append(f"{path.name}: there is nothing called [{name}]; [keys], [view]")
        elif not isinstance(table, dict):
            config.notices.append(f"{path.name}: {name} has to be a table, [{name}]")
        elif name == "keys":
            _keys(table, config, path.name, "")
        else:
            _view(table, config, path.name)
    return config


def _keys(table: dict[str, Any], config: Config, file: str, under: str) -> None:
    """Take in ids; `chat.new = ...` without quotation marks is a table of a table to TOML."""
    for name, value in table.items():
        if isinstance(value, dict):
            _keys(value, config, file, f"{under}{name}.")
        elif isinstance(value, str):
            config.keys[under + name] = value
        else:
            config.notices.append(f'{file}: "{under}{name}" has to be a string such as "ctrl+r"')


def _view(table: dict[str, Any], config: Config, file: str) -> None:
    for name, value in table.items():
        if name != "theme":
            config.notices.append(f"{file}: [view] has no {name}; only theme")
        elif value not in THEMES:
            config.notices.append(f"{file}: theme is dark, light or auto, not {value!r}")
        else:
            config.theme = value
