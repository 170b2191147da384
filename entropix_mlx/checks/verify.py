"""A trace under its model once more: does every number stand?"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from entropix_mlx.decoding.cache_pool import common
from entropix_mlx.decoding.choice import Choice
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.make_records import calibration_of, versions
from entropix_mlx.decoding.score import measured
from entropix_mlx.records.quadrants import Quadrant, QuadrantSplit, quadrant_of
from entropix_mlx.records.record import PromptRecord, RunHeader, TokenRecord
from entropix_mlx.records.tree import ROOT, Node, Tree, ids_of
from entropix_mlx.sampling.calibration import METRICS
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.trace.trace import Trace
from entropix_models.errors import TraceError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet

COMPARED = ("logprob", *METRICS, "candidates", "rank", "quadrant")
"""What is compared, in the records' units; `candidates`: the log-probabilities of those listed.

`quadrant`: 1 where it is none that follows by the header's split from numbers as near as is
allowed; a trace without a split is not asked for it.
"""

_ALLOWED = {"float32": (1e-3, 5e-3), "float16": (0.02, 0.05), "bfloat16": (0.15, 0.3)}
"""By precision: on the same kind of device, and on another one."""

_MEANS = {"mlx": ", which may draw other tokens from the same seed"}
"""What a change means that is not to be seen in the numbers."""

Compared = tuple[int, float, float]
"""Index of a record, what it says, and what was found."""


class Tolerance(NamedTuple):
    """How far a number x may be off: `absolute + relative * |x|`."""

    absolute: float
    relative: float

    def __str__(self) -> str:
        return f"{self.absolute:g} + {self.relative:g} |x|"


class Deviation(NamedTuple):
    """How far a metric is off, over the tokens that have it.

    `greatest` is at record `at`; `beyond` counts those that are further off than is allowed.
    """

    metric: str
    compared: int
    greatest: float
    at: int
    mean: float
    allowed: Tolerance
    beyond: int


class Verified(NamedTuple):
    """What came of it. `wrong_bytes`: records whose bytes are not those of their id; `unread`:
    tokens whose beginning is missing, so that nothing can be said of them.
    """

    deviations: list[Deviation]
    tokens: int
    wrong_bytes: list[int]
    unread: int

    @property
    def stands(self) -> bool:
        return not self.wrong_bytes and not any(off.beyond for off in self.deviations)


def tolerances(header: RunHeader, model: LanguageModel) -> dict[str, Tolerance]:
    """How far each metric may be off.

    Reading a text at once and token by token sums in another order; half precision keeps three
    digits, bfloat16 two. The coarser of the two precisions counts.
    """
    same = header.device == model.device.kind
    pairs = [_ALLOWED.get(name, _ALLOWED["bfloat16"]) for name in (header.dtype, model.info.dtype)]
    limit = max(pairs)[0 if same else 1]
    found = dict.fromkeys(COMPARED, Tolerance(limit, limit))
    # Ranks of near-equals swap, and far down the list everything is near-equal.
    rank = Tolerance(1 if limit < 0.01 else 3, max(limit, 0.05))
    return found | {"rank": rank, "quadrant": Tolerance(0, 0)}


def circumstances(header: RunHeader, model: LanguageModel) -> list[str]:
    """What is another than it was when the trace was made, a line each."""
    info, now = model.info, versions()
    pairs = [
        ("model", header.model, info.name),
        ("weights", header.revision, info.revision),
        ("precision", header.dtype, info.dtype),
        ("device", header.device, model.device.kind),
        (
            "prompt tokens at a time",
            header.prefill_chunk or model.prefill_chunk,
            model.prefill_chunk,
        ),
        *((name, made, now[name]) for name, made in header.versions.items() if name in now),
    ]
    return [
        f"{what}: {made} then, {found} now{_MEANS.get(what, '')}"
        for what, made, found in pairs
        if made != found
    ]


def verify(
    model: LanguageModel, trace: Trace, settings: Settings, progress: Progress = quiet
) -> Verified:
    """Read everything that was recorded, branch by branch, and compare.

    What branches share is read once. `settings` say which layers' attention was averaged. Raises
    TraceError where the ids cannot be this model's.
    """
    tree = Tree.of(trace.records)
    decoder = Decoder(model, settings, calibration_of(model), seed=0)
    allowed, split = tolerances(trace.header, model), trace.header.quadrant_split
    compared: dict[str, list[Compared]] = {metric: [] for metric in allowed}
    wrong: list[int] = []
    seen: set[int] = set()
    read: list[int] = []
    tokens = unread = 0
    paths = [tree.path(branch.leaf) for branch in tree.branches()]
    total = sum(len(ids_of(path)) for path in paths)
    for path in paths:
        new = [node for node in path if node.index not in seen]
        seen.update(node.index for node in new)
        if path[0].parent != ROOT:
            unread += sum(isinstance(node, TokenRecord) for node in new)
            continue
        fresh = {id(record) for record in _records(new)}
        for record in _records(new):
            if model.tokenizer.token_bytes(record.id).hex() != record.bytes:
                wrong.append(record.index)
        ids = ids_of(path)
        _check(ids, trace.header, model)
        if len(ids) < 2:
            continue
        decoder.rewind(max(common(read, ids) - 1, 0))
        start, read = decoder.length, ids

        def told(done: int, _of: int, start: int = start) -> bool:
            progress("verifying", start + done, total, unit="tokens")
            return True

        if len(ids) > model.info.context_length:
            start, read = 0, []
            choices = measured(decoder, ids, told)
        else:
            choices = decoder.measure(ids[start:], told)
        for place, choice in zip(_places(path)[start + 1 :], choices, strict=True):
            if place is not None and id(place) in fresh:
                tokens += 1
                _compare(place, choice, compared)
                if split is not None:
                    possible = _quadrants(choice, split, allowed)
                    compared["quadrant"].append((place.index, place.quadrant not in possible, 0))
    deviations = [_deviation(metric, compared[metric], to) for metric, to in allowed.items()]
    return Verified(deviations, tokens, wrong, unread)


def _deviation(metric: str, compared: list[Compared], allowed: Tolerance) -> Deviation:
    offs = [(abs(recorded - found), index) for index, recorded, found in compared]
    greatest, at = max(offs, key=itemgetter(0), default=(0.0, ROOT))
    beyond = sum(
        not off <= allowed.absolute + allowed.relative * abs(recorded)
        for (off, _), (_, recorded, _) in zip(offs, compared, strict=True)
    )
    mean = sum(off for off, _ in offs) / (len(offs) or 1)
    return Deviation(metric, len(offs), greatest, at, mean, allowed, beyond)


def _compare(record: TokenRecord, choice: Choice, compared: dict[str, list[Compared]]) -> None:
    measured = (choice.entropy, choice.varentropy, *(choice.attention or (None,) * 4))
    found = dict(zip(METRICS, measured, strict=True))
    found |= {"logprob": choice.logprob, "rank": choice.rank}
    for name, value in found.items():
        if (recorded := getattr(record, name)) is not None and value is not None:
            compared[name].append((record.index, recorded, value))
    listed = {id: logprob for id, logprob, _ in choice.candidates}
    for id, _, logprob, _ in record.candidates:
        if id in listed:
            compared["candidates"].append((record.index, logprob, listed[id]))


def _quadrants(
    choice: Choice, split: QuadrantSplit, allowed: dict[str, Tolerance]
) -> set[Quadrant | None]:
    """In which a token can be whose numbers are off by no more than is allowed."""
    nearby = []
    for name in ("entropy", "varentropy"):
        value, (absolute, relative) = getattr(choice, name), allowed[name]
        off = absolute + relative * abs(value)
        nearby.append((value - off, value, value + off))
    return {quadrant_of(h, v, split) for h in nearby[0] for v in nearby[1]}


def _places(path: list[Node]) -> list[TokenRecord | None]:
    """For each id that the model reads, what was recorded of it."""
    found: list[TokenRecord | None] = []
    for node in path:
        if isinstance(node, TokenRecord):
            found.append(node)
        elif node.records is not None and [r.id for r in node.records] == node.ids:
            found += node.records
        else:
            found += [None] * len(node.ids)
    return found


def _records(nodes: Iterable[Node]) -> Iterator[TokenRecord]:
    for node in nodes:
        if isinstance(node, PromptRecord):
            yield from node.records or ()
        else:
            yield node


def _check(ids: list[int], header: RunHeader, model: LanguageModel) -> None:
    """Raises TraceError where the ids cannot be what this model has read."""
    info = model.info
    if (greatest := max(ids, default=0)) >= info.vocab_size:
        raise TraceError(
            f"the trace holds the id {greatest}, and {info.name} has {info.vocab_size} tokens: "
            "name the model that it was made with (--model)"
        )
    if header.sampler and len(ids) > info.context_length:  # scored texts are read in windows
        raise TraceError(
            f"a branch of the trace is {len(ids)} tokens long, and {info.name} reads "
            f"{info.context_length}: name the model that it was made with (--model)"
        )
