"""What the command line of another harness says of a model, and of what decides its tokens."""

import datetime
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from entropix_mlx.sampling import own, presets
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.answers import ROWS
from entropix_models import devices, loader
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import quiet
from entropix_models.sources import sources

_NAMES = ("model", "device", "sampler", "seed", "rows", "date")


@dataclass(frozen=True)
class ModelArguments:
    """`model`: the device's default without one. `sampler`: what decides, with `values` of its
    settings as text; without one a request says. `rows`: answers side by side. `date`: the one that
    a chat template prints.
    """

    model: str | None
    device: str
    sampler: str | None
    seed: int
    rows: int
    date: datetime.date
    values: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "ModelArguments":
        """`given` as harnesses parse it: text, numbers, truth values; None is not given.

        What has another name is a setting of the sampler. Raises UsageError.
        """
        texts = {name: presets.text(value) for name, value in given.items() if value is not None}
        own_texts = {name: texts.pop(name) for name in _NAMES if name in texts}
        sampler = own_texts.get("sampler")
        if sampler is not None:
            sampler = own.chosen(sampler)
            Settings.make(sampler, texts)
        elif texts:
            raise UsageError(
                f"unknown argument {', '.join(texts)}: a model has {', '.join(_NAMES)}, and with a "
                "sampler that sampler's settings"
            )
        return cls(
            model=own_texts.get("model"),
            device=own_texts.get("device", "auto"),
            sampler=sampler,
            seed=_number("seed", own_texts.get("seed", "0"), 0),
            rows=_number("rows", own_texts.get("rows", str(ROWS)), 1),
            date=_date(own_texts.get("date")),
            values=texts,
        )

    def load(self) -> LanguageModel:
        """Fetched first if it is not on this disk. Belongs to the calling thread."""
        chosen = devices.choose(self.device)
        name = self.model or sources.default_name(chosen.kind)
        return loader.load(sources.resolve(name, progress=quiet), chosen)

    def settings(self, asked: Mapping[str, float], usual: str) -> Settings:
        """What decides the tokens of an answer.

        `asked`: values of temperature, top_k, top_p or min_p that a request brings. They replace
        the sampler's own; a temperature of 0 asks for the most likely tokens, and is left out where
        a sampler was named. `usual`: the sampler if neither names one. Raises UsageError for values
        that the sampler does not have.
        """
        if asked.get("temperature") == 0:
            if self.sampler is None:
                return Settings.make("greedy")
            _note(f"a task asks for the most likely tokens; sampler {self.sampler} decides")
            asked = {}
        texts = {name: presets.text(value) for name, value in asked.items()}
        if self.sampler is None:
            if not texts:
                return Settings.make(usual)
            return Settings.make("temperature", {"temperature": "1", **texts})
        try:
            return Settings.make(self.sampler, {**self.values, **texts})
        except UsageError as error:
            told = ", ".join(f"{name} {text}" for name, text in texts.items())
            raise UsageError(f"a task asks for {told}: {error}") from error


def _number(name: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{name} {text}: give a number, {least} or more")
    return int(text)


def _date(text: str | None) -> datetime.date:
    try:
        return datetime.date.today() if text is None else datetime.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"date {text}: give YYYY-MM-DD") from error


@cache
def _note(text: str) -> None:
    """Once, however many requests it is about."""
    logging.getLogger("entropix_mlx").warning(text)
