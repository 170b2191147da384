"""Options that several commands share, checked before anything heavy is imported."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from entropix_mlx.sampling.settings import Settings, declared
from entropix_models.errors import UsageError

if TYPE_CHECKING:
    from entropix_mlx.sampling.calibration import Calibration
    from entropix_models.language_model import LanguageModel
    from entropix_models.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])

_LARGEST_SEED = 2**63 - 1


device_option = click.option(
    "--device",
    type=click.Choice(("auto", "metal", "cuda", "cpu")),
    default="auto",
    help="Where to compute. auto: on a GPU if there is one.",
)


def model_options(command: Command) -> Command:
    """`--model` and `--device`."""
    for option in (
        device_option,
        click.option(
            "--model",
            metavar="NAME|PATH",
            help="A catalogue name, a folder or a Hub id. Default: llama-3.2-1b on a GPU, "
            "smollm2-135m on a CPU.",
        ),
    ):
        command = option(command)
    return command


def sampler_options(command: Command) -> Command:
    """`--sampler`, `--set`, `--seed` and `--date`."""
    for option in (
        click.option(
            "--date",
            type=click.DateTime(["%Y-%m-%d"]),
            metavar="YYYY-MM-DD",
            help="The date that the chat template prints, if it prints one. Default: today.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, _LARGEST_SEED),
            metavar="N",
            help="Same seed, same tokens. Drawn and shown if not given.",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override a setting of the sampler; repeatable. `samplers` lists them.",
        ),
        click.option(
            "--sampler",
            default="calibrated",
            metavar="PRESET",
            help=f"One of {', '.join(declared())}, or one of your own. Default: calibrated.",
        ),
    ):
        command = option(command)
    return command


trace_option = click.option(
    "--trace",
    # A path that cannot be written is no wrong usage, so that click checks nothing.
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write a trace (JSON Lines) to this file.",
)


trace_attention_option = click.option(
    "--trace-attention",
    is_flag=True,
    help="Beside the trace, each head's attention entropy at each token: FILE.attention.",
)


def require_attention(settings: Settings) -> None:
    """Raises UsageError where --trace-attention would find none to write."""
    if not settings.capture:
        raise UsageError("--trace-attention needs the attention: leave out --set capture=false")


def settings_of(preset: str, overrides: tuple[str, ...]) -> Settings:
    """Raises UsageError for an unknown preset, setting or value, and what `own_presets` raises."""
    pairs = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise UsageError(f"--set {override!r}: give KEY=VALUE")
        pairs[name.strip()] = value
    return Settings.make(preset, pairs)


def date_of(moment: datetime.datetime | None) -> datetime.date | None:
    return moment.date() if moment else None


def load_model(name: str | None, device: str, progress: "Progress") -> "LanguageModel":
    """The model that was named, or this device's default with a word on which and why."""
    from entropix_models import devices, loading
    from entropix_models.sources import sources

    chosen = devices.choose(device)
    if name is None:
        name = sources.default_name(chosen.kind)
        kind = "GPU" if chosen.is_gpu else "CPU"
        click.echo(f"model: {name}, the default on a {kind} (--model names another)", err=True)
    return loading.load(sources.resolve(name, progress=progress), chosen, progress)


def note_calibration(model: "LanguageModel", calibration: "Calibration") -> None:
    """Say so if the thresholds are not the model's own."""
    from entropix_mlx.sampling.calibration import PROVISIONAL

    if calibration is PROVISIONAL:
        click.echo(
            f"note: {model.info.name} has no calibration, so provisional thresholds are used "
            "(scripts/calibrate.py makes one)",
            err=True,
        )
