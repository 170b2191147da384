"""Characters that a tokenizer has no token for: which, where, and that it is told."""

import json
import shutil
from pathlib import Path

import pytest

from entropix_mlx.records.lost import LOST, count, lost, sentence
from entropix_mlx.records.record import Event, PromptRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.score_session import ScoreSession
from entropix_mlx.session.session import Session
from entropix_models import devices, loader
from entropix_models.language_model import LanguageModel
from entropix_models.sources import sources

ALPHABET = {0x04: "Ą", 0xF1: "ñ"}
"""How a byte-level vocabulary spells the two bytes that are taken out of it."""


@pytest.fixture(scope="module")
def dumb(llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A model without tokens for the bytes 04 and F1, as the embedded one is."""
    folder = Path(shutil.copytree(llama_folder, tmp_path_factory.mktemp("dumb") / "dumb"))
    file = folder / "tokenizer.json"
    spec = json.loads(file.read_text())
    for char in ALPHABET.values():
        spec["model"]["vocab"].pop(char)
    file.write_text(json.dumps(spec))
    return loader.load(sources.resolve(str(folder)), devices.choose("cpu"))


def test_which_characters_and_where(dumb: LanguageModel, llama: LanguageModel) -> None:
    text = "a\x04b \U00040000c\x04\n"
    assert dumb.tokenizer.lost(text) == [1, 4, 6]
    assert dumb.tokenizer.lost("añb\u00f1 naïve 漢字 <|im_end|> \t\r\n") == []
    assert dumb.tokenizer.lost(text) == [1, 4, 6], "again, now that the others are known"
    assert llama.tokenizer.lost(text) == []
    assert dumb.tokenizer.lost("") == []


def test_what_is_lost_is_what_the_bytes_lack(dumb: LanguageModel) -> None:
    """Against the tokens themselves, for every byte that is a character, and some that are not."""
    tokenizer = dumb.tokenizer
    for char in [*map(chr, range(128)), "é", "ñ", "漢", "\U00040000", "\U0010ffff"]:
        said = b"".join(map(tokenizer.token_bytes, tokenizer.encode(f"x{char}y")))
        assert (said != f"x{char}y".encode()) == (tokenizer.lost(f"x{char}y") == [1]), repr(char)


@pytest.mark.slow
def test_the_embedded_tokenizer_lacks_eight_bytes(smollm2: LanguageModel) -> None:
    tokenizer = smollm2.tokenizer
    assert "\x04" in "".join(chr(n) for n in range(128) if tokenizer.lost(chr(n)))
    assert tokenizer.lost("Plain words, naïve ones, 漢字 and \U0001f600.") == []
    assert tokenizer.lost("\U00040000") == [0]


def test_a_turn_tells_it_after_the_prompt(dumb: LanguageModel) -> None:
    session = Session(dumb, Settings.make("greedy"), seed=1)
    records = list(session.send("Hi\x04 there\x04", max_tokens=2, raw=True))
    assert isinstance(records[0], PromptRecord)
    told = records[1]
    assert isinstance(told, Event)
    assert (told.kind, told.index, count(told)) == (LOST, records[0].index, 2)
    assert sentence(told) == (
        "2 characters of the text have no token and are left out (U+0004 at 3, U+0004 at 10)"
    )
    assert not [r for r in session.send("Hi", max_tokens=1) if getattr(r, "kind", "") == LOST]


def test_score_counts_them(dumb: LanguageModel) -> None:
    records = list(ScoreSession(dumb).score("Hi\x04 there"))
    total = Summary.of(records)
    assert total.lost == 1
    assert "1 character left out" in total.line()
    assert sum(isinstance(r, Event) and r.kind == LOST for r in records) == 1


def test_many_are_counted_and_some_are_named() -> None:
    event = lost(3, "\x04" * 1_000, range(1_000))
    assert count(event) == 1_000
    assert len(event.detail["characters"]) == 100  # type: ignore[index]
    assert sentence(event).endswith("U+0004 at 5, …)")


@pytest.mark.parametrize(
    "detail",
    [
        None,
        {},
        {"count": "many", "characters": 7},
        {"count": -1, "characters": [7, None, [], [1], ["a", "b"], [1, "ab"], {}]},
        {"count": 10**30, "characters": [[10**30, "a"], [1.5, "a"], [True, "\ud800"]]},
    ],
)
def test_what_a_trace_may_say_instead(detail: dict[str, object] | None) -> None:
    event = Event(kind=LOST, index=0, detail=detail)
    assert sentence(event).isprintable()
    assert count(event) in (0, 1)
    Summary.of([event]).line()


def test_the_debugger_inserts_nothing_half(dumb: LanguageModel) -> None:
    from entropix_mlx.debugger.commands import execute
    from entropix_mlx.debugger.debugger import Debugger
    from entropix_mlx.debugger.outputs import Refused

    debugger = Debugger(Session(dumb, Settings.make("greedy"), seed=1), max_tokens=4)
    try:
        list(execute(debugger, 'ask "Hi"'))
        outputs = list(execute(debugger, 'type "a\x04b"'))
    finally:
        debugger.leave()
    assert any(isinstance(o, Refused) and "U+0004" in o.message for o in outputs)
