"""The page of a report: everything is there as text, nothing of it runs, and it can be browsed."""

import base64
import hashlib
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from browser import told
from made_runs import SAMPLERS, item, result, write_run
from pages import Page
from test_export_page import HOSTILE

from entropix_mlx.evaluation import page as report_page
from entropix_mlx.evaluation.item import Item, Result
from entropix_mlx.evaluation.page import ANSWERS, LONGEST, MARKS, NAMED, PIECE, page
from entropix_mlx.evaluation.report import Report
from entropix_mlx.terminal.glyphs import one_line, shown

GREEDY, MIN_P, CHAIN = SAMPLERS


def made(folder: Path, items: list[Item], results: list[Result], **fields: Any) -> str:
    write_run(folder, items, results, **fields)
    return page(Report.of(folder), folder)


def data(source: str) -> tuple[dict[str, Any], list[Any]]:
    head, *pieces = (
        json.loads(text) for kind, text in Page(source).scripts if kind == "application/json"
    )
    return head, [row for piece in pieces for row in piece]


def browsed(folder: Path, count: int = 25) -> str:
    items = [item(n, ("capitals", "sums")[n % 2], opening="It is") for n in range(count)]
    results = [
        result(sampler, each, right=right, given="x" if right or n % 4 else None, text=f"said {n}")
        for n, each in enumerate(items)
        for sampler, right in ((GREEDY, True), (MIN_P, n % 3 == 0), (CHAIN, n % 3 < 2))
    ]
    return made(folder, items, results)


def test_items_and_answers_are_all_there(tmp_path: Path) -> None:
    items = [item(n, rejected=("no",)) for n in range(PIECE + 3)]
    results = [
        result(MIN_P, items[1], 2, right=False),
        result(MIN_P, items[1], 1, right=False, given=None),
        result(GREEDY, items[1]),
        result(GREEDY, items[PIECE], finish_reason="context", right=False),
        result(CHAIN, items[2], right=None, trace="traces/a b/1.jsonl"),
    ]
    head, rows = data(made(tmp_path, items, results, samples=2))
    assert [row[0] for row in rows] == [each.id for each in items]
    assert rows[1][2:6] == ["Question 1?", "", ["answer 1"], ["no"]]
    answers = [(sampler, sample, mark) for sampler, sample, mark, *_ in rows[1][6]]
    assert answers == [(GREEDY, 1, "r"), (MIN_P, 1, "n"), (MIN_P, 2, "w")]
    assert rows[PIECE][6][0][2] == "l"
    ((_, _, mark, said, given, command, tokens, ended),) = rows[2][6]
    assert (mark, said, given, tokens, ended) == ("u", "It is answer 1.", "answer", 5, "stop")
    assert command == "entropix-tui replay 'traces/a b/1.jsonl'"
    assert set(head["marks"]) == set(MARKS)
    # Answered differently, right by all, right by none, without an answer: a bit each.
    assert [flags for _, flags in head["index"]][:3] == [0, 0b1001, 0]
    assert head["index"][PIECE] == [0, 0b1100]


def test_a_big_run_is_bounded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "ANSWERS", 30)
    source = browsed(tmp_path)
    _, rows = data(source)
    assert len(rows) == 10
    assert "The first 10 items; 15 more are in items.jsonl" in " ".join(Page(source).words)
    long = item(0, prompt="p" * (LONGEST + 7), rejected=tuple(map(str, range(NAMED + 3))))
    _, ((_, _, prompt, _, _, rejected, _),) = data(made(tmp_path / "long", [long], []))
    assert prompt == "p" * LONGEST + "… (7 more characters)"
    assert rejected == [*map(str, range(NAMED)), "and 3 more"]


@pytest.mark.slow
def test_ten_thousand_answers_are_a_page_of_a_few_megabytes(tmp_path: Path) -> None:
    items = [item(n) for n in range(3334)]
    results = [
        result(sampler, each, text="word " * 60, right=n % 2 == 0)
        for n, each in enumerate(items)
        for sampler in SAMPLERS
    ]
    assert ANSWERS >= len(results) >= 10_000
    source = made(tmp_path, items, results)
    said = sum(len(each.text) for each in results)
    # Beside what was said: its sampler, its command, numbers and punctuation.
    assert said < len(source) < said + 250 * len(results) + 300 * len(items)


def test_hostile_text_is_text(tmp_path: Path) -> None:
    items = [
        item(n, text, prompt=text, opening=text, accepted=(text,), rejected=(text,))
        for n, text in enumerate(HOSTILE)
    ]
    names = {"greedy": {"x": HOSTILE[0]}, HOSTILE[1]: {"preset": HOSTILE[2]}}
    results = [
        result(name, each, text=text, given=text, trace=text, finish_reason=text)
        for name in names
        for each, text in zip(items, HOSTILE, strict=True)
    ]
    source = made(
        tmp_path, items, results, samplers=names, notes=HOSTILE, problems=HOSTILE, model=HOSTILE[0]
    )
    read = Page(source)
    assert {name for name, _ in read.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "h1", "p", "button", "main"),
        *("details", "summary", "ul", "li", "section", "figure", "svg", "desc", "path", "circle"),
        *("text", "h2", "div", "table", "thead", "tbody", "tr", "th", "td", "form", "label"),
        *("select", "option", "span", "output", "noscript", "script"),
    }
    assert all(not name.startswith("on") for _, each in read.elements for name in each)
    _, rows = data(source)
    for text, row in zip(HOSTILE, rows, strict=True):
        assert row[2:6] == [shown(text), shown(text), [shown(text)], [shown(text)]]
        assert [(answer[3], answer[4]) for answer in row[6]] == [(shown(text), shown(text))] * 2
    for text in HOSTILE:
        assert one_line(text) in read.words
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f\u2028\u202e\ufeff]", source)


