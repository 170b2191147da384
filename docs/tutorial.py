"""Writes the debugger's tutorial, docs/debugging.md, from a real run: `python docs/tutorial.py`.

The prose is here, the output comes from SmolLM2-135M under the greedy sampler. If a step no longer
halts where the prose says, this fails: then the text has to be written anew.
"""

import argparse
import textwrap
from pathlib import Path

from entropix_mlx import api
from entropix_mlx.debugger.commands import COMMANDS, execute
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import Halt, Looking, Output
from entropix_mlx.debugger.text import lines, report
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.session import Session
from entropix_models.devices import release_thread

FILE = Path(__file__).with_name("debugging.md")
PROMPT = "Which number is larger, 9.9 or 9.11? Answer with the number only."
SYSTEM = "You are a helpful assistant"
WIDTH = 96


class Tutorial:
    """The page as it grows, and the debugger that it is about."""

    def __init__(self, debugger: Debugger) -> None:
        self.debugger = debugger
        self.page: list[str] = []

    def say(self, text: str) -> None:
        self.page += [*textwrap.wrap(" ".join(text.split()), WIDTH), ""]

    def do(self, *commands: str, keep: int = 0, full: bool = False) -> Output:
        """Show commands with what they gave: `keep` lines at the end of it; all where it is 0.
        Gives the last output of the last one.
        """
        shown, outputs = ["```"], list[Output]()
        for command in commands:
            told: list[str] = []
            *outputs, _done = execute(self.debugger, command)
            for output in outputs:
                teller = report if full and isinstance(output, Halt) else lines
                told += teller(self.debugger, output)  # type: ignore[operator]
            cut = [f"   ... {len(told) - keep} lines"] if keep and len(told) > keep else []
            shown += [f"(step) {command}", *cut, *(told[-keep:] if keep else told)]
        self.page += [*(line[:WIDTH].rstrip() for line in shown), "```", ""]
        return outputs[-1]


def write(tutorial: Tutorial) -> None:
    """The tutorial, step by step."""
    t = tutorial
    t.page += ["# Debugging an answer", "", "<!-- made by docs/tutorial.py -->", ""]
    t.say(
        """A small model says that 9.11 is larger than 9.9. Where did it decide that? The debugger
        stops the model between computing a distribution and drawing from it. Everything below can
        be typed into `entropix-tui step` (`:` opens the command line; most commands have a key), or
        kept in a file for `entropix-tui step PROMPT --script FILE`."""
    )
    t.page += [
        "```",
        f"entropix-tui step {PROMPT!r} \\",
        f"  --system {SYSTEM!r} --sampler greedy",
        "```",
        "",
    ]
    t.say("First let it speak. Each line is a token: its entropy H, varentropy V, probability.")
    t.do(f"ask {PROMPT}")
    t.do("continue", keep=12)
    t.say(
        """The claim stands near the end. Go back to where it took the first digit after "9.": a
        condition on the text so far, and `reverse-continue`, which needs no model call."""
    )
    looking = t.do('break so_far ~ "reason 9\\.\\d$"', "reverse-continue")
    assert isinstance(looking, Looking), looking
    t.say(
        """`rewind` returns to the moment before that draw: the cache is trimmed, the distribution
        is exactly the one it was."""
    )
    halt = t.do("rewind", full=True)
    assert isinstance(halt, Halt), halt
    spelt = [text for _, text, _, _ in halt.proposal.candidates]
    assert spelt[:2] == ["1", "9"], spelt
    t.say(
        """Here is the fork. The model was not sure: "1" has a little over half of the probability,
        "9" a quarter. A greedy sampler never looks at the second one. What would come after
        each of them?"""
    )
    t.do("futures 2")
    t.say("Which layer made up its mind? (The last lines of the logit lens.)")
    t.do("lens", keep=6)
    t.say("Take the other way. The edit is a branch; what was said before is still there.")
    t.do('take "9"', "delete all", "continue", keep=16)
    t.do("branches")
    t.say(
        """So the wrong answer hangs on one token with a probability of about one half. Whether
        another sampler takes the other way more often is a question for many seeds, not for one
        run: `preset temperature`, `rewind`, `redraw` try a few of them here."""
    )
    t.page += ["## All commands", "", "| command | short | |", "|---|---|---|"]
    for command in COMMANDS:
        usage = command.usage.replace("|", "\\|")
        t.page.append(f"| `{usage}` | {', '.join(command.aliases)} | {command.help} |")
    t.page += ["", *GRAMMAR.strip().splitlines(), ""]


GRAMMAR = """
## Conditions

`break`, `tbreak` and `watch` take a condition over the token that is proposed:

- numbers: `entropy`, `varentropy`, `attn_entropy`, `attn_varentropy`, `agreement`,
  `interaction_strength`, `logprob`, `p` (raw probability), `p("text")` (of the token that spells
  it), `surprisal`, `rank` (1 = most likely, as on screens), `rank0` (the trace's, from 0),
  `temperature`, `top_k`, `top_p`, `min_p`, `index`, `step`, `ms`, and `delta(...)` of a measure:
  its change since the token before;
- texts: `text`, `token`, `so_far`, `quadrant`, `region`, `strategy`, `forced`, compared with `==`,
  `!=`, `~ "regular expression"`, `!~`;
- `changed(region)`, `changed(quadrant)`, `changed(strategy)`;
- `<` `<=` `>` `>=` `==` `!=`, chains (`1 < entropy < 3`), `and`, `or`, `not`, parentheses, `null`.

A comparison with something that a token doesn't have is false: `forced != "user"` doesn't hold
for a token that was not forced; write `not forced == "user"`. A comparison with a rank that every
token meets, or none, is refused: `rank > 0` was meant to be `rank > 1`, or `rank0 > 0`.

Regular expressions, of at most 200 characters, are those of the library
[regex](https://github.com/mrabarnett/mrab-regex): what `re` has, `\\p{Lu}` and the like. They are
searched for in the last 2,000 characters of a text; the search for one that backtracks too much is
given up, and an error names it.

A line may end in what to do instead of stopping: `do log`, `do fork 3`, `do preset greedy`,
`do inject " Wait,"`. `catch` knows `end`, `special`, `utf8`, `forced`, `context N`, `valley` and
`nan`. Nothing is ever evaluated as Python; what is outside the grammar is an error at its column.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    try:
        model = api.load("smollm2-135m", device="cpu")
        session = Session(model, Settings.make("greedy"), seed=7, system=SYSTEM)
        tutorial = Tutorial(Debugger(session))
        write(tutorial)
        args.out.write_text("\n".join(tutorial.page), encoding="utf-8")
        print(args.out)
    finally:
        release_thread()


if __name__ == "__main__":
    main()
