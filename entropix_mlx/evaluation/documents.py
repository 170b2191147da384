"""The documents of a run: what its answers come to, for people and for programs."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import msgspec

from entropix_mlx.evaluation import figure, page, report_text
from entropix_mlx.evaluation.report import Report
from entropix_models.paths import write_whole
from entropix_models.progress import Progress, quiet


class Documents(NamedTuple):
    """`files`: what was written; `lacking`: a sentence on each that could not be."""

    report: Report
    files: list[Path]
    lacking: list[str]


PARQUET, PNG = "results.parquet", "figure.png"
NEEDS = {PARQUET: "pyarrow", PNG: "resvg_py"}
"""Packages of the extra `eval`."""


def write(folder: Path, progress: Progress = quiet) -> Documents:
    """Of all that is in a run's folder so far, into it, each file whole or not at all.

    Raises UsageError for a folder of something else, EntropixError for files that cannot be read or
    written.
    """
    report = Report.of(folder, progress)
    drawing = figure.svg(report)
    made = {
        "report.json": msgspec.json.format(msgspec.json.encode(report)),
        "report.md": report_text.markdown(report).encode(),
        "report.html": page.page(report, folder).encode(),
        "figure.svg": drawing.encode(),
    }
    for name, content in made.items():
        write_whole(folder / name, content)
    files, lacking = [folder / name for name in made], []
    without = [name for name, package in NEEDS.items() if find_spec(package) is None]
    if without:
        names = " and ".join(without)
        lacking.append(f"{names} not written: pip install 'entropix-mlx[eval]' for what that needs")
    if PARQUET not in without:
        from entropix_mlx.evaluation import parquet

        parquet.write(folder, folder / PARQUET)
        files.append(folder / PARQUET)
    if PNG not in without:
        picture = figure.png(drawing)
        if picture is None:
            lacking.append(f"{PNG} not written: this machine has no font; install DejaVu's")
        else:
            write_whole(folder / PNG, picture)
            files.append(folder / PNG)
    return Documents(report, files, lacking)
