"""What the debugger's screen knows, without a screen."""

import pytest
from conversations import asked, said
from debugged import waterfall
from scripted import SETTINGS, token

from entropix_mlx.debugger.breakpoints import Action, BreakpointInfo, Breakpoints, Hit
from entropix_mlx.debugger.outputs import (
    Changed,
    Decisions,
    Displays,
    Done,
    Finished,
    Futures,
    Halt,
    Help,
    Lens,
    Listed,
    Looking,
    Message,
    Output,
    Refused,
)
from entropix_mlx.records.inspection import Future, LayerSaid
from entropix_mlx.records.record import Event, PromptRecord, TokenRecord
from entropix_mlx.records.tree import Tree
from entropix_tui.debugger.completion import completed, wrong
from entropix_tui.debugger.draft import GHOST, Draft
from entropix_tui.debugger.model import Debugging, Line
from entropix_tui.engine.outputs import Failed
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.command_line import Ask


def begun() -> tuple[Tree, Debugging, Draft]:
    """Halted after two tokens."""
    tree = Tree.of([asked(0), *said(["The", " first"], 1, 0)])
    model = Debugging(tree, SETTINGS, 7)
    model.take(Halt(token(3, " one", parent=2)))
    return tree, model, model.draft


def give(model: Debugging, *outputs: Output | Failed) -> None:
    for output in outputs:
        if isinstance(output, TokenRecord | PromptRecord | Event):
            model.tree.add(output)
        model.take(output)


def text(draft: Draft) -> str:
    return draft.transcript.blocks[-1].text


class TestDraft:
    def test_the_proposal_stands_at_the_end(self) -> None:
        _, _, draft = begun()
        block = draft.transcript.blocks[-1]
        assert text(draft) == "The first one"
        assert draft.ghost is not None
        assert block.piece(draft.ghost.piece).mark == GHOST
        assert draft.leaf == 2
        assert draft.used == len(asked(0).ids) + 2

    def test_it_is_taken_in_place(self) -> None:
        _, model, draft = begun()
        version = draft.version
        record = token(3, " one", parent=2, forced="user")
        give(model, record, Halt(token(4, " more", parent=3)))
        block = draft.transcript.blocks[-1]
        assert draft.version == version
        assert block.records[2] is record
        assert block.piece(2).mark == "†"
        assert draft.leaf == 3
        assert text(draft) == "The first one more"

    def test_another_one_is_taken(self) -> None:
        _, model, draft = begun()
        version = draft.version
        give(model, token(3, " two", parent=2, id=7))
        assert text(draft) == "The first two"
        assert draft.version == version
        assert draft.ghost is None
        give(model, Halt(token(4, "!", parent=3)))
        assert text(draft) == "The first two!"

    def test_it_is_replaced(self) -> None:
        _, model, draft = begun()
        give(model, Halt(token(3, " two", parent=2, id=7)))
        assert text(draft) == "The first two"
        assert len(draft.transcript.blocks[-1].records) == 3

    def test_the_same_one_again_keeps_its_place(self) -> None:
        _, model, draft = begun()
        version = draft.version
        give(model, Halt(token(3, " one", parent=2, temperature=0.1)))
        assert draft.version == version
        assert draft.transcript.blocks[-1].records[-1].temperature == 0.1

    def test_going_back_shows_the_shorter_text(self) -> None:
        _, model, draft = begun()
        give(model, Halt(token(3, " best", parent=1, id=9)))
        assert text(draft) == "The best"
        assert draft.leaf == 1

    def test_half_a_character_that_is_not_taken_leaves_nothing(self) -> None:
        _, model, draft = begun()
        halves = "é".encode()
        give(model, Halt(token(3, "", halves[:1], parent=2)))
        give(model, token(3, "", halves[:1], parent=2), Halt(token(4, "é", halves[1:], parent=3)))
        assert text(draft).endswith("é")
        give(model, Halt(token(4, "\ufffd!", b"!", parent=3, id=5)))
        shown = [piece.shown for piece in draft.transcript.blocks[-1].sections[0].pieces]
        assert shown[2] == "‹C3›"
        assert text(draft) == "The first\ufffd!"

    def test_a_prompt_and_a_valley(self) -> None:
        _, model, draft = begun()
        give(model, asked(3, "And?", 2), Halt(token(4, "Yes", parent=3)))
        assert [b.text for b in draft.transcript.blocks][-2:] == ["And?", "Yes"]
        give(model, token(4, "Yes", parent=3), Event(kind="valley", index=4, at=2))
        place = draft.transcript.place_of(TokenRef(2))
        assert place is not None
        assert draft.transcript.blocks[place.block].valleys == [1]


