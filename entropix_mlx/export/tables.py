"""A passage as a table: a row for each token, scalars only, the same for CSV and JSON.

Texts are exact, control characters included: whoever reads a table wants the data. A spreadsheet
may take a text that begins with `=` for a formula; import the column as text there.
"""

import csv
import io
from collections.abc import Iterator

import msgspec

from entropix_mlx.export.passage import Passage

Value = str | int | float | bool | None

MEASURES = (
    *("logprob", "rank", "entropy", "varentropy", "attn_entropy", "attn_varentropy"),
    *("agreement", "interaction_strength", "quadrant", "region", "strategy", "temperature"),
    *("top_k", "top_p", "min_p", "forced", "ms"),
)
COLUMNS = ("index", "nth", "parent", "role", "id", "text", "bytes", *MEASURES, "valley")
"""As in the trace. A scored prompt's tokens have its `index` and `parent` and are numbered by
`nth`, which is 0 for all others; `role` is `system`, `user`, `assistant`, or `text` where a given
text was scored; `valley`: the smoothed entropy had a valley here.
"""


def rows(passage: Passage) -> Iterator[dict[str, Value]]:
    """Every token's, by column: of the scored prompts and of the answers."""
    parents = {node.index: node.parent for node in passage.nodes}
    for cell in passage.cells:
        token = cell.token
        row: dict[str, Value] = {"index": cell.index, "nth": cell.nth}
        row |= {"parent": parents[cell.index], "role": cell.role}
        row |= {"id": token.id, "text": token.text, "bytes": token.bytes}
        row |= {name: getattr(token, name) for name in MEASURES}
        yield row | {"valley": passage.is_valley(cell)}


def csv_table(passage: Passage) -> str:
    """With a line of names; None is an empty cell."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(passage))
    return file.getvalue()


def json_table(passage: Passage) -> str:
    """An array of flat objects, one a line."""
    encode = msgspec.json.Encoder().encode
    lines = b",\n".join(map(encode, rows(passage)))
    return f"[\n{lines.decode()}\n]\n" if lines else "[]\n"
