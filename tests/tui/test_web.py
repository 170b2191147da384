"""The program in a browser: on this machine only, for its own page only."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness import scenario

from entropix_models.errors import UsageError
from entropix_tui.cli.launch import is_served
from entropix_tui.cli.web import loopback

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
async def served(command: str) -> AsyncIterator[str]:
    """A server in this process; its address."""
    from aiohttp import web

    from entropix_tui.cli.web_server import LocalServer

    server = LocalServer(command, "127.0.0.1", free_port())
    runner = web.AppRunner(await server._make_app())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", server.port).start()
        yield server.url
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


@pytest.mark.slow
@scenario
async def test_the_program_is_drawn_in_the_page(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    async with (
        served(f"{sys.executable} {program}") as url,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(url) as page:
            assert page.status == 200
            assert "connect-src ws://127.0.0.1" in page.headers["Content-Security-Policy"]
            assert f"{url.replace('http', 'ws')}/ws" in await page.text()
        async with session.ws_connect(f"{url}/ws?width=60&height=10", origin=url) as drawn:
            found = b""
            while b"hello from the program" not in found:
                message = await drawn.receive(timeout=30)
                assert message.type is aiohttp.WSMsgType.BINARY
                found += message.data


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
    command = f"touch {tmp_path}/started"
    async with served(command) as url, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{url}/ws", headers=headers)
        assert refused.value.status == 403
        async with session.get(url, headers=headers) as page:
            assert page.status == 403
    assert not (tmp_path / "started").exists()


@scenario
async def test_another_name_of_this_machine_leads_to_the_one_address() -> None:
    async with served("false") as url, aiohttp.ClientSession() as session:
        port = url.rpartition(":")[2]
        other = {"Host": f"localhost:{port}"}
        async with session.get(url, headers=other, allow_redirects=False) as page:
            assert (page.status, page.headers["Location"]) == (302, url)


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


def test_a_port_that_is_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        done = run("--port", str(holder.getsockname()[1]))
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.slow
@scenario
async def test_the_real_program_is_served(tmp_path: Path) -> None:
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        *(*MAIN, "web", "--port", str(port), "--model", str(tmp_path / "no-such-model")),
        env={**os.environ, "ENTROPIX_DATA": str(tmp_path), "ENTROPIX_CONFIG": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stderr is not None
        assert f"http://127.0.0.1:{port}" in (await server.stderr.readline()).decode()
        url = f"http://127.0.0.1:{port}/ws?width=100&height=30"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as drawn:
            found = b""
            while b"no-such-model" not in found:
                message = await drawn.receive(timeout=60)
                assert message.type is aiohttp.WSMsgType.BINARY, found[-500:]
                found += message.data
            assert b"38;2;" in found, "a browser has all colours"
    finally:
        server.terminate()
        await server.wait()
