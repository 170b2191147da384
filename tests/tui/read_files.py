"""What commands print of a trace and what exports hold, read as their readers read them."""

import csv
import html
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from known_answer import LAST, Known, Said, shared

from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.terminal.palette import TRUECOLOR

Call = Callable[..., tuple[str, str]]
"""Runs a command line; its standard output and standard error."""

_ANSI = re.compile(r"\x1b\[([\d;]+)m(.*?)\x1b\[0m", re.DOTALL)
_ORDINAL = r"([\d,]+)(?:st|nd|rd|th)"


def _percent(p: float) -> str:
    return f"{100 * p:.9f}"


def one_line(by: str, line: str, known: Known) -> Iterator[Said]:
    """The line of a run's figures."""
    for what, pattern in (
        ("tokens", r"^(\d+) tokens"),
        ("tokens per second", r"([\d.]+) tokens/s"),
        ("mean entropy", r"mean entropy ([\d.]+) bits"),
        ("perplexity", r"perplexity ([\d.]+)"),
        ("valleys", r"(\d+) valleys?\b"),
        ("seed", r"seed (\d+)"),
    ):
        if found := re.search(pattern, line):
            yield Said(by, what, found[1])
    shares = re.findall(r"([a-z ]+?) (\d+) %", line)
    yield from shared(by, known, {word.strip(): share for word, share in shares})
    if (last := line.rpartition(" · ")[2]).isalpha():
        yield Said(by, "end", last)


def show(call: Call, path: Path, known: Known) -> Iterator[Said]:
    """`trace show` in colour, plain, as a trace, and step by step."""
    coloured, told = call("trace", "show", path, "--format", "color")
    yield from one_line("trace show's line", told.splitlines()[-1], known)
    plain, _ = call("trace", "show", path, "--format", "plain")
    assert plain.split() == [record.text.strip() for record in known.tokens if record.text]
    by_colour = {cue.color: quadrant for quadrant, cue in TRUECOLOR["dark"].items()}
    for codes, text in _ANSI.findall(coloured):
        red, green, blue = map(int, re.search(r"38;2;(\d+);(\d+);(\d+)", codes).groups())  # type: ignore[union-attr]
        name, said = text.strip("⟨⟩ "), by_colour[f"#{red:02X}{green:02X}{blue:02X}"]
        yield Said("trace show's colours", f"quadrant of {name}", said)
        yield Said(
            "trace show's colours", f"forced of {name}", "clarify" if "⟨" in text else "None"
        )
    for name in re.findall("[a-z]+", _ANSI.sub("", coloured)):
        yield Said("trace show's colours", f"quadrant of {name}", "None")
    lines, _ = call("trace", "show", path, "--format", "jsonl")
    rows = [json.loads(line) for line in lines.splitlines()]
    yield from _rows("trace show's jsonl", [row for row in rows if row["type"] == "token"], known)
    steps, _ = call("trace", "show", path, "--format", "steps")
    yield from _steps("trace show's steps", steps)


def _steps(by: str, text: str) -> Iterator[Said]:
    parts = re.split(r"^step (\d+)\n", text, flags=re.MULTILINE)[1:]
    yield Said(by, "tokens", parts[-2])
    for number, lines in zip(parts[::2], map(str.splitlines, parts[1::2]), strict=True):
        *listed, selected, _ = lines
        found = re.fullmatch(
            rf"  (?:selected|put there|given): '(.*?)', (?:{_ORDINAL}, ([\d.]+) %)?"
            r"(?:, by (\w+))?(?:, T ([\d.]+))?(?: \((\w+)\))?(?:with nothing before it)?",
            selected,
        )
        assert found is not None, selected
        name = found[1].strip()
        yield Said(by, f"index of {name}", number)
        if found[2]:
            yield Said(by, f"rank of {name}", found[2])
            yield Said(by, f"p of {name}", found[3])
        if found[4]:
            yield Said(by, f"strategy of {name}", found[4])
        if found[5]:
            yield Said(by, f"temperature of {name}", found[5])
        if found[2]:
            yield Said(by, f"forced of {name}", str(found[6]))
        for line in listed:
            mark, place, text, share = re.fullmatch(  # type: ignore[union-attr]
                r"  (.) (\d+)\. '(.*?)' *  ([\d.]+) %", line
            ).groups()
            yield Said(by, f"candidate {place} of {name}", text.strip())
            yield Said(by, f"raw {place} of {name}", share)
            if mark == ">":
                yield Said(by, f"p of {name}", share)


