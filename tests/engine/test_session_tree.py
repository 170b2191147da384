"""A conversation as a tree: returning, branching, other settings in mid-answer, scored prompts."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from turns import end, session, timeless, tokens, turn, whole

from entropix_mlx.decoding.score import score
from entropix_mlx.records.record import Event, PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT, Tree, ids_of
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.valleys import places
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel

HOT = Settings.make("temperature", {"temperature": "3"})


def hot(model: LanguageModel, **options: Any) -> Session:
    return session(model, "temperature", overrides={"temperature": "3"}, **options)


def prompt_of(records: list[Any]) -> PromptRecord:
    return next(r for r in records if isinstance(r, PromptRecord) and r.ids)


def events(records: list[Any], kind: str) -> list[Event]:
    return [r for r in records if isinstance(r, Event) and r.kind == kind]


def measures(record: TokenRecord) -> tuple[float | None, ...]:
    return (record.entropy, record.varentropy, record.attn_entropy, record.agreement)


class TestReturning:
    @pytest.mark.slow
    def test_back_and_forth_reads_nothing_again(self, llama: LanguageModel) -> None:
        """A visit to an early token does not cost the way back to a late one."""
        made = hot(llama)
        taken = tokens(turn(made, max_tokens=60))
        decoder = made.context.decoder
        for at in (50, 5, 40, 54, 0, 33, 20, 56, 2, 48):
            read = decoder.read
            again = tokens(made.run(TurnRequest(max_tokens=3, after=taken[at].index)))
            assert [r.id for r in again] == [r.id for r in taken[at + 1 : at + 4]][: len(again)]
            assert [measures(r) for r in again] == [measures(r) for r in taken[at + 1 : at + 4]]
            assert decoder.read - read <= 4
        assert len(made.context.pool) <= 2, "what is a beginning of another is not kept twice"

    def test_the_same_again(self, llama: LanguageModel) -> None:
        """Rewinding by trimming is exact: the same seed gives the same records."""
        made = hot(llama)
        first = turn(made, "Hello", 10)
        again = list(made.run(TurnRequest(max_tokens=10, after=prompt_of(first).index)))
        assert [r.id for r in tokens(first)] == [r.id for r in tokens(again)]
        assert [measures(r) for r in tokens(first)] == [measures(r) for r in tokens(again)]
        assert tokens(again)[0].parent == prompt_of(first).index
        assert events(again, "fork") == [
            Event(kind="fork", index=tokens(again)[0].index, at=tokens(first)[0].index)
        ]
        assert len(made.tree.branches()) == 2

    def test_another_seed(self, llama: LanguageModel) -> None:
        made = hot(llama)
        first = turn(made, "Hello", 10)
        again = list(made.run(TurnRequest(max_tokens=10, after=prompt_of(first).index, seed=8)))
        assert [r.id for r in tokens(first)] != [r.id for r in tokens(again)]
        assert events(again, "setting")[0].detail == {"seed": 8}
        fresh = hot(llama, seed=8)
        assert [r.id for r in tokens(turn(fresh, "Hello", 10))] == [r.id for r in tokens(again)]
        assert made.seed == 8

    def test_another_seed_in_mid_answer(self, llama: LanguageModel, file: Path) -> None:
        """Whatever was drawn before: from there on it is as that seed has it."""
        with TraceWriter(file) as trace:
            made = hot(llama, trace=trace)
            running = made.send("Hello", max_tokens=8)
            records = [next(running) for _ in range(4)]
            event = made.reseed(8)
            records += running
        assert whole(file).records.count(event) == 1  # type: ignore[arg-type]
        assert event is not None
        assert (event.index, event.detail) == (records[3].index, {"seed": 8})
        assert made.reseed(8) is None
        fresh = hot(llama, seed=8)
        forced = tuple(record.id for record in tokens(records)[:3])
        again = list(fresh.run(TurnRequest("Hello", max_tokens=8, force=forced)))
        assert [r.forced for r in tokens(again)] == ["user"] * 3 + [None] * 5
        assert [r.id for r in tokens(again)] == [r.id for r in tokens(records)]

    def test_going_on(self, llama: LanguageModel) -> None:
        """An answer in two parts is the answer, valleys and unfinished characters included."""
        parts = hot(llama)
        first = turn(parts, "Hello", 5)
        second = list(parts.run(TurnRequest(max_tokens=5)))
        whole_answer = tokens(turn(hot(llama), "Hello", 10))
        both = tokens(first) + tokens(second)
        assert [(r.id, r.text) for r in both] == [(r.id, r.text) for r in whole_answer]
        assert [measures(r) for r in both] == [measures(r) for r in whole_answer]
        assert [r.index for r in both] == list(range(1, 11))
        assert events(second, "fork") == []
        assert end(second).tokens == 5

    def test_forking(self, llama: LanguageModel) -> None:
        made = hot(llama)
        first = tokens(turn(made, "Hello", 10))
        reads: list[int] = []
        step = llama.step
        llama.step = lambda ids, *rest: (reads.append(ids.size), step(ids, *rest))[1]  # type: ignore[method-assign, assignment]
        try:
            other = list(made.run(TurnRequest(max_tokens=4, after=first[5].parent, force=(70,))))
        finally:
            del llama.step
        assert reads == [1] * 4  # nothing before the fork was read again
        assert tokens(other)[0].id == 70
        assert tokens(other)[0].forced == "user"
        assert measures(tokens(other)[0]) == measures(first[5])
        assert tokens(other)[0].parent == first[4].index
        assert events(other, "fork")[0].at == first[5].index
        assert made.ids == ids_of(made.tree.path())
        assert made.ids[-4:] == [r.id for r in tokens(other)]

    def test_an_edited_message_is_a_branch(self, llama: LanguageModel) -> None:
        made = hot(llama, system="Be brief")
        turn(made, "Hello", 4)
        second = turn(made, "More", 4)
        asked = prompt_of(second)
        edited = list(made.send("Less", max_tokens=4, after=made.tree.parent(asked.index)))
        straight = hot(llama, system="Be brief")
        turn(straight, "Hello", 4)
        expected = turn(straight, "Less", 4)
        assert prompt_of(edited).ids == prompt_of(expected).ids
        assert [r.id for r in tokens(edited)] == [r.id for r in tokens(expected)]
        assert asked.index in made.tree

    def test_the_first_message_edited_keeps_the_system_prompt(self, llama: LanguageModel) -> None:
        made = hot(llama, system="Be brief")
        first = turn(made, "Hello", 4)
        again = list(made.send("Hullo", max_tokens=4, after=ROOT))
        expected = turn(hot(llama, system="Be brief"), "Hullo", 4)
        assert [r.role for r in again if isinstance(r, PromptRecord)] == ["system", "user"]
        assert prompt_of(again).ids == prompt_of(expected).ids
        assert [r.id for r in tokens(again)] == [r.id for r in tokens(expected)]
        under = list(made.send("Hi", max_tokens=4, after=made.tree.parent(prompt_of(first).index)))
        assert [r.role for r in under if isinstance(r, PromptRecord)] == ["user"]
        assert prompt_of(under).ids == prompt_of(turn(hot(llama, system="Be brief"), "Hi", 1)).ids

    def test_switching_between_branches(self, llama: LanguageModel) -> None:
        made = hot(llama)
        a = turn(made, "Hello", 6)
        b = list(made.run(TurnRequest(max_tokens=6, after=prompt_of(a).index, seed=9)))
        for leaf in (end(a).leaf, end(b).leaf):
            said = list(made.send("And?", max_tokens=3, after=leaf))
            path = made.tree.path(end(said).leaf)
            direct = list(score(llama, ids_of(path), made.calibration))[-3:]
            assert [r.entropy for r in tokens(said)] == pytest.approx(
                [r.entropy for r in direct], abs=2e-4
            )

    def test_what_cannot_be(self, llama: LanguageModel) -> None:
        made = hot(llama)
        with pytest.raises(UsageError, match="nothing to go on from"):
            made.run(TurnRequest(max_tokens=3))
        first = turn(made, "Hello", 3)
        with pytest.raises(UsageError, match="no record 99"):
            made.send("x", max_tokens=3, after=99)
        with pytest.raises(UsageError, match="vocabulary"):
            made.run(TurnRequest(max_tokens=3, force=(10**6,)))
        stop = min(llama.tokenizer.stop_ids)
        list(made.run(TurnRequest(max_tokens=3, force=(stop,))))
        forced = made.tree[first[0].index + 4]
        assert isinstance(forced, TokenRecord)
        with pytest.raises(UsageError, match="complete"):
            made.run(TurnRequest(max_tokens=3, after=forced.index))

    def test_a_name(self, llama: LanguageModel) -> None:
        made = hot(llama)
        turn(made, "Hello", 3)
        made.name_branch(made.tree.leaf, "calm")
        assert [b.name for b in made.tree.branches()] == ["calm"]
        with pytest.raises(UsageError):
            made.name_branch(77, "x")


class TestSettings:
    def test_in_mid_answer(self, llama: LanguageModel, file: Path) -> None:
        with TraceWriter(file) as trace:
            made = session(llama, "greedy", trace=trace)
            running = made.send("Hello", max_tokens=8)
            records: list[Any] = [next(running) for _ in range(4)]  # a prompt, three tokens
            event = made.use(HOT)
            records += running
        found = tokens(records)
        assert [r.temperature for r in found] == [None] * 3 + [3.0] * 5
        assert event is not None
        assert event.index == found[2].index
        assert event.detail is not None
        assert event.detail["preset"] == "temperature"
        assert event.detail["temperature"] == 3.0
        assert whole(file).records.count(event) == 1
        assert made.use(HOT) is None

    def test_for_one_turn(self, llama: LanguageModel) -> None:
        made = session(llama, "greedy")
        first = turn(made, "Hello", 4)
        after = prompt_of(first).index
        other = list(made.run(TurnRequest(max_tokens=4, after=after, settings=HOT)))
        assert [r.temperature for r in tokens(other)] == [3.0] * 4
        assert [e.detail["preset"] for e in events(other, "setting") if e.detail] == [
            "temperature",
            "greedy",
        ]
        assert made.settings.preset == "greedy"
        running = made.run(TurnRequest(max_tokens=4, after=after, settings=HOT))
        next(running)
        running.close()
        assert made.settings.preset == "greedy"


class TestScoredPrompts:
    @pytest.mark.parametrize("length", [5, 150])
    def test_they_are_those_of_score(self, llama: LanguageModel, length: int) -> None:
        made = session(llama, score_prompts=True)
        first = turn(made, "x" * length, 5)
        second = turn(made, "Again, please", 5)
        path = made.tree.path()
        direct = list(score(llama, ids_of(path), made.calibration))
        place = 0
        for node in path:
            if isinstance(node, PromptRecord):
                assert node.records is not None
                assert [r.id for r in node.records] == node.ids
                assert [r.index for r in node.records] == list(range(len(node.ids)))
                pairs = list(zip(node.records, direct[place : place + len(node.ids)], strict=True))
                place += len(node.ids)
            else:
                pairs = [(node, direct[place])]
                place += 1
            for record, expected in pairs:
                for one, two in zip(measures(record), measures(expected), strict=True):
                    assert one == pytest.approx(two, abs=2e-4)
        assert prompt_of(first).records[0].entropy is None  # type: ignore[index]
        assert prompt_of(second).records[0].entropy is not None  # type: ignore[index]

    def test_their_valleys_are_those_of_the_detector(self, llama: LanguageModel) -> None:
        made = session(llama, score_prompts=True)
        decoder = made.context.decoder
        decoder.calibration = msgspec.structs.replace(decoder.calibration, valley_delta=0.05)
        text = "".join(f"{n * n % 89} {'ab' * (n % 9)}" for n in range(32))
        long = prompt_of(turn(made, text, 1))
        assert long.records is not None
        found = places([record.entropy for record in long.records], 0.05)
        assert len(found) > 2
        assert long.valleys == found
        short = prompt_of(turn(made, "x", 1))
        assert short.valleys is msgspec.UNSET, "as traces were that knew of none"

    def test_the_answer_is_the_same(self, llama: LanguageModel) -> None:
        plain, scored = session(llama), session(llama, score_prompts=True)
        for text in ("Hello", "Again"):
            one, two = tokens(turn(plain, text, 6)), tokens(turn(scored, text, 6))
            assert [r.id for r in one] == [r.id for r in two]
            assert [r.entropy for r in one] == pytest.approx([r.entropy for r in two], abs=1e-4)

    def test_stopped_while_reading(self, llama: LanguageModel) -> None:
        made: Session

        def progress(_stage: str, done: int, _total: int | None, **_: str) -> None:
            if done:
                made.stop()

        made = session(llama, score_prompts=True, progress=progress)
        records = turn(made, "x" * 200, 5)
        assert [type(r) for r in records[:1]] == [PromptRecord]
        assert prompt_of(records).records is None
        assert end(records).finish_reason == "interrupted"
        made._progress = lambda *_, **__: None
        assert len(tokens(turn(made, "Go on", 3))) == 3


def test_a_trace_holds_the_tree(llama: LanguageModel, file: Path) -> None:
    with TraceWriter(file) as trace:
        made = hot(llama, trace=trace, score_prompts=True)
        first = turn(made, "Hello", 5)
        list(made.run(TurnRequest(max_tokens=5, after=tokens(first)[1].index, force=(70,))))
        made.name_branch(made.tree.leaf, "other")
    again = Tree.of(whole(file).records)
    assert again.branches() == made.tree.branches()
    assert again.leaf == made.tree.leaf
    assert timeless(again.path()) == timeless(made.tree.path())  # type: ignore[arg-type]


def test_another_seed_in_mid_answer(llama: LanguageModel) -> None:
    """The step that was under way is drawn anew."""
    made, fresh = hot(llama), hot(llama)
    stopping = made.send("Hello", max_tokens=20)
    first = tokens([next(stopping) for _ in range(4)])
    stopping.close()
    other = list(made.run(TurnRequest(max_tokens=4, seed=99)))
    turn(fresh, "Hello", 3)
    expected = list(fresh.run(TurnRequest(max_tokens=4, seed=99)))
    assert len(first) == 3
    assert [r.id for r in tokens(other)] == [r.id for r in tokens(expected)]
