"""A provider of inspect-ai: `--model entropix_mlx/NAME`, with `-M sampler=NAME` and its settings.

inspect-ai finds it by its entry point.
"""

from collections.abc import Sequence
from typing import Any

import anyio
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ContentText,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    TopLogprob,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from entropix_mlx.evaluation.answer_queue import AnswerQueue
from entropix_mlx.evaluation.answered import Answered, Question, Seeds
from entropix_mlx.evaluation.model_arguments import ModelArguments
from entropix_mlx.records.record import TokenRecord
from entropix_mlx.sampling.support import CANDIDATES
from entropix_mlx.session.request import TurnRequest
from entropix_models.errors import UsageError
from entropix_models.tokenizer.tokenizer import Message

_SAMPLING = ("temperature", "top_k", "top_p")
_UNKNOWN = (
    "best_of",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "prompt_logprobs",
    "response_schema",
)
"""What would change an answer and cannot be followed."""

_LONGEST = 512
"""Tokens of an answer, where nobody says."""

_LOOK = 0.05
"""Seconds between two looks for an answer."""


@modelapi(name="entropix_mlx")
class EntropixAPI(ModelAPI):  # type: ignore[misc]
    """Everything but `sampler`, its settings, `seed`, `rows`, `device` and `date` is inspect's."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (as every provider has it)
        **given: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._arguments = ModelArguments.of({**given, "model": model_name})
        self._queue = AnswerQueue(self._arguments.load, self._arguments.rows)
        self._seeds = Seeds()

    def close(self) -> None:
        self._queue.close()

    def max_tokens(self) -> int | None:
        return _LONGEST

    def max_connections(self) -> int:
        """Twice the rows, so that there is always a question for the one that ends."""
        return 2 * self._arguments.rows

    def connection_key(self) -> str:
        return str(self.model_name)

    def collapse_user_messages(self) -> bool:
        return True

    def collapse_assistant_messages(self) -> bool:
        return True

    async def count_text_tokens(self, text: str) -> int:
        return len(self._queue.model.tokenizer.encode(text))

    async def tokenize(self, text: str) -> list[int]:
        return self._queue.model.tokenizer.encode(text)

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Raises UsageError for what cannot be followed."""
        del tool_choice
        if tools:
            raise UsageError("this provider calls no tools: use a task without them")
        if unknown := [name for name in _UNKNOWN if getattr(config, name) is not None]:
            raise UsageError(f"this provider does not know {', '.join(unknown)}: leave it out")
        if (config.num_choices or 1) > 1 or (config.top_logprobs or 0) > CANDIDATES:
            raise UsageError(
                f"an answer has one choice, and of each token the {CANDIDATES} most likely ones: "
                "make num_choices or top_logprobs smaller"
            )
        ids, info = self._ids(input), self._queue.model.info
        if len(ids) >= info.context_length:
            return ModelOutput.from_content(
                self.model_name,
                "",
                stop_reason="model_length",
                error=f"{len(ids)} tokens; the context of {info.name} is {info.context_length}",
            )
        asked = {name: value for name in _SAMPLING if (value := getattr(config, name)) is not None}
        question = Question(
            TurnRequest(
                input[-1].text,
                max_tokens=config.max_tokens or _LONGEST,
                stop=tuple(config.stop_seqs or ()),
                ids=tuple(ids),
            ),
            self._arguments.settings(asked, "calibrated"),
            self._seeds.next(self._arguments.seed if config.seed is None else config.seed, ids),
        )
        future = self._queue.ask(question)
        try:
            while not future.done():
                await anyio.sleep(_LOOK)
        finally:
            future.cancel()
        return self._output(question, future.result(), config)

    def _ids(self, input: Sequence[ChatMessage]) -> list[int]:
        """What is read; an answer at the end has begun, and goes on."""
        tokenizer, messages = self._queue.model.tokenizer, [_message(one) for one in input]
        begun = messages.pop()["content"] if messages[-1]["role"] == "assistant" else ""
        if tokenizer.has_chat_template:
            ids = tokenizer.chat(messages, date=self._arguments.date)
        else:
            text = "\n\n".join(one["content"] for one in messages)
            ids = tokenizer.encode(text, bos=tokenizer.adds_bos)
        return ids + tokenizer.encode(begun)

    def _output(self, question: Question, answer: Answered, config: GenerateConfig) -> ModelOutput:
        tokenizer, request, end = self._queue.model.tokenizer, question.request, answer.end
        reason: StopReason = "stop"
        if end.finish_reason == "length":
            reason = "max_tokens" if end.tokens == request.max_tokens else "model_length"
        message = ChatMessageAssistant(
            content=answer.text(tokenizer), model=self.model_name, source="generate"
        )
        read = len(request.ids)
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=message,
                    stop_reason=reason,
                    logprobs=self._logprobs(answer.said(tokenizer), config.top_logprobs)
                    if config.logprobs
                    else None,
                )
            ],
            usage=ModelUsage(
                input_tokens=read, output_tokens=end.tokens, total_tokens=read + end.tokens
            ),
            time=end.seconds,
            metadata={"seed": question.seed, "sampler": question.settings.to_dict()},
        )

    def _logprobs(self, tokens: Sequence[TokenRecord], top: int | None) -> Logprobs:
        """Of the model's own distribution, whatever a sampler made of it."""
        tokenizer = self._queue.model.tokenizer

        def told(id: int, logprob: float | None) -> dict[str, Any]:
            data = list(tokenizer.token_bytes(id))
            return {"token": tokenizer.token_text(id), "logprob": logprob, "bytes": data}

        return Logprobs(
            content=[
                Logprob(
                    **told(token.id, token.logprob),
                    top_logprobs=[
                        TopLogprob(**told(id, logprob))
                        for id, _, logprob, _ in token.candidates[: top or 0]
                    ],
                )
                for token in tokens
            ]
        )


def _message(one: ChatMessage) -> Message:
    parts = [] if isinstance(one.content, str) else one.content
    for part in parts:
        if not isinstance(part, ContentText):
            raise UsageError(f"this provider reads text, no {part.type}")
    if one.role == "tool":
        raise UsageError("this provider calls no tools: use a task without them")
    return {"role": one.role, "content": one.text}
