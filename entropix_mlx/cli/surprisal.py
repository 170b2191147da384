"""A scored text by surprisal: in colour with a legend and its valleys, and what surprised most."""

from collections.abc import Iterator, Mapping, Sequence

from entropix_mlx.analysis.surprise import Surprise, surprises
from entropix_mlx.cli.output import Depth, columns, renderers
from entropix_mlx.records.measures import MEASURES, class_of, limits, percent
from entropix_mlx.records.record import Event, TokenRecord
from entropix_mlx.terminal.palette import RAMP, RAMP_PLAIN, RAMP_SIXTEEN, VALLEY, Cue, Theme
from entropix_mlx.terminal.visible import escaped

_SCALE = MEASURES["surprisal"].scale
assert _SCALE is not None
SCALE = _SCALE

BEFORE = 40
"""Characters before a surprising token that say where it stands."""


def painted(records: Sequence[TokenRecord | Event], depth: Depth) -> str:
    """The text with a colour and a cue for each class of surprisal, valleys marked; then a legend.

    Control characters are escaped. What met no distribution has no colour.
    """
    plain = dict(enumerate(RAMP_PLAIN))
    render = renderers(depth, _by_class(RAMP), _by_class(RAMP_SIXTEEN), plain)
    valleys = {record.at for record in records if isinstance(record, Event)}
    text = ""
    for record in records:
        if isinstance(record, Event):
            continue
        said = escaped(record.text)
        word = said.lstrip(" ") or said  # what is underlined begins with the word
        mark = VALLEY if record.index in valleys else ""
        bits = SCALE.value(record)
        look = str if bits is None else render[class_of(SCALE, bits)]
        text += said[: len(said) - len(word)] + look(mark + word)
    levels = [f"{limit:g}" for limit in limits(SCALE)]
    labels = [f"under {levels[0]}", *(f"from {level}" for level in levels)]
    legend = "  ".join(render[n](f" {label} ") for n, label in enumerate(labels))
    end = "" if text.endswith("\n") else "\n"
    return f"{text}{end}\nsurprisal in bits: {legend}  {VALLEY} valley\n"


def ranked(records: Sequence[TokenRecord]) -> Iterator[str]:
    """Lines of a table: the most surprising tokens, what was expected instead, and where."""
    found = surprises(records, least=limits(SCALE)[0])
    if not records:
        return
    if not found:
        yield f"nothing surprised the model by {limits(SCALE)[0]:g} bits or more"
        return
    text = "".join(record.text for record in records)
    rows = [("most surprising", "bits", "expected", "where"), *(_row(one, text) for one in found)]
    yield from columns(rows)


def _by_class(ramp: Mapping[Theme, Sequence[Cue]]) -> dict[Theme, dict[int, Cue]]:
    return {theme: dict(enumerate(cues)) for theme, cues in ramp.items()}


def _row(one: Surprise, text: str) -> tuple[str, str, str, str]:
    before = text[: one.at]
    line = before.rpartition("\n")[2]
    tail = line if len(line) <= BEFORE else "…" + line[-BEFORE:]
    where = f"line {before.count(chr(10)) + 1}" + (f": {tail}" if tail.strip() else "")
    return repr(one.token), f"{one.bits:.1f}", f"{one.expected!r} {percent(one.p, 1)}", where
