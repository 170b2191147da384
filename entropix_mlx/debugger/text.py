"""What the debugger gives, as lines of text for people without its screen."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from entropix_mlx.analysis.explain import why
from entropix_mlx.debugger import outputs
from entropix_mlx.debugger.breakpoints import BreakpointInfo
from entropix_mlx.debugger.outputs import Halt, Output, Told
from entropix_mlx.records.inspection import Inspection, Waterfall
from entropix_mlx.records.measures import shown
from entropix_mlx.records.quadrants import word
from entropix_mlx.records.record import End, Event, PromptRecord, TokenRecord

if TYPE_CHECKING:
    from entropix_mlx.debugger.debugger import Debugger


def lines(debugger: "Debugger", output: Output) -> Iterator[str]:
    """Lines for one output; control characters are not escaped in them."""
    match output:
        case Halt():
            yield from _halt(debugger, output)
        case outputs.Looking(index=index, reason=reason):
            record = debugger.session.tree[index]
            assert isinstance(record, TokenRecord)
            yield f"<- {token(debugger, record)}{f'  ({reason})' if reason else ''}"
        case outputs.Finished(reason=reason):
            yield f"-- the answer is over: {reason}" if reason else "-- no answer is under way"
        case outputs.Refused(message=message):
            yield f"!! {message}"
        case TokenRecord():
            yield f"   {token(debugger, output)}"
        case PromptRecord(role=role, text=text):
            yield f">> {role}: {text}"
        case Event(kind=kind, index=index, at=at, detail=detail):
            yield f".. {kind} at {index if at is None else at}{f': {detail}' if detail else ''}"
        case outputs.Displays(place=place):
            yield from lines(debugger, place)
        case Waterfall():
            yield from _waterfall(output)
        case Inspection():
            yield from _attention(output)
        case outputs.Lens(layers=layers):
            for n, layer in enumerate(layers):
                said = ", ".join(f"{text!r} {p:.2f}" for _, text, _, p in layer.candidates)
                yield (
                    f"layer {n:>2}  H {layer.entropy:5.2f}  "
                    f"rank of the last {layer.rank + 1:>6}  {said}"
                )
        case outputs.Futures(futures=futures):
            for future in futures:
                _, text, _, p = future.candidate
                then = ", ".join(repr(candidate[1]) for candidate in future.then)
                moments = f"H {future.entropy:5.2f} V {future.varentropy:5.2f}"
                yield f"{text!r:<18} p {p:.3f}  then {moments}  {then}"
        case End() | outputs.Done():
            pass
        case _:
            yield from told(output)


def told(output: Told) -> Iterator[str]:
    """Lines for what means the same wherever the debugger stands."""
    match output:
        case outputs.Listed(breakpoints=points):
            yield from map(breakpoint_line, points) if points else ["no breakpoints"]
        case outputs.Changed(verb="delete" | "enable" | "disable" as verb, breakpoints=points):
            yield f"{verb}d {', '.join(str(point.number) for point in points) or 'none'}"
        case outputs.Changed(breakpoints=points):
            yield from map(breakpoint_line, points)
        case outputs.Branches(branches=branches, leaf=leaf):
            if not branches:
                yield "nothing has been said yet"
            for n, branch in enumerate(branches, 1):
                yield (
                    f"{'*' if branch.leaf == leaf else ' '}{n:>3}  {branch.name or '-'}  "
                    f"{branch.tokens} tokens from {branch.fork}, ends at {branch.leaf}"
                )
        case outputs.Decisions(records=records):
            if not records:
                yield "no token was decided by anyone but the sampler"
            for record in records:
                by, what = _decision(record)
                yield f"{record.index:>5}  {by:<8}  {what}"
        case outputs.Help(commands=commands):
            yield from (f"{usage:<28} {does}" for usage, does in commands)
        case outputs.Message(lines=message):
            yield from message


def breakpoint_line(point: BreakpointInfo) -> str:
    """A breakpoint and how often it was met."""
    notes = [f"hit {point.hits} times"] if point.hits != 1 else ["hit once"]
    if point.passes:
        notes.append(f"passes {point.passes} more")
    if not point.enabled:
        notes.append("disabled")
    return f"{point.number:>3}  {point.line}  ({', '.join(notes)})"


def token(debugger: "Debugger", record: TokenRecord) -> str:
    """A token and what was felt about it."""
    spelt = repr(record.text or bytes.fromhex(record.bytes).decode(errors="replace"))
    parts = [f"{record.index:>5} {spelt:<16}"]
    if record.entropy is not None and record.varentropy is not None:
        parts.append(f"H {record.entropy:5.2f}  V {record.varentropy:5.2f}")
    if record.logprob is not None and record.rank is not None:
        parts.append(f"p {math.exp(record.logprob):.3f}  rank {record.rank + 1}")
    quadrant = word(record.quadrant, debugger.session.header.quadrant_split)
    parts.append(f"{quadrant}, {record.strategy}")
    if record.forced:
        parts.append(f"forced ({record.forced})")
    return "  ".join(parts)


def report(debugger: "Debugger", halt: Halt) -> Iterator[str]:
    """A halt with its candidates and the reasons of the sampler."""
    yield from _halt(debugger, halt)
    for n, (id, text, logprob, p) in enumerate(halt.proposal.candidates, 1):
        mark = ">" if id == halt.proposal.id else " "
        yield f" {mark}{n:>2}. {text!r:<18} raw {math.exp(logprob):6.3f}  drawn {p:6.3f}"
    for line in why(halt.proposal, debugger.session.settings):
        yield f"    {line.text}"


def _halt(debugger: "Debugger", halt: Halt) -> Iterator[str]:
    for hit in halt.hits:
        yield f"** breakpoint {hit.number}: {hit.reason}"
    if halt.reread:
        yield f".. {halt.reread} tokens were read again: the cache could not be trimmed to here"
    yield f"=> {token(debugger, halt.proposal)}"
    fields = [f"{name} {shown(halt.proposal, name)}" for name in debugger.displays]
    if fields:
        yield f"   {', '.join(fields)}"


def _decision(record: TokenRecord | PromptRecord | Event) -> tuple[str, str]:
    """Who decided, and what."""
    match record:
        case TokenRecord(forced=forced, text=text):
            return str(forced), repr(text)
        case PromptRecord(role=role, text=text):
            return role, repr(text[:60])
        case Event(detail=detail):
            return "settings", str(detail)


def _waterfall(what: Waterfall) -> Iterator[str]:
    yield f"{what.region}, {what.strategy}"
    for stage in what.stages:
        setting = "" if stage.setting is None else f" {stage.setting:.3g}"
        yield (
            f"{stage.name + setting:<20} {stage.kept:>7} tokens left, {stage.removed:.3f} removed"
        )
    drawn = dict(what.tokens)
    yield "drawn: " + ", ".join(repr(drawn[id]) for id in what.drawn)


def _attention(what: Inspection) -> Iterator[str]:
    if what.attention is None:
        yield "this model's attention cannot be captured"
        return
    for n, row in enumerate(what.attention.entropy):
        yield f"layer {n:>2}  " + " ".join(f"{value:4.1f}" for value in row)
    strongest = what.attention.weights.argsort()[::-1][:8]
    for position in strongest:
        index, nth = what.places[position]
        weight = what.attention.weights[position]
        yield f"position {position} (record {index}, id {nth}): {weight:.3f}"
