"""The page in a real browser: it opens offline, its keys work, hostile text stays text."""

import functools
import random
from pathlib import Path
from typing import Any

import pytest
from browser import dom, told
from pages import asked, passage, said
from test_export_page import HOSTILE

from entropix_mlx.export.page import fragment, page
from entropix_mlx.records.quadrants import QUADRANTS
from entropix_mlx.records.record import Event
from entropix_mlx.terminal.glyphs import one_line, shown

pytestmark = pytest.mark.chromium

STATE = """
const state = () => ({
  told: document.getElementById("told").textContent,
  live: document.getElementById("told").getAttribute("aria-live"),
  value: document.getElementById("at").getAttribute("aria-valuetext"),
  marked: [...document.querySelectorAll(".on")].map((e) => e.textContent),
  rows: [...document.querySelectorAll("#more tbody tr")].map((row) => row.textContent),
});
"""


def records() -> list[Any]:
    ways = [(504, " w", -0.1, 1.0), (9, "<b>", -3.0, 0.0)]
    words = [
        said(n, f" w{n}" + "\n" * (n % 40 == 39), rank=n % 3, candidates=ways)
        for n in range(1, 1200)
    ]
    return [asked(0, "Tell."), *words, Event(kind="valley", index=1100, at=1050)]


@functools.cache
def story() -> str:
    return page(passage(*records()))


@pytest.mark.slow
def test_keys_and_pointer_lead_through_the_tokens(tmp_path: Path) -> None:
    driver = """
    const slider = document.getElementById("at"), seen = [state()];
    const key = (name) => slider.dispatchEvent(new KeyboardEvent("keydown", {key: name}));
    slider.stepUp(); slider.dispatchEvent(new Event("input")); seen.push(state());
    key("PageDown"); seen.push(state());
    key("ArrowUp"); seen.push(state());
    document.getElementById("after").click(); seen.push(state());
    const other = document.querySelectorAll(".t i")[4];
    other.dispatchEvent(new MouseEvent("mouseover", {bubbles: true})); seen.push(state());
    other.click(); seen.push(state());
    seen.push({focus: document.activeElement.id});
    tell(seen);
    """
    first, second, paged, lines, valley, over, clicked, last = told(
        story(), STATE + driver, tmp_path / "page.html"
    )
    assert first["told"].startswith("Token 1 of 1199:  w1 entropy 1.25 bits, varentropy 2.50 bits²")
    assert "surprisal 0.72 bits, probability 60.7 %, rank 2" in first["told"]
    assert first["rows"] == ["▸  w90.48 %100.00 %", "  <b>4.98 %0.00 %"]
    assert first["marked"] == [" w1"]
    assert second["value"] == "2 of 1199:  w2"
    assert paged["marked"] == [" w52"]
    assert lines["marked"] == [" w42"]
    assert valley["marked"] == [" w1050"]
    assert valley["told"].endswith("valley")
    assert over["told"].startswith("Token 5 of")
    assert (over["marked"], over["live"]) == ([" w1050"], "off")
    assert (clicked["marked"], clicked["live"]) == ([" w5"], "polite")
    assert last == {"focus": "at"}


@pytest.mark.slow
def test_every_token_is_found_again(tmp_path: Path) -> None:
    """Elements, data and numbers agree from the first to the last."""
    driver = """
    const wrong = [];
    document.querySelectorAll(".t[data-n] i").forEach((element, n) => {
      element.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
      const said = document.querySelector("#told b").textContent;
      if (said !== element.textContent.replaceAll("\\n", "↵")) wrong.push([n, said]);
    });
    tell(wrong);
    """
    assert told(story(), driver, tmp_path / "page.html") == []


