"""Traces of any records that the schema allows, as hypothesis draws them."""

from functools import singledispatch
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from entropix_mlx.records.record import End, Event, PromptRecord, RunHeader, TokenRecord

TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["\r", "\x1b[2J", "\x85", "\u202e", "\u200b", "[/red]", "<script>", "=1+1"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
SETTINGS = {
    "preset": st.sampled_from(["calibrated", "entropixplained", "greedy", "temperature", "none"]),
    "layers": st.sampled_from(["all", "0,3-5", "5-3", "0-999,0-999", "x"]) | JSON,
    "temperature": st.floats(allow_nan=False) | JSON,
    "top_k": st.integers() | JSON,
    "lelv_entropy": st.floats(-1e308, 1e308) | JSON,
    "seed": st.integers() | JSON,
}
"""What is looked at in settings and details, where the schema allows anything."""


@singledispatch
def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """What JSON may hold in the place of a type."""
    raise TypeError(f"the schema has a new type: {kind}")


@values.register
def _(kind: inspect.Metadata) -> st.SearchStrategy[Any]:
    pattern = (kind.extra_json_schema or {}).get("pattern")
    return st.from_regex(pattern, fullmatch=True) if pattern else values(kind.type)


@values.register
def _(kind: inspect.IntType) -> st.SearchStrategy[Any]:
    least = kind.ge if kind.ge is not None else None
    most = kind.lt - 1 if kind.lt is not None else kind.le
    return st.integers(least, most)


@values.register
def _(kind: inspect.FloatType) -> st.SearchStrategy[Any]:
    return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)


@values.register
def _(kind: inspect.StrType) -> st.SearchStrategy[Any]:
    return st.from_regex(kind.pattern, fullmatch=True) if kind.pattern else TEXTS


@values.register
def _(_: inspect.NoneType) -> st.SearchStrategy[Any]:
    return st.none()


@values.register
def _(kind: inspect.LiteralType) -> st.SearchStrategy[Any]:
    return st.sampled_from(list(kind.values))


@values.register
def _(kind: inspect.UnionType) -> st.SearchStrategy[Any]:
    return st.one_of(*(values(one) for one in kind.types))


@values.register(inspect.ListType)
@values.register(inspect.VarTupleType)
def _(kind: inspect.ListType | inspect.VarTupleType) -> st.SearchStrategy[Any]:
    return st.lists(values(kind.item_type), max_size=3)


@values.register
def _(kind: inspect.TupleType) -> st.SearchStrategy[Any]:
    return st.tuples(*(values(one) for one in kind.item_types)).map(list)


@values.register
def _(kind: inspect.DictType) -> st.SearchStrategy[Any]:
    if isinstance(kind.value_type, inspect.AnyType):
        return st.fixed_dictionaries({}, optional=SETTINGS)
    return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=3)


@values.register
def _(_: inspect.AnyType) -> st.SearchStrategy[Any]:
    return JSON


@values.register
def _(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    fields = {field.encode_name: field for field in kind.fields}
    made = st.fixed_dictionaries(
        {name: values(field.type) for name, field in fields.items() if field.required},
        optional={name: values(field.type) for name, field in fields.items() if not field.required},
    )
    tag = {kind.tag_field: kind.tag} if kind.tag_field else {}
    return made.map(lambda found: tag | found)


def _records(kind: type) -> st.SearchStrategy[Any]:
    return values(inspect.type_info(kind))


@st.composite
def traces(draw: st.DrawFn, most: int = 12) -> bytes:
    """A file, whose indices grow, so that the reader lets most of it in."""
    header = draw(_records(RunHeader)) | {"schema": 1, "quadrant_split": None}
    lines = [header]
    index = -1
    kinds = st.sampled_from([TokenRecord, TokenRecord, TokenRecord, PromptRecord, Event, End])
    for kind in draw(st.lists(kinds, min_size=1, max_size=most)):
        record = draw(_records(kind))
        if kind in (TokenRecord, PromptRecord):
            parent, index = index, index + draw(st.sampled_from([1, 1, 1, 2, 1000, 2**24, 2**26]))
            record |= {"index": index, "parent": draw(st.sampled_from([parent, parent, -1]))}
            record |= {"bytes": draw(st.binary(max_size=4)).hex()} if kind is TokenRecord else {}
        elif draw(st.booleans()):
            record |= {"leaf" if kind is End else "index": index}
        if kind is Event:
            record["kind"] = draw(
                st.sampled_from(["valley", "setting", "fork", "branch", "return"])
            )
        lines.append(record)
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
