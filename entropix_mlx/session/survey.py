"""What a model answers to a list of prompts, and the calibration that follows from it."""

import datetime
from collections.abc import Callable, Sequence

from entropix_mlx.records.record import End, TokenRecord
from entropix_mlx.sampling.calibration import Calibration
from entropix_mlx.sampling.fit import fit
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.session.answers import Answers, Asked
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel

HELD_OUT = 4
"""Of so many answers the last is not fitted to: what is told of the fit is counted there."""

LONGEST, SEED = 96, 1
"""Tokens of an answer at most, and the first answer's seed, if nobody says otherwise."""

_SAMPLER = {"temperature": "0.7", "min_p": "0.03"}
_DATE = datetime.date(2026, 1, 1)
"""For templates that print one: the same prompts are the same ids on every day."""

Told = Callable[[int, int], object]
"""Told how many prompts are answered, and how many tokens there are."""


def survey(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    tokens: int = LONGEST,
    seed: int = SEED,
    told: Told = lambda _answered, _tokens: None,
) -> Calibration:
    """Have the prompts answered by plain sampling, and fit to that.

    Answers are up to `tokens` long; the same seed gives the same ones. A model without a chat
    template goes on from the prompt as it stands; one whose attention cannot be captured is
    measured without it. Raises UsageError for too few prompts, ValueError
    as `fit`, and what `Answers.run` raises.
    """
    if len(prompts) < HELD_OUT:
        raise UsageError(
            f"{len(prompts)} prompts are too few: of every {HELD_OUT} one is held out, and some 40 "
            "make a calibration"
        )
    capture = {} if model.shows_attention else {"capture": "false"}
    settings = Settings.make("temperature", {**_SAMPLER, **capture})
    raw = not model.tokenizer.has_chat_template
    run = Answers(
        model, [settings], seed=seed, date=_DATE, seeds=lambda first, one: first + one.prompt
    )
    requests = [TurnRequest(prompt, max_tokens=tokens, raw=raw) for prompt in prompts]
    answers: list[list[TokenRecord]] = [[] for _ in prompts]
    answered = count = 0
    told(0, 0)
    for asked, record in run.run(requests, [Asked(n, 0) for n in range(len(prompts))]):
        if isinstance(record, TokenRecord):
            answers[asked.prompt].append(record)
            count += 1
        elif isinstance(record, End):
            answered += 1
        else:
            continue
        told(answered, count)
    held_out = answers[HELD_OUT - 1 :: HELD_OUT]
    return fit(
        [answer for n, answer in enumerate(answers) if n % HELD_OUT != HELD_OUT - 1],
        held_out,
        model=model.info.name,
        revision=model.info.revision,
        quantization=model.info.quantization,
        source={
            "prompts": len(prompts),
            "tokens": count,
            "held_out": sum(map(len, held_out)),
            "longest": tokens,
            "sampler": ", ".join(f"{name} {value}" for name, value in _SAMPLER.items()),
            "seed": seed,
            "device": model.device.kind,
            "dtype": model.info.dtype,
        },
    )
