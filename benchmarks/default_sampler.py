"""Does the default sampler do harm? Samplers paired over questions, open prompts and seeds.

`python benchmarks/default_sampler.py ANSWERS` makes what answers are missing from the file ANSWERS,
each a JSON line as soon as it is there, and prints a Markdown table of what is. An interrupt keeps
all, and the next call goes on. `--run NAME` picks what is made (again: more of them), `--also 'NAME
= PRESET KEY=VALUE ...'` adds a sampler; `--table` makes nothing.
"""

import argparse
import datetime
import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from batch import decode
from machine import describe
from questions import OPEN, Question, questions

import entropix_mlx as ex
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.make_records import calibration_of
from entropix_mlx.decoding.row import Row
from entropix_mlx.sampling.settings import Settings
from entropix_models.devices import release_thread
from entropix_models.language_model import LanguageModel
from entropix_models.tokenizer.tokenizer import Tokenizer

SEEDS = (1, 2, 3)
SHORT, LONG = 14, 64
"""The most tokens of an answer to a question, which also ends with its line, and to a prompt."""
BASELINES = ("temperature", "greedy")
DRAWS = 10_000
"""Of questions, for an interval."""
RUNS = {
    "calibrated": "calibrated",
    "temperature": "temperature",
    "greedy": "greedy",
    "entropixplained": "entropixplained",
    "calibrated, clarify=insert": "calibrated clarify=insert",
    "calibrated, clarify=ask": "calibrated clarify=ask",
    "calibrated as it was": "calibrated resamples=1",
    "calibrated as it was, clarify=guide": "calibrated resamples=1 clarify=guide",
}
"""By name, a preset and what is changed of it."""


class Asked(NamedTuple):
    """What is asked of a sampler."""

    run: str
    text: str
    opening: str
    seed: int
    short: bool


def settings_of(text: str) -> Settings:
    preset, *overrides = text.split()
    return Settings.make(preset, dict(override.split("=", 1) for override in overrides))


def wanted(runs: dict[str, Settings], only: str | None) -> Iterator[Asked]:
    """Text by text, so that what is there is paired whenever it ends; the prompts in between."""
    texts = [(question.text, question.opening, True) for question in questions()]
    for number, text in enumerate(OPEN):
        texts.insert(8 * number + 7, (text, "", False))
    for text, opening, short in texts:
        if only == ("prompts" if short else "questions"):
            continue
        for run, settings in runs.items():
            seeds = SEEDS[:1] if settings.preset == "greedy" else SEEDS
            yield from (Asked(run, text, opening, seed, short) for seed in seeds)


