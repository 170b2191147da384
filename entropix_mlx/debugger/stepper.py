"""A turn that is run a token at a time."""

from entropix_mlx.records.record import FinishReason, TurnRecord
from entropix_mlx.session.halted import Halted
from entropix_mlx.session.session import Session
from entropix_mlx.session.turn import Turn


class Stepper:
    """Runs one turn of a session from halt to halt; what is proposed there is in `halted`."""

    def __init__(self, session: Session, turn: Turn) -> None:
        self.turn = turn
        self.halted: Halted | None = None
        self.ended = False
        self._session = session
        self._records = session.step(turn)

    def take(self) -> list[TurnRecord]:
        """Take what is proposed, and go on to the next halt, or to the end.

        The first call reads the prompt and takes nothing. What was drawn again, or with ids
        banned, is preceded by an event that says so.
        """
        taken: list[TurnRecord] = []
        pending = None if self.halted is None else self.halted.pending
        if pending is not None and pending.force is None and (pending.redraw or pending.banned):
            detail = {"redraw": pending.redraw, "banned": list(pending.banned)}
            taken.append(self._session.note("redraw", detail))
        self.halted = None
        for record in self._records:
            if isinstance(record, Halted):
                self.halted = record
                return taken
            taken.append(record)
        self.ended = True
        return taken

    def leave(self, reason: FinishReason = "interrupted") -> list[TurnRecord]:
        """End the turn here; the conversation stands at its last token. Gives the end."""
        self.turn.outcome.reason = reason
        self._records.close()
        self.halted, self.ended = None, True
        end = self.turn.outcome.end
        return [end] if end is not None else []
