"""The Python interface: load a model, generate, score, or sample for mlx-lm."""

import datetime
import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence

import mlx.core as mx

from entropix_mlx.decoding.make_records import calibration_of, header_of
from entropix_mlx.decoding.score import score as score_ids
from entropix_mlx.records.record import End, TurnRecord
from entropix_mlx.run import Run
from entropix_mlx.sampling import own
from entropix_mlx.sampling.calibration import PROVISIONAL
from entropix_mlx.sampling.sampler import Sampler, draw_key
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.valleys import marked
from entropix_mlx.sampling.vocabulary import Vocabulary
from entropix_mlx.session.answers import ROWS, Answers, Asked
from entropix_mlx.session.request import TurnRequest
from entropix_mlx.session.session import Session
from entropix_mlx.trace.trace import TraceWriter
from entropix_models import devices, loader
from entropix_models.errors import UsageError
from entropix_models.generation_loop import is_speculating, sequences
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet
from entropix_models.sources import sources


def load(
    name: str | None = None, *, device: str = "auto", progress: Progress = quiet
) -> LanguageModel:
    """A model by catalogue name, path or Hub id; the device's default without a name.

    Fetched first if it is not on this disk. Belongs to the calling thread.
    """
    chosen = devices.choose(device)
    folder = sources.resolve(name or sources.default_name(chosen.kind), progress=progress)
    return loader.load(folder, chosen, progress)


def generate(
    model: LanguageModel,
    prompt: str,
    *,
    sampler: str = "calibrated",
    settings: Mapping[str, object] = {},
    seed: int | None = None,
    max_tokens: int = 512,
    system: str = "",
    raw: bool = False,
    stop: Sequence[str] = (),
    date: datetime.date | None = None,
    trace: TraceWriter | None = None,
) -> Run:
    """The tokens of one answer as they come. `settings` override the preset's values by name."""
    chosen = _settings(sampler, settings)
    session = Session(model, chosen, seed=seed, system=system, date=date, trace=trace)
    return Run(session.header, session.send(prompt, max_tokens=max_tokens, stop=stop, raw=raw))


def generate_batch(
    model: LanguageModel,
    prompts: Sequence[str],
    *,
    n: int = 1,
    sampler: str = "calibrated",
    settings: Mapping[str, object] = {},
    seed: int | None = None,
    max_tokens: int = 512,
    system: str = "",
    raw: bool = False,
    stop: Sequence[str] = (),
    date: datetime.date | None = None,
    rows: int = ROWS,
    progress: Progress = quiet,
) -> list[list[Run]]:
    """`n` answers to each prompt, `rows` of all decoded side by side; by prompt, then by answer.

    Each answer's seed, in its header, follows from `seed` and its place: `generate` by that seed
    gives the same within rounding.
    """
    chosen = _settings(sampler, settings)
    answers = Answers(model, [chosen], seed=seed, system=system, date=date, rows=rows)
    asked = [Asked(prompt, sample) for prompt in range(len(prompts)) for sample in range(n)]
    requests = [
        TurnRequest(text, max_tokens=max_tokens, stop=tuple(stop), raw=raw) for text in prompts
    ]
    made: dict[Asked, list[TurnRecord]] = {one: [] for one in asked}
    done = 0
    for one, record in answers.run(requests, asked):
        made[one].append(record)
        if isinstance(record, End):
            done += 1
            progress("answering", done, len(asked), unit="answers")
    return [
        [
            Run(answers.header(one), iter(made[one])).finish()
            for one in asked
            if one.prompt == prompt
        ]
        for prompt in range(len(prompts))
    ]


def score(model: LanguageModel, text: str, *, bos: bool = True) -> Run:
    """A record for each token of a text, and its valleys; special tokens in it are recognised."""
    tokenizer = model.tokenizer
    ids = tokenizer.encode(text, special=True, bos=bos and tokenizer.adds_bos)
    calibration = calibration_of(model)
    header = header_of(model, None, calibration, seed=None, date=None)
    return Run(header, marked(score_ids(model, ids, calibration), calibration.valley_delta))


class EntropixSampler:
    """A preset as the `sampler=` of `mlx_lm.generate` and `mlx_lm.stream_generate`.

    mlx-lm hands over log-probabilities in the model's precision and no attention, so only entropy
    and varentropy steer the draw, and in half precision they are off by up to a third of a bit.
    Thresholds are provisional. Use a new one for every generation. In `mlx_lm.batch_generate` each
    sequence has a memory and draws of its own.
    """

    def __init__(
        self,
        preset: str = "calibrated",
        *,
        seed: int | None = None,
        settings: Mapping[str, object] = {},
    ) -> None:
        chosen = _settings(preset, settings)
        self.seed = secrets.randbelow(2**32) if seed is None else seed
        self._sampler = Sampler(chosen, PROVISIONAL, Vocabulary(), attention=False)
        self._states: dict[int, tuple[mx.array, ...]] = {}
        self._depths: Counter[int] = Counter()
        logging.getLogger("entropix_mlx").warning(
            "EntropixSampler sees log-probabilities in the model's precision and no attention; "
            "entropix_mlx.generate measures both"
        )

    def __call__(self, logprobs: mx.array) -> mx.array:
        """`logprobs` `[rows, vocabulary]`; returns ids `[rows]`, lazy.

        Raises UsageError for several rows where nobody says whose they are, and under speculative
        decoding.
        """
        if not self._depths and is_speculating():
            raise UsageError(
                "EntropixSampler remembers what it has drawn, and speculative decoding takes drawn "
                "tokens back: leave out the draft model"
            )
        rows = sequences() or [0]
        if logprobs.shape[0] != len(rows):
            raise UsageError(
                f"EntropixSampler keeps the state of each sequence and was given "
                f"{logprobs.shape[0]} rows without their names: use one for each, or batch_generate"
            )
        decisions = self._sampler.decide_rows(
            logprobs,
            None,
            [self._depths[row] + 1 for row in rows],
            [self._states.get(row) or self._sampler.state(()) for row in rows],
            [draw_key(self.seed, self._depths[row], branch=row) for row in rows],
        )
        for row, decision in zip(rows, decisions, strict=True):
            self._states[row] = decision.state
            self._depths[row] += 1
        return mx.stack([decision.token for decision in decisions])


def _settings(sampler: str, values: Mapping[str, object]) -> Settings:
    """A sampler that a program names, with some values replaced. Raises UsageError."""
    return Settings.make(own.chosen(sampler), {name: str(value) for name, value in values.items()})
