"""Serves the program to browsers of this machine, to those that know its address."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server, to_int

from entropix_mlx.cli.say import tell
from entropix_models.errors import one_line
from entropix_tui.cli.web_session import Page, ProgramInPage

NAMES = ("127.0.0.1", "localhost", "::1")


class _OneLine(logging.Handler):
    """What came that is no HTTP is a line in the terminal, not the whole way that it took."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        reason = "" if error is None else f" ({type(error).__name__})"
        tell(one_line(record.getMessage() + reason))


class LocalServer(Server):
    """A program started anew for every browser window, on a loopback address.

    Everything is below a path that nobody can guess: other users of the machine reach the port,
    and whoever uses the program writes files as its owner. `page` is what a browser opens.
    """

    def __init__(self, command: Sequence[str], address: str, port: int) -> None:
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{port}"
        self.secret = secrets.token_urlsafe(24)
        self.page = f"{self.url}/{self.secret}/"
        self._arguments = command
        self._pages: set[Page] = set()
        super().__init__("", address, port, title="entropix", public_url=self.url)

    def serve(self, debug: bool = False) -> None:  # noqa: ARG002
        """Serve until Ctrl-C; tell where once the port is listened on."""
        logging.getLogger().addHandler(_OneLine())
        web.run_app(self._make_app(), host=self.host, port=self.port, print=self._tell)

    async def on_startup(self, app: web.Application) -> None:
        """Nothing is told yet, and no logo is drawn."""

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002
        """End the programs, which end with their pages."""
        pages = list(self._pages)
        await asyncio.gather(*(page.close() for page in pages))
        await asyncio.gather(*(page.is_over.wait() for page in pages))

    def _tell(self, _words: str) -> None:
        tell(f"entropix is at {self.page} (Ctrl-C ends it)")

    async def _make_app(self) -> web.Application:
        outer = web.Application(middlewares=[self._guard])
        outer.add_subapp(f"/{self.secret}/", await super()._make_app())
        return outer

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        page = Page()
        await page.prepare(request)
        self._pages.add(page)
        try:
            columns, rows = (
                to_int(request.query.get(name, ""), default)
                for name, default in (("width", 80), ("height", 24))
            )
            await ProgramInPage(self._arguments, page).serve(columns, rows)
        finally:
            self._pages.discard(page)
            await page.close()
            page.is_over.set()
        return page

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse whoever doesn't know the address, and what other sites' pages ask for, as a
        browser would let them: by name (a site whose name leads here), or by origin (its page
        opens our socket).
        """
        origin = request.headers.get("Origin")
        if not self._is_ours(f"//{request.host}") or (origin and not self._is_ours(origin)):
            raise web.HTTPForbidden(text="Only the page of this program may use it.")
        given = request.path.split("/")[1].encode("utf-8", "replace")
        if not secrets.compare_digest(given, self.secret.encode()):
            raise web.HTTPForbidden(text="Open the address that the terminal shows, all of it.")
        if request.path == f"/{self.secret}/" and f"http://{request.host}" != self.url:
            raise web.HTTPFound(self.page)  # the page's parts come from that name only
        response = await handler(request)
        if not response.prepared:
            socket = self.url.replace("http", "ws", 1)
            # The page asks for a font on the network; nothing is to leave the machine, least of
            # all the address.
            response.headers["Content-Security-Policy"] = (
                "default-src 'self'; style-src 'self' 'unsafe-inline';"
                f" script-src 'self' 'unsafe-inline'; connect-src {socket};"
                " img-src 'self' data:; frame-ancestors 'none'"
            )
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["Cache-Control"] = "no-store"
        return response

    def _is_ours(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            return parts.hostname in (*NAMES, self.host) and (parts.port or 80) == self.port
        except ValueError:
            return False
