"""Serves the program to browsers of this machine, and to no page but its own."""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from entropix_mlx.cli.say import tell

NAMES = ("127.0.0.1", "localhost", "::1")


class LocalServer(Server):
    """A program started anew for every browser window, on a loopback address."""

    def __init__(self, command: str, address: str, port: int) -> None:
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{port}"
        super().__init__(command, address, port, title="entropix", public_url=self.url)

    def serve(self, debug: bool = False) -> None:  # noqa: ARG002
        """Serve until Ctrl-C; tell where once the port is listened on."""
        web.run_app(self._make_app(), host=self.host, port=self.port, print=self._tell)

    async def on_startup(self, app: web.Application) -> None:
        """Nothing is told yet, and no logo is drawn."""

    def _tell(self, _words: str) -> None:
        tell(f"entropix is at {self.url} (Ctrl-C ends it)")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what other sites' pages ask for; a browser would let them.

        By name (a site whose name leads here), or by origin (its page opens our socket).
        """
        origin = request.headers.get("Origin")
        if not self._is_ours(f"//{request.host}") or (origin and not self._is_ours(origin)):
            raise web.HTTPForbidden(text="Only the page of this program may use it.")
        if request.path == "/" and f"http://{request.host}" != self.url:
            raise web.HTTPFound(self.url)  # the page's parts come from that name only
        response = await handler(request)
        if not response.prepared:
            socket = self.url.replace("http", "ws", 1)
            # The page asks for a font on the network; nothing is to leave the machine.
            response.headers["Content-Security-Policy"] = (
                "default-src 'self'; style-src 'self' 'unsafe-inline';"
                f" script-src 'self' 'unsafe-inline'; connect-src {socket};"
                " img-src 'self' data:; frame-ancestors 'none'"
            )
        return response

    def _is_ours(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            return parts.hostname in NAMES and (parts.port or 80) == self.port
        except ValueError:
            return False