class TestStanding:
    def test_phases(self) -> None:
        tree, model, _ = begun()
        assert (model.phase, model.record) == ("halted", model.proposal)
        give(model, Looking(1, "breakpoint 1: p 0.1 < 0.2"))
        assert (model.phase, model.record, model.reason) == (
            "looking",
            tree[1],
            "breakpoint 1: p 0.1 < 0.2",
        )
        give(model, Finished("length"))
        assert (model.phase, model.record, model.finish) == ("over", None, "length")
        give(model, Finished(None))
        assert model.phase == "waiting"

    def test_what_was_met(self) -> None:
        _, model, _ = begun()
        hits = [Hit(2, Action(), "rank 3 > 1"), Hit(5, Action(), "end")]
        give(model, Halt(token(3, " one", parent=2), hits, reread=12))
        assert model.reason == "breakpoint 2: rank 3 > 1; breakpoint 5: end"
        assert [line.tone for line in model.log] == ["hit", "hit", "said"]
        assert "12 tokens read again" in model.log[-1].text

    def test_how_far_a_token_is(self) -> None:
        tree, model, _ = begun()
        assert [model.steps_to(index) for index in (2, 1, 0, 99)] == [-1, -2, None, None]
        give(model, Looking(1))
        assert [model.steps_to(index) for index in (2, 1)] == [1, 0]
        assert 1 in tree

    def test_settings_and_pinned_fields(self) -> None:
        _, model, _ = begun()
        give(model, Event(kind="setting", index=2, detail={"temperature": 1.5, "seed": 9}))
        assert model.settings is not None
        assert model.settings.temperature == 1.5
        assert model.seed == 9
        assert model.proposal is not None
        give(model, Displays(["entropy", "rank"], Halt(model.proposal)), Done("display"))
        assert model.pinned == [f"entropy {model.proposal.entropy:.3f}", "rank 1"]
        give(model, Refused("a token has no 'nonsense'"), Done("display"))
        assert model.displays == ["entropy", "rank"]

    def test_other_fields_are_no_other_place(self) -> None:
        _, model, _ = begun()
        met = Halt(token(3, " one", parent=2), [Hit(1, Action(), "rank 3 > 1")])
        give(model, met, waterfall(met.proposal))
        give(model, Displays(["rank"], Halt(met.proposal)), Done("display"))
        assert model.reason == "breakpoint 1: rank 3 > 1"
        assert model.is_fresh("waterfall")


class TestAsking:
    def test_what_is_wanted(self) -> None:
        _, model, _ = begun()
        assert model.wants("waterfall") == "waterfall"
        assert model.wants("futures") == "futures 8"
        model.send("waterfall", silent=True)
        assert model.wants("futures") is None  # one at a time
        assert model.proposal is not None
        give(model, waterfall(model.proposal), Done("waterfall"))
        assert model.wants("waterfall") is None
        assert model.is_fresh("waterfall")
        assert model.wants("futures") == "futures 8"
        give(model, Halt(token(3, " two", parent=2, id=8)))
        assert model.wants("waterfall") == "waterfall"

    def test_looking_back_asks_for_nothing_that_would_rewind(self) -> None:
        _, model, _ = begun()
        give(model, Looking(1))
        assert [model.wants(what) for what in ("waterfall", "lens", "futures")] == [None] * 3
        assert model.wants("attention") == "attention"
        give(model, Finished("stop"))
        assert model.wants("attention") is None
        assert "over" in model.why_not("lens")

    def test_what_was_refused_is_not_asked_for_again(self) -> None:
        _, model, _ = begun()
        model.send("l", silent=True)
        give(model, Refused("its layers can't be asked"), Done("lens"))
        assert model.wants("lens") is None
        assert model.why_not("lens") == "its layers can't be asked"
        assert not model.log
        give(model, Halt(token(3, " two", parent=2, id=8)))
        assert model.wants("lens") == "lens"

    def test_lists_are_told_apart(self) -> None:
        _, model, _ = begun()
        layers, futures = [LayerSaid(1.0, [], 0)], [Future((1, "a", -1.0, 0.3), 1.0, 2.0, [])]
        give(model, Futures(futures), Lens(layers))
        assert (model.futures, model.lens) == (futures, layers)

    @pytest.mark.parametrize(
        ("line", "outputs"),
        [
            ("break entropy > 3", [Changed("break", [])]),
            ("name 1 calm", [Event(kind="branch", index=2, detail={"name": "calm"})]),
            ("prune 2", [Event(kind="prune", index=9)]),
            ("rs", [Looking(2)]),
            ("end", [Finished("interrupted")]),
            ("display moon", [Refused("a token has no 'moon'")]),
        ],
    )
    def test_an_answer_ends_with_done(self, line: str, outputs: list[Output]) -> None:
        _, model, _ = begun()
        model.send(line)
        give(model, *outputs)
        assert len(model.sent) == 1
        give(model, Done(model.sent[0].name))
        assert not model.sent

    @pytest.mark.parametrize("line", ["nonsense", "# a comment"])
    def test_what_is_no_command_is_answered_too(self, line: str) -> None:
        _, model, _ = begun()
        model.send(line)
        give(model, Done(""))
        assert not model.sent

    def test_what_others_sent_before_ends_nothing(self) -> None:
        _, model, _ = begun()
        model.send("ask Which?")
        give(model, Finished("interrupted"), Done("end"))
        assert model.running == "ask Which?"

    def test_a_message_on_the_way_ends_nothing(self) -> None:
        _, model, _ = begun()
        model.send("c")
        give(model, Message(["breakpoint 1 at 3: rank 3 > 1"]))
        give(model, token(3, " one", parent=2), Halt(token(4, "x", parent=3)))
        assert model.running == "c"
        give(model, Done("continue"))
        assert model.running == ""

    def test_deciding_on_a_recorded_token_halts_twice(self) -> None:
        _, model, _ = begun()
        give(model, Looking(2))
        model.send("take 2")
        give(model, Halt(token(3, " first", parent=1)))
        assert len(model.sent) == 1
        give(model, token(3, " second", parent=1, forced="user"), Halt(token(4, "x", parent=3)))
        assert len(model.sent) == 1
        give(model, Done("take"))
        assert not model.sent

    def test_a_failure_ends_what_failed(self) -> None:
        _, model, _ = begun()
        for line in ("continue", "next"):
            model.send(line)
        give(model, Failed("no such record", "", "aside"))
        assert model.running == "continue"
        give(model, Failed("the device is gone", ""))
        assert model.running == "next"
        assert model.log[-1] == Line("refused", "the device is gone")
        give(model, Done("next"))
        assert not model.sent

    def test_what_is_told_is_lines_of_the_log(self) -> None:
        tree, model, _ = begun()
        forced = token(2, " first", parent=1, forced="user")
        give(model, Decisions([tree[0], forced]), Help([("step [N]", "on")]))  # type: ignore[list-item]
        assert [line.text.split() for line in model.log] == [
            ["0", "user", *repr(tree[0].text).split()],
            ["2", "user", "'", "first'"],
            ["step", "[N]", "on"],
        ]


