"""`entropix-mlx trace`: what was recorded, seen again, checked, compared, handed on."""

import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from entropix_mlx.cli.exit_status import debug_option
from entropix_mlx.cli.input import branch_option, read, trace_file
from entropix_mlx.cli.options import device_options
from entropix_mlx.cli.output import FORMATS, Format, Output, columns
from entropix_mlx.cli.say import say, tell
from entropix_mlx.cli.steps import Steps
from entropix_mlx.cli.trace_export import export
from entropix_mlx.records.measures import percent, shown
from entropix_mlx.records.quadrants import QUADRANTS, word
from entropix_mlx.records.record import PromptRecord, TokenRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.records.tree import Tree
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import EntropixError

if TYPE_CHECKING:
    from entropix_mlx.analysis.diff import Difference, Side
    from entropix_mlx.checks.verify import Verified

Row = Sequence[object]


@click.group()
def trace() -> None:
    """Show, verify, compare and export what was recorded."""


trace.add_command(export)


@trace.command()
@click.argument("file", type=trace_file)
@branch_option
@click.option(
    "--format",
    "format_",
    type=click.Choice([*FORMATS, "steps"]),
    default="auto",
    help="As of generate; jsonl: the branch alone, a trace; steps: token by token, the five most "
    "likely, which was selected and its rank, the text so far.",
)
@debug_option
def show(file: Path, branch: int | None, format_: Format | Literal["steps"]) -> None:
    """The conversation as it was generated, coloured, or step by step."""
    found = read(file)
    tree = Tree.of(found.records)
    path = tree.path(tree.end(branch))
    steps = Steps() if format_ == "steps" else None
    output = Output("plain" if format_ == "steps" else format_)
    if format_ == "jsonl":
        output.write(found.header)
    header = found.header
    sampler = header.sampler.get("preset", "no sampler: a text that was scored")
    made = f"{header.model} {header.revision or ''} on {header.device} · {sampler}"
    tell(f"{made} · seed {header.seed} · {header.created}")
    summary = Summary.of([header])
    asked = False
    for record in tree.told(path):
        summary.add(record)
        if isinstance(record, PromptRecord) and format_ != "jsonl":
            output.finish()
            tell(f"{escaped(record.role)}: {escaped(record.text)}")
            asked = True
            steps = steps and Steps()
        elif asked and isinstance(record, TokenRecord):
            tell("answer:")
            asked = False
        if steps is None:
            output.write(record)
        elif isinstance(record, TokenRecord):
            output.put("".join(f"{line}\n" for line in steps.lines(record)))
    output.finish()
    branches = tree.branches()
    if len(branches) > 1:
        rows = [(branch.leaf, branch.fork, branch.tokens, branch.name) for branch in branches]
        table = columns([("ends at", "forked at", "tokens", "name"), *rows])
        tell("\n".join(["branches:", *table]))
    tell(summary.line(header.seed))


@trace.command()
@click.argument("file", type=trace_file)
@click.option("--model", metavar="NAME|PATH", help="Verify with this one. Default: the recorded.")
@device_options
@click.option("--rerun", is_flag=True, help="Generate everything again, from settings and seed.")
@click.option(
    "--sampler", metavar="FILE.py:NAME", help="The sampler of somebody's own that drew it."
)
@debug_option
def verify(file: Path, model: str | None, device: str, rerun: bool, sampler: str | None) -> int:
    """Read what was recorded with the model and compare every number, or generate it again.

    Ends with status 1 if something is further off than is allowed, or another token comes.
    """
    found = read(file)

    from entropix_mlx.checks.verify import circumstances
    from entropix_mlx.checks.verify import verify as check
    from entropix_mlx.cli.options import load_model
    from entropix_mlx.cli.progress import stderr_progress
    from entropix_mlx.decoding.make_records import calibration_of
    from entropix_mlx.sampling import own
    from entropix_mlx.sampling.settings import Settings
    from entropix_mlx.session.resume import in_force, settings_of
    from entropix_models.devices import release_thread

    if sampler is not None:
        own.chosen(sampler)
    values, _ = in_force(found.header, found.records)
    settings = settings_of(values, file) if values else Settings.make("greedy")
    try:
        with stderr_progress() as progress:
            loaded = load_model(model or found.header.model, device, progress)
            settings = settings.bind(calibration_of(loaded))
            for change in circumstances(found.header, loaded):
                tell(f"note: {escaped(change)}")
            if rerun:
                from entropix_mlx.checks.rerun import rerun as generate_again

                again = generate_again(loaded, found, file, progress)
            else:
                verified = check(loaded, found, settings, progress)
        if not rerun:
            return _tell_verified(verified)
        if again.parting is None:
            say(f"the same {again.same} tokens came again")
            return 0
        recorded, now = again.parting
        raise EntropixError(
            f"{again.same} tokens came again; at record {recorded.index} it was "
            f"{recorded.text!r} (id {recorded.id}), now it is "
            + (f"{now.text!r} (id {now.id})" if now else "the end")
        )
    finally:
        release_thread()


