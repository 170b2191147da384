"""What stands on the screens, read row by row: numbers, words, marks and colours."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness import lines, rows
from known_answer import LAST, Known, Said, shared
from textual.app import App
from textual.widget import Widget

from entropix_mlx.records.quadrants import KINDS
from entropix_mlx.terminal.palette import TRUECOLOR, VALLEY
from entropix_tui.tokens.labels import SPACE

_COLOURS = {cue.color for cue in TRUECOLOR["dark"].values()}
_ORDINAL = r"([\d,]+)(?:st|nd|rd|th)"
_MARKS = {"¿": "clarify", "†": "user", "‡": "exit"}


def _runs(app: App[Any], widget: Widget) -> Iterator[tuple[str, str | None]]:
    """Texts on a widget with their colours, from the top left to the bottom right."""
    region = widget.scrollable_content_region
    for strip in lines(app)[region.y : region.bottom]:
        for segment in strip.crop(region.x, region.right):
            color = segment.style.color if segment.style else None
            triplet = color.triplet if color else None
            yield segment.text, triplet.hex.upper() if triplet else None


def _joined(app: App[Any], widget: Widget) -> str:
    """What stands on a widget as one line: words are wrapped between words."""
    return " ".join(" ".join(rows(app, widget)).split())


def _numbered(value: str) -> str:
    return value.strip().removesuffix("%").strip().replace(",", "")


def _named(text: str) -> str:
    return text.replace(SPACE, "").strip()


# Of the whole answer.


def legend(app: App[Any], widget: Widget, known: Known) -> dict[str | None, str]:
    """Words by their colours; they have to be those of all quadrants."""
    found = {
        color: text.split(":")[0].strip() for text, color in _runs(app, widget) if color in _COLOURS
    }
    words = [word for quadrant, word in known.words.items() if quadrant]
    assert sorted(found.values()) == sorted(words), found
    return {**found, None: known.words[None]}


def text(by: str, app: App[Any], widget: Widget, words: Mapping[str | None, str]) -> Iterator[Said]:
    """The answer's tokens: their colours, as the legend reads them, and the marks before them."""
    answered, before = False, ""
    for shown, color in _runs(app, widget):
        answered = answered or "alfa" in shown
        if not answered:
            continue
        for part in re.findall(rf"[{VALLEY}{''.join(_MARKS)}]|<\|im_end\|>|[a-z]{{4,}}", shown):
            if not part[0].isascii():
                before += part
                continue
            if color in words or color not in _COLOURS:
                yield Said(by, f"word of {part}", words.get(color, words[None]))
            forced = [_MARKS[sign] for sign in before if sign in _MARKS]
            yield Said(by, f"forced of {part}", *(forced or ["None"]))
            if VALLEY in before:
                yield Said(by, "valley before", part)
            before = ""
            if part == LAST:
                return


def note(by: str, app: App[Any], widget: Widget) -> Iterator[Said]:
    """The line at the answer's end."""
    found = re.search(
        r"(\d+) tokens · ([\d.]+) tok/s · mean entropy ([\d.]+) bits · (\d+) valleys?( · seed 7)?",
        _joined(app, widget),
    )
    assert found is not None
    names = ("tokens", "tokens per second", "mean entropy", "valleys")
    yield from (Said(by, name, value) for name, value in zip(names, found.groups(), strict=False))


def summary(by: str, app: App[Any], widget: Widget, known: Known) -> Iterator[Said]:
    """The figures in any of their forms, and bars of as many cells as a share is of seven."""
    names = {
        "tokens": "tokens",
        "tokens/s": "tokens per second",
        "mean entropy": "mean entropy",
        "perplexity": "perplexity",
        "valleys": "valleys",
    }
    columns: list[dict[str, str]] = [{}, {}]
    for row in rows(app, widget):
        for pattern, what in (
            (r"(\d+) tok(?! ?/| ?en)", "tokens"),
            (r"([\d.]+) tok/s", "tokens per second"),
            (r"\bH ([\d.]+) bits", "mean entropy"),
            (r"perplexity ([\d.]+) ·|perplexity ([\d.]+)$", "perplexity"),
            (r"(\d+) valleys?\b", "valleys"),
            (r"context (\d+)", "context"),
            (r"seed (\d+)", "seed"),
        ):
            if found := re.search(pattern, row):
                yield Said(by, what, next(filter(None, found.groups())))
        for word in known.words.values():
            for column, (bar, share) in enumerate(
                re.findall(r"([█·]*) +(\d+) %", row.partition(f" {word} ")[2])
            ):
                if not bar and column:
                    break  # in one row: the next word's
                columns[column][word] = share
                if bar:
                    yield Said(by, f"bar of {word}", f"{bar.count('█')}")
                    yield Said(f"{by}, share", f"bar of {word}", f"{round(7 * int(share) / 100)}")
        cells = re.split(r"  +", row.strip())
        if cells[0] in names and len(cells) > 1:
            for value in cells[1:]:
                yield Said(by, names[cells[0]], value.removesuffix(" bits"))
    for shares in filter(None, columns):
        yield from shared(by, known, shares)


