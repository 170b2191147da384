"""Attacks on `entropix-tui web`, from whoever reaches its port and from a page that knows it:

    python reliability/web.py --attacks 100 --seed 1

After each the server goes on, has said one line at most and none of a bug, and no program is left;
who does not know the address got in nowhere and started nothing. Prints what it took at most.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import aiohttp

MAIN = (sys.executable, "-c", "from entropix_tui.cli.main import main; main()")
SECONDS, MEGABYTES = 60, 1024
"""That an attack and what it leaves may take, on a machine that does other things too."""

MESSAGES = (
    *("", "{", "[]", "null", "7", '"stdin"', '["stdin"]', '["stdin", 7]', '["stdin", "\\ud800"]'),
    *('["resize"]', '["resize", {}]', '["resize", {"width": "9", "height": 9}]', '["quit", 1]'),
    *(
        '["resize", {"width": 1e99, "height": 9}]',
        '["resize", [1, 2]]',
        "[" * 99999,
        "\0",
        "[1e999]",
    ),
    *(
        '["ping"]',
        '["ping", {}]',
        '["deliver_chunk_request", "x"]',
        '{"0": "stdin"}',
        '["blur", [[]]]',
    ),
)
TYPED = (
    *("\x1b[48;30000;30000;0;0t", "\x1b[8;30000;30000t", "\x1b" * 9999, "\x1b[200~" + "x" * 99999),
    *("\x1b[<0;99999;99999M", "\x1b[" + "1;" * 9999 + "m", "\0\x01\x02\x7f", "\x1b]52;c;AAAA\x07"),
    *("/" * 999, "漢🙂\u202e" * 999, "\r" * 999, "\x03", "\x10" * 99, "\x0f\x0f\x0f", "\t" * 999),
)


class Server:
    """The command, with a model that is not there; what it says is kept."""

    def __init__(self, process: asyncio.subprocess.Process, page: str) -> None:
        self.process, self.page = process, page
        self.parts = urlsplit(page)
        self.said: list[str] = []

    @property
    def root(self) -> str:
        return f"http://{self.parts.netloc}/"

    @property
    def secret(self) -> str:
        return self.parts.path.strip("/")

    async def listen(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode("utf-8", "replace"))


@asynccontextmanager
async def served() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory() as place:
        folders = {f"ENTROPIX_{name}": place for name in ("CACHE", "DATA", "CONFIG")}
        port = str(random.SystemRandom().randrange(20000, 60000))
        process = await asyncio.create_subprocess_exec(
            *(*MAIN, "web", "--port", port, "--model", f"{place}/no-such-model"),
            env={**os.environ, **folders},
            stdout=subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        server = Server(process, (await process.stderr.readline()).decode().split()[3])
        listening = asyncio.create_task(server.listen())
        try:
            yield server
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            await listening


Attack = Callable[[Server, aiohttp.ClientSession, random.Random], Awaitable[str]]
"""Says what is wrong, or nothing."""


def stranger_path(server: Server, spread: random.Random) -> str:
    known = server.secret
    guesses = (
        "",
        "ws",
        "static/js/textual.js",
        "download/x",
        "%00",
        "..%2f..%2fetc%2fpasswd",
        "//",
    )
    wrong = (known[:-1], known + "x", known.swapcase(), "%2e/" + known[1:], "?token=" + known, "é")
    return spread.choice((*guesses, *(f"{w}/{spread.choice(guesses)}" for w in wrong)))


async def stranger_asks(
    server: Server, session: aiohttp.ClientSession, spread: random.Random
) -> str:
    method = spread.choice(("GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"))
    url = server.root + stranger_path(server, spread)
    async with session.request(method, url, allow_redirects=False) as answer:
        text = await answer.text(errors="replace")
        if answer.status not in (400, 403, 404, 405) or server.secret in text:
            return f"{method} {url}: {answer.status}"
    return ""


async def stranger_opens(
    server: Server, session: aiohttp.ClientSession, spread: random.Random
) -> str:
    url = f"{server.root}{stranger_path(server, spread).rstrip('/')}/ws"
    headers = spread.choice(({}, {"Origin": server.root.rstrip("/")}))
    try:
        await session.ws_connect(url, headers=headers)
    except aiohttp.WSServerHandshakeError as refused:
        return "" if refused.status in (400, 403, 404) else f"{url}: {refused.status}"
    return f"{url}: a session"


async def foreign_page(
    server: Server, session: aiohttp.ClientSession, spread: random.Random
) -> str:
    """A site that has got the address from somewhere."""
    origins = (
        "null",
        "http://example.org",
        "http://127.0.0.1:1",
        "file://",
        "http://127.0.0.1.x:80",
    )
    hosts = ("example.org", f"x.localhost:{server.parts.port}", "[::1", "127.0.0.1:99999", "")
    name, values = spread.choice((("Origin", origins), ("Host", hosts)))
    try:
        await session.ws_connect(f"{server.page}ws", headers={name: spread.choice(values)})
    except aiohttp.WSServerHandshakeError as refused:
        return "" if refused.status in (400, 403) else f"{name}: {refused.status}"
    return f"{name}: a session"


async def noise(server: Server, _session: aiohttp.ClientSession, spread: random.Random) -> str:
    """Bytes that are no HTTP, or too much of it, or none."""
    start = f"GET /{server.secret}/ws HTTP/1.1\r\nHost: {server.parts.netloc}\r\n".encode()
    sent = spread.choice(
        (
            *(
                b"",
                b"\0" * 9999,
                spread.randbytes(9999),
                b"GET / HTTP/9.9\r\n\r\n",
                b"\x16\x03\x01",
            ),
            *(b"GET /" + b"x" * 10**6, start + b"X: " + b"y" * 10**6, start + b"X: y\r\n" * 10**4),
            start
            + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\r\n",
            start + b"Content-Length: 99999999999\r\n\r\n",
            start + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        )
    )
    reader, writer = await asyncio.open_connection(server.parts.hostname, server.parts.port)
    with suppress(ConnectionError, TimeoutError):
        writer.write(sent)
        await asyncio.wait_for(writer.drain(), 5)
        await asyncio.wait_for(reader.read(100), 1)
    writer.close()
    return ""


async def page_sends(server: Server, session: aiohttp.ClientSession, spread: random.Random) -> str:
    """From a page that is in: messages and keys that no browser sends, sizes of no screen."""
    sizes = ("80", "30000", "-1", "x", "9" * 5000, "1e9", "")
    size = f"width={spread.choice(sizes)}&height={spread.choice(sizes)}"
    try:
        socket = await session.ws_connect(f"{server.page}ws?{size}")
    except aiohttp.WSServerHandshakeError as refused:
        return "" if refused.status == 400 and len(size) > 8000 else f"{refused.status}"
    async with socket:
        await socket.receive(timeout=SECONDS)
        for _ in range(spread.choice((1, 5, 50))):
            match spread.randrange(5):
                case 0:
                    await socket.send_str(spread.choice(MESSAGES))
                case 1:
                    await socket.send_bytes(spread.randbytes(99))
                case 2:
                    edge = (0, -1, 1, 80, 500, 30000, 2**31, 10**30)
                    size_of = {"width": spread.choice(edge), "height": spread.choice(edge)}
                    await socket.send_str(json.dumps(["resize", size_of]))
                case 3:
                    await socket.send_str(json.dumps(["stdin", spread.choice(TYPED)]))
                case _:
                    await socket.send_str(json.dumps([spread.choice(("focus", "blur"))]))
    return ""


async def page_vanishes(
    server: Server, session: aiohttp.ClientSession, spread: random.Random
) -> str:
    """Opens some windows, leaves them at once or reads nothing, sends too much at once."""
    sockets = [await session.ws_connect(f"{server.page}ws") for _ in range(spread.choice((1, 3)))]
    for socket in sockets:
        with suppress(ConnectionError):
            if spread.random() < 0.5:
                await socket.send_str("x" * 5_000_000)
            elif spread.random() < 0.5:
                await socket.receive(timeout=SECONDS)
        if socket._response.connection is not None:
            socket._response.connection.close()
    return ""


ATTACKS: tuple[Attack, ...] = (
    *(stranger_asks, stranger_opens, foreign_page, noise, page_sends, page_vanishes),
)


async def run(attacks: int, seed: int) -> int:
    wrong, longest, largest = 0, 0.0, 0.0
    async with served() as server:
        for number in range(attacks):
            spread = random.Random(f"web {seed}/{number}")
            attack = ATTACKS[number % len(ATTACKS)]
            before, begun, faults = len(server.said), time.monotonic(), []
            try:
                async with asyncio.timeout(SECONDS), aiohttp.ClientSession() as session:
                    faults.append(await attack(server, session, spread))
                    if attack in (stranger_asks, stranger_opens, foreign_page, noise):
                        faults.append("a program" if children(server.process.pid) else "")
                    largest = max(largest, memory(server.process.pid))
                    while children(server.process.pid):
                        largest = max(largest, memory(server.process.pid))
                        await asyncio.sleep(0.1)
                    async with session.get(server.page) as page:
                        faults.append("" if page.status == 200 else f"its page: {page.status}")
            except (TimeoutError, OSError, aiohttp.ClientError) as error:
                faults.append(f"{type(error).__name__}: {error}")
            longest = max(longest, time.monotonic() - begun)
            said = server.said[before:]
            windows = 3 if attack is page_vanishes else 1
            if len(said) > windows or any("Traceback" in line for line in said):
                faults.append(f"it says {said}")
            if any(faults):
                wrong += 1
                print(f"{number}: {attack.__name__}: {', '.join(filter(None, faults))}", flush=True)
    if largest > MEGABYTES:
        wrong += 1
    print(f"{attacks} attacks: {wrong} wrong; at most {longest:.1f} s and {largest:.0f} MB")
    return 1 if wrong else 0


def listed() -> list[list[int]]:
    command = ["ps", "-Ao", "pid=,ppid=,rss="]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [[int(word) for word in line.split()] for line in out.splitlines()]


def children(process: int) -> list[int]:
    return [pid for pid, parent, _ in listed() if parent == process]


def memory(process: int) -> float:
    """Megabytes of a process and its children together."""
    return sum(size for pid, parent, size in listed() if process in (pid, parent)) / 1024


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--attacks", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    return asyncio.run(run(asked.attacks, asked.seed))


if __name__ == "__main__":
    sys.exit(main())
