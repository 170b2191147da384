"""The program in a browser: on this machine only, for its own page only."""

import asyncio
import gc
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness import scenario

from entropix_models.errors import UsageError
from entropix_tui.cli.launch import is_served
from entropix_tui.cli.web import loopback

if TYPE_CHECKING:
    from entropix_tui.cli.web_server import LocalServer

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MAIN = [sys.executable, "-c", "from entropix_tui.cli.main import main; main()"]
PROGRAM = (
    "from textual.app import App; from textual.widgets import Label\n"
    "class Hello(App):\n"
    "    def compose(self): yield Label('hello from the program')\n"
    "Hello().run()"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(*command: str, host: str = "127.0.0.1") -> AsyncIterator["LocalServer"]:
    """A server in this process."""
    from aiohttp import web

    from entropix_tui.cli.web_server import LocalServer

    server = LocalServer(command, host, free_port())
    runner = web.AppRunner(await server._make_app())
    await runner.setup()
    try:
        await web.TCPSite(runner, host, server.port).start()
        yield server
    finally:
        await runner.cleanup()
        gc.collect()  # what textual-serve leaves open is complained of here, not in another test


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3"])
def test_names_of_this_machine(host: str) -> None:
    assert loopback(host) in ("127.0.0.1", "::1", "127.1.2.3")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org", "127.1"]
)
def test_other_names_are_refused(host: str) -> None:
    with pytest.raises(UsageError, match="only this machine"):
        loopback(host)


def test_whether_a_browser_is_drawn_in() -> None:
    assert is_served({"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver"})
    assert not is_served({})


@pytest.fixture
def hello(tmp_path: Path) -> tuple[str, str]:
    """A command: a program that says something."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    return sys.executable, str(program)


async def drawn(socket: "aiohttp.ClientWebSocketResponse", text: bytes) -> bytes:
    """What comes until the text has come."""
    found = b""
    while text not in found:
        message = await socket.receive(timeout=60)
        assert message.type is aiohttp.WSMsgType.BINARY, found[-500:]
        found += message.data
    return found


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
@scenario
async def test_the_program_is_drawn_in_the_page(hello: tuple[str, str], host: str) -> None:
    if host != "127.0.0.1" and sys.platform == "darwin":
        pytest.skip("macOS has one address on the loopback")
    async with served(*hello, host=host) as server, aiohttp.ClientSession() as session:
        async with session.get(server.page) as page:
            assert page.status == 200
            assert f"connect-src ws://{host}:" in page.headers["Content-Security-Policy"]
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert f"{server.page.replace('http', 'ws')}ws" in await page.text()
            assert f"{server.page}static/js/textual.js" in await page.text()
        async with session.get(f"{server.page}static/js/textual.js") as script:
            assert script.status == 200
        url = f"{server.page}ws?width=60&height=10"
        async with session.ws_connect(url, origin=server.url) as socket:
            await drawn(socket, b"hello from the program")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "example.org"},
        {"Host": "example.org:8000"},
        {"Host": "localhost.example.org"},
    ],
)
@scenario
async def test_no_other_page_may_use_it(headers: dict[str, str], tmp_path: Path) -> None:
    async with (
        served("touch", f"{tmp_path}/started") as server,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{server.page}ws", headers=headers)
        assert refused.value.status == 403
        async with session.get(server.page, headers=headers) as page:
            assert page.status == 403
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("path", ["", "ws", "static/js/textual.js", "x/", "{}x/ws", "%2e%2e/{}/ws"])
@scenario
async def test_nobody_gets_in_who_does_not_know_the_address(path: str, tmp_path: Path) -> None:
    async with (
        served("touch", f"{tmp_path}/started") as server,
        aiohttp.ClientSession() as session,
    ):
        url = f"{server.url}/{path.format(server.secret[:-1])}"
        async with session.get(url, headers={"Origin": server.url}) as page:
            assert page.status == 403
            assert server.secret not in await page.text()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url)
        assert refused.value.status == 403
    assert not (tmp_path / "started").exists()


@scenario
async def test_another_name_of_this_machine_leads_to_the_one_address() -> None:
    async with served("false") as server, aiohttp.ClientSession() as session:
        other = {"Host": f"localhost:{server.port}"}
        async with session.get(server.page, headers=other, allow_redirects=False) as page:
            assert (page.status, page.headers["Location"]) == (302, server.page)


MALFORMED = (
    *("", "{", "[]", "null", "7", '"stdin"', '["stdin"]', '["stdin", 7]', '["stdin", "\\ud800"]'),
    *('["resize"]', '["resize", {}]', '["resize", {"width": "9", "height": 9}]', '["quit"]'),
    *('["resize", {"width": 1e99, "height": 9}]', '["resize", [1, 2]]', "[" * 9999, "\0"),
    f'["ping", "{"x" * 9999}"]',
)


@pytest.mark.slow
@scenario
async def test_malformed_messages_are_one_line(
    hello: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        served(*hello) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.page}ws") as socket,
    ):
        await drawn(socket, b"hello")
        for message in MALFORMED:
            await socket.send_str(message)
        await socket.send_bytes(b"\0")
        await socket.send_str('["ping", "7"]')
        while True:
            message = await socket.receive(timeout=60)
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
            if message.data == '["pong", "7"]':
                break
    assert capsys.readouterr().err == "a page sent what ours never does; that is left out\n"


SIZE = (
    "from textual.widget import Widget; from entropix_tui.look.themes import ThemedApp\n"
    "class Size(Widget):\n"
    "    def render(self): return '%d by %d;' % self.app.size\n"
    "class Sizes(ThemedApp):\n"
    "    def compose(self): yield Size()\n"
    "Sizes().run()"
)


@pytest.mark.slow
@scenario
async def test_sizes_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(SIZE)
    async with (
        served(sys.executable, str(tmp_path / "program.py")) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.page}ws?width=30000&height=30000") as socket,
    ):
        await drawn(socket, b"640 by 240;")
        await socket.send_json(["resize", {"width": 90, "height": -5}])
        await drawn(socket, b"90 by 1;")
        await socket.send_json(["resize", {"width": 10**30, "height": 30000}])
        await drawn(socket, b"640 by 240;")
        await socket.send_json(["resize", {"width": 70, "height": 20}])
        await drawn(socket, b"70 by 20;")
        await socket.send_json(["stdin", "\x1b[48;30000;30000;0;0t"])
        await drawn(socket, b"640 by 240;")


BUSY = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("__GANGLION__", flush=True)
drawn = str(os.getpid()).encode()
os.write(1, b"D" + len(drawn).to_bytes(4, "big") + drawn)
if sys.argv[1] == "draws":
    while True:
        os.write(1, b"D" + (9999).to_bytes(4, "big") + b"x" * 9999)
signal.pause()
"""


