"""A mirror of the Hub that means harm, in one way at a time (`hub_modes.MODES`)."""

import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

REPOSITORY = "someone/tiny-llama"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Ask:
    """A request, and the answer that an honest Hub would give.

    kind: "info" (the revision of the repository), "tree" (its files), or "file".
    """

    kind: str
    name: str
    headers: dict[str, str]
    files: dict[str, bytes]
    url: str
    path: str
    count: int
    """How many of this kind came before."""

    status: int = 200
    answer: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def honest(self) -> None:
        if self.kind == "info":
            siblings = [{"rfilename": name} for name in self.files]
            self.json({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings})
        elif self.kind == "tree":
            self.json([listed(name, data) for name, data in self.files.items()])
        elif self.name not in self.files:
            self.status = 404
        else:
            self.body = self.files[self.name]
            self.answer |= {
                "ETag": f'"{hashlib.sha256(self.body).hexdigest()}"',
                "X-Repo-Commit": COMMIT,
                "Accept-Ranges": "bytes",
            }
            if wanted := self.headers.get("range"):
                start = int(wanted.removeprefix("bytes=").split("-")[0])
                whole, self.body, self.status = len(self.body), self.body[start:], 206
                self.answer["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"

    def json(self, value: object) -> None:
        self.body = json.dumps(value).encode()
        self.answer["Content-Type"] = "application/json"

    def head(self, *, length: bool = True) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Said"]
        own = {"Content-Length": str(len(self.body))} if length else {}
        lines += [f"{name}: {value}" for name, value in (own | self.answer).items()]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def listed(name: str, data: bytes) -> dict[str, object]:
    """A file as the Hub's tree has it."""
    entry: dict[str, object] = {
        "type": "file",
        "path": name,
        "size": len(data),
        "oid": hashlib.sha1(data).hexdigest(),
    }
    if name.endswith(".safetensors"):
        oid = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 134}
    return entry


Mode = Callable[[Ask], Iterable[bytes] | None]
"""Changes the honest answer, or gives what goes over the wire instead of it."""


class HostileHub:
    """Serves `files` as REPOSITORY on a loopback port, hostile to what is asked of one kind.

    `url` goes into HF_ENDPOINT. A context manager.
    """

    def __init__(self, files: Mapping[str, bytes], kind: str, mode: Mode) -> None:
        self._kind, self._mode = kind, mode
        self._files = dict(files)
        self._counts: Counter[str] = Counter()
        self.asked: float | None = None
        """When the first question came (`time.monotonic`)."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> "HostileHub":
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:
            lines = connection.makefile("rb")
            while request := lines.readline():
                method, target, _ = request.decode().split(" ", 2)
                headers = {}
                while line := lines.readline().strip().decode():
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                if not self._answer(connection, method, target, headers):
                    return

    def _answer(
        self, connection: socket.socket, method: str, target: str, headers: dict[str, str]
    ) -> bool:
        """Whether the connection can go on."""
        self.asked = self.asked or time.monotonic()
        path = unquote(urlsplit(target).path)
        kind = "tree" if "/tree/" in path else "file" if "/resolve/" in path else "info"
        name = path.partition("/resolve/")[2].partition("/")[2]
        ask = Ask(kind, name, headers, dict(self._files), self.url, path, self._counts[kind])
        self._counts[kind] += 1
        ask.honest()
        wire = self._mode(ask) if self._kind in (kind, "any") else None
        for piece in (ask.head(), b"" if method == "HEAD" else ask.body) if wire is None else wire:
            connection.sendall(piece)
        return wire is None
