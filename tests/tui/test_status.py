"""The status line: what it says where there is room for a part of it."""

from scripted import HEADER, SETTINGS, token

from entropix_tui.conversation.conversation import Conversation
from entropix_tui.tokens.labels import fitting
from entropix_tui.widgets.status import facts


def test_a_narrow_screen_keeps_what_an_answer_is_made_again_by() -> None:
    conversation = Conversation(
        header=HEADER, settings=SETTINGS, seed=2267400546, context=8192, name="2026-11-27-1547"
    )
    conversation.apply(token(0, "Yes", parent=-1))
    conversation.used = 345
    said = fitting(facts(conversation), 80 - len(" ◌ generating") - 3)
    assert said.startswith(f"{HEADER.model} · {SETTINGS.preset} · seed 2267400546")
    assert " tok/s" in said
