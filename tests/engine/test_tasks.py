"""Tasks: the same items for a seed, balanced kinds, judges that guessing does not fool."""

import math
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

import msgspec
import pytest
from msgspec.structs import replace

from entropix_mlx.evaluation.item import Item
from entropix_mlx.evaluation.task import Task, declared, named
from entropix_mlx.evaluation.tasks.larger import settled
from entropix_models.errors import UsageError

MADE = ("easy", "larger", "writing", "code")
"""Tasks that need nothing."""


def dealt_anew(items: Sequence[Item], seed: int) -> list[Item]:
    """The same questions, of which another answer counts as right: within a kind, the places that
    right answers have among the possible ones are dealt out again.
    """
    chance = random.Random(seed)
    of_kind: defaultdict[str, list[int]] = defaultdict(list)
    for item in items:
        of_kind[item.kind].append(possible(item).index(item.accepted[0]))
    for places in of_kind.values():
        chance.shuffle(places)
    found = []
    for item in items:
        answers = possible(item)
        right = answers[of_kind[item.kind].pop() % len(answers)]
        wrong = tuple(each for each in answers if each != right)
        found.append(replace(item, accepted=(right,), rejected=wrong))
    return found


def possible(item: Item) -> list[str]:
    """The answers of an item in the order that its prompt names them."""
    answers = sorted((*item.accepted, *item.rejected))
    places = [re.search(rf"{re.escape(each)}(?!\d)", item.prompt) for each in answers]
    return [
        each
        for _, each in sorted(
            zip((-1 if place is None else place.start() for place in places), answers, strict=True)
        )
    ]


def accuracy_of_knowing(task: Task, items: Sequence[Item]) -> float:
    """Of whoever answers what was right before."""
    right = [
        task.judge(item, f" {known.accepted[0]}").right
        for item, known in zip(dealt_anew(items, 1), items, strict=True)
    ]
    return sum(map(bool, right)) / len(right)


class TestDeclared:
    def test_every_task_says_what_it_is(self) -> None:
        for name, kind in declared().items():
            assert 10 < len(kind.summary) < 80, name
            assert kind.max_tokens > 0
            assert kind.__doc__

    def test_names(self) -> None:
        assert set(MADE) < set(declared())
        with pytest.raises(UsageError, match="did you mean 'easy'"):
            named("esay")
        with pytest.raises(UsageError, match="takes nothing"):
            named("easy:x")
        with pytest.raises(UsageError, match="needs"):
            named("jsonl")

    @pytest.mark.parametrize("name", MADE)
    def test_items_are_the_seeds_and_come_through_their_line(self, name: str) -> None:
        items = named(name).items(60, 3).items
        assert items == named(name).items(60, 3).items
        assert items != named(name).items(60, 4).items
        assert items[:20] == named(name).items(20, 3).items
        assert len({item.id for item in items}) == len({item.prompt for item in items}) == 60
        assert msgspec.json.decode(msgspec.json.encode(items), type=list[Item]) == items
        assert named(name).items(0, 3).items == []


class TestEasy:
    def test_there_are_enough_and_as_many_of_each_kind(self) -> None:
        items = named("easy").items(300, 1).items
        assert len(items) == len({item.prompt for item in items}) == 300
        assert set(Counter(item.kind for item in items).values()) == {60}
        assert set(Counter(item.kind for item in items[:20]).values()) == {4}

    @pytest.mark.slow
    def test_the_right_answer_is_right_and_every_wrong_one_wrong(self) -> None:
        task = named("easy")
        for item in task.items(350, 2).items:
            for right in item.accepted:
                assert task.judge(item, f" {right}.").right, item
                for wrong in item.rejected:
                    assert not task.judge(item, f" {wrong}, not {right}").right, item
            assert task.judge(item, "") == (None, False)
            assert not set(item.accepted) & set(item.rejected)

    @pytest.mark.parametrize(
        ("kind", "text", "given"),
        [
            ("sum", " the answer is twelve", "12"),
            ("capital", "The capital is paris, of course", "Paris"),
            ("comparison", "1,000", "1000"),
        ],
    )
    def test_what_an_answer_settles_on_is_kept(self, kind: str, text: str, given: str) -> None:
        task = named("easy")
        item = next(item for item in task.items(60, 1).items if item.kind == kind)
        assert task.judge(item, text).given == given

    def test_what_is_asked_for_is_told_first_and_last(self) -> None:
        items = [item for item in named("easy").items(300, 1).items if item.kind == "recall"]
        firsts = sum(
            item.prompt.find(item.accepted[0]) < item.prompt.find(item.rejected[0])
            for item in items
        )
        assert firsts == len(items) / 2