def test_nothing_else_may_run_or_load(tmp_path: Path) -> None:
    source = browsed(tmp_path)

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', source)
    (sheet,) = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    (program,) = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    assert unescape(policy).split("; ") == [
        "default-src 'none'",
        f"style-src {digest(sheet)}",
        f"script-src {digest(program)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "http" not in re.sub(r"http-equiv", "", source)
    assert " style=" not in source


@pytest.mark.chromium
class TestInABrowser:
    @pytest.mark.slow
    def test_items_are_browsed_and_tables_sorted(self, tmp_path: Path) -> None:
        driver = """
        const shown = () => [...document.querySelectorAll("#shown h3")].map((e) => e.textContent);
        const at = () => document.getElementById("at").textContent;
        const seen = [[shown(), at()]];
        document.getElementById("after").click();
        document.getElementById("after").click(); seen.push([shown(), at()]);
        const pick = (id, n) => {
          document.getElementById(id).selectedIndex = n;
          document.getElementById(id).dispatchEvent(new Event("change"));
        };
        pick("choice", 1); seen.push([shown(), at()]);
        pick("kind", 2); seen.push([shown(), at()]);
        pick("choice", 3); seen.push([shown(), at()]);
        pick("choice", 0); pick("kind", 0);
        const names = () => [...document.querySelectorAll(".sortable")[0].tBodies[0].rows]
          .map((row) => row.cells[0].textContent);
        const head = (n) => document.querySelectorAll(".sortable")[0].tHead.rows[0].cells[n];
        head(1).firstChild.click(); seen.push([names(), head(1).getAttribute("aria-sort")]);
        head(1).firstChild.click(); seen.push([names(), head(1).getAttribute("aria-sort")]);
        head(2).firstChild.click(); seen.push([names(), head(1).getAttribute("aria-sort")]);
        const first = document.querySelector("#shown article");
        seen.push([first.querySelector(".prompt").textContent,
          [...first.querySelectorAll("li")].map((e) => [e.className, e.textContent])]);
        seen.push(performance.getEntriesByType("resource").length);
        tell(seen);
        """
        found = told(browsed(tmp_path), driver, tmp_path / "page.html")
        first, last, differing, sums, none, down, up, other, article, loaded = found
        assert first[0][0] == "1. capitals, capitals-0"
        assert (len(first[0]), first[1]) == (10, "1–10 of 25")
        assert (len(last[0]), last[1]) == (5, "21–25 of 25")
        assert differing[1] == "1–10 of 16"
        assert sums[0][0] == "2. sums, sums-1"
        assert sums[1] == "1–8 of 8"
        assert none == [[], "none"]
        assert down == [[GREEDY, CHAIN, MIN_P], "descending"]
        assert up == [[MIN_P, CHAIN, GREEDY], "ascending"]
        assert other == [[CHAIN, MIN_P, GREEDY], None]
        assert article[0] == "Question 0?"
        assert [look for look, _ in article[1]] == ["r", "r", "r"]
        assert article[1][0][1] == (
            "✓ right: greedy, sample 1; 5 tokens, stopsaid 0Settles on: x"
            "entropix-tui replay traces/x/capitals-0-1.jsonl"
        )
        assert loaded == 0

    @pytest.mark.slow
    @pytest.mark.parametrize("width", [400, 1200])
    def test_nothing_hangs_over_the_edge(self, width: int, tmp_path: Path) -> None:
        long = "x" * 300
        items = [item(n, f"{long}{n}", prompt=long, accepted=(long,)) for n in range(2)]
        names = {GREEDY: {"key": long}, long: {}}
        results = [result(name, each, text=long, trace=long) for name in names for each in items]
        wide = made(tmp_path / "b", items, results, samplers=names, problems=[long], notes=[long])
        # A window is no narrower than 500 pixels.
        driver = f"""
        document.documentElement.style.width = "{width}px";
        const cut = [document.body, ...document.querySelectorAll("article")];
        for (const each of cut) each.style.contentVisibility = "visible";
        const over = cut.map((e) => e.scrollWidth - e.clientWidth);
        tell([document.body.offsetWidth, Math.max(...over)]);
        """
        for source in (browsed(tmp_path / "a"), wide):
            across, over = told(source, driver, tmp_path / "page.html", "--window-size=1400,900")
            assert (across, over) == (width, 0)

    @pytest.mark.slow
    def test_hostile_text_stays_text(self, tmp_path: Path) -> None:
        items = [item(n, prompt=text, accepted=(text,)) for n, text in enumerate(HOSTILE[:10])]
        results = [
            result(GREEDY, each, text=text) for each, text in zip(items, HOSTILE[:10], strict=True)
        ]
        driver = """
        const texts = (look) => [...document.querySelectorAll(look)].map((e) => e.textContent);
        tell([texts(".prompt"), texts(".answer"), document.scripts.length, document.images.length]);
        """
        source = made(tmp_path, items, results)
        prompts, answers, scripts, images = told(source, driver, tmp_path / "page.html")
        assert prompts == answers == [shown(text) for text in HOSTILE[:10]]
        assert (scripts, images) == (3, 0)
