"""`entropix-mlx`: the group of commands, each imported when it is named."""

import importlib
import signal
import sys

import click

from entropix_mlx.cli.exit_status import debug_option, run

_COMMANDS = {
    "generate": "Generate text and show the model's uncertainty at each token.",
    "score": "Score a given text: what surprised the model in it.",
    "trace": "Show, verify, compare and export what was recorded.",
    "models": "List, fetch, inspect and import models.",
    "calibrate": "Measure a model, for thresholds and words of its own.",
    "eval": "Have samplers answer a task, and compare them.",
    "tune": "Look for the settings of a sampler that a task likes best.",
    "samplers": "List the sampler presets and their settings.",
    "doctor": "Check this machine: device, libraries, numbers, speed.",
}
"""Commands and their one-line help, so that `--help` imports none of them."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"entropix_mlx.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="entropix-mlx")
@debug_option
def cli() -> None:
    """Entropy-aware decoding on MLX, with the model's uncertainty made visible.

    For a conversation on a screen: entropix-tui chat.
    """


def main() -> None:
    """Entry point: exits with 0, 1 (it failed), 2 (wrong usage) or 130 (interrupted)."""
    status = run(cli, "entropix-mlx", sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left that an interrupt could spoil
    sys.exit(status)
