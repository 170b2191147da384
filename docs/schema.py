"""Writes the JSON Schema of a trace's lines: `python docs/schema.py`."""

import json
from pathlib import Path
from typing import Any

import msgspec

from entropix_mlx.records.record import SCHEMA, Record

FILE = Path(__file__).parent / "trace.schema.json"


def schema() -> dict[str, Any]:
    """What one line of a trace may be; fields that it does not name are allowed."""
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of an entropix-mlx trace, schema {SCHEMA}",
        **msgspec.json.schema(Record),
    }
    found: dict[str, Any] = json.loads(json.dumps(content))  # a default may be a tuple
    return found


def main() -> None:
    FILE.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
