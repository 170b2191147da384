"""The keys of the chat, each by the name under which a user can change it."""

from textual.binding import Binding, BindingType

from entropix_tui.conversation.demos import KEYS as DEMO_KEYS
from entropix_tui.keys.keymap import Task
from entropix_tui.screens.conversation.keys import (
    ANYTHING,
    BRANCHES,
    COPY,
    PALETTE,
    PLACES,
    READ,
    STEP,
    STOP,
    TEXT,
    TOKENS,
    Command,
    anywhere,
    of,
)

KEYS: list[BindingType] = [
    Binding("enter", of("Composer", "submit"), "Send", id="chat.send", show=False),
    STOP,
    anywhere("ctrl+r", "regenerate", "Again", "regenerate",
             "The last answer once more, with another seed: a branch", show=True),
    anywhere("ctrl+s", of("SidePanel", "sampler"), "Sampler", "sampler",
             "Change how tokens are drawn", show=True),
    BRANCHES,
    anywhere("ctrl+n", "new_chat", "New", "new", "A new conversation", show=True),
    anywhere("ctrl+o", "sessions", "Sessions", "sessions", "Saved conversations", show=True),
    *TOKENS,
    anywhere("ctrl+d", "compare", "Side by side", "compare",
             "The same prompt under another sampler, seed or wording"),
    *TEXT,
    anywhere("ctrl+up", of("Composer", "edit(-1)"), "Edit", "edit",
             "Write an earlier message anew: a branch"),
    anywhere("ctrl+down", of("Composer", "edit(1)"), "Edit", "edit_after",
             "The message after it"),
    STEP,
    anywhere("f9", "calibrate", "Calibrate", "calibrate",
             "Measure the model's own thresholds and words; then a new conversation"),
    anywhere("f8", "score", "Score a text", "score", "Paste or open a text: what is surprising?"),
    *PLACES,
    Binding("s", of("SidePanel", "sampler"), "Sampler", id="text.sampler", show=False),
    Binding("d", "compare", "Side by side", id="text.compare", show=False),
    *COPY,
    *(
        anywhere(f"f{key}", f"demo('{name}')", f"Demo {name}", f"demo_{name}",
                 "While the conversation is empty")
        for key, name in DEMO_KEYS.items()
    ),
]  # fmt: skip

TASKS = [
    *READ,
    Task("Change the sampler, while it generates", ("chat.sampler",)),
    Task("Fork: take another token at the cursor, in the text", ("tokens.fork",)),
    Task("Make the answer again with another seed", ("chat.regenerate",)),
    Task("Write an earlier message anew", ("chat.edit",)),
    Task("Go back to another branch", ("chat.branches",)),
    Task("Compare with another seed, sampler or wording, side by side", ("chat.compare",)),
    Task("Halt before each token: the debugger", ("chat.step",)),
    Task("Score a text of yours: what of it is surprising", ("chat.score",)),
    Task("Saved as it happens: go on with a saved conversation", ("chat.sessions",)),
    Task("Replay one later, without a model: entropix-tui replay NAME"),
    *ANYTHING,
]

COMMANDS = [
    Command("New conversation", "With the same model and sampler", "new_chat"),
    Command(
        "System prompt",
        "A new conversation that begins with one",
        of("Composer", "system_prompt"),
    ),
    Command("Stop", "End the answer that is being generated", "leave"),
    Command("Continue", "Go on with an answer that was cut off", "continue"),
    Command("Regenerate", "The last answer, with another seed: a branch", "regenerate"),
    Command("Edit message", "Write the last one anew: a branch", of("Composer", "edit(-1)")),
    Command("Step", "The debugger: halt before each token", "step"),
    Command("Score a text", "Paste or open one: what of it is surprising?", "score"),
    Command("Fork here", "Take another token at the cursor: a branch", of("TokenView", "fork")),
    Command(
        "Without the clarifying text",
        "Go on from before the one at the cursor: a branch",
        of("TokenView", "without"),
    ),
    Command("Sessions", "Resume, rename, delete", "sessions"),
    Command("Model", "Switch to another, in a new conversation", "models"),
    Command("Calibrate", "Measure the model's own thresholds: a new conversation", "calibrate"),
    Command("Sampler", "Preset, thresholds, parameters", of("SidePanel", "sampler")),
    Command("Side by side", "Another sampler, seed or wording", "compare"),
    Command("About this conversation", "Model, seed, where it is saved", "about"),
    *PALETTE,
]
