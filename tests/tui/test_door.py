"""What widgets draw doesn't steer the terminal, even where one forgets to show it by its number."""

from collections.abc import Iterator
from typing import Any

from harness import HOSTILE, hosted, scenario
from rich.text import Text
from textual.app import App
from textual.widgets import Static

from entropix_mlx.terminal.visible import STEERING


def segments(app: App[Any]) -> Iterator[str]:
    """What is sent for each stretch of the screen."""
    for strip in app.screen._compositor.render_strips():
        yield from (text for text, _, control in strip if not control)


@scenario
async def test_a_widget_that_forgets_steers_nothing() -> None:
    raw = HOSTILE + "\x9b31m\x85 end"
    async with hosted(lambda: Static(Text(raw + "\n" + raw))) as (app, _):
        drawn = "".join(segments(app))
        assert not STEERING.search(drawn)
        assert drawn.count("end") == 2
