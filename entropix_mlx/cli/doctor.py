"""`entropix-mlx doctor`: is this machine ready, and are its numbers right?"""

import os
import platform
from typing import TYPE_CHECKING

import click

from entropix_mlx.cli.exit_status import debug_option
from entropix_mlx.cli.options import model_options
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import say, tell

if TYPE_CHECKING:
    from entropix_models.devices import Device

_HUB_TIMEOUT = 3.0


@click.command()
@model_options
@click.option("--no-speed", is_flag=True, help="Leave out the measurement of speed.")
@debug_option
def doctor(model: str | None, device: str, no_speed: bool) -> int:
    """Check this machine: device, libraries, numbers, speed. Downloads nothing.

    Exit status 1 if something is wrong.
    """
    from entropix_models import devices

    chosen = devices.choose(device)
    for name, value in (
        ("versions", _versions()),
        ("system", f"{platform.platform()}, {platform.machine()}"),
        ("device", f"{chosen.kind}: {chosen.description}"),
        ("memory", _memory()),
        ("cache", _cache()),
        ("hub", _hub()),
    ):
        _line(name, value)

    healthy = True
    try:
        from entropix_mlx.checks import selfcheck

        for check in selfcheck.run():
            healthy &= check.passed
            verdict = "ok" if check.passed else "WRONG"
            _line("self-check", f"{verdict}: {check.name} off by {check.difference:.1e}")
        if not no_speed:
            _line("speed", _speed(model, chosen))
    finally:
        devices.release_thread()
    if not healthy:
        tell("error: numbers on this device are wrong; please report this output")
    return 0 if healthy else 1


def _line(name: str, value: str) -> None:
    say(f"{name:<14} {value}")


def _versions() -> str:
    from importlib.metadata import version

    names = ("entropix-mlx", "mlx", "mlx-lm", "transformers", "textual")
    return ", ".join([f"python {platform.python_version()}", *(f"{n} {version(n)}" for n in names)])


def _memory() -> str:
    import mlx.core as mx

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = f"{total / 2**30:.0f} GiB"
    if mx.default_device().type == mx.gpu:
        size = mx.device_info(mx.gpu).get("max_recommended_working_set_size")
        if isinstance(size, int):
            text += f", of which the GPU may use {size / 2**30:.0f} GiB"
    return text


def _cache() -> str:
    from entropix_models.paths import cache_root
    from entropix_models.sources import sources

    names = [folder.name for folder in sources.installed()]
    return f"{cache_root()} ({', '.join(names) or 'no model yet'})"


def _hub() -> str:
    from huggingface_hub import constants, get_session

    endpoint = os.environ.get("HF_ENDPOINT", constants.ENDPOINT)
    if constants.HF_HUB_OFFLINE:
        return f"{endpoint}: not asked, HF_HUB_OFFLINE is set"
    try:
        get_session().head(endpoint, timeout=_HUB_TIMEOUT)
    except Exception as error:  # whatever the HTTP library raises, the Hub cannot be reached
        return f"{endpoint} cannot be reached ({type(error).__name__})"
    return f"{endpoint} answers"


def _speed(name: str | None, device: "Device") -> str:
    """A short figure from the code of the benchmarks, if the model is here already."""
    from entropix_mlx.checks import speed
    from entropix_models import loader
    from entropix_models.sources import sources

    name = name or sources.default_name(device.kind)
    folder = sources.locate(name)
    if folder is None:
        return f"not measured: {name} is not here yet (entropix-mlx models pull {name})"
    with stderr_progress() as progress:
        model = loader.load(folder, device, progress)
        progress("measuring", 0, None)
        pair = speed.compare(model, 64, tokens=16, rounds=3)
    return (
        f"{name}: {pair.ours:.1f} tokens/s with everything on, "
        f"mlx-lm's own loop {pair.theirs:.1f}; ratio {pair.ratio:.2f}"
    )
