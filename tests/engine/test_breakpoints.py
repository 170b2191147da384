"""Breakpoints: the lines that make them, what meets them, how often, and how they are kept."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from traces import token

from entropix_mlx.conditions.lexer import ConditionError
from entropix_mlx.conditions.operands import Proposed
from entropix_mlx.conditions.parser import NAMES, parse
from entropix_mlx.debugger.breakpoints import VERBS, Action, Breakpoints, Hit
from entropix_mlx.debugger.outputs import Changed, Listed
from entropix_mlx.debugger.text import told
from entropix_mlx.debugger.triggers import CATCHES
from entropix_mlx.records.record import TokenRecord
from entropix_models.errors import DamagedFileError, UsageError


def proposed(index: int = 7, before: TokenRecord | None = None, /, **changes: Any) -> Proposed:
    own = {name: changes.pop(name) for name in Proposed._fields if name in changes}
    rest = {"step": 3, "so_far": "Un thé\n", "p_of": {}.get, **own}
    return Proposed(token(index, **changes), before, **rest)


def made(*lines: str) -> Breakpoints:
    points = Breakpoints()
    for line in lines:
        points.add(line)
    return points


def reasons(points: Breakpoints, at: Proposed) -> list[str]:
    return [hit.reason for hit in points.check(at)]


# Lines


@pytest.mark.parametrize(
    ("line", "canonical", "action"),
    [
        ("break entropy>3", "break entropy > 3", Action()),
        ("entropy > 3 and rank > 1", "break entropy > 3 and rank > 1", Action()),
        ("  tbreak  (p < .1) do log ", "tbreak p < 0.1 do log", Action("log")),
        ("break(p < .1)do stop", "break p < 0.1", Action()),
        ("break text ~ ' do ' do fork 3", 'break text ~ " do " do fork 3', Action("fork", ways=3)),
        ("p > 1 do fork 64", "break p > 1 do fork 64", Action("fork", ways=64)),
        (
            "p > 1 do preset my-own_2",
            "break p > 1 do preset my-own_2",
            Action("preset", 0, "my-own_2"),
        ),
        ("watch p(' yes') > .5", 'watch p(" yes") > 0.5', Action()),
        ("watch region", "watch region", Action()),
        ("watch quadrant do log", "watch quadrant do log", Action("log")),
        ("watch strategy", "watch strategy", Action()),
        ("watch argmax", "watch argmax", Action()),
        ("watch region == 'MID'", 'watch region == "MID"', Action()),
        ("watch changed(region)", "watch changed(region)", Action()),
        ("catch end", "catch end", Action()),
        ("catch utf8 do log", "catch utf8 do log", Action("log")),
        ("catch context", "catch context 16", Action()),
        ("catch context 300 do log", "catch context 300 do log", Action("log")),
        ("catch context do log", "catch context 16 do log", Action("log")),
    ],
)
def test_lines(line: str, canonical: str, action: Action) -> None:
    point = Breakpoints().add(line)
    assert (point.line, point.action, point.origin) == (canonical, action, line.strip())
    assert point.verb == canonical.split()[0]
    again = Breakpoints().add(point.line)
    assert (again.what, again.action, again.line) == (point.what, point.action, point.line)


@pytest.mark.parametrize(
    ("line", "column", "says"),
    [
        ("", 1, "expected a field"),
        ("break", 6, "expected a field"),
        ("break do log", 7, "found do"),
        ("  break entropy > > 1", 19, "expected a field"),
        ("braek p > 1", 1, r"found braek \(did you mean break\?\)"),
        (" whatch p > 1", 2, r"did you mean watch\?"),
        ("ignore 1 2", 1, "expected break, tbreak, watch or catch, or a condition, found ignore"),
        ("frobnicate p > 1", 1, "no field frobnicate"),
        ("watch entropy", 14, "expected < <="),
        ("watch regoin", 7, r"did you mean region\?"),
        ("watch region log", 14, "expected == "),
        ("catch", 6, "expected end, special, .*, found the end"),
        ("catch ends", 7, r"found ends \(did you mean end\?\)"),
        ("catch end of it", 11, "expected do or the end, found of"),
        ("catch context -3", 15, "expected a number of tokens, found -3"),
        ("catch context 16 17", 18, "expected do or the end"),
        ("catch end 3", 11, "expected do or the end"),
        ("p > 1 do", 9, "expected stop, log, fork N, preset NAME or inject TEXT, found the end"),
        ("p > 1 do lgo", 10, r"found lgo \(did you mean log\?\)"),
        ("p > 1 do log now", 14, "expected the end, found now"),
        ("p > 1 do stop 3", 15, "expected the end, found 3"),
        ("p > 1 do fork", 14, "2 to 64, found the end"),
        ("p > 1 do fork 1", 15, "2 to 64, found 1"),
        ("p > 1 do fork 65", 15, "2 to 64, found 65"),
        ("p > 1 do fork two", 15, "2 to 64, found two"),
        ("p > 1 do fork 3 4", 17, "expected the end, found 4"),
        ("p > 1 do preset", 16, "name of a preset, found the end"),
        ("p > 1 do preset a.b", 17, "name of a preset, found a.b"),
        ("p > 1 do log\n", 10, r"found log\\x0a"),
        ("p > 1 do do", 10, "found do"),
        ("break break p > 1", 7, "no field break"),
    ],
)
def test_refused_at_its_column(line: str, column: int, says: str) -> None:
    points = Breakpoints()
    with pytest.raises(ConditionError, match=says) as error:
        points.add(line)
    assert error.value.column == column
    assert f"column {column}: " in str(error.value)
    assert str(error.value).isprintable()
    assert len(points) == 0
    assert points.add("p > 1").number == 1


def test_no_word_of_the_grammar_is_taken_for_a_verb() -> None:
    for name in {*NAMES} - {"and", "or", "null", "do"}:
        with pytest.raises(ConditionError, match=r"^condition"):
            Breakpoints().add(f"{name} §")
    assert made("delta(entropy) > 1", "-index < 3", "(p > 1)", "not p > 1")


@pytest.mark.slow
@settings(deadline=10_000, max_examples=300)
@given(
    st.text(max_size=100)
    | st.lists(
        st.sampled_from(
            [
                *(*VERBS, *CATCHES, "do", "log", "fork", "3", "preset", "x", "p", ">", "1"),
                *("region", "argmax", "16", "all", "\n"),
            ]
        ),
        max_size=8,
    ).map(" ".join)
)
@example("break " * 500)
@example("ignore 1 99999999999999999999")
@example("delete \u0663")
def test_any_text_is_a_command_or_a_usage_error(line: str) -> None:
    points = made("p > 1", "catch end")
    try:
        told_ = answer(points, line)
    except UsageError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert told_.isprintable()
    assert Breakpoints.from_dict(points.to_dict()).to_dict() == points.to_dict()


# What meets them


def test_hits_come_in_order_with_reason_and_action() -> None:
    points = made("rank > 1 do fork 3", "rank > 10", "entropy > 3 and rank > 1", "catch end")
    hits = points.check(proposed(entropy=4.519, rank=2, is_end=True))
    assert hits == [
        Hit(1, Action("fork", ways=3), "rank 3 > 1"),
        Hit(3, Action(), "entropy 4.52 > 3 and rank 3 > 1"),
        Hit(4, Action(), r'end of sequence " thé\n"'),
    ]
    assert [point.hits for point in points] == [1, 0, 1, 1]


def test_ignored_hits_are_counted() -> None:
    points = made("rank > 1", "tbreak rank > 1")
    points.command("ignore 1 2")
    points.command("ignore 2 1")
    met = [[hit.number for hit in points.check(proposed(rank=1))] for _ in range(4)]
    assert met == [[], [2], [1], [1]]
    assert points[1].hits == 4
    assert points[1].ignore == 0
    points.check(proposed(rank=0))
    assert points[1].hits == 4


def test_a_temporary_one_is_gone_after_its_hit_and_its_number_with_it() -> None:
    points = made("tbreak rank > 1", "rank > 2")
    assert points.check(proposed(rank=0)) == []
    assert [hit.number for hit in points.check(proposed(rank=2))] == [1, 2]
    assert [hit.number for hit in points.check(proposed(rank=2))] == [2]
    assert points.add("p > 1").number == 3
    points.command("delete 3")
    assert points.add("p > 1").number == 4


def test_disabled_ones_neither_hit_nor_count() -> None:
    points = made("rank > 1", "watch rank > 1")
    for number in (1, 2):
        points.command(f"disable {number}")
    for index in range(4):
        assert points.check(proposed(index, rank=index % 2)) == []
    assert [point.hits for point in points] == [0, 0]
    points.command("enable 1")
    points.command("enable 2")
    assert reasons(points, proposed(5, rank=1)) == ["rank 2 > 1"]


def test_a_pattern_that_takes_too_long_stops_once_and_does_nothing_else() -> None:
    points = made("break so_far ~ '(a+)+[bc]' do inject \"b\"", "break p > 0")
    at = proposed(so_far="a" * 3_000, logprob=0.0)
    slow, other = points.check(at)
    assert (slow.number, slow.action) == (1, Action())
    assert slow.reason.startswith('the pattern "(a+)+[bc]" takes too long')
    assert other.number == 2
    assert not points[1].enabled
    assert not points[1].hits
    assert reasons(points, at) == ["p 1 > 0"]


def test_a_watch_meets_both_crossings() -> None:
    points = made("watch p(' yes') > 0.5")

    def at(index: int, p: float | None, parent: int | None = None) -> list[str]:
        before = {} if p is None else {" yes": p}
        return reasons(points, proposed(index, parent=parent, p_of=before.get))

    assert at(1, 0.6) == []  # where it starts
    assert at(2, 0.7) == []
    assert at(3, 0.3) == ['no longer p(" yes") 0.3 > 0.5']
    assert at(4, 0.5) == []
    assert at(5, 0.51) == ['now p(" yes") 0.51 > 0.5']
    assert at(6, None) == ['no longer p(" yes") null > 0.5']
    # Going back: what was before the token counts, not what was looked at last.
    assert at(7, 0.9, parent=2) == []
    assert at(8, 0.1, parent=2) == ['no longer p(" yes") 0.1 > 0.5']
    assert at(8, 0.1, parent=2) == ['no longer p(" yes") 0.1 > 0.5']
    assert at(9, 0.9, parent=100) == []


def test_a_watch_forgets_what_is_long_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropix_mlx.debugger.breakpoints._REMEMBERED", 2)
    points = made("watch rank > 1")
    for index in range(5):
        points.check(proposed(index, rank=0))
    assert reasons(points, proposed(10, parent=0, rank=1)) == []
    assert reasons(points, proposed(11, parent=4, rank=1)) == ["now rank 2 > 1"]


@pytest.mark.parametrize(
    ("word", "old", "new"),
    [("region", "MID", "HEHV"), ("quadrant", "LELV", "HELV"), ("strategy", "greedy", "explore")],
)
def test_a_watched_name_is_met_wherever_it_differs(word: str, old: str, new: str) -> None:
    points = made(f"watch {word}")
    first, second = token(1, **{word: old}), token(2, **{word: new})
    assert reasons(points, proposed(1, **{word: old})) == []
    assert reasons(points, proposed(2, first, **{word: old})) == []
    assert reasons(points, proposed(2, first, **{word: new})) == [f"changed({word}) {old} to {new}"]
    assert reasons(points, proposed(3, second, **{word: old})) == [
        f"changed({word}) {new} to {old}"
    ]


def test_the_argmax() -> None:
    points = made("watch argmax")
    assert reasons(points, proposed(rank=0)) == []
    assert reasons(points, proposed(rank=1)) == ["rank 2 > 1"]
    assert reasons(points, proposed(rank=2)) == ["rank 3 > 1"]


@pytest.mark.parametrize(
    ("kind", "facts", "reason"),
    [
        ("end", {"is_end": True}, r'end of sequence " thé\n"'),
        ("special", {"is_special": True, "bytes": b"<|x|>".hex()}, 'special token "<|x|>"'),
        ("utf8", {"incomplete": True, "bytes": "e6bc"}, "bytes e6bc leave a character incomplete"),
        ("forced", {"forced": "clarify"}, r'forced by clarify " thé\n"'),
        ("context", {"room": 16}, "room for 16 more in the context, this token included"),
        ("valley", {"valley": 5}, "valley of the entropy, lowest at index 5"),
        ("nan", {"entropy": None}, "entropy is null"),
    ],
)
def test_catches(kind: str, facts: dict[str, Any], reason: str) -> None:
    points = made(*(f"catch {other}" for other in CATCHES))
    assert points.check(proposed(1)) == []
    hits = points.check(proposed(2, **facts))
    assert [(points[hit.number].line.split()[1], hit.reason) for hit in hits] == [(kind, reason)]


def test_a_full_context_is_told_once_and_again_on_another_branch() -> None:
    points = made("catch context 3")
    told = [
        (index, hit.reason.split()[2])
        for index, room in enumerate([5, 4, 3, 2, 1])
        for hit in points.check(proposed(index, room=room))
    ]
    assert told == [(2, "3")]
    assert reasons(points, proposed(9, parent=1, room=3)) != []
    assert reasons(points, proposed(10, parent=9, room=2)) == []
    assert reasons(made("catch context"), proposed(0, room=1)) != []


@pytest.mark.parametrize("name", ["logprob", "rank", "entropy", "varentropy"])
def test_what_is_always_measured_is_never_null(name: str) -> None:
    assert reasons(made("catch nan"), proposed(**{name: None})) == [f"{name} is null"]


@pytest.mark.parametrize(
    "name", ["attn_entropy", "attn_varentropy", "agreement", "interaction_strength"]
)
def test_attention_may_be_unmeasured_but_not_lost(name: str) -> None:
    points = made("catch nan")
    assert reasons(points, proposed(**{name: None})) == []
    assert reasons(points, proposed(7, token(6, **{name: None}), **{name: None})) == []
    lost = f"{name} is null, and was not at the token before"
    assert reasons(points, proposed(7, token(6), **{name: None})) == [lost]
    for value in (float("nan"), float("inf")):
        assert reasons(points, proposed(**{name: value})) == [f"{name} is {value}"]


# Numbers, lists, keeping


def answer(points: Breakpoints, line: str) -> str:
    """What a line is answered, as text."""
    verb = line.partition(" ")[0]
    return "\n".join(told(Changed(verb, points.command(line))))


def test_commands() -> None:
    points = Breakpoints()
    assert answer(points, "break rank>1 do log") == "  1  break rank > 1 do log  (hit 0 times)"
    points.command("rank > 1")
    points.command("catch end")
    points.check(proposed(rank=1))
    points.check(proposed(rank=1, is_end=True))
    assert answer(points, "ignore 2 5") == "  2  break rank > 1  (hit 2 times, passes 5 more)"
    assert answer(points, "disable 2 3 2") == "disabled 2, 3"
    assert list(told(Listed(points.infos()))) == [
        "  1  break rank > 1 do log  (hit 2 times)",
        "  2  break rank > 1  (hit 2 times, passes 5 more, disabled)",
        "  3  catch end  (hit once, disabled)",
    ]
    assert answer(points, "enable all") == "enabled 1, 2, 3"
    assert all(point.enabled for point in points)
    assert answer(points, "delete 1 3 1") == "deleted 1, 3"
    assert [point.number for point in points] == [2]
    assert answer(points, "delete all") == "deleted 2"
    assert answer(points, "delete all") == "deleted none"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ignore", "ignore 1 5"),
        ("ignore 1", "ignore 1 5"),
        ("ignore 1 2 3", "ignore 1 5"),
        ("ignore one 2", "ignore 1 5"),
        ("ignore 7 2", "no breakpoint 7; there are 1, 2"),
        ("delete", "delete takes numbers .* delete 1 3"),
        ("delete 1 7", "no breakpoint 7"),
        ("delete 1 all", "takes numbers"),
        ("enable -1", "takes numbers"),
    ],
)
def test_commands_that_make_no_sense_change_nothing(line: str, says: str) -> None:
    points = made("p > 1", "catch end")
    kept = points.to_dict()
    with pytest.raises(UsageError, match=says):
        points.command(line)
    assert points.to_dict() == kept


def test_without_any() -> None:
    points = Breakpoints()
    for verb in ("delete", "enable", "disable"):
        with pytest.raises(UsageError, match="no breakpoint 1; there is none"):
            points.command(f"{verb} 1")
    with pytest.raises(UsageError):
        points.command("ignore 1 2")
    assert points.check(proposed()) == []
    assert points.infos() == []


def test_kept_as_plain_values() -> None:
    points = made("tbreak rank>1 do fork 3", "p > 1", "watch region", "catch context 9")
    points.command("delete 2")
    points.add("delta(entropy) > 1 do preset greedy")
    points.command("delete 5")
    points.command("disable 3")
    points.command("ignore 1 2")
    points.check(proposed(rank=1))
    plain = json.loads(json.dumps(points.to_dict()))
    again = Breakpoints.from_dict(plain)
    assert list(again) == list(points)
    assert again.infos() == points.infos()
    assert again[1].origin == "tbreak rank>1 do fork 3"
    assert again.add("p > 1").number == 6
    assert Breakpoints.from_dict(Breakpoints().to_dict()).add("p > 1").number == 1


def test_kept_when_ranks_counted_from_0() -> None:
    """A session from then halts where it did."""
    line = 'break rank > 0 and (rank1 < 3 or text == "rank > \\" 0") do inject "rank"'
    kept = {"number": 1, "line": line, "enabled": True, "ignore": 0, "hits": 0}
    plain = {"next": 2, "breakpoints": [kept]}
    points = Breakpoints.from_dict(plain)
    meant = 'break rank0 > 0 and (rank < 3 or text == "rank > \\" 0") do inject "rank"'
    assert points[1].line == meant
    again = Breakpoints.from_dict(points.to_dict())
    assert again[1].line == meant, "not counted anew at every resumption"
    for rank, met in ((0, 0), (1, 1), (2, 0)):
        assert len(points.check(proposed(rank=rank))) == met


@pytest.mark.parametrize(
    "change",
    [
        {"next": 0},
        {"next": "1"},
        {"breakpoints": {}},
        {"breakpoints": [{}]},
        {"breakpoints": [{"number": 0}]},
        {"breakpoints": [{"ignore": -1}]},
        {"breakpoints": [{"line": "import os"}]},
        {"breakpoints": [{"line": 3}]},
    ],
)
def test_damaged(change: dict[str, Any]) -> None:
    whole = {"number": 1, "line": "p > 1", "enabled": True, "ignore": 0, "hits": 0}
    plain: dict[str, Any] = {"next": 2, "breakpoints": [whole]}
    assert len(Breakpoints.from_dict(plain)) == 1
    if isinstance(listed := change.get("breakpoints"), list):
        change = {"breakpoints": [{**whole, **listed[0]} if listed[0] else {}]}
    for damaged in ({**plain, **change}, None, [plain]):
        with pytest.raises(DamagedFileError, match="kept breakpoints cannot be read") as error:
            Breakpoints.from_dict(damaged)
        assert str(error.value).isprintable()


def test_kept_out_of_order_or_with_a_low_count() -> None:
    points = Breakpoints.from_dict(
        {
            "next": 1,
            "breakpoints": [
                {"number": n, "line": "rank > 0", "enabled": True, "ignore": 0, "hits": 0}
                for n in (5, 2)
            ],
        }
    )
    assert [hit.number for hit in points.check(proposed(rank=1))] == [2, 5]
    assert points.add("p > 1").number == 6


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["check", "ignore", "off", "on", "delete"]), st.integers(0, 4)),
        max_size=30,
    )
)
def test_counts_follow_a_plain_model(steps: list[tuple[str, int]]) -> None:
    points = made("rank > 1", "rank > 2", "tbreak rank > 3")
    model = {n: {"on": True, "ignore": 0, "hits": 0} for n in (1, 2, 3)}
    for index, (what, value) in enumerate(steps):
        number = value % 3 + 1
        if what != "check" and number not in model:
            with pytest.raises(UsageError):
                points.command(f"delete {number}")
            continue
        match what:
            case "ignore":
                points.command(f"ignore {number} {value}")
                model[number]["ignore"] = value
            case "off" | "on":
                points.command(f"{'enable' if what == 'on' else 'disable'} {number}")
                model[number]["on"] = what == "on"
            case "delete":
                points.command(f"delete {number}")
                del model[number]
            case "check":
                told = []
                for n in [n for n in model if model[n]["on"] and value > n - 1]:
                    model[n]["hits"] += 1
                    if model[n]["ignore"]:
                        model[n]["ignore"] -= 1
                    else:
                        told.append(n)
                hits = [hit.number for hit in points.check(proposed(index, rank=value))]
                assert hits == told
                if 3 in told:
                    del model[3]
        assert {
            p.number: {"on": p.enabled, "ignore": p.ignore, "hits": p.hits} for p in points
        } == model


def test_conditions_can_be_asked_for() -> None:
    point = made("watch p('yes') > 0.5")[1]
    assert point.what.condition == parse("p('yes') > 0.5")
