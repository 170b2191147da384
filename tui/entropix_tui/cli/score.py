"""`entropix-tui score`: a given text in all instruments."""

import os
from functools import partial
from pathlib import Path

import click

from entropix_mlx.cli.input import read_text
from entropix_mlx.cli.options import model_options, trace_options, writers
from entropix_models.errors import UsageError


@click.command()
@click.argument("file", metavar="[FILE]", required=False)
@model_options
@click.option("--no-bos", is_flag=True, help="Add no beginning-of-sequence token.")
@trace_options
@click.option("--debug", is_flag=True, help="Show where an error came from.")
def score(
    file: str | None,
    model: str | None,
    device: str,
    no_bos: bool,
    trace: Path | None,
    trace_attention: bool,
    debug: bool,
) -> int:
    """What of a text the model did not expect: coloured by surprisal, ranked, in all instruments.

    FILE is taken byte for byte; for - the text is read from standard input. Without FILE it is
    typed or pasted.
    """
    from entropix_mlx.sampling.settings import Settings
    from entropix_tui.cli import launch

    text = None
    if file == "-":
        text = read_text("-")
        _take_keys_from_the_terminal()
    elif file is not None:
        text = read_text(None, Path(file))
    launch.require_terminal("`entropix-mlx score`")

    from entropix_models.devices import release_thread
    from entropix_tui.app import EntropixApp
    from entropix_tui.engine.engine import Engine
    from entropix_tui.engine.factory import SessionFactory
    from entropix_tui.engine.scorer import score_session
    from entropix_tui.keys import config
    from entropix_tui.screens.score.score import ScoreScreen

    configured = config.read()
    with writers(trace, trace_attention) as (written, attention):
        make = partial(score_session, trace=written, attention=attention, bos=not no_bos)
        factory = SessionFactory(Settings.make("calibrated"), model=model, device=device)
        engine = Engine(factory, release=release_thread, make_scorer=make)
        screen = ScoreScreen(engine, text)
        app = EntropixApp(screen, launch.colours(), dark=configured.is_dark(), config=configured)
        return launch.run_app(app, debug=debug)


def _take_keys_from_the_terminal() -> None:
    """Standard input was a pipe, which is read: from here on it is the terminal.

    Raises UsageError where there is none.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError as error:
        raise UsageError("there is no terminal: use `entropix-mlx score -` instead") from error
    os.dup2(terminal, 0)
    os.close(terminal)
