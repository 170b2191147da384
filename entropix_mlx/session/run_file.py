"""What the answers of a folder have in common, by which a run that was broken off goes on."""

from pathlib import Path
from typing import Any

import msgspec

from entropix_models.errors import DamagedFileError, UsageError
from entropix_models.paths import write_whole

NAME = "run.json"


class RunFile:
    """`run.json` of a folder: by name, what was asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> dict[str, Any]:
        """What is there; nothing where no run has been. Raises DamagedFileError."""
        path = self._folder / NAME
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError) as error:
            raise DamagedFileError(
                f"{path} cannot be read ({error}): name another folder"
            ) from error

    def require(self, run: dict[str, Any]) -> None:
        """Raise UsageError if what is here is another run's."""
        for name, value in self.read().items():
            now = run.get(name)
            if isinstance(value, dict) and isinstance(now, dict) and value != now:
                part = next(key for key in {**value, **now} if value.get(key) != now.get(key))
                name, value, now = f"{name}'s {part}", value.get(part), now.get(part)
            if now != value:
                raise UsageError(
                    f"{self._folder} holds answers of a run whose {name} is {value!r}, not "
                    f"{now!r}: name another folder"
                )

    def write(self, run: dict[str, Any]) -> None:
        """Replace it. Raises EntropixError for a disk that refuses."""
        write_whole(self._folder / NAME, msgspec.json.format(msgspec.json.encode(run)) + b"\n")
