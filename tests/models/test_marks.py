"""What of words and sentences shows in a token alone."""

import pytest

from entropix_models.language_model import LanguageModel
from entropix_models.tokenizer.marks import Mark, marks_of

NONE, BEGINS, BLANK, ENDS, ASKS = Mark(0), Mark.BEGINS, Mark.BLANK, Mark.ENDS, Mark.ASKS


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("word", NONE),
        (" word", BEGINS),
        ("ing", NONE),
        (".", ENDS),
        ('."', ENDS),
        (".)", ENDS),
        ("!", ENDS),
        ("?", ENDS | ASKS),
        ("?!", ENDS | ASKS),
        (" ...", BEGINS),
        ("..", NONE),
        (",", NONE),
        (" ", BEGINS | BLANK),
        ("\n", BEGINS | BLANK | ENDS),
        (".\n", BLANK | ENDS),
        ("。", ENDS),
        ("？", ENDS | ASKS),  # noqa: RUF001
        ("", NONE),
    ],
)
def test_a_text(text: str, mark: Mark) -> None:
    assert marks_of([text.encode()], frozenset(), frozenset()) == bytes([mark])


def test_special_ids_stand_between_texts() -> None:
    marks = marks_of([b"<s>", b"</s>", b"\xff"], frozenset({0, 1}), frozenset({1}))
    assert list(marks) == [ENDS | BLANK, ENDS | BLANK | Mark.STOPS, NONE]


def test_of_every_id_once(llama: LanguageModel) -> None:
    tokenizer = llama.tokenizer
    assert len(tokenizer.marks) == tokenizer.vocab_size
    assert tokenizer.marks is tokenizer.marks
    assert tokenizer.marks[tokenizer.encode("?")[0]] == ENDS | ASKS


def test_the_end_of_a_turn_is_the_templates_own(llama: LanguageModel) -> None:
    tokenizer = llama.tokenizer
    assert tokenizer.turn_end is not None
    assert tokenizer.token_text(tokenizer.turn_end) == "<|im_end|>"
