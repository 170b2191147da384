"""The user's keys: what is taken from a configuration, what is refused, and in which words."""

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner
from harness import running, scenario
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import TextArea

from entropix_tui.app import scopes
from entropix_tui.cli.keys import keys as keys_command
from entropix_tui.keys import config, keymap
from entropix_tui.keys.config import Config
from entropix_tui.keys.keynames import normal, normals, short, together, types_text


class Talk(Screen[None]):
    BINDINGS: ClassVar = [
        Binding("ctrl+r", "again", "Again", id="talk.again", priority=True),
        Binding("ctrl+n", "new", "New", id="talk.new", priority=True, tooltip="Begin anew"),
        Binding("f1,question_mark", "help", "Help", id="talk.help"),
        Binding("ctrl+s", "panel", "Panel", id="talk.panel", priority=True),
        Binding("s", "panel", "Panel", id="talk.panel"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.did: list[str] = []

    def compose(self) -> ComposeResult:
        yield TextArea()
        yield Words()

    def action_again(self) -> None:
        self.did.append("again")

    def action_new(self) -> None:
        self.did.append("new")


class Words(Widget, can_focus=True):
    BINDING_GROUP_TITLE = "Words"
    BINDINGS: ClassVar = [
        Binding("w", "word(1)", "Next word", id="words.next"),
        Binding("b", "word(-1)", "Last word", id="words.last"),
    ]


class Host(App[None]):
    BINDINGS: ClassVar = [Binding("ctrl+q", "quit", "Quit", id="host.quit", priority=True)]


KNOWN = [keymap.scope_of(node) for node in (Host, Talk, Words)]


def check(**wishes: str) -> keymap.Loaded:
    named = {name.replace("_", ".", 1): keys for name, keys in wishes.items()}
    return keymap.check(Config(keys=named), KNOWN)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("ctrl+r", "ctrl+r"),
        ("Ctrl+R", "ctrl+r"),
        ("?", "question_mark"),
        ("+", "plus"),
        ("ctrl++", "ctrl+plus"),
        ("shift+v", "V"),
        ("V", "V"),
        ("Esc", "escape"),
        ("PgDn", "pagedown"),
        ("shift+ctrl+left", "ctrl+shift+left"),
        ("alt+enter", "alt+enter"),
        ("f12", "f12"),
        ("slash", "slash"),
        ("é", "é"),
        (" space ", "space"),
    ],
)
def test_names_of_keys(written: str, known: str) -> None:
    assert normal(written) == known


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "no key"),
        ("ctrl++r", "no modifier"),
        ("crtl+r", "crtl"),
        ("f99", "f99"),
        ("regenerate", "regenerate"),
        ("\x1b", "is no key"),
        ("ctrl+i", "tab"),
        ("ctrl+M", "enter"),
        ("ctrl+[", "escape"),
    ],
)
def test_what_is_no_key(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        normal(written)


def test_short_names() -> None:
    names = ["ctrl+r", "enter", "escape", "f1", "question_mark", "V", "ctrl+left", "shift+tab"]
    assert [short(key) for key in names] == ["^R", "⏎", "Esc", "F1", "?", "V", "^←", "⇧Tab"]
    assert together(["ctrl+left", "ctrl+right"]) == "^←→"
    assert together(["f", "F"]) == "f/F"
    assert together(["f1", "question_mark"]) == "F1/?"


def test_what_writes() -> None:
    assert all(types_text(key) for key in ("x", "V", "slash", "enter", "up", "shift+left", "space"))
    assert not any(types_text(key) for key in ("ctrl+x", "f6", "escape", "pageup", "alt+left"))


def test_wishes_that_can_be_met() -> None:
    loaded = check(talk_again="ctrl+e, F5", words_next="n", talk_help="ctrl+h,?".replace("h", "u"))
    assert loaded.notices == []
    assert loaded.keymap == {
        "talk.again": "ctrl+e,f5",
        "words.next": "n",
        "talk.help": "ctrl+u,question_mark",
    }


def test_two_keys_can_change_places() -> None:
    loaded = check(talk_again="ctrl+n", talk_new="ctrl+r", words_next="b", words_last="w")
    assert loaded.notices == []
    assert len(loaded.keymap) == 4


@pytest.mark.parametrize(
    ("wishes", "words", "left"),
    [
        ({"talk_agan": "f5"}, ["talk.agan", "talk.again"], {}),
        ({"nothing_like": "f5"}, ["nothing.like", "entropix-tui keys"], {}),
        ({"talk_again": "ctlr+e"}, ["talk.again", "ctlr", "stays ctrl+r"], {}),
        ({"talk_again": ""}, ["talk.again", "stays ctrl+r"], {}),
        ({"talk_again": "x"}, ["talk.again", "x is needed for writing", "ctrl+r"], {}),
        ({"talk_again": "up"}, ["talk.again", "up is needed for writing"], {}),
        ({"talk_panel": "ctrl+e, s"}, ["s is needed for writing", "stays ctrl+s, s"], {}),
        ({"talk_again": "ctrl+n"}, ["talk.again", "ctrl+n is the key of talk.new"], {}),
        ({"talk_again": "ctrl+q"}, ["ctrl+q is the key of host.quit"], {}),
        ({"words_next": "ctrl+r"}, ["words.next", "ctrl+r is the key of talk.again"], {}),
        ({"words_next": "b"}, ["words.next", "b is the key of words.last", "stays w"], {}),
        (
            {"talk_again": "f5", "talk_new": "f5"},
            ["talk.new", "f5 is the key of talk.again", "stays ctrl+n"],
            {"talk.again": "f5"},
        ),
    ],
)
def test_wishes_that_cannot(wishes: dict[str, str], words: list[str], left: dict[str, str]) -> None:
    loaded = check(**wishes)
    assert len(loaded.notices) == 1
    assert all(word in loaded.notices[0] for word in words), loaded.notices
    assert "\n" not in loaded.notices[0]
    assert loaded.keymap == left


def test_a_wish_that_falls_takes_those_that_counted_on_it() -> None:
    loaded = check(talk_again="ctrl+n", talk_new="ctrl+q")
    assert loaded.keymap == {}, "again would have had the key that new could not leave"
    assert len(loaded.notices) == 2


def test_the_same_key_in_two_places_is_no_clash() -> None:
    assert check(words_next="question_mark").notices == [], "the focus decides, as by default"


@scenario
async def test_a_rebound_key_acts_and_the_old_one_no_longer_does() -> None:
    app = Host()
    async with running(app) as pilot:
        talk = Talk()
        await app.push_screen(talk)
        app.set_keymap(check(talk_again="ctrl+n", talk_new="f5").keymap)
        await pilot.press("ctrl+r", "ctrl+n", "f5")
        assert talk.did == ["again", "new"]


# The file.


def read(tmp_path: Path, text: str | bytes) -> Config:
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.read(path)


def test_a_whole_configuration(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '[keys]\n"talk.again" = "f5"\ntalk.new = "f7"\n[view]\ntheme = "light"\n',
    )
    assert found == Config(keys={"talk.again": "f5", "talk.new": "f7"}, theme="light")
    assert not found.is_dark({})


def test_none_is_no_complaint(tmp_path: Path) -> None:
    assert config.read(tmp_path / "nothing" / "config.toml") == Config()


def test_auto_asks_the_terminal() -> None:
    assert Config().is_dark({})
    assert Config().is_dark({"COLORFGBG": "15;0"})
    assert not Config().is_dark({"COLORFGBG": "0;15"})
    assert Config(theme="dark").is_dark({"COLORFGBG": "0;15"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[keys\n", ["config.toml was not used", "line 1"]),
        (b"\xff\xfe[keys]", ["config.toml was not used", "UTF-8"]),
        ("a = " + "[" * 100_000, ["config.toml was not used"]),
        ("[keys]\na = 5\n", ['"a"', "string"]),
        ("[keys]\nchat.new = 5\n", ['"chat.new"', "string"]),
        ("keys = 3\n", ["keys", "table"]),
        ("[colours]\n", ["colours", "[keys]"]),
        ("[view]\ntheme = 'blue'\n", ["theme", "dark, light or auto", "blue"]),
        ("[view]\nfont = 'big'\n", ["font", "theme"]),
    ],
)
def test_a_damaged_file(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    found = read(tmp_path, text)
    assert (found.keys, found.theme) == ({}, "auto")
    assert len(found.notices) == 1
    assert all(word in found.notices[0] for word in words), found.notices


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    assert "could not be read" in config.read(tmp_path / "config.toml").notices[0]


def test_where_it_is() -> None:
    assert config.config_path({"ENTROPIX_CONFIG": "/x"}) == Path("/x/config.toml")
    assert config.config_path({}).parent.name == "entropix-mlx"


# The program's own keys.


def test_every_named_key_of_the_program() -> None:
    known = scopes()
    assert known
    keys: dict[str, set[tuple[str, ...]]] = {}
    for scope in known:
        for binding in scope.bindings:
            keys.setdefault(binding.id, set()).add(binding.keys)
    assert [name for name, found in keys.items() if len(found) > 1] == [], "an id is one key"
    for scope in known:
        held = Counter(key for binding in scope.bindings for key in binding.keys)
        assert [key for key, count in held.items() if count > 1] == [], scope.title
        for binding in scope.bindings:
            assert binding.does, f"{binding.id} does not say what it does"
            assert "." in binding.id
            assert normals(",".join(binding.keys)) == list(binding.keys), binding.id


def test_the_command_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTROPIX_CONFIG", str(tmp_path))
    (tmp_path / "config.toml").write_text(
        '[keys]\n"prompt.send" = "f10"\n"prompt.sned" = "f8"\n"a\\u001bb" = "f8"\n'
    )
    done = CliRunner().invoke(keys_command)
    assert done.exit_code == 0
    assert str(tmp_path / "config.toml") in done.stdout
    row = next(line for line in done.stdout.splitlines() if "prompt.send" in line)
    assert "f10" in row
    assert "Send what is written" in row
    assert "prompt.sned" in done.stderr
    assert "did you mean prompt.send" in done.stderr
    assert "\x1b" not in done.output
