"""The line above a replay."""

from entropix_mlx.terminal.glyphs import one_line
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.replay.recording import IdleEngine
from entropix_tui.widgets.status import StatusLine


class ReplayStatus(StatusLine):
    """The chat's, which says that this was recorded, or how far the model is."""

    def __init__(
        self, conversation: Conversation, engine: IdleEngine, *, id: str | None = None
    ) -> None:
        super().__init__(conversation, id=id)
        self.engine = engine

    def state(self) -> str:
        if (loading := self.conversation.loading) is not None:
            share = f" {100 * loading.done // loading.total} %" if loading.total else " …"
            return f"◌ {one_line(loading.stage)}{share}"
        return "■ replay, with its model" if self.engine.has_model else "■ replay"
