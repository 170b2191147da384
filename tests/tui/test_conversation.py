"""The conversation as a screen holds it: branches, summaries, settings, what was restored."""

from collections.abc import Iterable

import msgspec
import pytest
from growth import LINEAR, ratio
from scripted import HEADER, SETTINGS, STORY, ScriptedSession, prompt, token

from entropix_mlx.records.record import End, Event, TokenRecord
from entropix_mlx.records.tree import ROOT
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.outputs import (
    Failed,
    Loading,
    Output,
    Ready,
    Renewed,
    Restored,
    TurnRecord,
)
from entropix_tui.tokens import lookup
from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.transcript.blocks import Answer


def ready() -> Conversation:
    conversation = Conversation()
    conversation.apply(Ready(HEADER, 2048, SETTINGS, name="one"))
    return conversation


def take(conversation: Conversation, outputs: Iterable[Output]) -> None:
    for output in outputs:
        conversation.apply(output)


def shown(conversation: Conversation) -> list[tuple[str, str]]:
    """Every block in view, without the figures of a summary."""
    conversation.transcript.settle()
    return [
        (block.kind, block.text.split(" · ")[0] if block.kind == "note" else block.text)
        for block in conversation.transcript.blocks
    ]


def ended(leaf: int, tokens: int, reason: str = "stop") -> End:
    return End(
        leaf=leaf,
        finish_reason=reason,  # type: ignore[arg-type]
        tokens=tokens,
        seconds=0.1,
        prefill_seconds=0.0,
    )


def test_what_is_said_is_shown_at_once_and_then_scored() -> None:
    conversation, session = ready(), ScriptedSession(answers=[["one", " two"]])
    conversation.say("hello there", ROOT)
    assert shown(conversation) == [("user", "hello there")]
    assert conversation.phase == "reading"
    conversation.apply(Loading("reading the prompt", 3, 9, "tokens"))
    assert conversation.loading == Loading("reading the prompt", 3, 9, "tokens")
    take(conversation, session.send("hello there", max_tokens=9))
    assert shown(conversation) == [
        ("user", "hello there"),
        ("answer", "one two"),
        ("note", "2 tokens"),
    ]
    assert conversation.phase == "ready"
    assert conversation.transcript.place_of(TokenRef(0, 3)) is not None, "the prompt has tokens now"
    assert conversation.used == 3 + 2 + 5 + 2


def test_an_answer_that_goes_on_is_one_answer() -> None:
    conversation, session = ready(), ScriptedSession()
    conversation.say("hello", ROOT)
    take(conversation, session.send("hello", max_tokens=4))
    assert conversation.can_go_on
    conversation.continue_(conversation.tree.leaf)
    take(conversation, session.continue_(max_tokens=512))
    assert shown(conversation) == [
        ("user", "hello"),
        ("answer", "".join(STORY)),
        ("note", f"{len(STORY)} tokens"),
    ]
    assert not conversation.can_go_on


def test_branches_are_shown_as_they_are_made_and_can_be_returned_to() -> None:
    conversation = ready()
    session = ScriptedSession(answers=[["one", " two"], ["uno"], ["eins", " zwei"], ["again"]])
    conversation.say("hello", ROOT)
    take(conversation, session.send("hello", max_tokens=9))  # 0; 1 2
    take(conversation, session.continue_(max_tokens=9, after=0, seed=9))  # 3
    assert shown(conversation)[1:] == [("answer", "uno"), ("note", "1 token")]
    take(conversation, session.send("bye", max_tokens=9))  # 4; 5 6
    assert [kind for kind, _ in shown(conversation)] == ["user", "answer", "note"] * 2
    conversation.say("cheers", ROOT)  # the first message is edited: all of it is gone from view
    assert shown(conversation) == [("user", "cheers")]
    take(conversation, session.send("cheers", max_tokens=9, after=ROOT))  # 7; 8
    assert shown(conversation) == [("user", "cheers"), ("answer", "again"), ("note", "1 token")]
    assert [branch.leaf for branch in conversation.tree.branches()] == [2, 6, 8]
    conversation.switch_to(2)
    assert shown(conversation) == [("user", "hello"), ("answer", "one two"), ("note", "2 tokens")]
    conversation.switch_to(6)
    assert shown(conversation)[1:4] == [("answer", "uno"), ("note", "1 token"), ("user", "bye")]
    assert "seed 9" in conversation.transcript.blocks[2].text


