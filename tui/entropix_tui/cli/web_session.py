"""The program behind one window of a browser, and what its page may say to it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from entropix_mlx.cli.say import tell
from entropix_tui.terminal.size import bounded

LONGEST = 2**22
"""In bytes, of a message: what is pasted at once."""

PATIENCE = 8.0
"""Seconds that a program has to end in, its engine among them."""


class ProgramInPage(AppService):
    """Starts with its window and ends with it: at once if it can, else when it is killed."""

    def __init__(self, command: Sequence[str], page: web.WebSocketResponse) -> None:
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
        return process

    async def run(self) -> None:
        await super().run()
        await self._close()  # also where the program said nothing at its end

    async def stop(self) -> None:
        if self._process is None or self._task is None:
            return
        task, self._task = self._task, None
        try:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(PATIENCE):
                    await self.send_meta({"type": "quit"})
                    await task
                    await self._process.wait()
        finally:
            with suppress(ProcessLookupError):
                self._process.kill()
            task.cancel()
            await self._process.wait()

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
