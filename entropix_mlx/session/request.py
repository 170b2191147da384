"""What is asked of a conversation: one turn."""

from dataclasses import KW_ONLY, dataclass

from entropix_mlx.sampling.settings import Settings


@dataclass(frozen=True)
class TurnRequest:
    """A prompt and its answer; without a `text`, tokens alone: an answer continued, made again, or
    taken another way.

    `max_tokens`: the longest answer; it ends before the texts `stop`. `after`: the record that it
    follows (`ROOT`: none), otherwise where the conversation stands. `force`: the ids that the
    answer begins with; `seed`: from here on; `settings`: for this turn only. With a text: `raw`
    takes it as it stands, without a template, special tokens in it recognised; `ids` is what it
    comes to, where that is known already; `prefill` is what is put into the answer's mouth before
    its first token.
    """

    text: str | None = None
    _: KW_ONLY
    max_tokens: int
    stop: tuple[str, ...] = ()
    after: int | None = None
    force: tuple[int, ...] = ()
    seed: int | None = None
    settings: Settings | None = None
    raw: bool = False
    ids: tuple[int, ...] = ()
    prefill: str = ""