class TestPoints:
    def test_what_the_list_says(self) -> None:
        _, model, _ = begun()
        points = Breakpoints()
        for line in ("entropy > 3 and rank > 1", 'tbreak text ~ "a  (hit once)"', "catch end"):
            points.add(line)
        points.command("ignore 1 5")
        points.command("disable 2")
        points[3].hits = 1
        model.send("breakpoints", silent=True)
        give(model, Listed(points.infos()), Done("breakpoints"))
        assert model.points == [
            BreakpointInfo(1, "break entropy > 3 and rank > 1", 0, 5, True),
            BreakpointInfo(2, 'tbreak text ~ "a  (hit once)"', 0, 0, False),
            BreakpointInfo(3, "catch end", 1, 0, True),
        ]
        assert not model.log
        assert model.wants("points") is None
        give(model, token(3, " one", parent=2))  # may have been counted
        assert model.wants("points") == "breakpoints"
        model.send("info")
        give(model, Listed([]), Done("breakpoints"))
        assert model.points == []
        assert model.log[-1].text == "no breakpoints"

    def test_after_a_change_they_are_asked_for_again(self) -> None:
        _, model, _ = begun()
        points = Breakpoints()
        give(model, Listed(points.infos()))
        assert model.wants("points") is None
        give(model, Changed("break", points.command("break rank > 1")))
        assert model.log[-1].text == "  1  break rank > 1  (hit 0 times)"
        assert model.wants("points") == "breakpoints"
        give(model, Changed("delete", points.command("delete all")))
        assert model.log[-1].text == "deleted 1"


class TestWriting:
    @pytest.mark.parametrize(
        ("written", "verb", "whole"),
        [
            ("st", "", "step"),
            ("break rank > 1 and ent", "", "break rank > 1 and entropy"),
            ("rank > 1 or varen", "break", "rank > 1 or varentropy"),
            ("set temp", "", "set temperature="),
            ("catch ut", "", "catch utf8"),
            ("preset gre", "", "preset greedy"),
            ("rank > ", "break", None),
            ("step", "", None),
            ("Wai", "type", None),
        ],
    )
    def test_completion(self, written: str, verb: str, whole: str | None) -> None:
        assert completed(written, verb) == whole

    @pytest.mark.parametrize(
        ("written", "verb", "column"),
        [
            ("entropy >", "break", 10),
            ("entropy > 3 adn rank > 1", "break", 13),
            ("tbreak rnk > 1", "break", 8),
            ("break rnk > 1", "", 7),
            ("b rnk > 1", "", 3),
            ("  tb rnk > 1", "", 6),
            ("catch nothing", "", 7),
        ],
    )
    def test_where_it_is_wrong(self, written: str, verb: str, column: int) -> None:
        found = wrong(written, verb)
        assert found is not None
        assert found[0] == column

    @pytest.mark.parametrize(
        ("written", "verb"),
        [("entropy > 3", "break"), ("watch region", "break"), ("", "break"), ("step rnk", ""),
         ("b rank > 1", ""), ("break", ""), ("anything", "type")],
    )  # fmt: skip
    def test_where_nothing_is(self, written: str, verb: str) -> None:
        assert wrong(written, verb) is None

    def test_lines(self) -> None:
        assert Ask("type", "type", quoted=True).line(' "a"\\') == 'type " \\"a\\"\\\\"'
        assert Ask("set", "set").line("temperature=1") == "set temperature=1"
        assert Ask("break", "break").line("rank > 1") == "break rank > 1"
        assert Ask("break", "break").line("watch region") == "watch region"
        assert Ask(":", "").line("step 3") == "step 3"
