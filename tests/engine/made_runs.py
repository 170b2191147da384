"""Folders of evaluations, with made-up answers."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from entropix_mlx.evaluation.item import Item, Result
from entropix_mlx.evaluation.text_measures import repetition

SAMPLERS = {
    "greedy": {"preset": "greedy"},
    "min-p temperature=1.5": {"preset": "min-p", "temperature": 1.5, "min_p": 0.05},
    "top-k=40,min-p=0.05,temperature=0.8": {"preset": "top-k,min-p,temperature", "top_k": 40},
}


def item(n: int, kind: str = "capitals", **fields: Any) -> Item:
    values = {"prompt": f"Question {n}?", "accepted": (f"answer {n}",), **fields}
    return Item(id=f"{kind}-{n}", kind=kind, **values)


def result(sampler: str, of: Item, sample: int = 1, **fields: Any) -> Result:
    text = fields.pop("text", f"It is answer {sample}.")
    values: dict[str, Any] = {
        "given": "answer",
        "right": True,
        "finish_reason": "stop",
        "tokens": 5,
        "ms": 40.0,
        "entropy": 1.0,
        "varentropy": 2.0,
        "logprob": -1.0,
        "first_fork": 2,
        "repetition": repetition(text),
        "trace": f"traces/x/{of.id}-{sample}.jsonl",
        **fields,
    }
    seed = 1000 + sample
    return Result(
        sampler=sampler, item=of.id, kind=of.kind, sample=sample, seed=seed, text=text, **values
    )


def write_run(
    folder: Path,
    items: Sequence[Item],
    results: Iterable[Result],
    samplers: dict[str, dict[str, Any]] = SAMPLERS,
    samples: int = 1,
    **fields: Any,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "task": "easy",
        "model": "smollm2-135m",
        "revision": "0.1.2",
        "device": "cpu",
        "seed": 7,
        "items": len(items),
        "samples": samples,
        "asked": dict.fromkeys(samplers, samples),
        "rows": 8,
        "max_tokens": 32,
        "samplers": samplers,
        "versions": {"entropix-mlx": "0.1.0"},
        "problems": [],
        "left_out": 0,
        **fields,
    }
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "items.jsonl").write_bytes(lines(items))
    (folder / "results.jsonl").write_bytes(lines(results))
    return folder


def lines(structs: Iterable[msgspec.Struct]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in structs)
