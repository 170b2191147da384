"""Saved sessions: found again, gone on with, read only where the kept cache ends."""

import datetime
from pathlib import Path
from typing import Any

import mlx.core as mx
import msgspec
import pytest
from turns import DATE, session, tokens, turn, whole

from entropix_mlx.records.quadrants import QuadrantSplit, quadrant_of
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.journal import Storage
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.resume import resume
from entropix_mlx.session.session import Session
from entropix_mlx.trace.archive import Archive
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.errors import EntropixError, TraceError, UsageError
from entropix_models.language_model import LanguageModel

LONG = "All that is gold does not glitter, not all those who wander are lost. " * 5


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "sessions")


def begin(model: LanguageModel, archive: Archive, name: str = "first", **options: Any) -> Session:
    return session(model, trace=archive.open(name), cache_file=archive.cache(name), **options)


def reopened(
    model: LanguageModel, archive: Archive, name: str = "first", **options: Any
) -> Session:
    writer = archive.open(name)
    try:
        storage = Storage(writer, cache_file=archive.cache(name))
        made, _trace = resume(model, archive.path(name), storage=storage, **options)
        return made
    except BaseException:
        writer.close()
        raise


class Reads:
    """Counts the ids that the model is given."""

    def __init__(self, model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.total = 0
        step = model.step

        def counting(ids: mx.array, *rest: Any) -> Any:
            self.total += ids.size
            return step(ids, *rest)

        monkeypatch.setattr(model, "step", counting)


@pytest.mark.slow
def test_it_goes_on_as_if_nothing_had_been(
    llama: LanguageModel, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = session(llama, system="Be brief", score_prompts=True)
    expected = [turn(straight, text, 5) for text in (LONG, "More")]
    made = begin(llama, archive, system="Be brief", score_prompts=True)
    turn(made, LONG, 5)
    made.close()
    again = reopened(llama, archive, score_prompts=True)
    reads = Reads(llama, monkeypatch)
    found = turn(again, "More", 5)
    again.close()
    assert [r.id for r in tokens(found)] == [r.id for r in tokens(expected[1])]
    assert [r.entropy for r in tokens(found)] == [r.entropy for r in tokens(expected[1])]
    assert reads.total < 60  # of some 400: the kept cache holds the rest
    trace = whole(archive.path("first"))
    assert [t.index for t in tokens(trace.records)] == sorted(
        {t.index for t in tokens(trace.records)}
    )
    assert trace.header.seed == 7


def test_it_stands_where_one_has_returned_to(llama: LanguageModel, archive: Archive) -> None:
    made = begin(llama, archive)
    turn(made, "Hello", 3)
    asked, seed = made.tree.path()[-1].index, made.seed
    list(made.run(TurnRequest("Another", max_tokens=3, after=-1, seed=99)))
    event = made.return_to(asked, seed)
    assert event is not None
    assert event.detail == {"seed": 7}
    assert made.return_to(asked, None) is None
    made.close()
    again = reopened(llama, archive)
    assert again.tree.leaf == asked
    assert again.seed == 7
    straight = session(llama)
    turn(straight, "Hello", 3)
    wanted = [r.id for r in tokens(turn(straight, "More", 4))]
    assert [r.id for r in tokens(turn(again, "More", 4))] == wanted
    again.close()


@pytest.mark.parametrize("damage", ["gone", "short", "foreign"])
def test_without_the_right_cache_it_is_read_again(
    llama: LanguageModel, archive: Archive, damage: str
) -> None:
    made = begin(llama, archive)
    turn(made, LONG, 5)
    expected = session(llama)
    turn(expected, LONG, 5)
    made.close()
    kept = archive.cache("first")
    assert kept.exists()
    if damage == "gone":
        kept.unlink()
    elif damage == "short":
        kept.write_bytes(kept.read_bytes()[:1000])
    else:
        other = begin(llama, archive, "other")
        turn(other, LONG.upper(), 5)
        other.close()
        archive.cache("other").replace(kept)
    again = reopened(llama, archive)
    found, wanted = tokens(turn(again, "More", 4)), tokens(turn(expected, "More", 4))
    assert [r.id for r in found] == [r.id for r in wanted]
    assert [r.entropy for r in found] == pytest.approx([r.entropy for r in wanted], abs=1e-4)


@pytest.mark.parametrize("names_one", [True, False])
def test_quadrants_are_told_as_before(
    llama: LanguageModel, archive: Archive, names_one: bool
) -> None:
    """By the split of the header, whatever this program's is; without one by the medians."""
    made = begin(llama, archive, overrides={"quadrants": "guide"} if names_one else {})
    turn(made, "Hello", 3)
    made.close()
    split = QuadrantSplit(name="guide", corners={"HELV": (0.0, 900.0)})
    header = msgspec.structs.replace(
        made.header, quadrant_split=split if names_one else None, sampler={"preset": "greedy"}
    )
    path = archive.path("first")
    _, _, records = path.read_bytes().partition(b"\n")
    path.write_bytes(msgspec.json.encode(header) + b"\n" + records)
    again = reopened(llama, archive, settings=Settings.make("temperature"))
    expected = split if names_one else PROVISIONAL.median
    assert again.header.quadrant_split == expected
    assert again.settings.quadrants == "median"
    found = tokens(turn(again, "More", 6))
    again.close()
    assert {r.quadrant for r in found} == {
        quadrant_of(r.entropy or 0, r.varentropy or 0, expected) for r in found
    }
    assert whole(path).header == header


def test_settings_and_seed_are_those_at_its_end(llama: LanguageModel, archive: Archive) -> None:
    made = begin(llama, archive)
    records = turn(made, "Hello", 3)
    made.use(Settings.make("temperature", {"temperature": "2"}))
    list(made.run(TurnRequest(max_tokens=3, after=records[0].index, seed=99)))  # type: ignore[union-attr]
    made.close()
    again = reopened(llama, archive)
    assert (again.settings.preset, again.settings.temperature, again.seed) == (
        "temperature",
        2.0,
        99,
    )
    assert again.settings.to_dict() == made.settings.to_dict()
    again.close()
    other = reopened(llama, archive, settings=Settings.make("greedy"))
    assert other.settings.preset == "greedy"
    other.close()
    last = whole(archive.path("first")).records[-1]
    assert last.detail["preset"] == "greedy"  # type: ignore[union-attr, index]


def test_the_date_of_the_template_stays(llama: LanguageModel, archive: Archive) -> None:
    made = begin(llama, archive)
    turn(made, "Hello", 2)
    made.close()
    trace = whole(archive.path("first"))
    again = reopened(llama, archive)
    assert again._date == (DATE if trace.header.date else datetime.date.today())


def test_a_torn_line_is_written_over(llama: LanguageModel, archive: Archive) -> None:
    made = begin(llama, archive)
    turn(made, "Hello", 4)
    made.close()
    path = archive.path("first")
    path.write_bytes(path.read_bytes()[:-20])
    again = reopened(llama, archive)
    turn(again, "More", 2)
    again.close()
    assert whole(path).records[-1].leaf == again.tree.leaf  # type: ignore[union-attr]


def test_another_model_s(llama: LanguageModel, archive: Archive) -> None:
    made = begin(llama, archive)
    turn(made, "Hello", 2)
    made.close()
    path = archive.path("first")
    path.write_bytes(path.read_bytes().replace(llama.info.name.encode(), b"another", 1))
    with pytest.raises(UsageError, match="another"):
        reopened(llama, archive)


@pytest.mark.parametrize("sampler", [b'{"preset": "nope"}', b'{"preset": "greedy", "x": 1}', b"{}"])
def test_impossible_settings(llama: LanguageModel, archive: Archive, sampler: bytes) -> None:
    made = begin(llama, archive)
    turn(made, "Hello", 2)
    made.close()
    path = archive.path("first")
    first, rest = path.read_bytes().split(b"\n", 1)
    a, b = first.index(b'"sampler":') + 10, first.index(b',"calibration"')
    path.write_bytes(first[:a] + sampler + first[b:] + b"\n" + rest)
    with pytest.raises(TraceError, match="impossible settings"):
        reopened(llama, archive)


class TestArchive:
    def test_the_list(self, llama: LanguageModel, archive: Archive) -> None:
        assert archive.list() == []
        for name, text in (("one", "First\nthing  said"), ("two", "x")):
            made = begin(llama, archive, name, system="System", score_prompts=True)
            turn(made, text, 2)
            made.close()
        (archive.root / "broken.jsonl").write_bytes(b"\xff\xfe{")
        listed = {saved.name: saved for saved in archive.list()}
        assert set(listed) == {"one", "two", "broken"}
        assert listed["one"].title == "First thing said"
        assert listed["one"].model == llama.info.name
        assert listed["broken"].model == ""
        assert listed["two"].size == archive.path("two").stat().st_size

    def test_one_program_at_a_time(self, archive: Archive) -> None:
        writer = archive.open("one")
        with pytest.raises(EntropixError, match="open in another program"):
            archive.open("one")
        writer.close()
        archive.open("one").close()
        assert list(archive.root.iterdir()) == []

    def test_rename_and_delete(self, llama: LanguageModel, archive: Archive) -> None:
        made = begin(llama, archive, "one")
        turn(made, LONG, 2)
        made.close()
        archive.attention("one").write_bytes(b"heads")
        archive.rename("one", "two")
        assert not archive.exists("one")
        assert archive.cache("two").exists()
        assert archive.attention("two").read_bytes() == b"heads"
        with pytest.raises(UsageError, match="no session"):
            archive.rename("one", "three")
        with pytest.raises(UsageError, match="already"):
            archive.rename("two", "two")
        archive.delete("two")
        assert list(archive.root.iterdir()) == []

    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 200, "a\n"])
    def test_names(self, archive: Archive, name: str) -> None:
        with pytest.raises(UsageError):
            archive.path(name)

    def test_fresh_names_differ(self, archive: Archive) -> None:
        first = archive.fresh_name()
        writer = archive.open(first)
        assert archive.fresh_name() != first
        writer.close()

    def test_old_caches_go(self, archive: Archive) -> None:
        import os

        archive.root.mkdir()
        for n in range(4):
            path = archive.cache(f"s{n}")
            path.write_bytes(b"x" * 100)
            os.utime(path, (n, n))
        archive.prune(250)
        assert sorted(p.name for p in archive.root.iterdir()) == [
            "s2.cache.safetensors",
            "s3.cache.safetensors",
        ]


def test_appending_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a":1}\n{"b":2}\n{"torn')
    with TraceWriter(path, append=True) as writer:
        assert writer.count == 2
        from entropix_mlx.records.record import Event

        assert path.read_bytes().endswith(b"torn")  # not before there is something to write
        writer.write(Event(kind="x", index=0))
    assert path.read_bytes() == b'{"a":1}\n{"b":2}\n{"type":"event","kind":"x","index":0}\n'
