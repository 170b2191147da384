"""A finished answer as a document: kept whole, harmless, and left as it was entered."""

import pytest
from harness import scenario
from textual.widgets import Markdown
from viewing import viewing

from entropix_tui.tokens.token_ref import TokenRef
from entropix_tui.widgets.text import markdown_view

pytestmark = pytest.mark.filterwarnings("error")

DOCUMENT = """# Title

Some *words* and a [link](https://example.org).

- one
- two

| a | b |
|---|---|
| 1 | 2 |

```python
x = arr[i]
```
"""
HOSTILE = (
    "[/ [red]x[/red] \x1b[31m \u202eabc \x07 &#27;[2J &#x202e; &amp; <b>bold</b> List<int>\n\n"
    "\u2066\n\n"
    "# \x1b]0;t\x07 [/]\n\n| [/a] | \x9b |\n|---|---|\n| &#27; | [red] |\n\n"
    "```\x1b\n[/code] \x1b[31m &#27;\n```\n\n![\x1b](x) [\x1b[1m](javascript:x) `\x1b &#27;`\n\n"
    "    \x1b indented\n\n- \x07\n\n> \x1b\n\n<div>\x1b[/div]</div>\n"
)


@pytest.mark.slow
@scenario
async def test_there_and_back() -> None:
    async with viewing(turns=5) as v:
        v.view.move_to(TokenRef(100))
        await v.pilot.pause()
        before = v.rows(v.view)
        await v.texts.markdown.show(DOCUMENT)
        await v.pilot.pause()
        assert not v.view.display
        assert v.texts.markdown.has_focus
        text = v.text()
        for part in ("Title", "Some words and a link.", "• one", "x = arr[i]"):
            assert part in text
        assert "|---|" not in text, "a table is drawn"
        await v.press("m")
        assert v.view.has_focus
        assert v.rows(v.view) == before
        assert v.view.ref == TokenRef(100)
        await v.texts.markdown.show("other")
        await v.press("escape")
        assert v.rows(v.view) == before


@scenario
async def test_nothing_raw_reaches_the_terminal_and_nothing_is_lost() -> None:
    async with viewing(size=(100, 60)) as v:
        await v.texts.markdown.show(HOSTILE)
        await v.pilot.pause()
        text = v.text()
        assert not set(text) & set("\x1b\x07\x9b\u202e\u2066")
        for part in ("[/ [red]x[/red]", "‹1B›[31m", "<b>bold</b> List<int>", "[/code]", "[/a]"):
            assert part in text
        assert "‹U+202E›abc" in text
        assert "\ufffd[2J ‹U+202E› &" in text, "references are characters, too"


@scenario
async def test_links_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    async with viewing() as v:
        monkeypatch.setattr(v.app, "open_url", lambda url, **_: opened.append(url))
        await v.texts.markdown.show("[link](https://example.org)")
        await v.pilot.pause()
        document = v.app.query_one(Markdown)
        document.post_message(Markdown.LinkClicked(document, "https://example.org"))
        await v.pilot.pause()
        await v.pilot.click(v.texts.markdown, offset=(4, 0))
        await v.pilot.pause()
    assert opened == []


@pytest.mark.parametrize(("longest", "blocks"), [(45, 300), (1000, 6)])
@scenario
async def test_a_very_long_answer_is_cut_and_says_so(
    longest: int, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markdown_view, "LONGEST", longest)
    monkeypatch.setattr(markdown_view, "BLOCKS", blocks)
    async with viewing() as v:
        await v.texts.markdown.show("".join(f"- item {n}\n" for n in range(100)))
        await v.pilot.pause()
        assert "item 1" in v.text()
        assert "item 5" not in v.text()
        assert "This is only its beginning." in v.text()