def made(
    model: LanguageModel, runs: dict[str, Settings], file: Path, only: str | None = None
) -> None:
    """Ask for what the file lacks, and write it there as it comes."""
    there = {_key(answer) for answer in read(file)}
    missing = [asked for asked in wanted(runs, only) if _key(asked._asdict()) not in there]
    calibration = calibration_of(model)
    first = {run: Row(model, settings, calibration, 0) for run, settings in runs.items()}
    _cut(file)
    done = 0
    with file.open("a") as out:
        for (text, opening, short), of in groupby(missing, lambda a: (a.text, a.opening, a.short)):
            rows = {first[asked.run].like(asked.seed): asked for asked in of}
            enough = partial(ends, model.tokenizer, SHORT if short else LONG, short)
            prompt = model.tokenizer.chat(
                [{"role": "user", "content": text}], date=datetime.date.today()
            )
            prompt += model.tokenizer.encode(opening)
            for row, choices in decode(model, prompt, list(rows), enough):
                answer = _kept(model.tokenizer, rows[row], choices)
                out.write(json.dumps(answer, ensure_ascii=False) + "\n")
                out.flush()
                done += 1
            print(f"\r{done}/{len(missing)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _cut(file: Path) -> None:
    """Leave out a last line that was not finished."""
    if file.exists():
        kept = file.read_bytes()
        file.write_bytes(kept[: kept.rfind(b"\n") + 1])


def ends(tokenizer: Tokenizer, most: int, short: bool, choices: Sequence[Choice]) -> bool:
    """Whether an answer of `most` tokens at most is over, a `short` one with its line."""
    last = choices[-1]
    if len(choices) == most or (last.id in tokenizer.stop_ids and last.forced != "user"):
        return True
    return short and "\n" in _said(tokenizer, choices).lstrip()


def _said(tokenizer: Tokenizer, choices: Sequence[Choice]) -> str:
    said = b"".join(tokenizer.token_bytes(c.id) for c in choices if c.id not in tokenizer.stop_ids)
    return said.decode("utf-8", "replace")


def _kept(tokenizer: Tokenizer, asked: Asked, choices: Sequence[Choice]) -> dict[str, Any]:
    """What the table needs of an answer, and what it takes to see why its tokens came."""
    names = ("forced", "strategy", "temperature", "entropy", "varentropy", "rank")
    tokens = [
        {
            "text": tokenizer.token_text(each.id) if each.id not in tokenizer.stop_ids else "",
            **{name: getattr(each, name) for name in names},
            "favourite": tokenizer.token_text(each.candidates[0][0]),
        }
        for each in choices
    ]
    return {**asked._asdict(), "answer": _said(tokenizer, choices), "tokens": tokens}


def _key(answer: dict[str, Any]) -> tuple[str, str, int]:
    return answer["run"], answer["text"], answer["seed"]


# What the answers come to.

Shares = npt.NDArray[np.float64]


def read(file: Path) -> list[dict[str, Any]]:
    """What is kept; a line that was not finished does not count."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


def table(answers: Sequence[dict[str, Any]]) -> str:
    """A row for each run, against the baselines; then right answers by kind."""
    by_run: dict[str, list[dict[str, Any]]] = {}
    for answer in answers:
        by_run.setdefault(answer["run"], []).append(answer)
    asked = questions()
    right = {run: shares(asked, of) for run, of in by_run.items()}
    heads = [f"against {name}" for name in BASELINES]
    of_prompts = ("repeated trigrams", "insertions an answer", "broken words", "tokens")
    rows = [["sampler", "right", *heads, *of_prompts]]
    for run, of in by_run.items():
        against = [
            "" if name == run or name not in right else points(right[run] - right[name])
            for name in BASELINES
        ]
        rows.append([run, percent(right[run]), *against, *_prompts(of)])
    kinds = list(dict.fromkeys(question.kind for question in asked))
    by_kind = [["right", *kinds]]
    for run, found in right.items():
        of_kind = (found[[question.kind == kind for question in asked]] for kind in kinds)
        by_kind.append([run, *(f"{100 * interval(values)[0]:.0f} %" for values in of_kind)])
    answered = [f"{run}: {np.isfinite(found).sum()}" for run, found in right.items()]
    return "\n\n".join([_markdown(rows), _markdown(by_kind), f"Questions: {', '.join(answered)}."])


def shares(asked: Sequence[Question], answers: Sequence[dict[str, Any]]) -> Shares:
    """How often each question was answered right, over seeds; NaN where it was not answered."""
    found: dict[str, list[str]] = {}
    for answer in answers:
        found.setdefault(answer["text"], []).append(answer["answer"].strip().split("\n")[0])
    return np.array(
        [np.mean([q.right(a) for a in found[q.text]]) if q.text in found else np.nan for q in asked]
    )


def interval(values: Shares) -> tuple[float, float, float]:
    """Mean, and where 95 % of the means of questions drawn anew lie: by question, as the seeds'
    answers to one depend on it. Always the same for the same values.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return (np.nan,) * 3
    chance = np.random.default_rng(0)
    means = known[chance.integers(0, known.size, (DRAWS, known.size))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(known.mean()), float(low), float(high)


def percent(values: Shares) -> str:
    mean, low, high = (100 * value for value in interval(values))
    return f"{mean:.1f} % ({low:.1f} to {high:.1f})"


def points(values: Shares) -> str:
    mean, low, high = (100 * value for value in interval(values))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def _prompts(answers: Sequence[dict[str, Any]]) -> list[str]:
    """Of the open prompts."""
    of = [answer for answer in answers if not answer["short"]]
    if not of:
        return [""] * 4
    inserted = [insertions(answer["tokens"]) for answer in of]
    return [
        f"{np.mean([repeated(answer['answer']) for answer in of]):.3f}",
        f"{np.mean([len(each) for each in inserted]):.2f}",
        f"{sum(broken for each in inserted for broken in each)}",
        f"{np.mean([len(answer['tokens']) for answer in of]):.0f}",
    ]


def repeated(text: str) -> float:
    """The share of the trigrams of words that were there before."""
    words = re.findall(r"\w+", text.lower())
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0


def insertions(tokens: Sequence[dict[str, Any]]) -> list[bool]:
    """One for each text that was put in: whether it broke a word.

    It did if the text stood within a word that the model wanted to go on with, or if what was
    drawn next goes on without a space.
    """
    found, before = [], ""
    runs = [(forced, list(of)) for forced, of in groupby(tokens, lambda token: token["forced"])]
    texts = ["".join(token["text"] for token in of) for _, of in runs]
    for (forced, of), text, after in zip(runs, texts, [*texts[1:], ""], strict=True):
        if forced == "clarify":
            within = before[-1:].isalnum() and of[0]["favourite"][:1].isalnum()
            found.append(within or (after[:1].isalnum() and not text[-1:].isspace()))
        before = before + text
    return found


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--run", action="append", metavar="NAME")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=PRESET KEY=VALUE")
    parser.add_argument("--only", choices=("questions", "prompts"))
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()

    known = {**RUNS, **dict(text.split("=", 1) for text in options.also)}
    names = options.run or list(known)
    runs = {name.strip(): settings_of(known[name]) for name in names}
    if not options.table:
        model = ex.load(options.model, device="cpu")
        print(describe(model), "\n")
        try:
            made(model, runs, options.answers, options.only)
        except KeyboardInterrupt:
            print("\ninterrupted; what was made is kept", file=sys.stderr)
        release_thread()
    print(table(read(options.answers)))


if __name__ == "__main__":
    main()