@pytest.mark.slow
def test_hostile_text_stays_text(tmp_path: Path) -> None:
    driver = """
    const rows = [];
    document.querySelectorAll(".t[data-n] i").forEach((element) => {
      element.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
      rows.push(document.querySelector("#told b").textContent);
      rows.push(document.querySelector("#more tbody td").textContent);
    });
    tell({
      blocks: [...document.querySelectorAll(".t")].map((e) => e.textContent),
      loaded: performance.getEntriesByType("resource").length,
      scripts: document.scripts.length,
      images: document.images.length,
      rows,
    });
    """
    turns = []
    for n, text in enumerate(HOSTILE):
        turns.append(asked(2 * n, text))
        turns.append(said(2 * n + 1, text, candidates=[(504, text, -1.0, 0.5)]))
    found = told(page(passage(*turns, notes=HOSTILE)), driver, tmp_path / "page.html")
    assert found["blocks"] == [shown(text) for text in HOSTILE for _ in range(2)]
    assert (found["loaded"], found["images"], found["scripts"]) == (0, 0, 3)
    assert found["rows"] == [
        words
        for text in HOSTILE
        for words in (shown(text).replace("\n", "↵"), f"▸ {one_line(text)}")
    ]


@pytest.mark.slow
def test_dark_and_light(tmp_path: Path) -> None:
    driver = """
    const ground = () => getComputedStyle(document.documentElement).backgroundColor;
    const seen = [ground()];
    for (let n = 0; n < 2; n++) {
      document.getElementById("theme").click();
      seen.push(ground());
    }
    tell(seen);
    """
    light, dark = "rgb(255, 255, 255)", "rgb(18, 18, 18)"
    file = tmp_path / "page.html"
    assert told(story(), driver, file) == [light, dark, light]
    wanted = "--blink-settings=preferredColorScheme=0"
    assert told(story(), driver, file, wanted) == [dark, light, dark]


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1300])
def test_nothing_hangs_over_the_edge(width: int, tmp_path: Path) -> None:
    long = asked(1200, "x" * 3000), said(1201, "y" * 3000)
    source = page(passage(*records(), *long, notes=["z" * 3000]))
    driver = """
    const wide = document.documentElement;
    tell([wide.scrollWidth - wide.clientWidth, document.body.scrollWidth - wide.clientWidth]);
    """
    over = told(source, driver, tmp_path / "page.html", f"--window-size={width},900")
    assert max(over) <= 0


@pytest.mark.slow
def test_a_notebooks_frame_runs(tmp_path: Path) -> None:
    """Apart from the page around it, and with its program allowed."""
    file = tmp_path / "notebook.html"
    file.write_text(
        f"<!doctype html><title>x</title>{fragment(passage(*records()))}", encoding="utf-8"
    )
    assert "<iframe" in dom(file)


@pytest.mark.slow
def test_a_hundred_thousand_tokens_open_in_three_seconds(tmp_path: Path) -> None:
    spread = random.Random(7)
    ways = [(504, " w", -0.1, 1.0), *((n, f" other{n}", -3.0, 0.0) for n in range(7))]
    words = [
        said(
            n,
            f" w{n}" + "\n" * (n % 60 == 59),
            quadrant=QUADRANTS[spread.randrange(4)],
            entropy=spread.expovariate(0.5),
            candidates=ways,
        )
        for n in range(100_000)
    ]
    source = page(passage(*words))
    assert source.count("<i class=") >= 100_000
    driver = """
    addEventListener("load", () => {
      const opened = performance.now(), steps = [];
      for (let n = 1; n <= 20; n++) {
        const began = performance.now();
        scrollTo(0, document.documentElement.scrollHeight * n / 20);
        document.body.getBoundingClientRect();
        document.elementFromPoint(100, 100);
        steps.push(performance.now() - began);
      }
      tell({opened, slowest: Math.max(...steps)});
      document.body.remove();  // else all of it is printed
    });
    """
    for _ in range(2):  # other tests may have the processor once
        found = told(source, driver, tmp_path / "page.html")
        if found["opened"] < 3000 and found["slowest"] < 300:
            break
    assert found["opened"] < 3000
    assert found["slowest"] < 300