class TestLarger:
    def test_the_classic_pairs_come_first_in_all_phrasings_and_orders(self) -> None:
        items = named("larger").items(54, 1).items
        assert {item.data["numbers"] for item in items[:18]} == {"9.9 9.11", "9.11 9.9"}
        assert {item.data["numbers"] for item in items[18:36]} == {"9.8 9.11", "9.11 9.8"}
        assert len({item.data["numbers"] for item in items[36:]}) == 6
        assert len({item.kind for item in items}) == 12

    def test_every_place_is_right_equally_often(self) -> None:
        items = named("larger").items(300, 1).items
        places = Counter(
            (len(item.rejected), possible(item).index(item.accepted[0]))
            for item in items
            if not item.kind.startswith("yes or no")
        )
        assert places[1, 0] == places[1, 1]
        assert places[2, 0] == places[2, 1] == places[2, 2]
        said = Counter(item.accepted for item in items if item.kind.startswith("yes or no"))
        assert said["yes",] == said["no",] > 0

    def test_the_numbers_are_traps(self) -> None:
        for item in named("larger").items(300, 1).items[54:]:
            small, large = sorted(item.data["numbers"].split(), key=Fraction)
            assert small.partition(".")[0] == large.partition(".")[0]
            assert int(small.partition(".")[2]) > int(large.partition(".")[2]), "as versions"
            if not item.kind.startswith("yes or no"):
                wanted = large if item.data["sign"] == "1" else small
                assert item.accepted == (wanted,)

    @pytest.mark.parametrize(
        ("text", "larger", "smaller"),
        [
            ("9.9 is larger", "9.9", "9.11"),
            ("9.11", "9.11", "9.11"),
            ("9.90.", "9.9", "9.9"),
            ("the larger number is **9.9**", "9.9", "9.11"),
            ("Between 9.9 and 9.11, 9.9 is larger", "9.9", "9.11"),
            ("The larger number between 9.9 and 9.11 is 9.11", "9.11", "9.9"),
            ("9.11 is smaller than 9.9.", "9.9", "9.11"),
            ("9.11 isn't larger than 9.9", "9.9", "9.11"),
            ("$9.9$ is the bigger number", "9.9", "9.11"),
            ("9.9 > 9.11", "9.9", "9.11"),
            ("9.11 is greater than 9.9 because 11 > 9", "9.11", "9.9"),
            ("The smaller number is 9.11, so the larger is 9.9", "9.9", "9.11"),
            ("9.9.\n\nBecause 9.11 is 9 and 11 hundredths", "9.9", "9.9"),
            ("9.9 and 9.11", None, None),
            ("9.9, 9.11", None, None),
            ("9.9 or 9.11?", None, None),
            ("9.9 is larger. Actually 9.11 is larger.", None, None),
            ("To compare 9.9 and 9.11, we look", None, None),
            ("9.11 - 9.9 = 1.21", None, None),
            ("a number that is 1.11 larger than one that is 9.9", None, None),
            ("9.9: 9.11: 9.11: 9.11", None, None),
            ("It is 11", None, None),
            ("", None, None),
        ],
    )
    def test_the_number_that_is_settled_on(
        self, text: str, larger: str | None, smaller: str | None
    ) -> None:
        assert settled(text, ["9.9", "9.11"], 1) == larger
        assert settled(text, ["9.11", "9.9"], -1) == smaller

    @pytest.mark.parametrize(
        ("text", "largest"),
        [
            ("The largest is 9.9", "9.9"),
            ("9.9 is the largest of 9.9, 9.11 and 9.1102001", "9.9"),
            ("The largest of 9.9, 9.11 and 9.1102001 is 9.11", "9.11"),
            ("9.1102001", "9.1102001"),
            ("9.9, 9.11 and 9.1102001", None),
            ("The smallest is 9.11, then 9.9", None),
        ],
    )
    def test_of_three(self, text: str, largest: str | None) -> None:
        assert settled(text, ["9.9", "9.11", "9.1102001"], 1) == largest

    def test_how_a_model_splits_them(self) -> None:
        task = named("larger")
        notes = task.notes(task.items(54, 1).items, lambda text: re.findall(r"\d{1,3}|\.", text))
        assert notes[0] == "9.9 is 9 · . · 9 to the model: 3 tokens"
        assert notes[-1] == "9.1102001 is 9 · . · 110 · 200 · 1 to the model: 5 tokens"
        assert len(notes) == 4


