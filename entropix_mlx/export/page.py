"""A passage as one HTML page that needs nothing else: no network, no other file, no trust.

The page's own style and program are named to the browser by their digests, and nothing else may
run or load. Tokens are plain elements in blocks that the browser lays out when they come into
view; what is known of each is data that is read when it is looked at.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

import msgspec

from entropix_mlx.export import charts, details, style, text
from entropix_mlx.export.passage import Cell, Passage, Turn
from entropix_mlx.records.quadrants import KINDS, QUADRANTS
from entropix_mlx.terminal.palette import FORCED, VALLEY

BLOCK = 200
"""Tokens after which a block ends, at the next line break."""

LONGEST = 5000
"""Tokens of a block in a text that has no line breaks: a longer one keeps the browser waiting."""


def page(passage: Passage) -> str:
    """The whole file."""
    return "".join(_parts(passage))


def fragment(passage: Passage, height: int = 560) -> str:
    """The page in a frame of `height` pixels, for a notebook: apart from what stands around it."""
    return (
        f'<iframe title="{_title(passage)}" width="100%" height="{height}"'
        f' sandbox="allow-scripts" srcdoc="{_attribute(page(passage))}"></iframe>'
    )


def _parts(passage: Passage) -> Iterator[str]:
    sheet, program = _sheet(), _asset("page.js")
    # Nothing but these two; the tokens' data is no program.
    policy = (
        f"default-src 'none'; style-src '{_digest(sheet)}'; script-src '{_digest(program)}';"
        " base-uri 'none'; form-action 'none'"
    )
    title = _title(passage)
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{sheet}</style>\n</head>\n<body>\n"
    )
    yield f"<header><h1>{title}</h1><p>{_subtitle(passage)}</p>"
    yield '<button id="theme" type="button" hidden>Light or dark</button></header>\n<main>\n'
    yield _problems(passage.notes)
    yield f"{_legend()}\n"
    yield from _text(passage)
    cells = passage.cells
    if cells:
        yield "<section><h2>Trajectories</h2>"
        yield charts.chart(passage, charts.ENTROPY)
        yield charts.chart(passage, charts.VARENTROPY)
        yield f"</section>\n<section><h2>Plane</h2>{charts.plane(passage)}</section>\n"
    yield '<div class="tables"><section><h2>Summary</h2>'
    yield f"{_table(text.summary(passage))}</section>"
    yield f"<section><h2>Settings</h2>{_table(text.settings(passage))}</section></div>\n"
    yield "</main>\n"
    if cells:
        yield _panel(len(cells))
        yield from _data(passage)
    yield f"<script>{program}</script>\n</body>\n</html>\n"


def _title(passage: Passage) -> str:
    what = "A text under" if passage.is_scored else "A conversation with"
    return f"{what} {style.line(passage.header.model)}"


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
    return style.line(" · ".join(map(str, parts)))


def _problems(notes: list[str]) -> str:
    if not notes:
        return ""
    lines = "".join(f"<li>{style.line(note)}</li>" for note in notes)
    number = f"{len(notes)} note{'s' * (len(notes) != 1)}"
    return (
        f'<details class="problems" open><summary>{number} on the file</summary>'
        f"<ul>{lines}</ul></details>\n"
    )


def _legend() -> str:
    entries = [
        f'<li><i class="{style.LETTERS[quadrant]}">{quadrant}</i> {KINDS[quadrant].caption}</li>'
        for quadrant in QUADRANTS
    ]
    entries.append(f"<li>{VALLEY} valley of the entropy</li>")
    entries += [f"<li>{sign} forced: {kind}</li>" for kind, sign in FORCED.items()]
    entries.append("<li>▫ no character (yet)</li>")
    return f'<ul class="legend" aria-label="Legend">{"".join(entries)}</ul>'


def _text(passage: Passage) -> Iterator[str]:
    at = 0
    cells = passage.cells
    for turn in passage.turns:
        kind = "prompt" if turn.node is not None else "answer"
        count = f"{turn.count} token{'s' * (turn.count != 1)}"
        yield f'<article class="{kind}"><h3>{style.line(turn.speaker)} ({count})</h3>'
        end = at + len(turn.tokens)
        yield from _blocks(passage, cells, at, end) if turn.tokens else _lines(turn)
        yield "</article>\n"
        at = end


def _blocks(passage: Passage, cells: list[Cell], at: int, end: int) -> Iterator[str]:
    """The tokens from `at` to `end`; blocks end with line breaks, so that none is
    added; only a text that has none in `LONGEST` tokens gets one."""
    begin = at
    parts: list[str] = []
    for n in range(at, end):
        cell = cells[n]
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


def _panel(count: int) -> str:
    return (
        '<aside id="panel" aria-label="Details of a token" hidden><div id="steps">'
        f'<input id="at" type="range" min="1" max="{count}" value="1" step="1"'
        ' aria-label="Token; arrow keys move" aria-controls="told">'
        '<button id="before" type="button" aria-label="Previous valley">◂▾</button>'
        '<button id="after" type="button" aria-label="Next valley">▾▸</button></div>'
        '<p id="told" aria-live="polite"></p><div id="more"></div></aside>\n'
    )


def _data(passage: Passage) -> Iterator[str]:
    names = msgspec.json.encode(
        {"piece": details.PIECE, "names": details.FIELDS, "units": details.UNITS}
    ).decode()
    for piece in (names, *details.pieces(passage)):
        yield f'<script type="application/json">{piece}</script>\n'


def _table(rows: Iterable[text.Row]) -> str:
    lines = (
        f'<tr><th scope="row">{style.line(name)}</th><td>{style.line(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table>{''.join(lines)}</table>"


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _sheet() -> str:
    light, dark = (
        "".join(f"--{name}:{value};" for name, value in style.colours(theme).items())
        for theme in ("light", "dark")
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        "@media(prefers-color-scheme:dark){"
        f":root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n{_asset('page.css')}"
    )


def _digest(source: str) -> str:
    """How a policy names an inline style or program."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _attribute(document: str) -> str:
    return document.replace("&", "&amp;").replace('"', "&quot;")
