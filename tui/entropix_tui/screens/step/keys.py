"""The keys of the debugger, each by the name under which a user can change it."""

from textual.binding import Binding, BindingType

from entropix_tui.keys.keymap import Task
from entropix_tui.screens.step.pages import PAGES, Page

TASKS = [
    Task("Ask something, and halt before its answer", ("step.ask",)),
    Task("Take what is proposed; go on to the end of the word", ("step.step", "step.next")),
    Task("Take another candidate, by its place or under the cursor", ("step.take_1", "step.take")),
    Task("Insert a text; forbid a token; draw again", ("step.type", "step.ban", "step.redraw")),
    Task("Look back and on, without a model call", ("step.back", "step.forward")),
    Task("Rewind: halt again before the token that is looked at", ("step.rewind",)),
    Task("Halt where a condition holds; go on to there", ("step.break", "step.continue")),
    Task("See what each stage of the sampler removed", ("step.page_waterfall",)),
    Task("See the whole vocabulary, with raw logits", ("step.vocabulary",)),
    Task("See where it looked, what each layer would have said, one step further",
         ("step.page_attention", "step.page_lens", "step.page_futures")),
    Task("Change a parameter of the sampler from here on", ("step.set",)),
    Task("Other branches", ("step.page_branches",)),
    Task("Any command by name: help lists them", ("step.command",)),
    Task("Back to the conversation", ("step.leave",)),
]  # fmt: skip

_LOOK = Binding.Group("back/on", compact=True)


def _key(
    key: str, action: str, name: str, id: str, tooltip: str = "", *, show: bool = False
) -> Binding:
    return Binding(key, action, name, id=f"step.{id}", tooltip=tooltip, show=show)


def _page(page: Page, name: str) -> Binding:
    return _key(
        PAGES[page], f"page('{page}')", name, f"page_{page}", f"Open or close the page: {name}"
    )


KEYS: list[BindingType] = [
    _key("a", "ask('ask')", "Ask", "ask", "Send a prompt and halt before its answer",
         show=True),
    _key("s,space", "go('step')", "Step", "step",
         "Take what is proposed; looking back, one token on", show=True),
    _key("n", "go('next')", "Word", "next", "To the end of the word", show=True),
    _key("c", "go('continue')", "Continue", "continue",
         "To the next breakpoint, or the end", show=True),
    Binding("left", "go('back')", "Back", id="step.back", show=True, group=_LOOK,
            tooltip="Look at the token before, without a model call"),
    Binding("right", "forward", "On", id="step.forward", show=True, group=_LOOK,
            tooltip="Look at the token after"),
    _key("w", "go('rewind')", "Rewind", "rewind",
         "Halt before the token that is looked at, or before the last one, again", show=True),
    _key("h", "go('back')", "Back", "back"),
    _key("l", "forward", "On", "forward"),
    _key("t", "ask('type')", "Type", "type", "Insert a text in place of what is proposed"),
    _key("B", "ask('break')", "Break", "break", "Add a breakpoint", show=True),
    _key("colon", "ask('')", "Command", "command", "Any command of the debugger", show=True),
    _key("f1", "app.help", "Help", "help", "Everything that can be done here", show=True),
    _key("question_mark", "app.help", "Help", "help"),
    _key("u", "go('until sentence')", "Sentence", "sentence", "To the end of the sentence"),
    _key("U", "go('until line')", "Line", "line", "To the end of the line"),
    _key("f", "go('finish')", "Finish", "finish", "To the end of the message"),
    _key("g", "run", "Run", "run", "Continue in the open, at so many tokens a second"),
    _key("plus", "speed(1)", "Faster", "faster", "Run faster"),
    _key("minus", "speed(-1)", "Slower", "slower", "Run slower"),
    _key("enter", "take_row", "Take", "take", "Take the candidate under the cursor"),
    *(
        _key(str(n), f"take({n})", f"Take {n}", f"take_{n}", f"Take candidate {n}")
        for n in range(1, 10)
    ),
    _key("b", "go('ban')", "Ban", "ban", "Forbid the proposed token here"),
    _key("d", "go('redraw')", "Redraw", "redraw", "Draw again with another key"),
    _key("p", "ask('set')", "Set", "set", "Change a parameter of the sampler"),
    _key("e", "go('end')", "End", "end", "End the message here"),
    _key("R", "go('reverse-continue')", "Reverse", "reverse",
         "Back to where a breakpoint was met"),
    _key("D", "ask('display')", "Display", "display", "Show these fields at every halt"),
    _key("x", "vocabulary", "Vocabulary", "vocabulary",
         "The whole vocabulary that it is drawn from, with raw logits"),
    _page("waterfall", "the sampler's stages"),
    _page("attention", "attention"),
    _page("lens", "logit lens"),
    _page("futures", "one-step futures"),
    _page("points", "breakpoints"),
    _page("branches", "branches"),
    _page("log", "what was said"),
    _key("left_square_bracket", "turn(-1)", "Page before", "page_before"),
    _key("right_square_bracket", "turn(1)", "Page after", "page_after"),
    _key("v", "colour", "Colours", "colours", "Colour the text by the next measure"),
    _key("f6", "app.jump", "Jump", "jump", "A letter over every part: it goes there"),
    _key("escape", "leave", "Leave", "leave",
         "Stop a run, else close a field, a page, the debugger", show=True),
]  # fmt: skip
