"""The results of a run as one Parquet file, for data frames and SQL. Needs the extra `eval`."""

import types
import typing
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from entropix_mlx.evaluation import run_folder
from entropix_mlx.evaluation.item import Result
from entropix_mlx.evaluation.report import answered
from entropix_mlx.evaluation.run_folder import Problems
from entropix_models.paths import atomic_file, disk_errors

GROUP = 2000
"""Answers in memory at once."""

_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def schema() -> pa.Schema:
    """The columns of `Result`, then the item's `prompt` and `accepted`."""
    hints = typing.get_type_hints(Result)
    columns = [pa.field(name, *_typed(hints[name])) for name in Result.__struct_fields__]
    return pa.schema(
        [
            *columns,
            pa.field("prompt", pa.string(), nullable=False),
            pa.field("accepted", pa.list_(pa.string()), nullable=False),
        ]
    )


def _typed(hint: Any) -> tuple[pa.DataType, bool]:
    """And whether it may be null."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return _TYPES[kinds[0]], type(None) in kinds


def write(folder: Path, target: Path) -> None:
    """Of all answers in a run's folder, in their order; the file appears whole, or not at all.

    Raises EntropixError.
    """
    with (
        disk_errors(target),
        atomic_file(target) as unfinished,
        pq.ParquetWriter(unfinished, schema()) as writer,
    ):
        rows = _rows(folder)
        while some := list(islice(rows, GROUP)):
            writer.write_batch(pa.RecordBatch.from_pylist(some, schema()))


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    run, problems = run_folder.read(folder), Problems()
    asked = {item.id: (item.prompt, item.accepted) for item in run_folder.items(folder, problems)}
    for result in answered(folder, run, set(asked), problems):
        prompt, accepted = asked[result.item]
        row = {name: getattr(result, name) for name in Result.__struct_fields__}
        yield {**row, "prompt": prompt, "accepted": accepted}
