"""Models: those with a short name, those on this disk, and a field for any other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label

from entropix_mlx.terminal.glyphs import one_line
from entropix_models.errors import EntropixError
from entropix_tui.look import humanize
from entropix_tui.screens.choice_screen import ChoiceScreen
from entropix_tui.tokens.labels import fit
from entropix_tui.widgets.choices import CURRENT, Choices, Words


@dataclass(frozen=True)
class Model:
    """A model that can be named. `download` in bytes: 0 if it is here, None if nobody knows.

    `size` is that of its weights in bytes, `context` in tokens; both None where unknown.
    """

    name: str
    title: str
    family: str
    weights: str
    size: int | None
    download: int | None
    context: int | None
    source: str
    chat: bool = True


def known() -> list[Model]:
    """The catalogue and what was imported, in their order. Looks at the disk only.

    Raises EntropixError where what is there is damaged.
    """
    from entropix_models.sources import catalogue, sources

    here = {folder.name: folder for folder in sources.installed()}
    models = []
    for entry in catalogue.entries().values():
        cost = entry.size if entry.archive_size is None else entry.archive_size
        models.append(
            Model(
                name=entry.name,
                title=entry.title,
                family=entry.family,
                weights=entry.quantization,
                size=entry.size,
                download=0 if entry.name in here else cost,
                context=entry.context,
                source=f"{entry.source} {entry.origin}",
                chat=entry.chat,
            )
        )
    for name, folder in here.items():
        if name not in catalogue.entries():
            files = folder.path.glob("*.safetensors")
            size = sum(file.stat().st_size for file in files)
            title, source = folder.path.name, folder.source
            models.append(Model(name, title, "-", folder.quantization, size, 0, None, source))
    return models


def locate(name: str) -> None:
    """Raises EntropixError in one line where no model can be meant. Asks nobody."""
    from entropix_models.sources import sources

    sources.locate(name)


class ModelChoices(Choices[Model]):
    """The catalogue's order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Switch", id="models.switch", tooltip="Load it, new conversation")
    ]

    def __init__(self, current: str | None) -> None:
        super().__init__(id="models")
        self.used = current

    def heading(self, width: int) -> str:
        name, title = self._cells(width)
        names = (fit("model", name), fit("", title), fit("weights", 8), f"{'size':>6}", "download")
        return fit(f"    {'  '.join(names)}", width)

    def line(self, item: Model, width: int) -> Text:
        name, title = self._cells(width + 2)
        note = self.look("note")
        text = Text(f"{CURRENT if item.name == self.used else ' '} ", end="")
        text.append(fit(one_line(item.name), name), "bold" if item.download == 0 else None)
        text.append("  " + fit(one_line(item.title), title), note)
        text.append("  " + fit(one_line(item.weights), 8), note)
        text.append(f"  {humanize.size(item.size):>6}", note)
        here = "✓ here" if item.download == 0 else f"↓ {humanize.size(item.download)}"
        return text.append(f"  {here}")

    def words(self, item: Model) -> str:
        return f"{item.name} {item.title} {item.family} {item.weights} {item.source}"

    def _cells(self, width: int) -> tuple[int, int]:
        """Of name and title: what the figures leave."""
        room = width - 4 - 2 - 2 - 8 - 2 - 6 - 2 - 9
        name = max(8, min(30, room * 2 // 5))
        return name, max(0, room - name)


class ModelsScreen(ChoiceScreen[Model, str | None]):
    """Gives back the name, path or Hub id of the model to switch to, or None.

    `models` and `check` are called off the screen's thread and on it: they look at the disk.
    """

    HEADING = "Models"
    BINDING_GROUP_TITLE = "Models"
    DEFAULT_CSS = "ModelsScreen #other { margin-top: 1; }"
    choices: ModelChoices

    def __init__(
        self,
        *,
        current: str | None = None,
        models: Callable[[], list[Model]] = known,
        check: Callable[[str], None] = locate,
    ) -> None:
        super().__init__(ModelChoices(current))
        self.models = models
        self.check = check

    def more(self) -> ComposeResult:
        with Horizontal(id="other"):
            yield Label("Another", markup=False)
            yield Words(placeholder="a Hub id (organisation/model) or a folder", id="named")

    def on_mount(self) -> None:
        self.choices.note = "looking at the disk …"
        self.read()

    @work(thread=True, exclusive=True)
    def read(self) -> None:
        """List the models without holding up the screen."""
        try:
            found = self.models()
        except (EntropixError, OSError) as error:
            self.app.call_from_thread(self._show, [], f"The list cannot be made: {error}")
        else:
            self.app.call_from_thread(self._show, found, "There are none.")

    def _show(self, found: list[Model], note: str) -> None:
        if self.is_mounted:
            self.choices.note = one_line(note)
            self.choices.fill(found, at=lambda model: model.name == self.choices.used)

    def about(self, item: Model) -> Text:
        note = self.choices.look("note")
        text = Text(one_line(f"{item.title} · {item.family} · {item.weights}"))
        if item.context is not None:
            text.append(f" · context of {item.context:,} tokens")
        if not item.chat:
            text.append(" · a base model: it continues texts and answers no questions")
        if item.download == 0:
            cost = "on this disk: nothing to download"
        elif item.download is None:
            cost = "not here: a download of unknown size"
        else:
            cost = f"not here: {humanize.size(item.download)} to download, once"
        return text.append(f"\n{cost} · {one_line(item.source)}", note)

    def take(self, item: Model) -> None:
        self.dismiss(item.name)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The field for another one; the base sees to its own."""
        name = event.value.strip()
        if event.input.id != "named" or not name:
            return
        try:
            self.check(name)
        except (EntropixError, OSError) as error:
            self.say(str(error), look="error")
        else:
            self.dismiss(name)

    def action_leave(self) -> None:
        if self.focused is self.query_one("#named"):
            self.choices.focus()
        else:
            super().action_leave()
