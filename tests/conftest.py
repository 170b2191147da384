"""How the tests share a machine, and fixtures that several floors share: a private cache, small
GGUF files, a server of the Hub, models."""

import fcntl
import gc
import hashlib
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

# A worker a core: a second thread of a library makes a step slower, not faster. Each library looks
# once, when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gguf
import hypothesis
import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

if TYPE_CHECKING:
    from entropix_models.language_model import LanguageModel

sys.path.insert(0, str(Path(__file__).parent))

# A busy machine is no failure, and every run tries the same examples.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")

COMMIT = "0123456789abcdef0123456789abcdef01234567"

WORKERS = 4
"""At most: each may hold the embedded model, half a gigabyte."""


def pytest_configure() -> None:
    """Keep bytecode: each worker, and each of some hundred programs, would compile all of it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # A shell's background job ignores interrupts, and so would the programs that tests start.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker a core; none for a single file, which ends sooner without."""
    names = {argument.partition("::")[0] for argument in config.args}
    if len(names) == 1 and Path(*names).is_file():
        return 0
    return min(os.cpu_count() or 1, WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs the embedded model; the files that take longest go first.

    Those with a test that has the machine to itself come after them, beside others with short
    tests: it begins when the last of those under way has ended.
    """
    slow: set[Path] = set()
    serial: set[Path] = set()
    for item in items:
        if "smollm2" in getattr(item, "fixturenames", ()):
            item.add_marker("model")
        if any(map(item.get_closest_marker, ("model", "slow"))):
            slow.add(item.path)
        if item.get_closest_marker("serial"):
            serial.add(item.path)
    # Else as they were.
    items.sort(key=lambda item: 1 if item.path in serial else 0 if item.path in slow else 2)


def pytest_collection_finish() -> None:
    """What was imported stays: no collection of garbage walks over a million objects of it.

    Applications set the collector by what suits one conversation in one process, and have it look
    at everything again when they open one: a third of the time of a test of screens.
    """
    gc.freeze()
    gc.set_threshold(400_000, 10, 100)
    gc.unfreeze = gc.set_threshold = lambda *_: None


@pytest.fixture(autouse=True)
def _turn(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A test marked `serial` has the machine to itself; the others share it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    folder = tmp_path_factory.getbasetemp().parent  # of all workers
    serial = request.node.get_closest_marker("serial") is not None
    with (folder / "queue").open("w") as queue, (folder / "machine").open("w") as machine:
        fcntl.flock(queue, fcntl.LOCK_EX)  # nobody passes one who waits for the others to end
        fcntl.flock(machine, fcntl.LOCK_EX if serial else fcntl.LOCK_SH)
        fcntl.flock(queue, fcntl.LOCK_UN)
        yield


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of ours and an empty cache of the Hub; returns the folder of both."""
    for name in (
        "HF_HUB_CACHE",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HF_TOKEN",
        "TRANSFORMERS_OFFLINE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("ENTROPIX_CACHE", str(tmp_path / "entropix"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


@dataclass
class GGUFSpec:
    """What `make_gguf` writes; every matrix is of type `kind`, but for `kinds`."""

    kind: str = "F32"
    kinds: dict[str, str] = field(default_factory=dict)
    pre: str = "smollm"
    tied: bool = True
    hidden: int = 64
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 96
    layers: int = 2
    leave_out: frozenset[str] = frozenset()
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    template: str | None = None


def _raw(values: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    qtype = gguf.GGMLQuantizationType[kind]
    if kind in ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "MXFP4"):  # gguf cannot quantise
        block, size = gguf.GGML_QUANT_SIZES[qtype]
        blocks = rng.integers(0, 256, (values.size // block, size), dtype=np.uint8)
        scale = np.frombuffer(np.float16(0.01).tobytes(), np.uint8)
        if kind == "Q6_K":
            blocks[:, -2:] = scale
        elif kind == "Q2_K":
            blocks[:, -4:] = np.concatenate([scale, scale])
        return blocks.reshape(values.shape[0], -1)
    return gguf.quants.quantize(values, qtype)


def _interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """The order in which converters for llama.cpp write the rows of q and k."""
    size = rows.shape[0] // heads
    order = [
        head * size + half * size // 2 + pair
        for head in range(heads)
        for pair in range(size // 2)
        for half in range(2)
    ]
    return rows[order]


@pytest.fixture
def make_gguf() -> Callable[..., dict[str, np.ndarray]]:
    """`make_gguf(path, **GGUFSpec fields)` writes a random Llama of a few kilobytes.

    Returns, by transformers' names and in its order of rows, the float32 values that its
    tensors stand for (as the `gguf` package dequantises them).
    """

    def make(path: Path, **fields: Any) -> dict[str, np.ndarray]:
        spec = GGUFSpec(**fields)
        rng = np.random.default_rng(7)
        bytes_of = sorted(ByteLevel.alphabet())
        begin, end = ("<|begin_of_text|>", "<|eot_id|>")
        control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        merges = ["h e", "l l", "he ll", "Ġ t"]
        words = [merge.replace(" ", "") for merge in merges]
        plain = [*bytes_of, *words]
        llama_3 = spec.pre == "llama-bpe"
        tokens = [*plain, begin, end, "<|pad|>"] if llama_3 else [*control, *plain]
        kinds = [3 if token.startswith("<|") else 1 for token in tokens]
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_context_length(128)
        writer.add_embedding_length(spec.hidden)
        writer.add_block_count(spec.layers)
        writer.add_feed_forward_length(spec.intermediate)
        writer.add_head_count(spec.heads)
        writer.add_head_count_kv(spec.kv_heads)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
        writer.add_vocab_size(len(tokens))
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(spec.pre)
        writer.add_token_list(tokens)
        writer.add_token_types(kinds)
        writer.add_token_merges(merges)
        writer.add_bos_token_id(tokens.index(begin if llama_3 else "<|im_start|>"))
        writer.add_eos_token_id(tokens.index(end if llama_3 else "<|im_end|>"))
        if not llama_3:
            writer.add_add_bos_token(False)
        if spec.template is not None:
            writer.add_chat_template(spec.template)
        for key, value in spec.metadata.items():
            add = {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32}
            add[type(value)](key, value)

        head_dim = spec.hidden // spec.heads
        block = {
            "attn_norm": ("input_layernorm", (spec.hidden,)),
            "attn_q": ("self_attn.q_proj", (spec.hidden, spec.hidden)),
            "attn_k": ("self_attn.k_proj", (spec.kv_heads * head_dim, spec.hidden)),
            "attn_v": ("self_attn.v_proj", (spec.kv_heads * head_dim, spec.hidden)),
            "attn_output": ("self_attn.o_proj", (spec.hidden, spec.hidden)),
            "ffn_norm": ("post_attention_layernorm", (spec.hidden,)),
            "ffn_gate": ("mlp.gate_proj", (spec.intermediate, spec.hidden)),
            "ffn_up": ("mlp.up_proj", (spec.intermediate, spec.hidden)),
            "ffn_down": ("mlp.down_proj", (spec.hidden, spec.intermediate)),
        }
        shapes = {
            "token_embd.weight": ("model.embed_tokens", (len(tokens), spec.hidden)),
            "output_norm.weight": ("model.norm", (spec.hidden,)),
        }
        if not spec.tied:
            shapes["output.weight"] = ("lm_head", (len(tokens), spec.hidden))
        for layer in range(spec.layers):
            for part, (module, shape) in block.items():
                shapes[f"blk.{layer}.{part}.weight"] = (f"model.layers.{layer}.{module}", shape)
        truth: dict[str, np.ndarray] = {}
        for name, (module, shape) in shapes.items():
            values = (rng.standard_normal(shape) * 0.2).astype(np.float32)
            kind = "F32" if len(shape) == 1 else spec.kinds.get(name, spec.kind)
            heads = {"attn_q": spec.heads, "attn_k": spec.kv_heads}.get(name.split(".")[-2], 0)
            raw = _raw(values, kind, rng)
            with np.errstate(all="ignore"):  # random blocks have random scales
                stands_for = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[kind])
            truth[f"{module}.weight"] = stands_for.reshape(shape)
            if heads:
                raw = _interleave(raw, heads)
            if name not in spec.leave_out:
                if kind in ("F32", "F16"):
                    writer.add_tensor(name, raw)
                else:
                    writer.add_tensor(name, raw, raw_dtype=gguf.GGMLQuantizationType[kind])
        for name, values in spec.extra.items():
            writer.add_tensor(name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return truth

    return make


@dataclass
class HubServer:
    """A server on the loopback that speaks the Hub's protocol, and misbehaves on demand."""

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files by the name of their model, or of "datasets/" and their data set."""
    gated: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """`(method, path, Range)` in the order of arrival."""
    status: int | None = None
    """Answer everything with this status."""
    break_off: dict[str, int] = field(default_factory=dict)
    """Close the connection after so many bytes of the first answer for a file."""
    shorten: dict[str, int] = field(default_factory=dict)
    """Send only so many bytes of a file, and say that this is all."""
    hold: dict[str, int] = field(default_factory=dict)
    """Send so many bytes of a file, then wait until `go` is set."""
    go: threading.Event = field(default_factory=threading.Event)

    def downloads(self) -> list[str]:
        return [
            path.rsplit("/", 1)[-1]
            for m, path, _ in self.requests
            if m == "GET" and "/resolve/" in path
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def log_message(self, *_arguments: object) -> None:
        pass

    def answer(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.requests.append((self.command, path, self.headers.get("Range")))
        if hub.status is not None:
            return self.refuse(hub.status, "")
        path = path.replace("/api/models/", "/api/", 1)
        name = r"((?:datasets/)?[^/]+/[^/]+)"
        api = re.fullmatch(rf"/api/{name}(?:/(revision|tree)/(.+))?", path)
        file = re.fullmatch(rf"/{name}/resolve/([^/]+)/(.+)", path)
        match = api or file
        if match is None:
            return self.refuse(404, "EntryNotFound")
        repository = match[1]
        if repository not in hub.repositories:
            return self.refuse(401, "RepoNotFound")
        if repository in hub.gated and file:
            return self.refuse(401, "GatedRepo")
        revision = file[2] if file else (api[3] or "main")
        if revision not in ("main", "refs/convert/parquet", COMMIT):
            return self.refuse(404, "RevisionNotFound")
        files = hub.repositories[repository]
        if file:
            if file[3] not in files:
                return self.refuse(404, "EntryNotFound")
            return self.send_file(file[3], files[file[3]])
        if api[2] == "tree":
            return self.send_json([self.listed(name, data) for name, data in files.items()])
        siblings = [{"rfilename": name} for name in files]
        return self.send_json({"id": repository, "sha": COMMIT, "siblings": siblings})

    def listed(self, name: str, data: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
        if name.endswith(".safetensors"):
            oid = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 134}
        return entry

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, name: str, data: bytes) -> None:
        hub = self.hub
        start = 0
        etag = hashlib.sha256(data).hexdigest()
        if self.command == "GET" and name in hub.shorten:
            data = data[: hub.shorten[name]]
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        body = data[start:]
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if (limit := hub.break_off.pop(name, None)) is not None:
            self.wfile.write(body[:limit])
            self.close_connection = True
        elif (limit := hub.hold.get(name)) is not None:
            self.wfile.write(body[:limit])
            self.wfile.flush()
            hub.go.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """A client that goes away is what some tests are about."""


@pytest.fixture
def hub_server(
    private_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[HubServer]:
    """A running Hub without repositories, which HF_ENDPOINT names, in front of empty caches."""
    hub = HubServer()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield hub
    hub.go.set()
    server.shutdown()
    thread.join()
    server.server_close()


CHATML = """\
{%- for message in messages %}
    {{- "<|im_start|>" + message["role"] + "\\n" + message["content"] + "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant\\n" }}{%- endif %}
"""


@pytest.fixture(scope="session")
def make_llama() -> Callable[..., Path]:
    """`make_llama(folder, seed=0, dtype="float32", **config)`: a random Llama with a tokenizer.

    Byte-level tokens, 259 of them; the vocabulary of the weights is padded to 300. `config`
    replaces keys of config.json. What it says is worth several bits a token, and attention is
    neither flat nor peaked.
    """

    def make(folder: Path, *, seed: int = 0, dtype: str = "float32", **config: Any) -> Path:
        from safetensors.numpy import save_file

        settings: dict[str, Any] = {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "intermediate_size": 96,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "vocab_size": 300,
            "max_position_embeddings": 512,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "hidden_act": "silu",
            "tie_word_embeddings": True,
            "eos_token_id": 1,
        } | config
        rng = np.random.default_rng(seed)
        hidden, inner = settings["hidden_size"], settings["intermediate_size"]
        queries = settings["num_attention_heads"] * settings["head_dim"]
        keys = settings["num_key_value_heads"] * settings["head_dim"]
        matrices = {
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        tensors = {"model.embed_tokens": rng.normal(0, 0.35, (settings["vocab_size"], hidden))}
        if not settings["tie_word_embeddings"]:
            tensors["lm_head"] = rng.normal(0, 0.35, (settings["vocab_size"], hidden))
        for layer in range(settings["num_hidden_layers"]):
            prefix = f"model.layers.{layer}"
            for name, shape in matrices.items():
                tensors[f"{prefix}.{name}"] = rng.normal(0, 0.2, shape)
            for norm in ("input_layernorm", "post_attention_layernorm"):
                tensors[f"{prefix}.{norm}"] = rng.uniform(0.8, 1.2, hidden)
        tensors["model.norm"] = rng.uniform(0.8, 1.2, hidden)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {f"{name}.weight": value.astype(dtype) for name, value in tensors.items()},
            folder / "model.safetensors",
            metadata={"format": "mlx"},
        )
        (folder / "config.json").write_text(json.dumps(settings))
        write_byte_tokenizer(folder)
        return folder

    return make


def write_byte_tokenizer(folder: Path) -> None:
    """256 bytes and the three special tokens of SmolLM2, with its chat template."""
    special = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
    tokens = [*special, *sorted(ByteLevel.alphabet())]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    spec = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": id, "content": token, "special": True, **flags}
            for id, token in enumerate(special)
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": [],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "bos_token": "<|im_start|>",
        "chat_template": CHATML,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory, make_llama: Callable[..., Path]) -> Path:
    return make_llama(tmp_path_factory.mktemp("random") / "llama")


@pytest.fixture(scope="session")
def llama(llama_folder: Path) -> "LanguageModel":
    """A random Llama of three layers, on the CPU."""
    from entropix_models import devices, loader
    from entropix_models.sources import sources

    return loader.load(sources.resolve(str(llama_folder)), devices.choose("cpu"))


@pytest.fixture(scope="session")
def smollm2() -> "LanguageModel":
    """The embedded model on the CPU, where the reference values were made."""
    from entropix_models import devices, loader
    from entropix_models.sources import sources

    return loader.load(sources.resolve("smollm2-135m"), devices.choose("cpu"))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the sessions, presets or keys of whoever runs it."""
    monkeypatch.setenv("ENTROPIX_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ENTROPIX_CONFIG", str(tmp_path / "config"))


@pytest.fixture(scope="session", autouse=True)
def _released() -> Iterator[None]:
    """Without this a process that evaluated arrays may abort at its exit."""
    yield
    from entropix_models.devices import release_thread

    release_thread()