def _tell_verified(verified: "Verified") -> int:
    rows: list[Row] = [("metric", "compared", "greatest", "at record", "mean", "allowed", "beyond")]
    for metric, compared, greatest, at, mean, allowed, beyond in verified.deviations:
        if compared:
            rows.append((metric, compared, f"{greatest:.2g}", at, f"{mean:.2g}", allowed, beyond))
    say("\n".join(columns(rows)))
    if verified.unread:
        tell(f"note: nothing can be said of {verified.unread} tokens whose beginning is missing")
    if wrong := verified.wrong_bytes:
        listed = ", ".join(map(str, wrong[:10])) + (", ..." if len(wrong) > 10 else "")
        say(f"other bytes than the model's token has: records {listed}")
    if not verified.stands:
        raise EntropixError(
            "the trace is not what this model computes: numbers are further off than is allowed"
        )
    say(f"all {verified.tokens} tokens stand")
    return 0


@trace.command()
@click.argument("a", type=trace_file)
@click.argument("b", type=trace_file)
@click.option("--branch", type=int, metavar="INDEX", help="The branch of A; see `trace show`.")
@click.option("--other-branch", type=int, metavar="INDEX", help="The branch of B.")
@debug_option
def diff(a: Path, b: Path, branch: int | None, other_branch: int | None) -> None:
    """Where two traces part, what stood there, and what each came to."""
    from entropix_mlx.analysis.diff import diff as compare

    one, other = read(a), read(b)
    found = compare(
        one,
        other,
        Tree.of(one.records).end(branch),
        Tree.of(other.records).end(other_branch),
    )
    for line in _difference(found, a.name, b.name):
        say(line)
    sys.stdout.flush()


def _difference(found: "Difference", a: str, b: str) -> list[str]:
    lines = []
    if found.circumstances:
        rows = [("made with", a, b), *((name, *pair) for name, pair in found.circumstances.items())]
        lines += [*columns(rows), ""]
    if found.is_none:
        lines.append(f"the same {found.same} tokens")
    else:
        tail = escaped(found.before.replace("\n", "⏎"))[-60:]
        lines.append(f"the same {found.same} tokens, then they part after: …{tail}")
    for name, (off, at) in found.deviations.items():
        if off:
            lines.append(f"{name} differs by up to {off:.2g} in them, at token {at}")
    if not found.is_none:
        lines += ["", *columns([("", a, b), *_points(found.a, found.b)])]
    return [*lines, "", *columns([("", a, b), *_totals(found.a, found.b)])]


def _points(a: "Side", b: "Side") -> list[Row]:
    """What stood where the two part."""
    ends = [side.at for side in (a, b)]
    rows: list[Row] = [("token", *map(_token, ends))]
    tokens = [end if isinstance(end, TokenRecord) else None for end in ends]
    splits = a.total.split, b.total.split
    quadrants = zip(tokens, splits, strict=True)
    rows.append(("quadrant", *(_value(t and word(t.quadrant, split)) for t, split in quadrants)))
    for name in ("strategy", "temperature", "rank", "logprob", "entropy", "varentropy"):
        rows.append((name, *(_value(token and shown(token, name)) for token in tokens)))
    listed = [token.candidates if token else [] for token in tokens]
    for nth, pair in enumerate(zip_longest(*listed), 1):
        said = (f"{c[1]!r} p {c[3]:.3f} ({c[2]:.2f})" if c else "-" for c in pair)
        rows.append((f"candidate {nth}", *said))
    return rows


def _token(end: "PromptRecord | TokenRecord | None") -> str:
    if end is None:
        return "the end"
    if isinstance(end, PromptRecord):
        return f"{end.role} says {end.text[:40]!r}"
    return f"{end.text!r} (id {end.id}, record {end.index})"


def _totals(a: "Side", b: "Side") -> list[Row]:
    totals = a.total, b.total
    rows: list[Row] = [
        ("tokens", a.tokens, b.tokens),
        ("tokens/s", *(_value(one.rate) for one in totals)),
        ("mean entropy, bits", *(_value(one.mean_entropy) for one in totals)),
        ("perplexity", *(_value(one.perplexity) for one in totals)),
        ("attention entropy", *(_value(one.mean_attn_entropy) for one in totals)),
        ("valleys", *(one.valleys for one in totals)),
    ]
    for quadrant in (*QUADRANTS, None):
        if any(one.quadrants[quadrant] for one in totals):
            words = dict.fromkeys(word(quadrant, one.split) for one in totals)
            shares = (
                percent(one.quadrants[quadrant] / (one.tokens or 1), brief=True) for one in totals
            )
            rows.append((" or ".join(words), *shares))
    return [*rows, ("ended", *(_value(one.finish_reason) for one in totals))]


def _value(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