def test_a_fork_replaces_a_token_and_keeps_what_was_before() -> None:
    conversation, session = ready(), ScriptedSession()
    conversation.say("hello", ROOT)
    take(conversation, session.send("hello", max_tokens=6))
    conversation.continue_(3)
    assert shown(conversation)[1:] == [("answer", "".join(STORY[:3]))], "gone back at once"
    take(conversation, session.continue_(max_tokens=2, after=3, force=[5]))
    answer = conversation.transcript.blocks[1]
    assert isinstance(answer, Answer)
    assert [record.text for record in answer.records] == [*STORY[:3], " [red]", STORY[4]]
    assert answer.records[3].forced == "user"


def test_valleys_are_marked_live_and_after_a_rebuild() -> None:
    conversation = ready()
    steps = [token(1, "a"), token(2, "b"), Event(kind="valley", index=2, at=1), token(3, "c")]
    session = ScriptedSession(answers=[steps, ["other"]])
    conversation.say("hello", ROOT)
    take(conversation, session.send("hello", max_tokens=9))
    answer = conversation.transcript.blocks[1]
    assert isinstance(answer, Answer)
    assert answer.valleys == [0]
    take(conversation, session.continue_(max_tokens=9, after=0))
    conversation.switch_to(3)
    answer = conversation.transcript.blocks[1]
    assert isinstance(answer, Answer)
    assert answer.valleys == [0]
    assert "1 valley" in conversation.transcript.blocks[2].text


def test_the_settings_in_force_at_a_token() -> None:
    conversation = ready()
    take(
        conversation,
        [
            prompt(0, "a"),
            token(1, "x"),
            Event(kind="setting", index=1, detail={"temperature": 2.0, "seed": 9}),
            token(2, "y"),
            token(3, "z"),
            Event(kind="setting", index=3, detail={"preset": "greedy", "temperature": None}),
        ],
    )
    assert conversation.samplers.at(1)["temperature"] == 0.7
    assert conversation.samplers.at(1)["seed"] == 7
    assert conversation.samplers.at(2)["temperature"] == 2.0
    assert conversation.samplers.at(3)["seed"] == 9
    assert conversation.samplers.settings_at(1) == SETTINGS
    later = conversation.samplers.settings_at(4)
    assert later is not None
    assert (later.preset, later.temperature) == ("greedy", None)
    assert conversation.settings == later
    assert conversation.seed == 9


def test_settings_that_do_not_say_whether_a_text_was_inserted() -> None:
    """It was, when traces began; a baseline never inserted any."""
    conversation = ready()
    header = conversation.samplers.header
    assert header is not None
    for preset, inserted in (
        ("calibrated", "guide"),
        ("entropixplained", "guide"),
        ("greedy", None),
    ):
        conversation.samplers.header = msgspec.structs.replace(header, sampler={"preset": preset})
        settings = conversation.samplers.settings_at(1)
        assert settings is not None
        assert settings.clarify == inserted


def test_a_failed_turn_gives_back_what_was_said() -> None:
    conversation, session = ready(), ScriptedSession(answers=[["one"]])
    conversation.say("hello", ROOT)
    take(conversation, session.send("hello", max_tokens=9))
    conversation.say("far too long", conversation.tree.leaf)
    conversation.apply(Failed("the conversation would be too long", ""))
    assert conversation.unsent == "far too long"
    assert conversation.phase == "ready"
    assert shown(conversation) == [
        ("user", "hello"),
        ("answer", "one"),
        ("note", "1 token"),
        ("error", "the conversation would be too long"),
    ]