@pytest.mark.slow
@scenario
async def test_a_server_ends_although_a_page_is_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from entropix_tui.cli import web_session

    monkeypatch.setattr(web_session, "PATIENCE", 0.4)
    (tmp_path / "program.py").write_text(BUSY)
    async with aiohttp.ClientSession() as session:
        async with served(sys.executable, str(tmp_path / "program.py"), "draws") as server:
            socket = await session.ws_connect(f"{server.page}ws")
            message = await socket.receive(timeout=60)
            assert socket._response.connection is not None
            assert socket._response.connection.transport is not None
            socket._response.connection.transport.pause_reading()
            [page] = server._pages
            assert page._transport is not None
            while page._transport.get_write_buffer_size() <= 2**16:  # more of it has to wait
                await asyncio.sleep(0.01)
        while is_alive(int(message.data)):
            await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("does", ["nothing", "draws"])
@pytest.mark.parametrize("megabytes", [1, 30])
@scenario
async def test_a_program_that_reads_nothing_ends_with_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, megabytes: int
) -> None:
    """However much of what its page sent is waiting."""
    from entropix_tui.cli import web_session

    monkeypatch.setattr(web_session, "PATIENCE", 0.2)
    (tmp_path / "program.py").write_text(BUSY)
    async with (
        served(sys.executable, str(tmp_path / "program.py"), does) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.page}ws") as socket,
    ):
        message = await socket.receive(timeout=60)
        assert message.type is aiohttp.WSMsgType.BINARY
        with suppress(ConnectionError):  # it is closed where it sends too much
            for _ in range(megabytes):
                await socket.send_json(["stdin", "x" * 10**6])
        if megabytes == 1:
            await socket.close()
        while is_alive(int(message.data)):
            await asyncio.sleep(0.01)


def run(*args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*MAIN, "web", *args],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--host", "0.0.0.0"], 2, ["0.0.0.0", "127.0.0.1"]),
        (["--port", "0"], 2, ["--port"]),
        (["--sampler"], 2, ["--sampler"]),
        (["--frobnicate"], 2, ["--frobnicate"]),
    ],
)
def test_what_is_wrong_is_one_line(args: list[str], status: int, words: list[str]) -> None:
    done = run(*args)
    assert done.returncode == status
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words)


@pytest.mark.slow
def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "textual_serve").mkdir()
    (tmp_path / "textual_serve" / "__init__.py").write_text(
        "raise ModuleNotFoundError('no', name='textual_serve')"
    )
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run(PYTHONPATH=paths)
    assert (done.returncode, done.stdout) == (1, "")
    assert "entropix-mlx[web]" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_port_that_is_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = run("--port", str(holder.getsockname()[1]))
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "--port" in done.stderr


@asynccontextmanager
async def real(tmp_path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The command, with a model that is not there; and the address that it tells."""
    server = await asyncio.create_subprocess_exec(
        *(*MAIN, "web", "--port", str(free_port()), "--model", str(tmp_path / "no-such-model")),
        env={**os.environ, "ENTROPIX_DATA": str(tmp_path), "ENTROPIX_CONFIG": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stderr is not None
        yield server, (await server.stderr.readline()).decode().split()[3]
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@scenario
async def test_the_real_program_is_served_and_ends_with_its_server(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with (
        real(tmp_path) as (server, page),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{page}ws?width=100&height=30") as socket,
    ):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", page)
        found = await drawn(socket, b"no-such-model")
        assert b"38;2;" in found, "a browser has all colours"
        programs = children(server.pid)
        assert len(programs) == 1
        server.send_signal(number)
        while any(map(is_alive, programs)):
            await asyncio.sleep(0.01)
        await server.wait()


def children(process: int) -> list[int]:
    listed = subprocess.run(["ps", "-Ao", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, parent in pairs if int(parent) == process]


def is_alive(process: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
    )
    return state.stdout.strip()[:1] not in ("", "Z")
