"""Caches of branches that were left."""

from typing import Any

import mlx.core as mx
import pytest
from turns import session, tokens, turn

from entropix_mlx.decoding.cache_pool import PromptCachePool, common, nbytes
from entropix_mlx.decoding.score import score
from entropix_mlx.session.request import TurnRequest
from entropix_models.language_model import LanguageModel


class Reads:
    def __init__(self, model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.total = 0
        step = model.step

        def counting(ids: mx.array, *rest: Any) -> Any:
            self.total += ids.size
            return step(ids, *rest)

        monkeypatch.setattr(model, "step", counting)


def cache_of(model: LanguageModel, ids: list[int]) -> Any:
    cache = model.new_cache()
    model.step(mx.array(ids), cache)
    mx.eval([layer.state for layer in cache])
    return cache


def test_the_least_recently_used_go_first(llama: LanguageModel) -> None:
    one = cache_of(llama, [1, 2, 3])
    pool = PromptCachePool(budget=3 * nbytes(one))
    for first in range(5):
        pool.put([first, 2, 3], llama.fork(one))
        assert pool.size <= pool.budget
    assert len(pool) == 3
    assert pool.best([1, 2, 3]) == (-1, 0)
    number, length = pool.best([2, 2, 9])
    assert length == 2
    assert pool.look(number).ids == [2, 2, 3]
    pool.put([7, 7], llama.fork(one))
    assert pool.best([2, 2])[1] == 2  # it was used since
    assert pool.best([3, 2])[1] == 0
    assert pool.take(number).ids == [2, 2, 3]
    assert pool.best([2, 2]) == (-1, 0)


def test_what_is_larger_than_the_budget_is_not_kept(llama: LanguageModel) -> None:
    one = cache_of(llama, [1, 2, 3])
    pool = PromptCachePool(budget=nbytes(one) - 1)
    pool.put([1, 2, 3], one)
    assert len(pool) == 0


@pytest.mark.parametrize(
    ("a", "b", "length"), [([], [1], 0), ([1, 2], [1, 2], 2), ([1, 2, 3], [1, 9, 3], 1)]
)
def test_common(a: list[int], b: list[int], length: int) -> None:
    assert common(a, b) == common(b, a) == length


def test_a_branch_that_was_left_is_not_read_again(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = session(llama, "temperature", overrides={"temperature": "3"})
    first = turn(made, "x" * 150, 20)
    fork = tokens(first)[2].index
    second = list(made.run(TurnRequest(max_tokens=20, after=fork, force=(70,))))
    reads = Reads(llama, monkeypatch)
    again = tokens(list(made.run(TurnRequest(max_tokens=3, after=tokens(first)[18].index))))
    assert reads.total == 3  # the id before the first new one, and two of those
    assert [r.id for r in again[:1]] == [tokens(first)[19].id]
    assert [r.entropy for r in again[:1]] == [tokens(first)[19].entropy]
    reads.total = 0
    back = tokens(list(made.run(TurnRequest(max_tokens=1, after=tokens(second)[18].index))))
    assert reads.total == 1
    assert back[0].entropy == tokens(second)[19].entropy


def test_without_room_it_is(llama: LanguageModel) -> None:
    made = session(llama, "temperature", overrides={"temperature": "3"})
    made.context.pool.budget = 0
    first = tokens(turn(made, "Hello", 20))
    list(made.run(TurnRequest(max_tokens=20, after=first[2].index, force=(70,))))
    again = tokens(list(made.run(TurnRequest(max_tokens=1, after=first[18].index))))
    assert again[0].entropy == pytest.approx(first[19].entropy, abs=1e-4)
    assert len(made.context.pool) == 0


@pytest.mark.slow
def test_sixty_four_branches(llama: LanguageModel) -> None:
    made = session(llama, "temperature", overrides={"temperature": "3"})
    made.context.pool.budget = 20 * nbytes(cache_of(llama, list(range(3, 203))))
    first = tokens(turn(made, "x" * 150, 12))
    leaves = [made.tree.leaf]
    for n in range(63):
        list(made.run(TurnRequest(max_tokens=6, after=first[5].index, force=(70 + n,))))
        leaves.append(made.tree.leaf)
        assert made.context.pool.size <= made.context.pool.budget
    for leaf in (leaves[0], leaves[31], leaves[60]):
        said = tokens(list(made.run(TurnRequest(max_tokens=1, after=leaf))))
        *_, direct = score(llama, made.ids, made.calibration)
        assert said[0].entropy == pytest.approx(direct.entropy, abs=2e-4)


def test_caches_that_cannot_be_trimmed(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read again from the beginning, or used whole."""
    monkeypatch.setattr(llama, "trim", lambda _cache, _tokens: False)
    made = session(llama, "temperature", overrides={"temperature": "3"})
    first = tokens(turn(made, "Hello", 12))
    other = tokens(list(made.run(TurnRequest(max_tokens=12, after=first[2].index, force=(70,)))))
    for old, leaf in ((first, first[5].index), (other, other[5].index)):
        again = tokens(list(made.run(TurnRequest(max_tokens=2, after=leaf))))
        wanted = old[[r.index for r in old].index(leaf) + 1]
        assert (again[0].id, again[0].entropy) == (
            wanted.id,
            pytest.approx(wanted.entropy, abs=1e-4),
        )


def test_what_cannot_be_trimmed_is_no_better_than_a_beginning(
    llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "trim", lambda _cache, _tokens: False)
    context, ids = session(llama).context, list(range(3, 33))
    for length in (30, 20):
        context.go_to(ids[:length])
        assert context.read(lambda *_: True)
    reads = Reads(llama, monkeypatch)
    context.go_to(ids[:25])  # the first cache holds all of them, but also others
    assert context.read(lambda *_: True)
    assert reads.total == 5
