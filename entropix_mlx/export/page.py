"""A passage as one HTML page that needs nothing else: no network, no other file, no trust.

Tokens are plain elements in blocks that the browser lays out when they come into view; what is
known of each is data that is read when it is looked at.
"""

from collections.abc import Iterator

from entropix_mlx.export import charts, details, style, text
from entropix_mlx.export.passage import Passage, Turn
from entropix_mlx.export.template import asset, data, program, sheet, template
from entropix_mlx.records.quadrants import KINDS, QUADRANTS, sentence, word
from entropix_mlx.terminal.palette import FORCED, VALLEY

BLOCK = 200
"""Tokens after which a block ends, at the next line break."""

LONGEST = 5000
"""Tokens of a block in a text that has no line breaks: a longer one keeps the browser waiting."""


def page(passage: Passage) -> str:
    """The whole file."""
    split = passage.header.quadrant_split
    names = {
        "piece": details.PIECE,
        "names": details.FIELDS,
        "units": details.UNITS,
        "words": {quadrant: word(quadrant, split) for quadrant in QUADRANTS},
    }
    return template(__name__, "page.html").render(
        passage=passage,
        subtitle=_subtitle(passage),
        sheet=sheet(asset(__name__, "page.css")),
        program=program(asset(__name__, "page.js")),
        quadrants=[
            (quadrant, word(quadrant, split), sentence(quadrant, split), KINDS[quadrant].caption)
            for quadrant in QUADRANTS
        ],
        letters=style.LETTERS,
        valley=VALLEY,
        forced=FORCED.items(),
        turns=_turns(passage),
        charts=charts,
        tables=[("Summary", text.summary(passage)), ("Settings", text.settings(passage))],
        data=(data(names), *details.pieces(passage)),
    )


def fragment(passage: Passage, height: int = 560) -> str:
    """The page in a frame of `height` pixels, for a notebook: apart from what stands around it."""
    return (
        f'<iframe title="{style.line(passage.title)}" width="100%" height="{height}"'
        f' sandbox="allow-scripts" srcdoc="{_attribute(page(passage))}"></iframe>'
    )


def _subtitle(passage: Passage) -> str:
    sampler = passage.sampler
    seed = sampler["seed"]
    parts = [
        f"{len(passage.answers)} tokens",
        *([f"sampler {sampler['preset']}"] if "preset" in sampler else []),
        *([f"seed {seed}"] if seed is not None else []),
        passage.header.device,
        passage.header.created,
    ]
    return " · ".join(map(str, parts))


def _turns(passage: Passage) -> Iterator[tuple[Turn, str]]:
    """Each with its blocks."""
    at = 0
    for turn in passage.turns:
        end = at + len(turn.tokens)
        yield turn, "".join(_blocks(passage, at, end) if turn.tokens else _lines(turn))
        at = end


def _blocks(passage: Passage, at: int, end: int) -> Iterator[str]:
    """The tokens from `at` to `end`; blocks end with line breaks, so that none is
    added; only a text that has none in `LONGEST` tokens gets one."""
    begin = at
    parts: list[str] = []
    for n in range(at, end):
        cell = passage.cells[n]
        said = style.token(cell.token.text)
        look = style.classes(passage, cell)
        if said.startswith("\n"):
            look += " l"
        parts.append(
            f'<i class="{look}">{said}</i>' if " " in look else f"<i class={look}>{said}</i>"
        )
        size = n + 1 - begin
        if n + 1 == end or (size >= BLOCK and said.endswith("\n")) or size >= LONGEST:
            yield f'<div class="t" data-n="{begin}">{"".join(parts)}</div>'
            begin, parts = n + 1, []


def _lines(turn: Turn) -> Iterator[str]:
    """A prompt that has only text."""
    lines = style.text(turn.text).split("\n")
    for at in range(0, len(lines), BLOCK):
        block = "\n".join(lines[at : at + BLOCK])
        yield f'<div class="t">{block}{"" if at + BLOCK >= len(lines) else chr(10)}</div>'


def _attribute(document: str) -> str:
    return document.replace("&", "&amp;").replace('"', "&quot;")
