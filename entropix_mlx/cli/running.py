"""How a command line ends: one line on standard error and the right exit status."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from entropix_models.errors import EntropixError

INTERRUPTED = 130


def run(command: click.Command, program: str, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status; nothing escapes but SystemExit."""
    state: dict[str, Any] = {}
    try:
        status = command.main(list(arguments), prog_name=program, standalone_mode=False, obj=state)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        return _fail(f"{error.format_message()} (see {_path(error, program)} --help)", 2, state)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code, state)
    except EntropixError as error:
        return _fail(str(error), error.exit_status, state)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Python would complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.strerror or error}{_file(error)}", 1, state)
    except MemoryError:
        return _fail("out of memory: use a smaller model or a shorter prompt", 1, state)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return _fail(f"{reason} (a bug: --debug shows where)", 1, state)


def _fail(message: str, status: int, state: dict[str, Any]) -> int:
    if state.get("debug"):
        traceback.print_exc()
    click.echo(f"error: {message}", err=True)
    return status


def _path(error: click.UsageError, program: str) -> str:
    return error.ctx.command_path if error.ctx else program


def _file(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(dict)["debug"] = True


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    is_eager=True,
    help="Show where an error came from.",
)