class TestWriting:
    def test_it_is_not_judged(self) -> None:
        task = named("writing")
        items = task.items(100, 1).items
        assert not task.judges
        assert sum(item.kind == "open" for item in items) == 22
        assert task.judge(items[0], "text") == (None, None)


class TestChance:
    def test_shuffled_answers_are_as_good_as_guessing(self) -> None:
        """Within five standard deviations of a share, of 300."""
        task = named("larger")
        items = task.items(300, 1).items
        chance = task.chance(items)
        assert chance is not None
        assert accuracy_of_knowing(task, items) == pytest.approx(
            chance, abs=5 * math.sqrt(chance * (1 - chance) / 300)
        )
        undealt = [task.judge(item, f" {item.accepted[0]}").right for item in items]
        assert all(undealt)

    def test_where_guessing_is_not_known_nothing_is_said(self) -> None:
        for name in ("easy", "writing", "code"):
            assert named(name).chance(named(name).items(5, 1).items) is None


class TestGym:
    def test_it_says_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "reasoning_gym", None)
        monkeypatch.setitem(sys.modules, "reasoning_gym.factory", None)
        with pytest.raises(UsageError, match=r"pip install 'entropix-mlx\[gym\]'"):
            named("gym:chain_sum")

    @pytest.mark.slow
    def test_its_items_are_the_seeds(self) -> None:
        pytest.importorskip("reasoning_gym")
        task = named("gym:chain_sum")
        found = task.items(5, 1)
        assert found == task.items(5, 1) != task.items(5, 2)
        assert (len(found.items), found.left_out) == (5, 0)
        for item in found.items:
            assert item.kind == "chain_sum"
            assert item.prompt.endswith("\nEnd with a line of its own: Answer: ...")
            assert task.judge(item, f"I add.\nAnswer: {item.accepted[0]}").right
            assert task.judge(item, f"Answer: {int(item.accepted[0]) + 1}").right is False
            assert task.judge(item, "") == (None, False)

    @pytest.mark.slow
    def test_an_unknown_generator(self) -> None:
        pytest.importorskip("reasoning_gym")
        with pytest.raises(UsageError, match="did you mean 'chain_sum'"):
            named("gym:chain_sums")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("right", "text", "is_right"),
        [
            ("True", "I think so.\nAnswer: true.", True),
            ("True", "True", True),
            ("True", "It is true that\nthis is false", False),
            ("True", "true " * 20, False),
            ("No", "No, it does not follow that all men are mortal.", True),
            ("No", "There is no doubt that it follows", False),
            ("No", "The answer is yes. No.", False),
            ("Trueish", "Answer: True", False),
            ("a b", "Answer: **A  b**", True),
            ("1 2\n3 4", "So\nAnswer:\n1 2\n3 4", True),
            ("1 2\n3 4", "Answer:\n1 2", False),
            ("1 2\n\n3 4", "Answer:\n1 2\n3 4", True),
            ("1 2\n3 4", "1 2\n3 4", True),
            ("1 2\n3 4", "I think\n1 2\n3 4", False),
            ("1,234", "Answer: 1234.0", True),
            ("-3", "Answer: 3", False),
        ],
    )
    def test_an_answer_is_exactly_the_right_one(
        self, right: str, text: str, is_right: bool
    ) -> None:
        pytest.importorskip("reasoning_gym")
        item = Item("item-1", "?", accepted=(right,))
        assert named("gym:chain_sum").judge(item, text).right is is_right
