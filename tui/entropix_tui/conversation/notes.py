"""The lines under a conversation's turns: their figures, how they ended, what went wrong."""

from itertools import chain

from entropix_mlx.records.record import End, Event, TurnRecord
from entropix_mlx.records.summary import Summary
from entropix_mlx.records.tree import Tree
from entropix_tui.transcript.blocks import Kind

ENDS = {
    "length": ("cut off", " at the token limit"),
    "interrupted": ("stopped", ""),
    "exit": ("ended early", " by the exit policy"),
    "break": ("stopped", " at a breakpoint"),
    "error": ("ended by an error", ""),
}
"""How an answer ended that did not end by itself: in few words, and the rest of them."""


class Notes:
    """By the record that they follow. Takes in every record, of whatever branch, as it is made.

    What is said of an answer is said of all of it, however many turns it took.
    """

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}
        """Why turns ended, by leaf."""
        self._lines: dict[int, list[tuple[str, Kind]]] = {}
        self.forget()

    def forget(self) -> None:
        """The turn that runs: another one is to be taken in."""
        self._seed: int | None = None

    def take(self, record: TurnRecord, tree: Tree) -> str | None:
        """The answer's figures if this is its end; `tree` has the record."""
        if isinstance(record, Event) and record.kind == "setting" and record.detail:
            self._seed = record.detail.get("seed", self._seed)
        if not isinstance(record, End):
            return None
        line = _figures(_answer(tree, record.leaf), record, self._seed)
        self.reasons[record.leaf] = record.finish_reason
        self._add(record.leaf, line, "note")
        self.forget()
        return line

    def fail(self, leaf: int, message: str) -> None:
        """The turn that runs has come to nothing."""
        self._add(leaf, message, "error")
        self.forget()

    def at(self, index: int) -> list[tuple[str, Kind]]:
        """The lines that follow a record."""
        return self._lines.get(index, [])

    def _add(self, index: int, text: str, kind: Kind) -> None:
        self._lines.setdefault(index, []).append((text, kind))


def _answer(tree: Tree, leaf: int) -> Summary:
    """The tokens that end at a record, and the valleys in them."""
    answer = tree.answer(leaf) if leaf in tree else []
    return Summary.of(chain(answer, *(tree.events(token.index) for token in answer)))


def _figures(answer: Summary, end: End, seed: int | None) -> str:
    """Tokens per second are those of the last turn, without the reading of its prompt."""
    parts = [f"{answer.tokens} token{'s' * (answer.tokens != 1)}"]
    if end.tokens and (seconds := end.seconds - end.prefill_seconds) > 0:
        parts.append(f"{end.tokens / seconds:.1f} tok/s")
    if answer.mean_entropy is not None:
        parts.append(f"mean entropy {answer.mean_entropy:.2f} bits")
    if answer.valleys:
        parts.append(f"{answer.valleys} valley{'s' * (answer.valleys != 1)}")
    if seed is not None:
        parts.append(f"seed {seed}")
    if end.finish_reason in ENDS:
        parts.append("".join(ENDS[end.finish_reason]))
    return " · ".join(parts)
