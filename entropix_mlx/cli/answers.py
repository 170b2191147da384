"""`entropix-mlx generate` for several answers: as they come, in order, and a table of them."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entropix_mlx.analysis import agreement
from entropix_mlx.cli.input import AskedPrompt
from entropix_mlx.cli.options import SessionOptions
from entropix_mlx.cli.output import Format, Output, columns
from entropix_mlx.cli.say import tell
from entropix_mlx.records.record import End
from entropix_mlx.records.summary import Summary
from entropix_mlx.run import Run
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.terminal.visible import escaped
from entropix_models.progress import Progress

if TYPE_CHECKING:
    from entropix_mlx.session.answers import Answers, Asked
    from entropix_models.language_model import LanguageModel

_LISTED = 20
"""Prompts that the table has a line for."""
_TITLE = 40
"""Characters of a prompt in it."""


@dataclass(frozen=True)
class Many:
    """What is asked for: `samples` answers to each prompt."""

    prompts: Sequence[AskedPrompt]
    samples: int
    stop: tuple[str, ...]
    raw: bool
    prefill: str


def answers_of(model: "LanguageModel", asked: SessionOptions, rows: int) -> "Answers":
    """What is to make them. Thresholds and a seed that are not the user's, and what the model
    lacks for the settings, are told on standard error.
    """
    from entropix_mlx.session.answer_folder import AnswerFolder
    from entropix_mlx.session.answers import Answers

    seed = asked.seed
    if seed is None and asked.trace is not None:
        found = AnswerFolder(asked.trace).run.read().get("seed")
        seed = found if isinstance(found, int) else None  # a run that was broken off goes on
    made = Answers(
        model, [asked.settings], seed=seed, system=asked.system, date=asked.date, rows=rows
    )
    asked.note(made)
    return made


def write_all(
    answers: "Answers", asked: SessionOptions, many: Many, output_format: Format, progress: Progress
) -> bool:
    """Make what is missing and write all in order; whether all came to their end."""
    from entropix_mlx.session.answer_folder import AnswerFolder
    from entropix_mlx.session.answers import Asked, answer_seed

    wanted = [Asked(p, s) for p in range(len(many.prompts)) for s in range(many.samples)]
    requests = [
        TurnRequest(
            prompt.text,
            max_tokens=asked.max_tokens,
            stop=many.stop,
            raw=many.raw,
            prefill=many.prefill,
        )
        for prompt in many.prompts
    ]
    made = {one: Run(answers.header(one), iter(())) for one in wanted}
    folder = None
    if asked.trace is not None:
        folder = AnswerFolder(asked.trace)
        run = _run(answers, asked, many)
        folder.run.require(run)
        folder.run.write(run)
        for one in wanted:
            seed, text = answer_seed(answers.seed, one), many.prompts[one.prompt].text
            made[one].records += folder.finished(one, seed, text) or ()
    missing = [one for one in wanted if not made[one].records]
    if folder and len(missing) < len(wanted):
        tell(f"{len(wanted) - len(missing)} of {len(wanted)} answers are there already")
    output, written, done = Output(output_format), 0, 0
    progress("answering", 0, len(missing), unit="answers")
    told = answers.run(requests, missing, *([folder.open] if folder else []))
    with closing(told):
        for one, record in told:
            made[one].records.append(record)
            if isinstance(record, End):
                done += 1
                progress("answering", done, len(missing), unit="answers")
            while written < len(wanted) and _end(made[wanted[written]]):
                _write(output, wanted[written], made[wanted[written]], many)
                written += 1
    for one in wanted[written:]:
        if _end(made[one]):
            _write(output, one, made[one], many)
    tell("\n".join(_table(many, made, answers)))
    return all(_end(answer) not in ("", "interrupted") for answer in made.values())


def _end(answer: Run) -> str:
    """Why an answer ended; nothing as long as it has not."""
    last = answer.records[-1] if answer.records else None
    return last.finish_reason if isinstance(last, End) else ""


def _run(answers: "Answers", asked: SessionOptions, many: Many) -> dict[str, Any]:
    """What all answers of a folder have in common."""
    from entropix_mlx.session.answers import Asked

    header = answers.header(Asked(0, 0))
    return {
        "model": header.model,
        "revision": header.revision,
        "seed": answers.seed,
        "sampler": header.sampler,
        "system": asked.system,
        "date": header.date,
        "max_tokens": asked.max_tokens,
        "stop": list(many.stop),
        "raw": many.raw,
        "prefill": many.prefill,
    }


def _write(output: Output, asked: "Asked", answer: Run, many: Many) -> None:
    """One answer, as the format wants it."""
    prompt, summary = many.prompts[asked.prompt], Summary.of(answer.records)
    if output.format == "jsonl":
        line = {
            "prompt": prompt.text,
            "id": prompt.id,
            "sample": asked.sample + 1,
            "seed": answer.header.seed,
            "text": answer.text,
            "tokens": summary.tokens,
            "entropy": summary.mean_entropy,
            "perplexity": summary.perplexity,
            "finish_reason": summary.finish_reason,
        }
        output.put(escaped(json.dumps(line, ensure_ascii=False)) + "\n")
        return
    if output.format == "color":
        which = f", answer {asked.sample + 1}" if many.samples > 1 else ""
        title = " ".join(prompt.text.split())
        output.put(f"── {escaped(prompt.id)}{which}: {escaped(title[:_TITLE])}\n")
    for token in answer.tokens:
        output.write(token)
    output.finish()


def _table(many: Many, made: "dict[Asked, Run]", answers: "Answers") -> list[str]:
    """A line a prompt: how long, how sure, how far its answers agree, how they ended."""
    several = many.samples > 1
    heads = ["prompt", "answers", "tokens", "entropy", "ended"]
    rows = [[*heads, "the same", "alike for"] if several else heads]
    for number, prompt in enumerate(many.prompts[:_LISTED]):
        of = [answer for one, answer in made.items() if one.prompt == number and _end(answer)]
        rows.append([_title(prompt), *_figures(of, several)])
    if len(many.prompts) > 1:
        if len(many.prompts) > _LISTED:
            rows.append([f"… and {len(many.prompts) - _LISTED} more"])
        over = [answer for answer in made.values() if _end(answer)]
        rows.append(["all", *_figures(over, False)])
    width = len(rows[0])
    lines = columns([*row, *[""] * (width - len(row))] for row in rows)
    return [*lines, f"seed {answers.seed}; each answer's own follows from it and its place"]


def _title(prompt: AskedPrompt) -> str:
    title = " ".join(prompt.text.split())
    return title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"


def _figures(of: Sequence[Run], several: bool) -> list[str]:
    if not of:
        return ["0"]
    counts = Summary.of(record for answer in of for record in answer.records)
    ends = [_end(answer) for answer in of]
    ended = ", ".join(f"{reason} {ends.count(reason)}" for reason in dict.fromkeys(ends))
    entropy = "-" if counts.mean_entropy is None else f"{counts.mean_entropy:.2f} bits"
    cells = [str(len(of)), f"{counts.tokens / len(of):.0f}", entropy, ended]
    if several:
        common = agreement.beginning([[token.id for token in answer.tokens] for answer in of])
        same = agreement.most_common([answer.text for answer in of])
        cells += [f"{same} of {len(of)}", "-" if common is None else f"{common:.0f} tokens"]
    return cells
