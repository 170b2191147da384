"""gdb for tokens, on a small random model: every command, and every order of them."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from turns import session, tokens, turn, whole

from entropix_mlx.debugger.breakpoints import VERBS
from entropix_mlx.debugger.commands import COMMANDS, command_of, execute
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import (
    Branches,
    Displays,
    Done,
    Finished,
    Futures,
    Halt,
    Lens,
    Looking,
    Message,
    Output,
    Refused,
)
from entropix_mlx.debugger.text import lines, report
from entropix_mlx.records.inspection import Future, Inspection, LayerSaid, Waterfall
from entropix_mlx.records.record import Event, TokenRecord
from entropix_mlx.records.tree import ids_of
from entropix_mlx.session.journal import UNSAVED
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.resume import resume
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.language_model import LanguageModel

HOT = {"temperature": "3"}


def debugger(model: LanguageModel, **options: Any) -> Debugger:
    made = session(model, "temperature", overrides=HOT, **options)
    return Debugger(made, max_tokens=40)


def do(made: Debugger, *commands: str) -> list[Output]:
    """What the commands gave, all together, but for the end of each."""
    given: list[Output] = []
    for command in commands:
        *outputs, done = execute(made, command)
        assert isinstance(done, Done)
        assert Done not in map(type, outputs)
        given += outputs
    return given


def halt(outputs: list[Output]) -> Halt:
    assert isinstance(outputs[-1], Halt), outputs[-1]
    return outputs[-1]


def of(kind: Any, outputs: list[Output]) -> list[Any]:
    return [output for output in outputs if isinstance(output, kind)]


def ids(outputs: list[Output]) -> list[int]:
    return [record.id for record in of(TokenRecord, outputs)]


class TestGoingOn:
    def test_step_by_step_is_the_answer(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        expected = tokens(turn(session(llama, "temperature", overrides=HOT), "Hello", 12))
        first = halt(do(made, "ask Hello"))
        assert first.proposal.id == expected[0].id
        taken = do(made, "step", "", "s", "step 4", "accept", "s 4")
        assert ids(taken) == [r.id for r in expected]
        assert halt(taken).proposal.index == 13

    def test_the_whole_answer(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        taken = do(made, "ask Hello", "continue")
        assert len(ids(taken)) == 40
        assert taken[-1] == Finished("length")
        refused = do(made, "step")
        assert isinstance(refused[0], Refused)

    def test_a_break_before_the_draw(self, llama: LanguageModel) -> None:
        expected = tokens(turn(session(llama, "temperature", overrides=HOT), "Hello", 40))
        wanted = next(n for n, r in enumerate(expected) if n > 3 and (r.rank or 0) > 100)
        made = debugger(llama)
        stopped = halt(do(made, "ask Hello", "break rank > 101 and step > 3", "continue"))
        assert stopped.proposal.id == expected[wanted].id
        assert stopped.hits[0].number == 1
        assert made.session.tree.leaf == expected[wanted].index - 1  # not taken yet
        following = do(made, "continue")
        assert ids(following)[0] == expected[wanted].id

    def test_a_token_that_may_begin_a_stop_text(self, llama: LanguageModel) -> None:
        """It is taken and not told yet: there is no answer so far that a line could end in."""
        made = debugger(llama)
        begins = tuple(llama.tokenizer.encode("O"))
        request = TurnRequest("Hello", max_tokens=12, stop=("Once",), force=begins)
        begun = list(made.begin(made.session.prepare(request)))
        assert not ids(begun)
        taken = do(made, "until line")
        assert "".join(record.text for record in of(TokenRecord, taken)).startswith("O")

    def test_until(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        do(made, "ask Hello", 'type "One two.\\nThree"')
        # Bytes are tokens: the answer so far ends in "Three".
        assert made.proposed().so_far.startswith("One two.\nThree")
        assert isinstance(do(made, "until moon")[0], Refused)

    def test_stop(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        running = execute(made, "ask Hello")
        list(running)
        outputs: list[Output] = []
        for output in execute(made, "continue"):
            outputs.append(output)
            if len(outputs) == 3:
                made.stop()
        assert len(ids(outputs)) == 3
        assert isinstance(outputs[-2], Halt)
        assert outputs[-1] == Done("continue")


class TestDeciding:
    def test_take(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        listed = halt(do(made, "ask Hello")).proposal.candidates
        taken = do(made, "take 2")
        assert ids(taken) == [listed[1][0]]
        assert of(TokenRecord, taken)[0].forced == "user"
        assert ids(do(made, 'take "F"')) == llama.tokenizer.encode("F")

    def test_type(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        do(made, "ask Hello")
        taken = do(made, 'type " Wait,"')
        assert ids(taken) == llama.tokenizer.encode(" Wait,")
        assert "".join(r.text for r in of(TokenRecord, taken)) == " Wait,"

    def test_ban_and_redraw(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        first = halt(do(made, "ask Hello")).proposal
        banned = halt(do(made, "ban")).proposal
        assert banned.id != first.id
        drawn = {halt(do(made, "redraw")).proposal.id for _ in range(12)}
        assert first.id not in drawn
        assert len(drawn) > 4
        assert halt(do(made, "redraw 0")).proposal.id == banned.id
        assert ids(do(made, "step")) == [banned.id]

    def test_settings(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        do(made, "ask Hello")
        changed = do(made, "set temperature=0.5")
        assert of(Event, changed)[0].detail == {"temperature": 0.5}
        assert halt(changed).proposal.temperature == 0.5
        assert halt(do(made, "preset greedy")).proposal.strategy == "greedy"
        for wrong in ("set temperature", "set temperature=x", "set nothing=1", "preset nope"):
            assert isinstance(do(made, wrong)[0], Refused)

    def test_the_end(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        outputs = do(made, "ask Hello", "step 3", "end")
        assert outputs[-1] == Finished("interrupted")
        assert halt(do(made, "ask More")).proposal.index > 4


class TestGoingBack:
    def test_without_a_model_call(
        self, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = debugger(llama)
        taken = of(TokenRecord, do(made, "ask Hello", "step 8"))
        tip = made.live.proposal()

        def fail(*_: Any) -> None:
            raise AssertionError("the model was called")

        monkeypatch.setattr(llama, "step", fail)
        assert do(made, "back") == [Looking(taken[-1].index)]
        assert do(made, "rs 3") == [Looking(taken[-4].index)]
        assert do(made, "step 2") == [Looking(taken[-2].index)]
        assert halt(do(made, "step 2")).proposal == tip
        assert do(made, "back 100")[-1] == Looking(taken[0].index)
        assert isinstance(do(made, "back")[0], Refused)

    def test_to_where_a_breakpoint_was_met(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        taken = of(TokenRecord, do(made, "ask Hello", "step 20", "break rank > 101"))
        met = [r.index for r in taken if (r.rank or 0) > 100]
        for index in reversed(met):
            found = do(made, "reverse-continue")[0]
            assert isinstance(found, Looking)
            assert found.index == index
            assert "breakpoint 1" in found.reason
        last = do(made, "rc")[-1]
        if met[0] == taken[0].index:
            assert isinstance(last, Refused)
        else:
            assert last == Looking(taken[0].index, "the beginning of the answer")

    @pytest.mark.parametrize("trims", [True, False])
    def test_rewinding_is_exact(
        self, llama: LanguageModel, monkeypatch: pytest.MonkeyPatch, trims: bool
    ) -> None:
        """The same distributions again, trimmed or read again; the same draws."""
        if not trims:
            monkeypatch.setattr(llama, "trim", lambda _cache, _tokens: False)
        made = debugger(llama)
        taken = of(TokenRecord, do(made, "ask Hello", "step 30"))
        for at in (29, 3, 17, 0, 11):
            back = halt(do(made, "branch 1", f"rewind @{taken[at].index}"))
            assert back.proposal.id == taken[at].id
            assert (back.reread > 0) is (not trims)
            again = of(TokenRecord, do(made, f"step {min(4, 30 - at)}"))
            for one, two in zip(again, taken[at:], strict=False):
                assert one.id == two.id
                if trims:
                    assert (one.entropy, one.agreement) == (two.entropy, two.agreement)
                else:
                    assert one.entropy == pytest.approx(two.entropy, abs=1e-4)

    def test_editing_the_past_makes_a_branch(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        taken = of(TokenRecord, do(made, "ask Hello", "step 8"))
        outputs = do(made, "back 4", "take 3")
        new = of(TokenRecord, outputs)[0]
        assert new.parent == taken[-5].index
        assert new.forced == "user"
        assert all(record.index in made.session.tree for record in taken)
        assert len(made.session.tree.branches()) == 2
        assert halt(do(made, "branch 1")).proposal.parent == taken[-1].index
        named = do(made, "name 2 bold")
        assert named == [Event(kind="branch", index=new.index, detail={"name": "bold"})]
        assert [b.name for b in of(Branches, do(made, "branches"))[0].branches] == ["", "bold"]
        assert isinstance(do(made, "prune 1")[0], Refused)
        do(made, "prune 2")
        assert len(made.session.tree.branches()) == 1
        assert isinstance(do(made, "branch 2")[0], Refused)


class TestLooking:
    def test_all_of_it(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        before = halt(do(made, "ask Hello", "step 3"))
        waterfall, inspection, lens, futures = do(
            made, "waterfall", "attention", "lens", "futures 3"
        )
        assert isinstance(waterfall, Waterfall)
        assert isinstance(inspection, Inspection)
        assert isinstance(lens, Lens)
        assert isinstance(futures, Futures)
        assert [type(x) for x in lens.layers] == [LayerSaid] * llama.info.layers
        assert [type(x) for x in futures.futures] == [Future] * 3
        assert waterfall.token == before.proposal.id
        assert inspection.head[0][0] == before.proposal.candidates[0][0]
        assert do(made, "display entropy rank") == [
            Displays(["entropy", "rank"], Halt(before.proposal))
        ]
        said = [line for output in do(made, "where", "help") for line in lines(made, output)]
        assert len(said) > len(COMMANDS)

    def test_text(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        outputs = do(made, "ask Hello", "break entropy > 0", "display entropy", "waterfall")
        outputs += do(made, "attention", "lens", "futures", "continue", "back", "rc", "nonsense")
        text = [line for output in outputs for line in lines(made, output)]
        assert all("\n" not in line for line in text)
        halted = next(output for output in outputs if isinstance(output, Halt))
        assert sum(1 for _ in report(made, halted)) > 8


class TestLeaving:
    @pytest.mark.parametrize("quits", [False, True])
    def test_what_was_only_looked_at_stays_as_it_was(
        self, llama: LanguageModel, tmp_path: Path, quits: bool
    ) -> None:
        path = tmp_path / "t.jsonl"
        with TraceWriter(path) as trace:
            made = debugger(llama, trace=trace)
            do(made, "ask Hello", "step 6", "end")
            tree = made.session.tree
            leaf = tree.leaf
            made.leave()
            do(made, "rewind 3", "rewind 2", "ban", *([] if quits else ["rewind 1"]))
            assert tree.leaf != leaf
            *_, event = made.leave()
            assert (event.kind, event.index) == ("return", leaf)  # type: ignore[union-attr]
            assert tree.leaf == leaf
            assert made.session.ids == ids_of(tree.path())
        whole(path)
        assert resume(llama, path, storage=UNSAVED)[0].tree.leaf == leaf

    @pytest.mark.parametrize("lines", [["step"], ["end"], ["take 2", "end"]])
    def test_what_was_done_there_stays(self, llama: LanguageModel, lines: list[str]) -> None:
        made = debugger(llama)
        do(made, "ask Hello", "step 6", "end", "rewind 3", *lines)
        stands = made.session.tree.leaf
        made.leave()
        assert made.session.tree.leaf == stands

    def test_of_another_branch_that_was_gone_to_all_stays(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        do(made, "ask Hello", "step 6", "rewind 3", "take 2", "step 4", "end")
        tree = made.session.tree
        first, second = (branch.leaf for branch in tree.branches())
        assert tree.leaf == second
        made.leave()
        do(made, "branch 1", "rewind 2")
        made.leave()
        assert tree.leaf == first
        # Between two visits another branch was gone to, whose beginning is the same.
        made.session.return_to(second, None)
        do(made, f"rewind @{tree.answer(second)[0].index}")
        made.leave()
        assert tree.leaf == second


class TestBreakpoints:
    def test_actions(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        do(made, "ask Hello", "break step == 2 do log", "break step == 4 do preset greedy")
        do(made, "break step == 6 do fork 3", "break step == 8")
        outputs = do(made, "continue")
        said = of(Message, outputs)
        assert len(said) == 3
        assert halt(outputs).hits[0].number == 4
        main = [made.session.tree[i] for i in made.session.tree.up(made.session.tree.leaf)]
        assert len(main) == 9  # eight tokens and the prompt
        assert main[0].strategy == "greedy"  # type: ignore[union-attr]
        assert len(made.session.tree.branches()) == 3
        assert made.session.ids == ids_of(made.session.tree.path())

    def test_they_are_kept_with_the_session(self, llama: LanguageModel, tmp_path: Path) -> None:
        path = tmp_path / "t.jsonl"
        with TraceWriter(path) as trace:
            made = debugger(llama, trace=trace)
            do(made, "ask Hello", "break entropy > 3", "tbreak rank > 6", "ignore 1 2", "step")
            made.leave()
        whole(path)
        again = Debugger(resume(llama, path, storage=UNSAVED)[0])
        assert again.breakpoints.infos() == made.breakpoints.infos()

    def test_p_of_a_named_token(self, llama: LanguageModel) -> None:
        made = debugger(llama)
        first = halt(do(made, "ask Hello")).proposal
        listed = {text: logprob for _, text, logprob, _ in first.candidates}
        text = next(text for text in listed if text.isascii() and text.isprintable() and text)
        assert made.proposed().p_of(text) == pytest.approx(math.exp(listed[text]), rel=1e-4)
        do(made, 'break p("F") >= 0')
        assert halt(do(made, "step")).hits[0].number == 1
        assert made.proposed().p_of("no such token") is None


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("", "step"),
        ("s 3", "step"),
        ("  b rank > 1", "break"),
        ("back", "back"),
        ("until moon", "until"),
        ("# a comment", ""),
        ("#", ""),
        ("nonsense", ""),
    ],
)
def test_every_line_is_answered_once(llama: LanguageModel, line: str, command: str) -> None:
    made = debugger(llama)
    found = command_of(line)
    assert (found.name if found is not None else "") == command
    for at in ("", "ask Hello"):  # where it makes no sense, too
        list(execute(made, at))
        outputs = list(execute(made, line))
        assert [output for output in outputs if isinstance(output, Done)] == [Done(command)]
        assert outputs[-1] == Done(command)


def test_the_table_has_all_the_words_of_breakpoints() -> None:
    names = [name for c in COMMANDS for name in (c.name, *c.aliases)]
    assert len(names) == len(set(names))
    assert set(VERBS) <= set(names)


_LINES = st.sampled_from(
    [
        "step",
        "step 3",
        "next",
        "until line",
        "take 1",
        "take 2",
        'type "ab"',
        "ban",
        "redraw",
        "back",
        "back 3",
        "rc",
        "rewind",
        "rewind 2",
        "rewind 99",
        "branch 1",
        "branch 2",
        "branches",
        "prune 2",
        "set temperature=1",
        "preset greedy",
        "tbreak rank > 21",
        "break entropy > 3 do fork 2",
        "delete all",
        "waterfall",
        "futures 2",
        "attention",
        "lens",
        "end",
        "ask More",
        "where",
        "run 1000",
        "nonsense",
    ]
)


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(commands=st.lists(_LINES, max_size=14))
def test_any_order_of_commands(llama: LanguageModel, commands: list[str]) -> None:
    """Whatever is done, what was recorded stays, and the model stands where the tree says."""
    made = debugger(llama)
    made.max_tokens = 12
    seen: dict[int, Any] = {}
    for command in ["ask Hello", *commands]:
        outputs = do(made, command)
        for record in _records(outputs):
            seen[record.index] = record
        tree = made.session.tree
        assert all(tree[index] == record for index, record in seen.items())
        assert made.session.ids == ids_of(tree.path())
        if made.stepper is not None and not made.stepper.ended:
            assert made.live.proposal().parent == tree.leaf
        if made.cursor is not None:
            assert made.cursor in tree
        for output in outputs:
            list(lines(made, output))


def _records(outputs: list[Output]) -> Iterator[TokenRecord]:
    return (output for output in outputs if isinstance(output, TokenRecord))
