"""The command `entropix-tui web`: the same program in a browser on this machine."""

import ipaddress
import socket
import sys

import click

from entropix_models.errors import EntropixError, UsageError
from entropix_tui.cli.chat import chat

_PROGRAM = "from entropix_tui.cli.main import main; main()"


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--host", default="127.0.0.1", help="A name of this machine. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, help="Default: 8000.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def web(host: str, port: int, options: tuple[str, ...]) -> int:
    """Open the program in a browser. OPTIONS are those of `entropix-tui chat`."""
    address = loopback(host)
    chat.make_context("chat", list(options))  # what is wrong with them is said here, not there
    try:
        from entropix_tui.cli.web_server import LocalServer
    except ImportError as error:
        raise EntropixError(
            f"{error.name} is missing: pip install 'entropix-mlx[web]', or use `entropix-tui chat`"
        ) from error
    _free(address, port)
    command = [sys.executable, "-c", _PROGRAM, "chat", *options]
    LocalServer(command, address, port).serve()
    return 0


def loopback(host: str) -> str:
    """The address of a name of this machine. Raises UsageError for any other.

    Whoever reaches the port can use the program, and with it write files.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise UsageError(f"--host {host}: only this machine is served; use 127.0.0.1 or ::1")
    return str(address)


def _free(address: str, port: int) -> None:
    """Raise EntropixError if the port cannot be listened on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EntropixError(f"port {port}: {reason}; choose another with --port") from error
