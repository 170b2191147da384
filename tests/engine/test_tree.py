"""The tree of a conversation, against what can be read off the parents alone."""

from collections.abc import Sequence

import pytest
from growth import LINEAR, ratio
from hypothesis import given
from hypothesis import strategies as st
from traces import END, PROMPT, token

from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord
from entropix_mlx.records.tree import ROOT, Branch, Node, Tree, ids_of, messages_of


@st.composite
def conversations(draw: st.DrawFn) -> list[Node]:
    """Prompts and tokens whose indices grow with gaps, each after any record before it."""
    made: list[Node] = []
    index = -1
    for _ in range(draw(st.integers(0, 40))):
        index += draw(st.integers(1, 3))
        # Mostly after the newest, as in a conversation; now and then anywhere, or at a loose end.
        before = [record.index for record in made]
        parent = draw(st.sampled_from([*before[-1:] * 5, *before, ROOT, index - 1]))
        made.append(node(index, parent, is_prompt=draw(st.integers(0, 5)) == 0))
    return made


def node(index: int, parent: int, *, is_prompt: bool = False) -> Node:
    if is_prompt:
        return PromptRecord(
            index=index, parent=parent, role="user", ids=[index, 7], text=f"prompt {index}"
        )
    return token(index, parent, id=index, text=f"t{index}", bytes=f"t{index}".encode().hex())


class Naive:
    """The same from a list of pairs, without looking anything up."""

    def __init__(self, records: Sequence[Node]) -> None:
        self.order = [record.index for record in records]
        self.parents = {
            record.index: record.parent if record.parent in self.order else ROOT
            for record in records
        }
        self.tokens = {r.index for r in records if isinstance(r, TokenRecord)}

    def children(self, index: int) -> list[int]:
        return [child for child in self.order if self.parents[child] == index]

    def path(self, leaf: int) -> list[int]:
        return [] if leaf == ROOT else [*self.path(self.parents[leaf]), leaf]

    def answer(self, index: int) -> list[int]:
        path = self.path(index)
        prompts = [n for n, place in enumerate(path) if place not in self.tokens]
        return path[prompts[-1] + 1 :] if prompts else path

    def leaf_below(self, index: int) -> int:
        children = self.children(index)
        return self.leaf_below(children[-1]) if children else index

    def branches(self) -> list[Branch]:
        """A branch begins with every record that is not its parent's first child."""
        found = []
        for first in self.order:
            parent = self.parents[first]
            siblings = self.children(parent)
            if first != siblings[0] or parent == ROOT:
                own = [first]
                while children := self.children(own[-1]):
                    own.append(children[0])
                found.append(Branch(own[-1], parent, len(self.tokens & set(own)), ""))
        return found


@pytest.mark.slow
@given(conversations())
def test_the_tree_is_what_its_parents_say(records: list[Node]) -> None:
    tree, naive = Tree.of(records), Naive(records)
    assert len(tree) == len(records)
    assert tree.leaf == tree.newest == (records[-1].index if records else ROOT)
    for record in records:
        index = record.index
        assert tree[index] is record
        assert index in tree
        assert tree.parent(index) == naive.parents[index]
        assert tree.children(index) == naive.children(index)
        assert [n.index for n in tree.path(index)] == naive.path(index)
        assert list(tree.up(index)) == naive.path(index)[::-1]
        assert [n.index for n in tree.answer(index)] == naive.answer(index)
        assert tree.leaf_below(index) == naive.leaf_below(index)
    assert tree.children(ROOT) == naive.children(ROOT)
    assert tree.path() == tree.path(tree.leaf)


@pytest.mark.slow
@given(conversations())
def test_branches_are_told_in_the_order_in_which_they_were_begun(records: list[Node]) -> None:
    assert Tree.of(records).branches() == Naive(records).branches()


