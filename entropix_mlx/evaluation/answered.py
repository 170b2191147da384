"""Questions with a seed and a sampler each, answered side by side, and how they ended."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from entropix_mlx.records.record import End, TokenRecord
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.answers import Answers, Asked
from entropix_mlx.session.request import TurnRequest
from entropix_models.language_model import LanguageModel
from entropix_models.tokenizer.tokenizer import Tokenizer


class Question(NamedTuple):
    """`settings` decide the tokens, and `seed` what is drawn."""

    request: TurnRequest
    settings: Settings
    seed: int


class Answered(NamedTuple):
    """An answer that has come to its end."""

    tokens: list[TokenRecord]
    end: End

    def said(self, tokenizer: Tokenizer) -> list[TokenRecord]:
        """The tokens that are text: special ones are not."""
        return [token for token in self.tokens if token.id not in tokenizer.special_ids]

    def text(self, tokenizer: Tokenizer) -> str:
        return "".join(token.text for token in self.said(tokenizer))


def answered(
    model: LanguageModel,
    questions: Sequence[Question],
    rows: int,
    go_on: Callable[[], bool] = lambda: True,
) -> Iterator[tuple[int, Answered]]:
    """Places in `questions` and the answers, as they end; no more once `go_on` says no.

    Raises UsageError or ContextLengthError before anything is answered.
    """
    samplers = list(dict.fromkeys(one.settings for one in questions))
    answers = Answers(
        model, samplers, seed=0, rows=rows, seeds=lambda _, asked: questions[asked.prompt].seed
    )
    asked = [Asked(n, 0, samplers.index(one.settings)) for n, one in enumerate(questions)]
    made: list[list[TokenRecord]] = [[] for _ in questions]
    for (n, *_), record in answers.run([one.request for one in questions], asked):
        if isinstance(record, TokenRecord):
            made[n].append(record)
        elif isinstance(record, End):
            yield n, Answered(made[n], record)
        if not go_on():
            return


class Seeds:
    """The seed of the n-th answer to a prompt depends on that prompt and on n, and not on what is
    asked before it or beside it.
    """

    def __init__(self) -> None:
        self._asked: Counter[bytes] = Counter()

    def next(self, seed: int, ids: Sequence[int]) -> int:
        """For the next answer to the prompt `ids`; with another `seed` all are others."""
        prompt = f"{seed}/{','.join(map(str, ids))}".encode()
        key = hashlib.blake2b(prompt, digest_size=16).digest()
        self._asked[key] += 1
        place = key + self._asked[key].to_bytes(4, "big")
        return int.from_bytes(hashlib.blake2b(place, digest_size=4).digest())
