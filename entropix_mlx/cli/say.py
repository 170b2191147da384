"""The door: whatever a command says to people in words goes through it, and nothing raw does."""

import sys

import click

from entropix_mlx.terminal.visible import escaped


def say(text: str) -> None:
    """A result, on standard output; what could steer a terminal is shown by its number."""
    click.echo(escaped(text))


def tell(text: str) -> None:
    """As `say`, on standard error: notes, warnings, and what went wrong."""
    click.echo(escaped(text), err=True)


def tell_over(line: str) -> None:
    """A line on a terminal's standard error that the next one is written over; "" wipes it."""
    click.echo(f"\r{escaped(line)}\x1b[K", err=True, nl=False)


def hand_over(document: str) -> None:
    """A document on standard output: as it is into a pipe, escaped on a terminal."""
    if sys.stdout.isatty():
        document = escaped(document)
    sys.stdout.buffer.write(document.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
