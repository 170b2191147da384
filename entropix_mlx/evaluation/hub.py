"""Rows of the data sets on the Hugging Face Hub, from the Parquet files that it makes of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from entropix_mlx.evaluation.data import BadRowError, Row
from entropix_models.errors import DamagedFileError, DownloadError, UsageError, one_line
from entropix_models.progress import Progress
from entropix_models.sources import datasets

REVISION = "refs/convert/parquet"
"""The branch on which the Hub keeps them, whatever the data set itself is made of."""
_BATCH = 256
"""Rows in memory at a time."""


class Split(NamedTuple):
    """A part of a data set on the Hub."""

    repository: str
    config: str
    split: str


def rows(source: Split, task: str, progress: Progress) -> Iterator[tuple[str, Row | BadRowError]]:
    """Row by row, in the order of the files.

    Raises UsageError where pyarrow is missing, DownloadError where the Hub cannot be reached, and
    DamagedFileError; each says that `task` takes a file instead.
    """
    instead = f"or give the same rows as a file: {task}:FILE.jsonl"
    parquet = _pyarrow(source, instead)
    pattern = f"{source.config}/{source.split}/*.parquet"
    try:
        folder = datasets.fetch(source.repository, REVISION, pattern, progress)
    except DownloadError as error:
        raise DownloadError(f"{error}; {instead}") from error
    number = 0
    try:
        for batch, total in _batches(parquet, sorted(folder.glob(pattern))):
            progress(f"reading {source.repository}", number, total, "rows")
            for row in batch:
                number += 1
                yield f"row {number}", row
    except DamagedFileError as error:
        raise DamagedFileError(
            f"{source.repository} in {folder} is damaged ({error}); "
            f"remove that folder and run the same again, {instead}"
        ) from error


def _batches(parquet: Any, paths: list[Path]) -> Iterator[tuple[list[Row], int]]:
    """A few rows at a time, with how many there are in all."""
    try:
        opened = [parquet.ParquetFile(path) for path in paths]
        total = sum(file.metadata.num_rows for file in opened)
        for file in opened:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield batch.to_pylist(), total
    except (OSError, ValueError, TypeError, NotImplementedError) as error:  # and pyarrow's own
        raise DamagedFileError(one_line(error, 80)) from error


def _pyarrow(source: Split, instead: str) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            f"{source.repository} is read with pyarrow, which is not installed: "
            f"pip install 'entropix-mlx[eval]', {instead}"
        ) from error
    return parquet
