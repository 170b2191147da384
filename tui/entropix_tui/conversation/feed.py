"""What comes out of the engine, on its way to the screen, which takes a share of a core at most."""

from collections.abc import Sequence

from entropix_mlx.records.record import Event, TokenRecord
from entropix_tui.conversation.conversation import Conversation
from entropix_tui.engine.outputs import Output
from entropix_tui.look.throttle import Share

BESIDE, ALONE = 0.04, 0.15
"""Of a core, for showing an answer while it comes, where the model computes on all cores and waits
for each millisecond of the screen's; and where it does not.
"""

SELDOM = 4
"""Pictures of the text for one of the instruments beside such a model."""

QUIET = 6
"""After so many batches with nothing in them the instruments show the last that came."""


class Feed:
    """Hands on what came in batches, a picture each. In mid-answer, with nothing to show but tokens
    and more to come, a batch waits until the last picture's cost is its share of the time.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._came: list[Output] = []
        self._share = Share()
        self._batches = 0
        self._quiet = 0  # batches since there was something in one

    def add(self, outputs: Sequence[Output]) -> None:
        self._came += outputs

    def batch(self) -> list[Output]:
        """What is to be shown now; asked for at every tick."""
        if not self._share.due(BESIDE if self._is_beside else ALONE) and self.is_mid_answer:
            batch: list[Output] = []
        else:
            batch, self._came = self._came, []
        self._batches += bool(batch)
        self._quiet = 0 if batch else self._quiet + 1
        return batch

    @property
    def is_mid_answer(self) -> bool:
        """Whether what waits may wait."""
        return self._conversation.phase == "generating" and all(
            isinstance(output, TokenRecord | Event) for output in self._came
        )

    @property
    def is_for_instruments(self) -> bool:
        """Whether the instruments are repainted now: a picture's price is the number of them, so
        they are together with the text.
        """
        if self._quiet:
            return self._quiet >= QUIET
        seldom = self._is_beside and self.is_mid_answer
        return not seldom or self._batches % SELDOM == 0

    @property
    def _is_beside(self) -> bool:
        header = self._conversation.header
        return header is not None and header.device == "cpu"
