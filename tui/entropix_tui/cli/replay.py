"""`entropix-tui replay`: what was recorded, played and looked at; no model is needed."""

import click

from entropix_mlx.cli.options import device_options
from entropix_models.errors import UsageError

SPEEDS = ("0.25", "0.5", "1", "2", "4", "8", "16", "max")


@click.command()
@click.argument("files", metavar="FILE [FILE]", nargs=-1, required=True)
@click.option("--play", is_flag=True, help="Play from the beginning; otherwise all is shown.")
@click.option(
    "--speed",
    type=click.Choice(SPEEDS),
    default="1",
    help="Times as fast as it was recorded; max: all at once. Default: 1.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="Step into it with this model. Default: the recorded one, if it is on this disk.",
)
@device_options
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def replay(
    files: tuple[str, ...], play: bool, speed: str, model: str | None, device: str, debug: bool
) -> int:
    """The chat's screen over a trace, or a saved session by its name.

    Space plays; F7 loads the model and steps into it at the token under the cursor, and writes
    nothing. Two files are shown side by side first.
    """
    if len(files) > 2:
        raise UsageError(f"replay takes one file, or two to compare; {len(files)} were given")
    from entropix_tui.cli.launch import require_terminal

    require_terminal("`entropix-mlx trace show FILE`")
    from entropix_tui.replay.recording import Recording, beside

    first, *others = [Recording.read(name) for name in files]
    other = None
    if others:
        first, other = beside(first, others[0])

    from entropix_models.devices import release_thread
    from entropix_tui.app import EntropixApp
    from entropix_tui.cli import launch
    from entropix_tui.keys import config
    from entropix_tui.replay.playback import AT_ONCE
    from entropix_tui.replay.recording import IdleEngine, Revival
    from entropix_tui.screens.replay.replay import ReplayScreen

    configured = config.read()
    screen = ReplayScreen(
        IdleEngine(Revival(first, model=model, device=device), release=release_thread),
        first,
        play=play,
        speed=AT_ONCE if speed == "max" else float(speed),
        beside=other,
    )
    app = EntropixApp(screen, launch.colours(), dark=configured.is_dark(), config=configured)
    return launch.run_app(app, debug=debug)
