"""A passage as a table: a row for each token, scalars only, the same for CSV and JSON.

Texts are exact, control characters included: whoever reads a table wants the data. A spreadsheet
may take a text that begins with `=` for a formula; import the column as text there.
"""

import csv
from collections.abc import Iterator

import msgspec

from entropix_mlx.export.passage import Passage
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.trace.trace import visible_json

Value = str | int | float | bool | None

COLUMNS = (
    *("index", "nth", "parent", "role", "id", "text", "bytes"),
    *(name for name in TokenRecord.__struct_fields__[5:] if name not in ("candidates", "measures")),
    "valley",
)
"""As in the trace. A scored prompt's tokens have its `index` and `parent` and are numbered by
`nth`, which is 0 for all others; `role` is `system`, `user`, `assistant`, or `text` where a given
text was scored; `valley`: the smoothed entropy had a valley here.
"""


def columns(passage: Passage) -> tuple[str, ...]:
    """Those of a table: `COLUMNS`, and the samplers' own measures that some token has."""
    own = {name for cell in passage.cells for name in cell.token.measures or {}}
    return (*COLUMNS, *sorted(own - {*COLUMNS}))


def rows(passage: Passage) -> Iterator[dict[str, Value]]:
    """Every token's, by column: of the scored prompts and of the answers."""
    names = columns(passage)
    parents = {node.index: node.parent for node in passage.nodes}
    for cell in passage.cells:
        token = cell.token
        row: dict[str, Value] = {"index": cell.index, "nth": cell.nth}
        row |= {"parent": parents[cell.index], "role": cell.role}
        row |= {"id": token.id, "text": token.text, "bytes": token.bytes}
        row |= {"valley": passage.is_valley(cell)}
        held = {**(token.measures or {}), **row}
        yield {name: held[name] if name in held else getattr(token, name, None) for name in names}


class _Lines(list[str]):
    """Lines, one by one as csv writes them."""

    write = list.append


def csv_table(passage: Passage) -> str:
    """With a line of names; None is an empty cell."""
    lines = _Lines()
    # Up to Python 3.12 only those line breaks are quoted that lines are ended with.
    writer = csv.DictWriter(lines, columns(passage), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows(passage))
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def json_table(passage: Passage) -> str:
    """An array of flat objects, one a line; what can't be seen is an escape."""
    encode = msgspec.json.Encoder().encode
    lines = b",\n".join(map(visible_json, map(encode, rows(passage))))
    return f"[\n{lines.decode()}\n]\n" if lines else "[]\n"