def sentences(by: str, app: App[Any], widget: Widget | None = None) -> Iterator[Said]:
    """Words with their sentences and captions, wherever all four are listed."""
    said = " ".join(" ".join(rows(app, widget)).split())
    words = "|".join(f"{kind.word}|{kind.older}" for kind in KINDS.values())
    for quadrant, kind in KINDS.items():
        before, _, said = said.partition(kind.caption)
        if found := re.search(rf"\b({words}) ([A-Z].*\.) \(?$", before):
            yield Said(by, f"word of {quadrant}", found[1])
            yield Said(by, f"sentence of {quadrant}", found[2])


def counts(by: str, app: App[Any]) -> Iterator[Said]:
    """The lines above and below: how much of the context is used, how far a replay is."""
    screen = "\n".join(rows(app))
    for used in re.findall(r"(\d+)/2048 tokens", screen):
        yield Said(f"{by}'s status", "context", used)
    for here, of in re.findall(r"‖ (\d+)/(\d+) tokens", screen):
        yield Said(f"{by}'s transport", "tokens", here)
        yield Said(f"{by}'s transport", "tokens", of)


def split_lines(by: str, app: App[Any], strips: Widget, legend: Widget) -> Iterator[Said]:
    """The thresholds by their numbers, beside the strips and in the legend."""
    measure = ""
    for row in rows(app, strips):
        if found := re.match(r"[ ▸]((?:var)?entropy)\s", row + " "):
            measure = found[1]
        if found := re.match(r" ┄ split ([\d. ]+?)  ", row):
            yield Said(by, f"{measure} of the split", found[1])
    told = "".join(rows(app, legend))
    for sign, measure in (("H", "entropy"), ("V", "varentropy")):
        if levels := set(re.findall(rf"{sign} [≥<>] ([\d.]+)", told)):
            yield Said("the legend", f"{measure} of the split", " ".join(sorted(levels, key=float)))


def strip_marks(by: str, app: App[Any], widget: Widget, label: int, known: Known) -> Iterator[Said]:
    """Valleys over the strips by the token that they stand at."""
    places = [
        at - label for row in rows(app, widget) for at, char in enumerate(row) if char == VALLEY
    ]
    yield Said(by, "valleys", str(len(places)))
    for place in places:
        yield Said(by, "valley at", str(place - known.prompted + 1))


# Of one token.


def strips(by: str, app: App[Any], widget: Widget, name: str) -> Iterator[Said]:
    """The figures of the cursor's token."""
    shown = rows(app, widget)
    for at, row in enumerate(shown):
        if found := re.match(r"[ ▸](entropy|varentropy)\s", row + " "):
            value = shown[at + 1].split()[0]
            yield Said(by, f"{found[1]} of {name}", value)


def plane(by: str, app: App[Any], widget: Widget, name: str) -> Iterator[Said]:
    """The last line."""
    line = rows(app, widget)[-1]
    found = re.match(r" [◆●]   ?([a-z ]+?)   H ([\d.]+)  V ([\d.]+)", line)
    if found is None:
        assert not line.strip(), line
        yield Said(by, f"entropy of {name}", "-")
        return
    yield Said(by, f"word of {name}", found[1])
    yield Said(by, f"entropy of {name}", found[2])
    yield Said(by, f"varentropy of {name}", found[3])


def facts(by: str, app: App[Any], widget: Widget, known: Known) -> Iterator[Said]:
    """The inspector's first page."""
    said = _joined(app, widget)
    head = re.match(r"“(.+?)” id \d+ at (\d+)", said)
    assert head is not None, said
    name = _named(head[1])
    yield Said(by, f"index of {name}", head[2])
    captions = "|".join(re.escape(kind.caption) for kind in KINDS.values())
    words = "|".join(word for quadrant, word in known.words.items() if quadrant)
    if found := re.search(rf"({words}): (.+?) (?:{captions}) \((\w+)\)", said):
        yield Said(by, f"word of {name}", found[1])
        yield Said(by, f"sentence about {name}", found[2])
        yield Said(by, f"quadrant of {name}", found[3])
    else:
        yield Said(by, f"quadrant of {name}", "None")
        yield Said(by, f"word of {name}", known.words[None])
    if f"{VALLEY} valley:" in said:
        yield Said(by, "valley at", head[2])
    if found := re.search(r"entropy H ([\d.]+|-) V ([\d.]+|-)", said):
        yield Said(by, f"entropy of {name}", found[1])
        yield Said(by, f"varentropy of {name}", found[2])
    if found := re.search(r"surprisal S ([\d.]+) bits", said):
        yield Said(by, f"surprisal of {name}", found[1])
    if found := re.search(r"→ \".+?\" H ([\d.]+) bits, V ([\d.]+) bits² → (\w+)", said):
        yield Said(by, f"entropy of {name}", found[1])
        yield Said(by, f"varentropy of {name}", found[2])
        yield Said(by, f"strategy of {name}", found[3].replace("inserted", "clarify"))
    yield from _why(by, said, name)