def diff(call: Call, path: Path, known: Known) -> Iterator[Said]:
    """`trace diff` of a trace and itself: the figures of both sides."""
    text, _ = call("trace", "diff", path, path)
    yield Said("trace's diff", "tokens", re.search(r"the same (\d+) tokens", text)[1])  # type: ignore[index]
    names = {
        "tokens": "tokens",
        "tokens/s": "tokens per second",
        "mean entropy, bits": "mean entropy",
        "perplexity": "perplexity",
        "valleys": "valleys",
        "ended": "end",
    }
    both: list[dict[str, str]] = [{}, {}]
    for line in text.splitlines()[3:]:
        name, *values = re.split(r"  +", line.strip())
        for value, shares in zip(values, both, strict=True):
            if share := re.fullmatch(r"(\d+) %", value):
                shares[name] = share[1]
            elif name in names:
                yield Said("trace's diff", names[name], value)
    for shares in both:
        yield from shared("trace's diff", known, shares)


def exports(call: Call, path: Path, known: Known) -> Iterator[Said]:
    made = {
        name: call("trace", "export", path, "--to", name, "-o", "-")[0]
        for name in ("md", "txt", "csv", "json", "html", "svg")
    }
    yield from _markdown("Markdown", made["md"], known)
    assert " ".join(made["txt"].split()).endswith(
        " ".join(r.text.strip() for r in known.tokens).strip()
    )
    yield from _table("CSV", csv.DictReader(io.StringIO(made["csv"])), known)
    yield from _table("JSON", json.loads(made["json"]), known)
    yield from _page("the export's page", made["html"], known)
    yield from _picture("the export's picture", made["svg"], made["html"])


def _figures(by: str, rows: list[tuple[str, str]], known: Known) -> Iterator[Said]:
    """Names and values, as Markdown and the page have them."""
    shares = {}
    for name, value in rows:
        number = value.removesuffix(" bits").removesuffix(" %")
        if found := re.fullmatch(r"share of ([a-z ]+?)(?: \(([A-Z]{4})\))?", name):
            shares[found[1]] = number
            if found[2]:
                yield Said(by, f"word of {found[2]}", found[1])
        elif name in ("mean entropy", "perplexity", "tokens per second", "valleys", "seed"):
            yield Said(by, name, number)
        elif name == "tokens generated":
            yield Said(by, "tokens", number)
    yield from shared(by, known, shares)


def _markdown(by: str, text: str, known: Known) -> Iterator[Said]:
    plain = re.sub(r"\\(.)", r"\1", text)
    yield Said(by, "tokens", re.search(r"^## smollm2-135m \((\d+) tokens\)", plain, re.M)[1])  # type: ignore[index]
    yield from _figures(by, re.findall(r"^\| (.+?) \| (.+?) \|$", plain, re.M), known)


def _table(by: str, rows: Any, known: Known) -> Iterator[Said]:
    said = [
        {name: None if value == "" and name != "text" else value for name, value in row.items()}
        for row in rows
        if row["role"] == "assistant"
    ]
    yield from _rows(by, said, known)
    valleys = [row for row in said if str(row["valley"]).lower() == "true"]
    yield Said(by, "valleys", str(len(valleys)))
    for row in valleys:
        yield Said(by, "valley at", str(row["index"]))


def _rows(by: str, rows: list[dict[str, Any]], known: Known) -> Iterator[Said]:
    """Rows with the fields of a trace, where ranks count from 0 and logarithms are natural."""
    yield Said(by, "tokens", str(len(rows)))
    for row in rows:
        name = row["text"].strip() or LAST
        for field in ("quadrant", "strategy", "forced", "index"):
            yield Said(by, f"{field} of {name}", str(row[field]))
        if row["quadrant"]:
            yield Said(by, f"word of {name}", known.words[row["quadrant"]])
        for field in ("entropy", "varentropy", "temperature"):
            value = row[field]
            yield Said(by, f"{field} of {name}", "-" if value is None else f"{float(value):.9f}")
        rank = row["rank"]
        yield Said(by, f"rank of {name}", "-" if rank is None else str(int(rank) + 1))
        if rank is not None:
            yield Said(by, f"p of {name}", _percent(math.exp(float(row["logprob"]))))


