"""The keys of the text, each by the name under which a user can change it."""

from textual.binding import Binding, BindingType

from entropix_tui.transcript.motion import Motion


def _motion(key: str, kind: Motion, step: int, what: str, show: bool = False) -> Binding:
    way = "next" if step > 0 else "previous"
    return Binding(
        key, f"move('{kind}', {step})", what.format(way), show=show, id=f"tokens.{way}_{kind}"
    )


KEYS: list[BindingType] = [
    _motion("left", "token", -1, "{} token"),
    _motion("right", "token", 1, "{} token"),
    _motion("w", "word", 1, "{} word"),
    _motion("b", "word", -1, "{} word"),
    _motion("v", "valley", 1, "{} valley", show=True),
    _motion("V", "valley", -1, "{} valley"),
    _motion("f", "fork", 1, "{} fork", show=True),
    _motion("F", "fork", -1, "{} fork"),
    _motion("r", "region", 1, "{} region"),
    _motion("R", "region", -1, "{} region"),
    Binding("up", "line(-1)", "line up", show=False, id="tokens.line_up"),
    Binding("down", "line(1)", "line down", show=False, id="tokens.line_down"),
    Binding("home", "edge(-1)", "to the top", show=False, id="tokens.top"),
    Binding("end", "edge(1)", "to the end", show=False, id="tokens.end"),
    Binding("pageup", "page(-1)", "page up", show=False, id="tokens.page_up"),
    Binding("pagedown", "page(1)", "page down", show=False, id="tokens.page_down"),
    Binding("enter", "fork", "another token", id="tokens.fork"),
    Binding("e", "edit", "edit message", id="tokens.edit"),
    Binding("c", "colour(1)", "colour", id="tokens.next_colour"),
    Binding("C", "colour(-1)", "previous colour", show=False, id="tokens.previous_colour"),
    Binding("l", "letters", "letters", show=False, id="tokens.letters"),
    Binding("m", "markdown", "markdown", id="tokens.markdown"),
    Binding("slash", "search", "search", id="tokens.search"),
    Binding("n", "match(1)", "next match", show=False, id="tokens.next_match"),
    Binding("N", "match(-1)", "previous match", show=False, id="tokens.previous_match"),
]