def _why(by: str, said: str, name: str) -> Iterator[Said]:
    """The plain sentence, and the line of rank and probabilities."""
    if found := re.search(
        r"(?:^|[”0-9\s])([\d.]+) % sure of “?(.+?)”?; then “?(.+?)”? ([\d.]+) %\.", said
    ):
        for n, (text, share) in enumerate([(found[2], found[1]), (found[3], found[4])], 1):
            yield Said(by, f"candidate {n} of {name}", text.strip())
            yield Said(by, f"raw {n} of {name}", share)
    if found := re.search(r"Drawn by (\w+), T ([\d.]+\d)", said):
        yield Said(by, f"strategy of {name}", found[1])
        yield Said(by, f"temperature of {name}", found[2])
        yield Said(by, f"forced of {name}", "None")
    if found := re.search(r"Put there (by you|to clarify), not drawn", said):
        forced = {"by you": "user", "to clarify": "clarify"}[found[1]]
        yield Said(by, f"forced of {name}", forced)
    if found := re.search(
        rf"(?:T [\d.]+|not drawn): “?\S+?”?, {_ORDINAL}(?:, ([\d.]+) %)?\.", said
    ):
        yield Said(by, f"rank of {name}", found[1])
        if found[2]:
            yield Said(by, f"p of {name}", found[2])
    if found := re.search(r"rank (\d+), p ([\d.]+) %(?:, as drawn ([\d.]+) %)?", said):
        yield Said(by, f"rank of {name}", found[1])
        yield Said(by, f"p of {name}", found[2])
        if found[3]:
            yield Said(by, f"p drawn of {name}", found[3])


def candidates(by: str, app: App[Any], widget: Widget, name: str) -> Iterator[Said]:
    """Ranks, texts, raw and final probabilities; the chosen one's are the token's."""
    place = 0
    for row in rows(app, widget):
        found = re.match(r"(▸| ) +(\d+) (\S+) +([\d.]+)% +(?:([\d.]+)%)? *([\d.]+)?", row)
        if found is None:
            continue
        mark, rank, spelt, raw, final, _ = found.groups()
        place += 1
        yield Said(by, f"candidate {place} of {name}", _named(spelt))
        yield Said(by, f"raw {place} of {name}", raw)
        if final:
            yield Said(by, f"drawn {place} of {name}", final)
        if mark == "▸":
            yield Said(by, f"p of {name}", raw)
            if final:
                yield Said(by, f"p drawn of {name}", final)
            if by != "the debugger's proposal":  # numbers there, no ranks
                yield Said(by, f"rank of {name}", rank)
    heading = rows(app, widget)[0] if rows(app, widget) else ""
    if found := re.search(r"tried T ([\d.]+) ", heading):
        yield Said(by, f"temperature of {name}", found[1])


def vocabulary(by: str, app: App[Any], name: str) -> Iterator[Said]:
    """The whole vocabulary: the chosen token's row, and the entropy above."""
    screen = rows(app)
    for row in screen:
        if found := re.match(r"▸ +([\d,]+) +\d+ (\S+) +-?[\d.]+ +([\d.]+)%", row):
            yield Said(by, f"rank of {name}", _numbered(found[1]))
            yield Said(by, f"p of {name}", found[3])
            assert _named(found[2]) == name, row
        if found := re.match(r"“.+” at (\d+), out of 1,000 tokens +H ([\d.]+) bits", row.strip()):
            yield Said(by, f"index of {name}", found[1])
            yield Said(by, f"entropy of {name}", found[2])


def proposal(by: str, app: App[Any], widget: Widget, known: Known) -> Iterator[Said]:
    """What the debugger would take, and why."""
    said = _joined(app, widget)
    words = "|".join(known.words[quadrant] for quadrant in known.words if quadrant)
    head = re.match(rf"“(.+?)”(?: H ([\d.]+) V ([\d.]+))?(?: ({words}))? (\w+)", said)
    assert head is not None, said
    name = _named(head[1])
    if head[2]:
        yield Said(by, f"entropy of {name}", head[2])
        yield Said(by, f"varentropy of {name}", head[3])
        yield Said(by, f"strategy of {name}", head[5])
    yield Said(by, f"word of {name}", head[4] or known.words[None])
    yield from _why(by, said, name)