@pytest.mark.slow
@given(conversations(), st.data())
def test_what_two_branches_share(records: list[Node], data: st.DataObject) -> None:
    tree, naive = Tree.of(records), Naive(records)
    one, other = (data.draw(st.sampled_from([ROOT, *naive.order])) for _ in range(2))
    shared = [x for x, y in zip(naive.path(one), naive.path(other), strict=False) if x == y] or [
        ROOT
    ]
    assert tree.common(one, other) == tree.common(other, one) == shared[-1]


@pytest.mark.slow
@given(conversations())
def test_the_ids_of_a_path(records: list[Node]) -> None:
    expected = []
    for record in records:
        expected.extend(record.ids if isinstance(record, PromptRecord) else [record.id])
    assert ids_of(records) == expected


def test_an_empty_tree() -> None:
    tree = Tree()
    assert (tree.leaf, tree.newest, len(tree)) == (ROOT, ROOT, 0)
    assert tree.path() == tree.answer(ROOT) == tree.branches() == tree.children(ROOT) == []
    assert tree.leaf_below(ROOT) == tree.common(ROOT, ROOT) == ROOT


def test_where_it_stands() -> None:
    tree = Tree.of([PROMPT, token(1), token(2), token(3, 1), END])
    assert tree.leaf == 2  # the end says so
    tree.add(End(leaf=99, finish_reason="error", tokens=0, seconds=0, prefill_seconds=0))
    assert tree.leaf == 2
    tree.add(Event(kind="valley", index=3, at=1))
    assert tree.leaf == 2
    tree.add(token(4, 2))
    assert tree.leaf == 4


def test_branches_go_by_their_names_the_last_one_given() -> None:
    tree = Tree.of([PROMPT, token(1), token(2), token(3, 1)])
    for name in ("first", "[/second"):
        tree.add(Event(kind="branch", index=3, detail={"name": name}))
    tree.add(Event(kind="branch", index=2))
    assert tree.branches() == [Branch(2, ROOT, 2, ""), Branch(3, 1, 1, "[/second")]
    assert [event.detail for event in tree.events(3)] == [{"name": "first"}, {"name": "[/second"}]
    assert tree.events(0) == []


def test_a_record_told_twice_is_there_once() -> None:
    tree = Tree.of([PROMPT, token(1), token(2), token(1)])
    assert tree.children(0) == [1]
    assert tree.children(1) == [2]
    assert tree.leaf == 1


@pytest.mark.parametrize("parent", [1, 2, 50])
def test_what_follows_itself_or_something_later_begins_a_root(parent: int) -> None:
    tree = Tree.of([PROMPT, token(1, parent), token(2, 1), token(50, 2)])
    assert tree.parent(1) == ROOT
    assert [n.index for n in tree.path()] == [1, 2, 50]
    assert len(tree.branches()) == 2


def test_what_was_said_as_messages() -> None:
    def said(index: int, role: str, text: str) -> PromptRecord:
        return PromptRecord(index=index, parent=index - 1, role=role, ids=[1], text=text)

    path: list[Node] = [said(0, "system", "Be brief."), said(1, "user", "Hi"), token(2), token(3)]
    path += [said(4, "user", "And?"), said(5, "user", "Well?")]
    assert [(m["role"], m["content"]) for m in messages_of(path)] == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", " thé\n thé\n"),
        ("user", "And?"),
        ("assistant", ""),
        ("user", "Well?"),
        ("assistant", ""),
    ]


@pytest.mark.serial
@pytest.mark.slow
def test_ten_times_the_records_take_ten_times_as_long() -> None:
    def records(many: int) -> list[Node | Event]:
        trunk, apart = many * 95 // 100, many // 1000
        return [
            token(n, n // 2 if n >= trunk and n % apart == 0 else n - 1, candidates=[])
            for n in range(many)
        ]

    few, many = records(10_000), records(100_000)
    assert ratio(lambda: Tree.of(many), lambda: Tree.of(few)) < LINEAR
    small, large = Tree.of(few), Tree.of(many)
    assert len(large.path(94_999)) == 95_000
    assert ratio(lambda: large.path(94_999), lambda: small.path(9_499)) < LINEAR
    assert len(small.branches()) == len(large.branches()) == 51
    assert ratio(large.branches, small.branches) < LINEAR
