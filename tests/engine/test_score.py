"""Scoring a given text: against the reference vectors, and against generating it."""

import json
import math
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from entropix_mlx.decoding.score import score
from entropix_mlx.records.quadrants import quadrant_of
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling import metrics
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel

VECTORS = sorted((Path(__file__).parents[1] / "data" / "vectors").glob("shared_*.json"))
ATTENTION = ("attn_entropy", "attn_varentropy", "agreement", "interaction_strength")
IDS = [int(i) for i in np.random.default_rng(12).integers(3, 259, 150)]


def vectors(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


class Rows:
    """What a model says at every position, float32 values as NumPy has them."""

    def __init__(self, model: LanguageModel, ids: list[int], sizes: list[int]) -> None:
        cache, start = model.new_cache(), 0
        parts: list[list[np.ndarray]] = []
        for size in sizes:
            read = mx.array(ids[start : start + size])
            step = model.step(read, cache, metrics.attention_statistics)
            assert step.attention is not None
            moments = metrics.moments(step.logits)
            following = mx.array([*ids, 0][start + 1 : start + 1 + size])
            top_ids, top = metrics.top(step.logits, 5)
            own = mx.take_along_axis(step.logits, following[:, None], axis=-1)[:, 0]
            arrays = (
                moments.entropy,
                moments.varentropy,
                mx.swapaxes(step.attention, 0, 1),
                top_ids,
                top - moments.log_normaliser[:, None],
                own - moments.log_normaliser,
                metrics.rank(step.logits, following),
            )
            parts.append([np.array(array) for array in arrays])
            start += size
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        self.entropy, self.varentropy, self.attention, *rest = columns
        self.top_ids, self.top, self.logprob, self.rank = rest


@pytest.mark.model
@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
class TestReferenceVectors:
    @pytest.mark.parametrize("way", ["one by one", "at once"])
    def test_every_position(self, smollm2: LanguageModel, path: Path, way: str) -> None:
        content = vectors(path)
        ids, steps = content["ids"], content["steps"]
        assert len(steps) == len(ids) > 20
        sizes = [1] * len(ids) if way == "one by one" else [len(ids)]
        rows = Rows(smollm2, ids, sizes)

        def told(name: str) -> np.ndarray:
            return np.array([step[name] for step in steps])

        np.testing.assert_allclose(rows.entropy, told("entropy"), atol=5e-4)
        np.testing.assert_allclose(rows.varentropy, told("varentropy"), atol=2e-3)
        for i, name in enumerate(ATTENTION):
            found = rows.attention[..., i].mean(axis=1)
            np.testing.assert_allclose(found, told(name), atol=1e-4, err_msg=name)
        np.testing.assert_allclose(rows.attention[..., 0], told("attn_entropy_by_layer"), atol=5e-4)
        agreement = rows.attention[..., 2].mean(axis=1)
        keys = np.arange(1, len(ids) + 1)
        np.testing.assert_allclose(2 * (1 - agreement) / keys, told("agreement_raw"), atol=1e-5)
        top = told("top5")
        close = np.abs(np.diff(top[..., 1], axis=1)).min(axis=1) < 1e-4  # order may swap
        assert close.sum() <= 2
        np.testing.assert_array_equal(rows.top_ids[~close], top[~close][..., 0])
        np.testing.assert_allclose(rows.top, top[..., 1], atol=5e-4)
        known = [i for i, step in enumerate(steps) if step.get("next_logprob") is not None]
        assert len(known) >= len(ids) - 1
        next_logprob = np.array([steps[i]["next_logprob"] for i in known])
        next_rank = np.array([steps[i]["next_rank"] for i in known])
        known = [i for i in known if i < len(ids) - 1]
        np.testing.assert_allclose(rows.logprob[known], next_logprob[: len(known)], atol=1e-3)
        # Far down the order thousands of tokens lie within the tolerance of each other.
        slack = np.where(next_rank[: len(known)] < 100, 0, 2 + next_rank[: len(known)] // 500)
        assert (np.abs(rows.rank[known] - next_rank[: len(known)]) <= slack).all()

    def test_records(self, smollm2: LanguageModel, path: Path) -> None:
        content = vectors(path)
        ids, steps = content["ids"], content["steps"]
        records = list(score(smollm2, ids, PROVISIONAL))
        assert [r.id for r in records] == ids
        assert "".join(r.text for r in records) == content["text"]
        for record, step in zip(records[1:], steps, strict=False):
            assert record.entropy == pytest.approx(step["entropy"], abs=5e-4)
            assert record.varentropy == pytest.approx(step["varentropy"], abs=2e-3)
            for name in ATTENTION:
                assert getattr(record, name) == pytest.approx(step[name], abs=1e-4), name
            assert record.logprob == pytest.approx(step["next_logprob"], abs=1e-3)
            for (id, _, logprob, _), (theirs, other) in zip(
                record.candidates, step["top5"], strict=False
            ):
                assert logprob == pytest.approx(other, abs=5e-4)
                assert id == theirs or abs(logprob - other) < 5e-4


class TestRecords:
    def test_the_first_token_met_nothing(self, llama: LanguageModel) -> None:
        first, second = score(llama, IDS[:2], PROVISIONAL)
        measures = ("entropy", "varentropy", "logprob", "rank", "quadrant", "region", *ATTENTION)
        assert all(getattr(first, name) is None for name in measures)
        assert all(getattr(second, name) is not None for name in measures)
        assert first.candidates == []
        assert (first.index, first.parent, second.index, second.parent) == (0, -1, 1, 0)
        assert [r.id for r in score(llama, IDS[:1], PROVISIONAL)] == IDS[:1]

    def test_nothing_was_sampled(self, llama: LanguageModel) -> None:
        for record in score(llama, IDS[:5], PROVISIONAL):
            settings = ("strategy", "temperature", "top_k", "top_p", "min_p", "forced", "ms")
            assert all(getattr(record, name) is None for name in settings)

    @pytest.mark.slow
    def test_chunks_do_not_matter(
        self, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def values(records: list[TokenRecord]) -> np.ndarray:
            names = ("entropy", "varentropy", "logprob", *ATTENTION)
            return np.array([[getattr(r, name) for name in names] for r in records[1:]])

        chunked = list(score(llama, IDS, PROVISIONAL))
        rows = Rows(llama, IDS[:-1], [1] * (len(IDS) - 1))
        np.testing.assert_allclose(values(chunked)[:, 0], rows.entropy, atol=1e-4)
        np.testing.assert_allclose(values(chunked)[:, 3:], rows.attention.mean(axis=1), atol=1e-4)
        for size in (1, 7, 1000):
            monkeypatch.setattr(LanguageModel, "prefill_chunk", size)
            other = list(score(llama, IDS, PROVISIONAL))
            np.testing.assert_allclose(values(other), values(chunked), atol=2e-4)

    def test_candidates_are_of_the_raw_distribution(self, llama: LanguageModel) -> None:
        logits = np.array(llama.step(mx.array(IDS[:20]), llama.new_cache()).logits, np.float64)
        log_p = logits - logits.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        for row, record in zip(log_p, list(score(llama, IDS[:21], PROVISIONAL))[1:], strict=True):
            order = np.argsort(-row, kind="stable").tolist()
            assert record.rank == order.index(record.id)
            assert [c[0] for c in record.candidates[:8]] == order[:8]
            assert len(record.candidates) == (8 if record.rank < 8 else 9)
            for id, text, logprob, p in record.candidates:
                assert logprob == pytest.approx(row[id], abs=1e-4)
                assert p == pytest.approx(math.exp(row[id]), abs=1e-5)
                assert text == llama.tokenizer.token_text(id)

    def test_quadrants_and_regions_are_those_of_the_calibration(self, llama: LanguageModel) -> None:
        regions = set()
        for record in list(score(llama, IDS, PROVISIONAL))[1:]:
            h, v = record.entropy, record.varentropy
            assert h is not None
            assert v is not None
            assert PROVISIONAL.split is not None
            assert record.quadrant == quadrant_of(h, v, PROVISIONAL.split)
            side = PROVISIONAL.varentropy["high" if h > PROVISIONAL.entropy.high else "low"]
            corner = ("HE" if h > PROVISIONAL.entropy.high else "LE") + (
                "HV" if v > side.high else "LV"
            )
            outside = (h > PROVISIONAL.entropy.high) or (h < PROVISIONAL.entropy.low)
            expected = corner if outside and (v < side.low or v > side.high) else "MID"
            assert record.region == expected
            regions.add(record.region)
        assert len(regions) >= 2

    def test_progress(self, llama: LanguageModel) -> None:
        told: list[tuple[int, int]] = []
        list(score(llama, IDS[:131], PROVISIONAL, lambda *at: told.append(at)))
        assert list(dict.fromkeys(told)) == [(0, 130), (64, 130), (128, 130), (130, 130)]

    def test_what_cannot_be_scored(self, llama: LanguageModel) -> None:
        with pytest.raises(UsageError, match="no tokens"):
            score(llama, [], PROVISIONAL)

    @pytest.mark.slow
    @pytest.mark.parametrize("total", [511, 512, 513, 768, 769, 1500])
    def test_a_text_longer_than_the_context(self, llama: LanguageModel, total: int) -> None:
        ids = (IDS * 10)[:total]
        told: list[int] = []
        scored = list(score(llama, ids, PROVISIONAL, lambda done, _: told.append(done)))
        assert [(r.index, r.parent, r.id) for r in scored] == [
            (n, n - 1, id) for n, id in enumerate(ids)
        ]
        assert all(r.entropy is not None for r in scored[1:])
        assert told[-1] == total - 1
        within = list(score(llama, ids[:512], PROVISIONAL))
        assert scored[:512] == within
        for at in range(512, total):  # what it saw: at least half a context, at most a whole one
            seen = 256 + (at - 512) % 256
            if at % 97 == 0 or at in (512, total - 1):
                alone = list(score(llama, ids[at - seen : at + 1], PROVISIONAL))[-1]
                assert scored[at].entropy == pytest.approx(alone.entropy, abs=1e-4)
                assert scored[at].logprob == pytest.approx(alone.logprob, abs=1e-4)
