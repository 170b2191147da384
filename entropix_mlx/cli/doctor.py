"""`entropix-mlx doctor`: is this machine ready, and are its numbers right?"""

import os
import platform
import time
from typing import TYPE_CHECKING

import click

from entropix_mlx.cli.exit_status import debug_option
from entropix_mlx.cli.options import model_options
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import say, tell

if TYPE_CHECKING:
    from entropix_mlx.checks.speed import Pair
    from entropix_models.devices import Device
    from entropix_models.language_model import ModelInfo
    from entropix_models.progress import Progress

    Measured = tuple[ModelInfo, Pair]

_HUB_TIMEOUT = 3.0
_SECONDS = 12.0
"""After which nothing is begun any more; on a busy machine what has begun takes a few longer."""


@click.command()
@model_options
@click.option("--no-speed", is_flag=True, help="Leave out the measurement of speed.")
@click.option(
    "--row",
    is_flag=True,
    help="A row of Markdown, as docs/metal.md has them, and the report on standard error.",
)
@debug_option
def doctor(model: str | None, device: str, no_speed: bool, row: bool) -> int:
    """Check this machine: device, libraries, numbers, speed. Downloads nothing.

    Exit status 1 if something is wrong.
    """
    began = time.monotonic()

    def line(name: str, value: str) -> None:
        (tell if row else say)(f"{name:<14} {value}")

    with stderr_progress() as progress:
        progress("looking at the device", 0, None)
        from entropix_models import devices

        chosen = devices.choose(device)
        progress("looking at the device", 1, 1)
        line("versions", _versions())
        line("system", _system())
        line("device", f"{chosen.kind}: {chosen.description}")
        line("memory", _memory())
        line("cache", _cache(progress))
        line("hub", _hub(progress))
        try:
            progress("checking numbers", 0, None)
            from entropix_mlx.checks import selfcheck

            checks = selfcheck.run(progress)
            for check in checks:
                verdict = "ok" if check.passed else "WRONG"
                line("self-check", f"{verdict}: {check.name} off by {check.difference:.1e}")
            measured = None
            if not no_speed:
                name = model or _default(chosen)
                measured = _speed(name, chosen, began + _SECONDS, progress)
                line("speed", _told(name, measured))
        finally:
            devices.release_thread()
    wrong = [check.name for check in checks if not check.passed]
    if row:
        cells = _row(chosen, wrong, measured)
        say(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    if wrong:
        tell("error: numbers on this device are wrong; please report this output")
    return 1 if wrong else 0


def _row(device: "Device", wrong: list[str], measured: "Measured | None") -> list[str]:
    """What the columns of docs/metal.md name."""
    numbers = f"WRONG: {', '.join(wrong)}" if wrong else "right"
    figures = ["-"] * 4
    if measured is not None:
        info, pair = measured
        figures = [f"{info.name} ({info.quantization or info.dtype})"]
        figures += [f"{pair.ours:.1f}", f"{pair.theirs:.1f}", f"{pair.ratio:.2f}"]
    versions = map(_version, ("mlx", "mlx-lm", "entropix-mlx"))
    return [device.description, _system(), _memory(), *versions, numbers, *figures]


def _system() -> str:
    return f"{platform.platform()}, {platform.machine()}"


def _versions() -> str:
    names = ("entropix-mlx", "mlx", "mlx-lm", "transformers", "textual")
    found = (f"{name} {_version(name)}" for name in names)
    return ", ".join([f"python {platform.python_version()}", *found])


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def _memory() -> str:
    import mlx.core as mx

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = f"{total / 2**30:.0f} GiB"
    if mx.default_device().type == mx.gpu:
        size = mx.device_info(mx.gpu).get("max_recommended_working_set_size")
        if isinstance(size, int):
            text += f", of which the GPU may use {size / 2**30:.0f} GiB"
    return text


def _cache(progress: "Progress") -> str:
    progress("looking for models", 0, None)
    from entropix_models.paths import cache_root
    from entropix_models.sources import sources

    names = [folder.name for folder in sources.installed()]
    progress("looking for models", 1, 1)
    return f"{cache_root()} ({', '.join(names) or 'no model yet'})"


def _hub(progress: "Progress") -> str:
    progress("asking the Hub", 0, None)
    from huggingface_hub import constants, get_session

    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT)
    if constants.HF_HUB_OFFLINE:
        progress("asking the Hub", 1, 1)
        return f"{endpoint}: not asked, HF_HUB_OFFLINE is set"
    try:
        get_session().head(endpoint, timeout=_HUB_TIMEOUT)
    except Exception as error:  # whatever the HTTP library raises, the Hub cannot be reached
        return f"{endpoint} cannot be reached ({type(error).__name__})"
    finally:
        progress("asking the Hub", 1, 1)
    return f"{endpoint} answers"


def _default(device: "Device") -> str:
    from entropix_models.sources import sources

    return sources.default_name(device.kind)


def _speed(name: str, device: "Device", until: float, progress: "Progress") -> "Measured | None":
    """A short figure from the code of the benchmarks, if the model is here already."""
    progress("loading weights", 0, None)
    from entropix_mlx.checks import speed
    from entropix_models import loader
    from entropix_models.sources import sources

    folder = sources.locate(name)
    if folder is None:
        progress("loading weights", 1, 1)
        return None
    model = loader.load(folder, device, progress)
    progress("measuring speed", 0, None)
    seconds = max(until - time.monotonic(), 0.0)
    pair = speed.compare(model, 16, tokens=16, rounds=3, seconds=seconds)
    progress("measuring speed", 1, 1)
    return model.info, pair


def _told(name: str, measured: "Measured | None") -> str:
    if measured is None:
        return f"not measured: {name} is not here yet (entropix-mlx models pull {name})"
    pair = measured[1]
    return (
        f"{name}: {pair.ours:.1f} tokens/s with everything on, "
        f"mlx-lm's own loop {pair.theirs:.1f}; ratio {pair.ratio:.2f}"
    )