def _page(by: str, source: str, known: Known) -> Iterator[Said]:
    legend = re.findall(
        r'<li class="said"><i class="(.)">(.+?)</i> \((\w+)\): (.+?) <q>(.+?)</q></li>', source
    )
    assert [quadrant for _, _, quadrant, *_ in legend] == list(QUADRANTS)
    words = {}
    for letter, word, quadrant, sentence, _ in legend:
        words[letter] = word
        yield Said(by, f"word of {quadrant}", html.unescape(word))
        yield Said(by, f"sentence of {quadrant}", html.unescape(sentence))
    yield Said(by, "tokens", re.search(r"<p>(\d+) tokens · ", source)[1])  # type: ignore[index]
    yield Said(by, "tokens", re.search(r"<h3>smollm2-135m \((\d+) tokens\)", source)[1])  # type: ignore[index]
    rows = re.findall(r'<tr><th scope="row">(.+?)</th><td>(.+?)</td></tr>', source)
    yield from _figures(by, [(html.unescape(a), html.unescape(b)) for a, b in rows], known)
    first, *pieces = re.findall(r'<script type="application/json">(.*?)</script>', source, re.S)
    fields = json.loads(first)
    cells = [
        dict(zip(fields["names"], row, strict=True)) | {"texts": piece["t"]}
        for piece in map(json.loads, pieces)
        for row in piece["r"]
    ]
    described = re.search(
        r"entropy in bits over (\d+) tokens: .*? (\d+) valleys?, at tokens (.+?)\.<", source
    )
    assert described is not None
    yield Said(by, "context", described[1])
    yield Said(by, "context", str(len(cells)))
    yield Said(by, "valleys", described[2])
    for place in described[3].split(", "):
        yield Said(by, "valley at", str(int(place) - known.prompted))
    elements = re.findall(r'<i class="?([^">]+)"?>([^<]*)</i>', source.partition("</ul>")[2])
    for (classes, _), cell in list(zip(elements, cells, strict=True))[known.prompted :]:
        yield from _cell(by, fields, cell, classes.split(), words)


def _cell(
    by: str, fields: dict[str, Any], cell: dict[str, Any], classes: list[str], words: dict[str, str]
) -> Iterator[Said]:
    def said(value: int | None) -> str:
        return str(None) if value is None else str(cell["texts"][value])

    name, units = said(cell["text"]).strip() or LAST, fields["units"]
    quadrant = said(cell["quadrant"])
    yield Said(by, f"quadrant of {name}", quadrant)
    if quadrant != "None":
        yield Said(by, f"word of {name}", fields["words"][quadrant])
        yield Said(by, f"word of {name}", words[classes[0]])
    for field in ("strategy", "forced"):
        yield Said(by, f"{field} of {name}", said(cell[field]))
    marks = {"fc": "clarify", "fu": "user", "fe": "exit"}
    forced = [mark for code, mark in marks.items() if code in classes]
    yield Said(by, f"forced of {name}", *(forced or ["None"]))
    yield Said(by, f"index of {name}", str(cell["index"]))
    for field in ("entropy", "varentropy", "temperature", "rank", "surprisal"):
        value = cell[field]
        if value is not None:
            yield Said(by, f"{field} of {name}", f"{value:.3f}" if field != "rank" else str(value))
        elif field != "surprisal":
            yield Said(by, f"{field} of {name}", "-")
    if cell["p"] is not None:
        yield Said(by, f"p of {name}", f"{100 * cell['p'] / units:.2f}")
    ways = cell["candidates"]
    for n, k in enumerate(range(0, len(ways), 3), 1):
        yield Said(by, f"candidate {n} of {name}", said(ways[k]).strip())
        yield Said(by, f"raw {n} of {name}", f"{100 * ways[k + 1] / units:.2f}")
        yield Said(by, f"drawn {n} of {name}", f"{100 * ways[k + 2] / units:.2f}")
        if cell["drawn"] == n - 1:
            yield Said(by, f"p drawn of {name}", f"{100 * ways[k + 2] / units:.2f}")
    for _ in (mark for mark in ("v" in classes, cell["valley"]) if mark):
        yield Said(by, "valley at", str(cell["index"]))


def _picture(by: str, source: str, page: str) -> Iterator[Said]:
    letters = dict(re.findall(r'<i class="(.)">.+?</i> \((\w+)\): ', page))
    answer = source.partition("smollm2-135m</text>")[2]
    for classes, text in re.findall(r'<text class="([^"]+)"[^>]*>([^<]*)</text>', answer):
        for name in re.findall(r"[a-z]+", text):
            yield Said(by, f"quadrant of {name}", letters.get(classes.split()[0], "None"))
