"""The command `entropix-tui`. Answers `--help` without importing Textual or MLX."""

import sys
from typing import NoReturn

import click

from entropix_mlx.cli.exit_status import run
from entropix_tui.cli.chat import chat
from entropix_tui.cli.keys import keys
from entropix_tui.cli.replay import replay
from entropix_tui.cli.score import score
from entropix_tui.cli.step import step
from entropix_tui.cli.web import web


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="entropix-mlx", prog_name="entropix-tui")
def entropix_tui() -> None:
    """Watch a language model decide, token by token."""


for command in (chat, keys, replay, score, step, web):
    entropix_tui.add_command(command)


def main() -> NoReturn:
    """Run the command; one line on standard error says what went wrong."""
    sys.exit(run(entropix_tui, "entropix-tui", sys.argv[1:]))
