"""Attention by layer and head beside a trace: what it holds, and what is left of a torn one."""

import json
from pathlib import Path

import numpy as np
import pytest
from turns import session, tokens, turn

from entropix_mlx.decoding.score import score
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.trace.attention_file import AttentionWriter, read_attention, read_heads
from entropix_mlx.trace.trace import TraceWriter, attention_beside, read_trace
from entropix_models.errors import TraceError
from entropix_models.language_model import LanguageModel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return attention_beside(tmp_path / "run.jsonl")


@pytest.mark.slow
def test_every_token_has_its_row(llama: LanguageModel, tmp_path: Path, path: Path) -> None:
    file = tmp_path / "run.jsonl"
    made = session(llama, trace=TraceWriter(file), attention=AttentionWriter(path))
    plain = tokens(turn(session(llama), max_tokens=20))
    drawn = tokens(turn(made, max_tokens=20))
    look = made.inspect(drawn[7].index).attention
    made.close()
    assert [r.id for r in drawn] == [r.id for r in plain], "looking changes nothing"
    kept = read_attention(path)
    assert kept.indices.tolist() == [r.index for r in drawn]
    assert kept.entropy.shape[1:] == (llama.info.layers, 4)
    assert look is not None
    np.testing.assert_allclose(kept.entropy[7], look.entropy, atol=2e-3, rtol=1e-3)
    for row, record in zip(kept.entropy.astype(float), drawn, strict=True):
        assert row.mean() == pytest.approx(record.attn_entropy, abs=2e-3)
        assert row.var(axis=1).mean() == pytest.approx(record.attn_varentropy, abs=5e-3)
    assert [r for r in read_trace(file).records if isinstance(r, TokenRecord)] == drawn


def test_a_text_that_is_scored(llama: LanguageModel, path: Path) -> None:
    writer = AttentionWriter(path)
    ids = [5 + n * n % 60 for n in range(150)]
    scored = list(score(llama, ids, PROVISIONAL, attend=writer.add))
    writer.close()
    kept = read_attention(path)
    assert kept.indices.tolist() == list(range(1, 150))
    means = kept.entropy.astype(float).mean(axis=(1, 2))
    expected = [record.attn_entropy for record in scored[1:]]
    np.testing.assert_allclose(means, np.array(expected, float), atol=5e-3)


def test_cut_anywhere_the_whole_rows_are_left(path: Path) -> None:
    writer = AttentionWriter(path)
    rows = np.random.default_rng(3).random((5, 2, 3), np.float32) * 9
    for index, row in enumerate(rows):
        writer.add(10 + index, row)
    writer.close()
    data = path.read_bytes()
    begin = data.index(b"\n") + 1
    for cut in range(begin, len(data) + 1):
        path.write_bytes(data[:cut])
        kept = read_attention(path)
        whole = (cut - begin) // 16
        assert kept.indices.tolist() == list(range(10, 10 + whole))
        np.testing.assert_allclose(kept.entropy, rows[:whole], rtol=1e-3)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\x00" * 99, b'{"type":"attention","layers":-1,"heads":2}\n', b"[]\n",
                b'{"type":"attention","layers":99999999,"heads":99999999}\n',
                b'{"type":"attention","layers":1,"heads":1,"schema":2}\n',
                b'{"type":"attention","layers":1,"heads":1,"schema":2,"measures":["sinks"]}\n',
                b'{"type":"attention","layers":1,"heads":1,"schema":2,'
                b'"measures":["entropy","index"]}\n',
                b'{"type":"attention","layers":1,"heads":1,"schema":3,"measures":["entropy"]}\n'],
)  # fmt: skip
def test_what_is_none(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(TraceError):
        read_attention(path)


def test_an_old_one_stays_until_there_is_a_new_one(path: Path) -> None:
    path.write_bytes(b"old" * 99)
    AttentionWriter(path).close()
    assert path.read_bytes() == b"old" * 99
    writer = AttentionWriter(path)
    writer.add(3, np.ones((1, 2), np.float32))
    writer.close()
    assert read_attention(path).indices.tolist() == [3]


def test_nothing_came(path: Path) -> None:
    AttentionWriter(path).close()
    assert not path.exists()
    with pytest.raises(TraceError, match="cannot write"):
        AttentionWriter(path / "in" / "nothing")


def test_more_of_it_follows_what_is_there(path: Path) -> None:
    rows = np.random.default_rng(3).random((5, 2, 3), np.float32) * 9
    for index, row in enumerate(rows):
        writer = AttentionWriter(path, append=True)
        writer.add(index, row)
        writer.close()
        with path.open("ab") as file:
            file.write(b"torn"[: index % 4])
    AttentionWriter(path, append=True).close()
    kept = read_attention(path)
    assert kept.indices.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(kept.entropy, rows, rtol=1e-3)
    path.write_bytes(b"no header")
    with pytest.raises(TraceError, match="no header"):
        AttentionWriter(path, append=True)
    assert path.read_bytes() == b"no header"


def test_further_measures_of_the_heads(path: Path) -> None:
    """Schema 2; what knows the entropy alone still finds it."""
    rows = np.random.default_rng(4).random((4, 2, 2, 3), np.float32)
    for index, (entropy, sinks) in enumerate(rows):
        writer = AttentionWriter(path, append=True)
        writer.add(index, entropy, {"sinks": sinks})
        writer.close()
        with path.open("ab") as file:
            file.write(b"torn"[: index % 4])
    header = json.loads(path.read_bytes().partition(b"\n")[0])
    assert (header["schema"], header["measures"]) == (2, ["entropy", "sinks"])
    kept = read_heads(path)
    assert list(kept) == ["entropy", "sinks"]
    np.testing.assert_allclose(kept["sinks"], rows[:, 1], rtol=1e-3)
    np.testing.assert_allclose(read_attention(path).entropy, rows[:, 0], rtol=1e-3)


def test_the_entropy_alone_is_what_it_was(path: Path) -> None:
    """Older programs read it."""
    writer = AttentionWriter(path)
    writer.add(7, np.full((1, 2), 1.5, np.float32))
    writer.close()
    assert path.read_bytes() == (
        b'{"type":"attention","layers":1,"heads":2,"unit":"bits",'
        b'"row":"<i4 index, <f2 [layers, heads]","schema":1}\n' + bytes.fromhex("07000000003e003e")
    )
