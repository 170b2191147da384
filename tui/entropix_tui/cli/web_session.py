"""The program behind one window of a browser, and what its page may say to it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.abc import AbstractStreamWriter
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from entropix_mlx.cli.say import tell
from entropix_tui.terminal.size import bounded

LONGEST = 2**22
"""In bytes, of a message: what is pasted at once."""

MOST_WAITING = 4 * LONGEST
"""In bytes, of what a page has sent and its program has not read."""

PATIENCE = 8.0
"""Seconds that a program has to end in, its engine among them."""


class Page(web.WebSocketResponse):
    """One window's connection. A window that is frozen reads nothing: it keeps nothing open."""

    def __init__(self) -> None:
        super().__init__(heartbeat=15, timeout=PATIENCE / 4, max_msg_size=LONGEST)
        self.is_over = asyncio.Event()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        self._transport = request.transport
        return await super().prepare(request)

    async def close(
        self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True
    ) -> bool:
        try:
            async with asyncio.timeout(PATIENCE / 4):
                return await super().close(code=code, message=message, drain=drain)
        except TimeoutError:
            return True
        finally:
            if self._transport is not None and self._transport.is_closing():
                self._transport.abort()  # else it stays until all that is unread is read


class ProgramInPage(AppService):
    """Starts with its window and ends with it: at once if it can, else when it is killed."""

    def __init__(self, command: Sequence[str], page: Page) -> None:
        self._arguments, self._page = list(command), page
        super().__init__(
            "",
            write_bytes=self._show,
            write_str=page.send_str,
            close=self._close,
            download_manager=DownloadManager(),
        )

    async def serve(self, columns: int, rows: int) -> None:
        """Run the program until it or its page ends."""
        await self.start(*bounded(columns, rows))
        try:
            await self._listen()
        finally:
            await self.stop()

    async def _open_app_process(
        self, width: int = 80, height: int = 24
    ) -> asyncio.subprocess.Process:
        # Without a shell, which would stay between the program and whoever ends it.
        self._process = process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._build_environment(width=width, height=height),
        )
        self._stdin = process.stdin
        # A program that reads nothing is not waited for: the end of its page would not be seen.
        self.stdin.transport.set_write_buffer_limits(high=2 * MOST_WAITING)
        return process

    async def run(self) -> None:
        await super().run()
        await self._close()  # also where the program said nothing at its end

    async def stop(self) -> None:
        if self._process is None or self._task is None:
            return
        task, self._task = self._task, None
        try:
            await self.send_meta({"type": "quit"})
            ended = asyncio.create_task(self._process.wait())
            # A time limit that cancels the first would be lost: it goes on then.
            await asyncio.wait([task, ended], timeout=PATIENCE)
        finally:
            if self._process.returncode is None:  # else its end is taken from whoever waits for it
                with suppress(ProcessLookupError):
                    self._process.kill()
            task.cancel()
            try:
                await task
                await self._process.communicate()  # its end is seen once its pipes are at theirs
            finally:
                self._process._transport.close()  # type: ignore[attr-defined]  # also if cancelled

    async def _show(self, data: bytes) -> None:
        with suppress(ConnectionError):  # a page that is gone; the program is read to its end
            await self._page.send_bytes(data)

    async def _close(self) -> None:
        await self._page.close()

    async def _listen(self) -> None:
        told = False
        async for message in self._page:
            try:
                await self._obey(message.data if message.type is WSMsgType.TEXT else "")
            except (ValueError, RecursionError):  # msgspec's are ValueErrors
                if not told:
                    tell("a page sent what ours never does; that is left out")
                told = True
            if self.stdin.transport.get_write_buffer_size() > MOST_WAITING:
                tell("a page sent more than its program reads; both are ended")
                break

    async def _obey(self, message: str) -> None:
        """Raises ValueError for a message that no page of ours sends."""
        match msgspec.json.decode(message):
            case ["stdin", str(typed)]:
                await self.send_bytes(typed.encode())
            case ["resize", {"width": int(columns), "height": int(rows)}]:
                await self.set_terminal_size(*bounded(columns, rows))
            case ["ping", str(sent)] if len(sent) < 99:
                await self._page.send_json(["pong", sent])
            case ["blur"]:
                await self.blur()
            case ["focus"]:
                await self.focus()
            case _:
                raise ValueError