def test_an_error_in_mid_answer_stays_where_it_happened() -> None:
    conversation = ready()
    session = ScriptedSession(answers=[["half", RuntimeError("no")], ["whole"]])
    conversation.say("hello", ROOT)
    try:
        take(conversation, session.send("hello", max_tokens=9))
    except RuntimeError:
        conversation.apply(Failed("the engine failed", ""))
    assert conversation.can_go_on
    take(conversation, session.continue_(max_tokens=9, after=0))
    conversation.switch_to(1)
    assert shown(conversation) == [
        ("user", "hello"),
        ("answer", "half"),
        ("error", "the engine failed"),
    ]


def test_an_aside_that_failed_changes_nothing() -> None:
    conversation = ready()
    conversation.say("hello", ROOT)
    before = shown(conversation)
    conversation.apply(Failed("no such record", "", "aside"))
    assert (shown(conversation), conversation.phase) == (before, "reading")
    assert len(conversation.failures) == 1


def test_loading_another_model_shows_and_a_refusal_leaves_all_as_it_was() -> None:
    conversation = ready()
    conversation.leaving = True
    conversation.apply(Loading("downloading", 1, 2))
    assert not conversation.can_send
    conversation.apply(Failed("the Hub is away", ""))
    assert conversation.can_send


def test_a_new_conversation_forgets_the_old_one() -> None:
    conversation, session = ready(), ScriptedSession()
    conversation.say("hello", ROOT)
    take(conversation, session.send("hello", max_tokens=4))
    take(conversation, [Renewed(), Ready(HEADER, 2048, SETTINGS)])
    assert conversation.is_empty
    assert (conversation.used, len(conversation.tree), conversation.name) == (0, 0, None)


def test_what_was_restored_is_what_was_there() -> None:
    lived = ready()
    session = ScriptedSession(
        answers=[["one", " two"], ["uno"], ["due", " tre"]], system="Be kind."
    )
    records: list[TurnRecord] = [
        *session.send("hello", max_tokens=9),
        *session.continue_(max_tokens=9, after=1, seed=4),
        *session.send("bye", max_tokens=1),
    ]
    take(lived, records)
    restored = ready()
    restored.apply(Restored(records, HEADER))
    assert shown(restored) == shown(lived)
    assert shown(restored)[0] == ("system", "Be kind.")
    assert restored.used == lived.used
    assert restored.can_go_on
    assert restored.tree.branches() == lived.tree.branches()
    assert [said.text for said in lookup.messages(restored.tree)] == ["hello", "bye"]


@pytest.mark.serial
@pytest.mark.slow
def test_ten_times_the_conversation_is_restored_in_ten_times_the_time() -> None:
    def records(turns: int) -> list[TurnRecord]:
        made: list[TurnRecord] = []
        index = 0
        for turn in range(turns):
            made.append(prompt(index, f"question {turn}", parent=index - 1))
            for _ in range(1000):
                index += 1
                made.append(token(index, " word"))
            made.append(ended(index, 1000))
            index += 1
        return made

    def restored(records: list[TurnRecord]) -> Conversation:
        conversation = ready()
        conversation.apply(Restored(records, HEADER))
        return conversation

    few, many = records(2), records(20)
    assert ratio(lambda: restored(many), lambda: restored(few)) < LINEAR
    assert restored(many).tree.leaf == 20 * 1001 - 1


def test_looking_tokens_up() -> None:
    conversation, session = ready(), ScriptedSession()
    take(conversation, session.send("one two", max_tokens=9))
    tree = conversation.tree
    assert lookup.text_of(tree, TokenRef(0, 3)) == "one"
    assert lookup.text_before(tree, TokenRef(0, 4)).endswith("user\none")
    record = lookup.record_at(tree, TokenRef(3))
    assert isinstance(record, TokenRecord)
    assert record.text == STORY[2]
    assert lookup.text_before(tree, TokenRef(3)) == "".join(STORY[:2])
    assert lookup.record_at(tree, TokenRef(99)) is None
    assert lookup.record_at(tree, TokenRef(0, 99)) is None
    asked = lookup.asked_before(tree, 5)
    assert asked is not None
    assert asked.index == 0
    assert lookup.asked_before(tree, ROOT) is None
