"""Code that a model wrote is called in a bounded process, and cannot say that it was right."""

import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from entropix_mlx.evaluation import child
from entropix_mlx.evaluation.child import Failed, Limits, Returned, called
from entropix_mlx.evaluation.functions import FUNCTIONS
from entropix_mlx.evaluation.item import Item
from entropix_mlx.evaluation.task import named
from entropix_mlx.evaluation.tasks.code import Code, extracted

RIGHT = "def add(a, b):\n    return a + b\n"
ITEM = Item(
    "code-1",
    "Write add",
    opening="```python\ndef add(a, b):",
    data={"name": "add", "calls": "[[1, 2], [30, -4]]", "expected": "[3, 26]"},
)
SHORT = Limits(cpu_seconds=1, wall_seconds=20)


def said_everywhere(line: str, times: int) -> str:
    """Code that writes a line so often to everything that is open."""
    written = line.encode() + b"\n"
    return f"""
import os
for fd in range(3, 64):
    try:
        os.write(fd, {written!r} * {times})
    except OSError:
        pass
"""


def outcome(body: str, limits: Limits = SHORT) -> str:
    """Why the single call of a function with this body came to nothing."""
    (result,) = called(body, "f", [[1]], limits)
    assert isinstance(result, Failed), result
    return result.why


class TestCalls:
    def test_values_come_back_as_they_are(self) -> None:
        code = "def f(x): return {'a': [x, 2.5, None, True, 'é', (1,)]}"
        assert called(code, "f", [[1], ["é"]]) == [
            Returned({"a": [1, 2.5, None, True, "é", [1]]}),
            Returned({"a": ["é", 2.5, None, True, "é", [1]]}),
        ]

    def test_one_call_fails_alone(self) -> None:
        results = called("def f(x): return 1 // x", "f", [[1], [0], [-1]])
        assert results == [
            Returned(1),
            Failed("ZeroDivisionError: integer division or modulo by zero"),
            Returned(-1),
        ]

    @pytest.mark.parametrize(
        ("code", "why"),
        [
            ("def f(x) return x", "SyntaxError"),
            ("def f(x):\n    return x\x00", "SyntaxError|ValueError"),
            ("f = 3", "there is no function f"),
            ("def g(x): return x", "there is no function f"),
            ("raise ValueError('no\\nway')", "ValueError: no way"),
            ("def f(x): raise SystemExit(0)", "SystemExit: 0"),
            ("import sys\nsys.exit(0)", "SystemExit: 0"),
            ("def f(x): return f(x)", "RecursionError"),
            ("def f(x): return {1, 2}", "TypeError"),
            ("def f(x): return 'x' * 10**6", "too long"),
            ("def f(x): return input()", "EOFError"),
            ("import sys\ndef f(x): return int(sys.stdin.read())", "invalid literal"),
            ("import os\ndef f(x): os._exit(0)", "ended too early"),
            ("import os\nos._exit(0)", "ended too early"),
            ("import os\ndef f(x): os.abort()", "ended too early"),
            ("def f(x): return 'x' * 2**40", "MemoryError"),
            ("import numpy\ndef f(x): return x", "ModuleNotFoundError"),
            ("import entropix_mlx\ndef f(x): return x", "ModuleNotFoundError"),
            ("def f(x, y): return x", "TypeError"),
        ],
    )
    def test_what_fails_says_why(self, code: str, why: str) -> None:
        assert re.search(why, outcome(code))

    @pytest.mark.slow
    def test_a_loop_without_end_is_ended(self) -> None:
        assert outcome("def f(x):\n    while True: pass") == "used more than 1 s of CPU"
        caught = "import signal\nsignal.signal(signal.SIGXCPU, lambda *_: None)\nwhile True: pass"
        assert outcome(caught) == "ended too early"

    @pytest.mark.slow
    def test_so_is_a_stack_without_end(self) -> None:
        assert outcome("import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)")

    @pytest.mark.slow
    def test_so_is_waiting(self) -> None:
        waits = "import time\ndef f(x): time.sleep(10**6)"
        assert outcome(waits, SHORT._replace(wall_seconds=0.3)) == "took more than 0.3 s"

    @pytest.mark.slow
    def test_memory_that_grows_is_bounded(self) -> None:
        code = "def f(x):\n    kept = []\n    while True: kept.append(bytearray(1 << 20))"
        assert outcome(code, Limits(cpu_seconds=60, wall_seconds=120)) == "MemoryError"

    def test_what_it_prints_goes_nowhere(self, capfd: pytest.CaptureFixture[str]) -> None:
        code = "import sys\ndef f(x):\n    print('x' * 10**7); sys.stderr.write('y'); return x"
        assert called(code, "f", [[1]]) == [Returned(1)]
        assert capfd.readouterr() == ("", "")

    def test_memory_is_looked_at_where_it_is_not_bounded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert child._resident(os.getpid()) > 1 << 20
        gone = subprocess.Popen(["true"])
        gone.wait()
        assert child._resident(gone.pid) == 0
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(child, "_resident", lambda _: SHORT.memory + 1)
        assert outcome("import time\ndef f(x): time.sleep(10**6)") == "used too much memory"


