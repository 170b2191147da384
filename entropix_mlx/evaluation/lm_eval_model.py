"""A model of lm-eval: log-likelihoods and answers by any sampler.

lm-eval finds it by its entry point. Releases up to 0.4.13 look for none:
`python -m entropix_mlx.evaluation.lm_eval_model` is their command, this model being known.
"""

import atexit
from collections.abc import Mapping, Sequence
from typing import Any

import lm_eval.models  # noqa: F401 (lm-eval's own models, which it looks for only if it has none)
import msgspec
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import (
    get_rolling_token_windows,
    make_disjoint_window,
    simple_parse_args_string,
)
from tqdm import tqdm

from entropix_mlx.decoding.make_records import calibration_of, header_of
from entropix_mlx.evaluation.answered import Question, Seeds, answered
from entropix_mlx.evaluation.likelihood import Continuation, likelihoods
from entropix_mlx.evaluation.model_arguments import ModelArguments
from entropix_mlx.session.request import TurnRequest
from entropix_models.devices import release_thread
from entropix_models.errors import UsageError
from entropix_models.tokenizer.tokenizer import Message

_SAMPLING = ("temperature", "top_k", "top_p", "min_p")
_REQUEST = {*_SAMPLING, "do_sample", "until", "max_gen_toks"}
"""What of a task's generation_kwargs can be followed."""

_DEVICES = {"cuda:0": "auto", "mps": "metal"}
"""lm-eval's words; the first is what it says where nobody says anything."""


@register_model("entropix_mlx")
class EntropixLM(TemplateLM):  # type: ignore[misc]
    """`max_length`: ids that the model sees at a time; `max_gen_toks`: the longest answer, where a
    task does not say. The rest are ModelArguments; `batch_size` over 1 is `rows` by another name.
    """

    def __init__(
        self,
        *,
        max_length: int | None = None,
        max_gen_toks: int = 256,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        **given: Any,
    ) -> None:
        del max_batch_size  # lm-eval always hands it over
        super().__init__()
        if isinstance(batch_size, str) and batch_size.isdecimal():
            batch_size = int(batch_size)
        if isinstance(batch_size, int) and batch_size > 1:
            given = {"rows": batch_size} | given
        given["device"] = _DEVICES.get(str(given.get("device")), given.get("device"))
        self._arguments = ModelArguments.of(given)
        self._model = self._arguments.load()
        atexit.register(release_thread)
        self._seeds = Seeds()
        context = self._model.info.context_length
        self.max_length = min(max_length or context, context)
        self.max_gen_toks = max_gen_toks

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> "EntropixLM":
        """A model's own arguments come before those of the command line, which has a device and a
        batch size even where nobody gave any.
        """
        return cls(**{**(additional_config or {}), **arg_dict})

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> "EntropixLM":
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    # What it is.

    @property
    def eot_token_id(self) -> int | None:
        return self._model.tokenizer.eos_id

    @property
    def prefix_token_id(self) -> int:
        """What a first token is seen after."""
        tokenizer = self._model.tokenizer
        found = tokenizer.bos_id if tokenizer.bos_id is not None else tokenizer.eos_id
        if found is None:
            raise UsageError(
                f"{self._model.info.name} has no token that begins or ends a text, which a task "
                "without a context needs"
            )
        return found

    @property
    def tokenizer_name(self) -> str:
        """By which lm-eval keeps prompts that it has made."""
        info = self._model.info
        return f"{info.name}@{info.revision}".replace("/", "__")

    def get_model_info(self) -> dict[str, Any]:
        """What a trace says of a run, for lm-eval's results."""
        calibration, arguments = calibration_of(self._model), self._arguments
        settings = None
        if arguments.sampler is not None:
            settings = arguments.settings({}, arguments.sampler).bind(calibration)
        header = header_of(
            self._model, settings, calibration, seed=arguments.seed, date=arguments.date
        )
        return {"entropix_mlx": msgspec.to_builtins(header)}

    # Texts.

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_others: Any
    ) -> list[int]:
        tokenizer = self._model.tokenizer
        bos = tokenizer.adds_bos and add_special_tokens is not False
        return tokenizer.encode(string, special=True, bos=bos)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Without `add_generation_prompt` the last message is an answer that has begun."""
        messages: list[Message] = [
            {"role": one["role"], "content": one["content"]} for one in chat_history
        ]
        begun = "" if add_generation_prompt else messages.pop()["content"]
        return self._model.tokenizer.rendered(messages, date=self._arguments.date) + begun

    # What it is asked.

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[tuple[str, str], list[int], list[int]]],
        disable_tqdm: bool = False,
        **_others: Any,
    ) -> list[tuple[float, bool]]:
        asked = [Continuation(context, ids) for _, context, ids in requests]
        found = [(0.0, False)] * len(asked)
        with tqdm(total=len(asked), desc="Continuations", disable=disable_tqdm) as bar:
            for n, one in likelihoods(self._model, asked, self.max_length):
                found[n] = (one.logprob, one.is_greedy)
                self.cache_hook.add_partial("loglikelihood", requests[n][0], found[n])
                bar.update()
        return found

    def loglikelihood_rolling(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        texts = [one.args[0] for one in requests]
        places, windows = [], []
        for place, text in enumerate(texts):
            for pair in get_rolling_token_windows(
                token_list=self.tok_encode(text),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            ):
                places.append(place)
                windows.append(Continuation(*make_disjoint_window(pair)))
        totals = [0.0] * len(texts)
        with tqdm(total=len(windows), desc="Windows of texts", disable=disable_tqdm) as bar:
            for n, one in likelihoods(self._model, windows, self.max_length):
                totals[places[n]] += one.logprob
                bar.update()
        for text, total in zip(texts, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), total)
        return totals

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        questions = [self._question(*one.args) for one in requests]
        texts = [""] * len(questions)
        with tqdm(total=len(questions), desc="Answers", disable=disable_tqdm) as bar:
            for n, answer in answered(self._model, questions, self._arguments.rows):
                texts[n] = answer.text(self._model.tokenizer)
                self.cache_hook.add_partial("generate_until", requests[n].args, texts[n])
                bar.update()
        return texts

    def _question(self, context: str, given: Mapping[str, Any]) -> Question:
        """What a task asks for, the beginning left out of a context that is too long."""
        asked: dict[str, Any] = dict(normalize_gen_kwargs(dict(given), self.max_gen_toks))
        if unknown := asked.keys() - _REQUEST:
            raise UsageError(
                f"a task asks for {', '.join(sorted(unknown))}, which is not known here: "
                f"generation_kwargs may have {', '.join(sorted(_REQUEST))}"
            )
        draws = {name: asked[name] for name in _SAMPLING if asked.get(name) is not None}
        settings = self._arguments.settings(
            draws if asked["do_sample"] else {"temperature": 0}, "temperature"
        )
        count = asked["max_gen_toks"]
        room = self.max_length - count
        if room < 1:
            raise UsageError(
                f"an answer of {count} tokens leaves no room for its prompt: this model sees "
                f"{self.max_length} at a time; make max_gen_toks smaller"
            )
        ids = self.tok_encode(context)[-room:] or [self.prefix_token_id]
        request = TurnRequest(context, max_tokens=count, stop=tuple(asked["until"]), ids=tuple(ids))
        return Question(request, settings, self._seeds.next(self._arguments.seed, ids))


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
