"""A tiny random model, and command lines run in this process or in one of their own."""

import io
import json
import os
import pty
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import mlx.core as mx
import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from entropix_mlx.cli.exit_status import run
from entropix_mlx.cli.main import cli
from entropix_models import devices
from entropix_tui.cli.main import entropix_tui

PROGRAM = (sys.executable, "-c", "from entropix_mlx.cli.main import main; main()")
DATED_TEMPLATE = (
    "<|turn|>system\nToday is {{ strftime_now('%d %b %Y') }}.<|end|>\n"
    "{% for message in messages %}"
    "<|turn|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
TEMPLATE = DATED_TEMPLATE.partition("\n")[2].partition("\n")[2]
SPECIAL = ("<|begin|>", "<|turn|>", "<|end|>")
HIDDEN, HEADS, INNER, LAYERS = 32, 2, 48, 2


def _weights(vocabulary: int) -> dict[str, mx.array]:
    rng = np.random.default_rng(11)
    block = {
        "self_attn.q_proj": (HIDDEN, HIDDEN),
        "self_attn.k_proj": (HIDDEN // 2, HIDDEN),
        "self_attn.v_proj": (HIDDEN // 2, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN),
        "mlp.gate_proj": (INNER, HIDDEN),
        "mlp.up_proj": (INNER, HIDDEN),
        "mlp.down_proj": (HIDDEN, INNER),
    }
    shapes = {"model.embed_tokens": (vocabulary, HIDDEN)}
    for layer in range(LAYERS):
        shapes |= {f"model.layers.{layer}.{part}": shape for part, shape in block.items()}
    weights = {
        f"{name}.weight": mx.array((rng.standard_normal(shape) * 0.3).astype(np.float32))
        for name, shape in shapes.items()
    }
    norms = [
        f"model.layers.{layer}.{part}"
        for layer in range(LAYERS)
        for part in ("input_layernorm", "post_attention_layernorm")
    ]
    return weights | {f"{name}.weight": mx.ones(HIDDEN) for name in (*norms, "model.norm")}


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_model(template, context=..., bos=..., stops=...)`: a random Llama with a token a byte.

    Without `stops` no token ends an answer, so that answers are as long as they may be.
    """

    def make(
        template: str | None = TEMPLATE,
        *,
        context: int = 4096,
        bos: bool = False,
        stops: bool = False,
    ) -> Path:
        folder = tmp_path_factory.mktemp("tiny") / "tiny"
        folder.mkdir()
        tokens = [*SPECIAL, *sorted(ByteLevel.alphabet())]
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
        files: dict[str, Any] = {
            "tokenizer.json": {
                "version": "1.0",
                "added_tokens": [
                    {**flags, "id": id, "content": text, "special": True}
                    for id, text in enumerate(SPECIAL)
                ],
                "pre_tokenizer": {**byte_level, "use_regex": True},
                "decoder": {**byte_level, "use_regex": True},
                "model": {
                    "type": "BPE",
                    "vocab": {token: id for id, token in enumerate(tokens)},
                    "merges": [],
                },
            },
            "tokenizer_config.json": {
                "bos_token": SPECIAL[0],
                "add_bos_token": bos,
                **({"eos_token": SPECIAL[2]} if stops else {}),
                **({"chat_template": template} if template else {}),
            },
            "config.json": {
                "model_type": "llama",
                "hidden_size": HIDDEN,
                "intermediate_size": INNER,
                "num_hidden_layers": LAYERS,
                "num_attention_heads": HEADS,
                "num_key_value_heads": 1,
                "rms_norm_eps": 1e-5,
                "rope_theta": 10000.0,
                "vocab_size": len(tokens),
                "max_position_embeddings": context,
                "tie_word_embeddings": True,
            },
        }
        for name, value in files.items():
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
        mx.save_safetensors(str(folder / "model.safetensors"), _weights(len(tokens)))
        return folder

    return make


@pytest.fixture(scope="session")
def dated_template() -> str:
    return DATED_TEMPLATE


@pytest.fixture(scope="session")
def tiny_model(make_model: Callable[..., Path]) -> Path:
    """A model that loads in no time and never ends an answer of its own accord."""
    return make_model()


@dataclass
class Result:
    """How a command line ended, and what it wrote."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def records(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLORFGBG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def call(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:  # noqa: ARG001
    """`call(*arguments, stdin=b"", stdout=None, stderr=None)`: run `entropix-mlx` in this process
    (`tui`: the other program).

    `stdin` is bytes or a file; a `stdout` or `stderr` that is given stands in for the one that is
    captured.
    """

    def call(
        *arguments: object,
        stdin: bytes | TextIO = b"",
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        tui: bool = False,
    ) -> Result:
        captured = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        error = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        given = io.TextIOWrapper(io.BytesIO(stdin)) if isinstance(stdin, bytes) else stdin
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", given)
            patch.setattr(sys, "stdout", stdout or captured)
            patch.setattr(sys, "stderr", stderr or error)
            # Pytest's thread goes on; the processes of `spawn` end as they ought to.
            patch.setattr(devices, "release_thread", lambda: None)
            command, name = (entropix_tui, "entropix-tui") if tui else (cli, "entropix-mlx")
            status = run(command, name, [str(argument) for argument in arguments])
        error.flush()
        captured.flush()
        return Result(status, captured.buffer.getvalue(), error.buffer.getvalue().decode())

    return call


@dataclass
class Terminal:
    """A pseudo-terminal: a program's end, and what came out of it."""

    file: TextIO
    _master: int

    def read(self) -> bytes:
        """Everything that was written; closes the program's end."""
        self.file.close()
        data = b""
        while True:
            try:
                chunk = os.read(self._master, 4096)
            except OSError:  # Linux says EIO where others say end of file
                return data
            if not chunk:
                return data
            data += chunk


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal in raw mode, so that line feeds come out as they went in."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    with os.fdopen(slave, "w", encoding="utf-8") as file:
        yield Terminal(file, master)
    os.close(master)


@pytest.fixture
def spawn(clean_environment: None) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:  # noqa: ARG001
    """`spawn(*arguments, **popen)`: start `entropix-mlx` in a process of its own, all piped.

    `code`: the Python that is run instead of the program's own entry.
    """
    children = []

    def spawn(
        *arguments: object, code: str = PROGRAM[-1], **options: Any
    ) -> "subprocess.Popen[bytes]":
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [*PROGRAM[:-1], code, *map(str, arguments)]
        child = subprocess.Popen(command, **{**pipes, **options})
        children.append(child)
        return child

    yield spawn
    for child in children:
        with child:
            if child.poll() is None:
                child.kill()