class TestHarm:
    """What is refused raises within the code, so that its function fails."""

    @pytest.mark.parametrize(
        "body",
        [
            "import os; os.fork()",
            "import os\n    while True: os.fork()",
            "import os; os.system('true')",
            "import os; os.execv('/bin/true', ['true'])",
            "import os; os.posix_spawn('/bin/true', ['true'], {{}})",
            "import subprocess; subprocess.run(['true'])",
            "import multiprocessing; multiprocessing.Process(target=print).start()",
            "import os; os.kill(os.getppid(), 9)",
            "import os; os.killpg(0, 9)",
            "import ctypes",
            "import socket; socket.socket()",
            "import resource; resource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
            "open('/etc/passwd')",
            "open('/proc/self/environ')",
            "open('{outside}')",
            "open('{outside}', 'w')",
            "import os; os.remove('{outside}')",
            "import os; os.rename('{outside}', 'here')",
            "import os; os.symlink('{outside}', 'link'); open('link', 'w')",
            "import shutil; shutil.rmtree('{folder}')",
            "import os; os.chmod('{outside}', 0)",
            "import os; os.open('{outside}', os.O_RDWR)",
            "import os; open(os.__file__, 'ab')",
        ],
    )
    def test_it_is_refused(self, body: str, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_text("kept")
        body = body.format(outside=outside, folder=tmp_path)
        why = outcome(f"def f(x):\n    {body}\n    return x")
        assert "is not for an answer" in why or "are for an answer" in why
        assert outside.read_text() == "kept"
        assert outside.stat().st_mode & 0o777

    def test_its_own_folder_is_its_own_and_does_not_stay(self) -> None:
        code = """
import os
def f(x):
    with open("a", "w") as out: out.write("b")
    os.mkdir("c"); os.rename("a", "c/d"); os.chmod("c", 0)
    os.remove("nothing") if os.path.exists("nothing") else None
    return [os.getcwd(), sorted(os.environ), os.listdir(".")]
"""
        (result,) = called(code, "f", [[1]])
        assert isinstance(result, Returned)
        folder, environment, listed = result.value
        assert not os.path.exists(folder)
        assert listed == ["c"]
        assert set(environment) <= {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"}

    def test_deleting_its_folder_harms_nobody(self) -> None:
        code = "import os, shutil\ndef f(x):\n    shutil.rmtree(os.getcwd()); return x"
        assert called(code, "f", [[1]]) == [Returned(1)]

    def test_a_file_is_bounded(self) -> None:
        code = "def f(x):\n    with open('a', 'wb') as out: out.write(bytes(2 << 20))"
        assert "File too large" in outcome(code)

    def test_the_limits_are_set_where_the_system_has_them(self) -> None:
        code = """
import resource
def f(name): return resource.getrlimit(getattr(resource, name))
"""
        names = ["RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE"]
        if sys.platform == "linux":
            names += ["RLIMIT_AS", "RLIMIT_NPROC"]
        found = called(code, "f", [[name] for name in names])
        limits = dict(zip(names, (each[0] for each in found), strict=True))
        assert limits["RLIMIT_CPU"] == [Limits().cpu_seconds, Limits().cpu_seconds + 1]
        assert limits["RLIMIT_CORE"] == [0, 0]
        assert limits["RLIMIT_FSIZE"] == [Limits().file] * 2
        if sys.platform == "linux":
            assert limits["RLIMIT_NPROC"] == [0, 0]
            assert limits["RLIMIT_AS"] == [Limits().memory] * 2

    def test_whoever_gets_around_python_ends_with_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that outlives the guest and holds its channel, and a pipe that tells of it."""
        os.mkfifo(tmp_path / "pipe")
        forks = f"""
import os, time
pipe = os.open({str(tmp_path / "pipe")!r}, os.O_WRONLY)
if os.fork():
    os._exit(0)
time.sleep(10**6)
"""
        (tmp_path / "guest.py").write_text(forks)
        monkeypatch.setattr(child, "_GUEST", tmp_path / "guest.py")
        pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        try:
            limits = Limits(wall_seconds=60)
            assert called("", "f", [[1]], limits) == [Failed("ended too early")]
            ended, _, _ = select.select([pipe], [], [], 30)
            assert ended, "it goes on"
            assert os.read(pipe, 1) == b""
        finally:
            os.close(pipe)


class TestForgery:
    """What is right never enters the process: who does not return it cannot say it."""

    @pytest.mark.parametrize(
        "code",
        [
            "print('{\"value\": 3}')\nimport os\nos._exit(0)",
            said_everywhere('{"value": true}', 2) + "os._exit(0)",
            said_everywhere('{"right": true}', 1) + RIGHT,
            said_everywhere('{"value": 3}', 9) + RIGHT,
            said_everywhere("[" * 10_000, 1) + RIGHT,
            said_everywhere("x" * 1000, 2000) + RIGHT,
            "class Any(int):\n    def __eq__(self, other): return True\n"
            "    def __repr__(self): return '3'\ndef add(a, b): return Any(0)",
            "import json\njson.dumps = lambda *_, **__: '{\"right\": 1}'\ndef add(a, b): return 0",
            "import builtins\nbuiltins.all = lambda _: True\ndef add(a, b): return 0",
            "import sys\ndef add(a, b):\n    sys.exit(0)",
            "def add(a, b): return True",
            "def add(a, b): return '3'",
            "def add(a, b): return [3]",
            "def add(a, b): return None",
        ],
    )
    def test_a_wrong_function_is_wrong(self, code: str) -> None:
        item = replace(ITEM, opening="")
        assert Code().judge(item, f"```python\n{RIGHT}```").right
        assert Code().judge(item, f"```python\n{code}\n```").right is False

    def test_who_says_too_much_has_said_nothing(self) -> None:
        code = said_everywhere('{"value": 1}', 2) + "def f(x): return x"
        assert called(code, "f", [[1]]) == [Failed("said more than was asked")]

    def test_the_right_values_are_not_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[bytes] = []
        ran = child._run

        def run(folder: str, asked: int, limits: Limits) -> tuple[bytes, str]:
            told.append(os.pread(asked, 1 << 20, 0))
            return ran(folder, asked, limits)

        monkeypatch.setattr(child, "_run", run)
        assert Code().judge(ITEM, " return a + b").right
        assert json.loads(told[0])["calls"] == [[1, 2], [30, -4]]
        assert b"26" not in told[0]


class TestTask:
    def test_every_function_is_right_as_its_reference_and_not_as_a_constant(self) -> None:
        assert len(FUNCTIONS) >= 40
        for seed in range(20):
            for item in named("code").items(147, seed).items:
                expected = json.loads(item.data["expected"])
                assert len(expected) == len(json.loads(item.data["calls"])) >= 5
                assert any(each != expected[0] for each in expected), item
        names = [item.data["name"] for item in named("code").items(147, 1).items]
        assert len(set(names)) == len(names)
        assert len(named("code").items(51, 1).items) == 51
        assert all(name.isidentifier() for name in names)

    @pytest.mark.parametrize(
        ("text", "verdict"),
        [
            ("\n    return a + b", ("2 of 2 calls right", True)),
            (" return a + b\n```\nThat is all.", ("2 of 2 calls right", True)),
            ("\n    return a * 3", ("1 of 2 calls right", False)),
            ("\n    retrun a", None),
        ],
    )
    def test_an_answer_goes_on_with_its_opening(
        self, text: str, verdict: tuple[str, bool] | None
    ) -> None:
        found = Code().judge(ITEM, text)
        if verdict is None:
            assert found.right is False
            assert "SyntaxError" in str(found.given)
        else:
            assert found == verdict

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (f"Here:\n```python\n{RIGHT}```\nDone", RIGHT),
            (f"```\n{RIGHT}", RIGHT),
            (f"```bash\npip\n```\n```Python3\n{RIGHT}```", RIGHT),
            (f"import math\n{RIGHT}\nThis adds.\n", f"import math\n{RIGHT}"),
            (f"You can do:\n{RIGHT}", RIGHT),
            ("a + b", None),
            ("define it", None),
            ("", None),
        ],
    )
    def test_the_first_code_that_defines_a_function(self, text: str, code: str | None) -> None:
        found = extracted(text)
        assert (found and found.strip()) == (code and code.strip())

    def test_what_has_no_code_has_no_answer(self) -> None:
        assert Code().judge(Item("i", "p", data=ITEM.data), "I add them.") == (None, False)
