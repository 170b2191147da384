"""The published JSON Schema is that of the records, and real traces follow it."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from turns import session, tokens, turn

from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.trace.trace import TraceWriter
from entropix_models.language_model import LanguageModel

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "trace.schema.json").read_text())
    return found


@pytest.fixture
def lines(tmp_path: Path, llama: LanguageModel) -> list[dict[str, Any]]:
    """A conversation with every kind of record."""
    path = tmp_path / "run.jsonl"
    made = session(llama, trace=TraceWriter(path), score_prompts=True, system="Be kind.")
    first = tokens(turn(made, "One", 14))
    made.use(Settings.make("temperature"))
    list(made.run(TurnRequest(max_tokens=9, after=first[4].index, force=(11,))))
    made.name_branch(first[-1].index, "first")
    made.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_is_up_to_date(schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    import schema as maker

    assert maker.schema() == schema, "run docs/schema.py"
    sys.modules.pop("schema")


def test_real_traces_follow_it(schema: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    for line in lines:
        validator.validate(line)
    assert {line["type"] for line in lines} == {"header", "prompt", "token", "event", "end"}


def test_what_is_no_record_does_not(schema: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    (*_, token) = (line for line in lines if line["type"] == "token")
    for change in ({"entropy": "high"}, {"quadrant": "LOW"}, {"type": "word"}, {"bytes": None}):
        assert not validator.is_valid(token | change)
    assert not validator.is_valid({name: token[name] for name in token if name != "parent"})
    assert validator.is_valid(token | {"another": 1}), "fields of newer programs are allowed"
