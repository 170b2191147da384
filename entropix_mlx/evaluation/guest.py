"""The process in which somebody's Python runs, bounded: `python -I -S guest.py CHANNEL`.

Standard input has the request, a JSON object: `code`, `name` of the function, `calls` (the
arguments of each), `limits` (by the names of `resource`). The answer is JSON Lines on the file
descriptor CHANNEL: for each call `{"value": ...}` or `{"error": "..."}`, or `{"ended": "..."}`
where there is no function to call. Knows nothing of the project, and nothing of what is right.
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_LONGEST_VALUE = 1 << 16

_REFUSED = (
    *("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system", "pty.spawn"),
    *("subprocess.", "os.kill", "signal.pthread_kill", "socket.", "ctypes.", "resource.setrlimit"),
    *("resource.prlimit", "syslog.", "os.startfile", "mmap.", "webbrowser."),
)
_REFUSED_MODULES = {"_ctypes", "_posixsubprocess", "_multiprocessing", "_testcapi"}
"""What they do is not told of."""
_CHANGING = (
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.lchown", "os.utime", "os.setxattr", "os.removexattr"),
    *("shutil.", "os.chflags", "os.lchflags", "os.lchmod"),
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main() -> None:
    channel = int(sys.argv[1])
    request = json.loads(sys.stdin.buffer.read())

    def say(**message: Any) -> None:
        os.write(channel, json.dumps(message).encode() + b"\n")

    for name, limit in request["limits"].items():
        # No process or memory at all is bounded so on some systems.
        with suppress(AttributeError, OSError, ValueError):
            # The signal that says that it was the CPU's seconds comes only before the last of them.
            most = limit + 1 if name == "RLIMIT_CPU" else limit
            resource.setrlimit(getattr(resource, name), (limit, most))
    _guard(os.getcwd())
    try:
        function = _defined(request["code"], request["name"])
    except BaseException as error:
        say(ended=_told(error))
        os._exit(0)
    for arguments in request["calls"]:
        try:
            value = function(*arguments)
            if len(json.dumps(value)) > _LONGEST_VALUE:
                raise ValueError("what it returns is too long")
        except BaseException as error:
            say(error=_told(error))
        else:
            say(value=value)
    os._exit(0)  # whatever it has left running or registered


def _defined(code: str, name: str) -> Callable[..., Any]:
    names: dict[str, Any] = {"__name__": "answer"}
    exec(compile(code, "answer.py", "exec", dont_inherit=True), names)
    function = names.get(name)
    if not callable(function):
        raise NameError(f"there is no function {name}")
    found: Callable[..., Any] = function
    return found


def _told(error: BaseException) -> str:
    error.__traceback__ = None  # and with it whatever has filled the memory
    text = " ".join(f"{type(error).__name__}: {error}"[:1000].split())
    return text.removesuffix(":")[:200]


def _guard(folder: str) -> None:
    """From now on Python refuses what is not for an answer, as far as it tells its hooks of it."""
    own = os.path.realpath(folder)
    readable = tuple(os.path.realpath(path) for path in (*sys.path, own))

    def within(path: object, folders: tuple[str, ...]) -> bool:
        real = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        return any(real == each or real.startswith(each + os.sep) for each in folders)

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_REFUSED) or (event == "import" and arguments[0] in _REFUSED_MODULES):
            raise PermissionError(f"{event} is not for an answer")
        paths = [each for each in arguments if isinstance(each, str | bytes)]
        if event == "open":
            path, mode, flags = arguments
            if not isinstance(path, str | bytes):
                return
            writes = set(mode or "") & set("wax+") or (flags or 0) & _WRITING
            if not within(path, (own,) if writes else readable):
                raise PermissionError("only files of its own folder are for an answer")
        elif event.startswith(_CHANGING) and not all(within(path, (own,)) for path in paths):
            raise PermissionError(f"{event} outside its folder is not for an answer")

    sys.addaudithook(look)


if __name__ == "__main__":
    main()
