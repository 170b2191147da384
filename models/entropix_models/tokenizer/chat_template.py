"""Chat templates: untrusted Jinja from a model's folder, rendered in a bounded sandbox."""

import datetime
import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NoReturn, TypedDict

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from entropix_models.errors import DamagedFileError, UsageError, one_line

SECONDS = 2.0
"""Longest time that one rendering may take; a real template takes milliseconds."""

LONGEST_PRODUCT = 1_000_000
"""Longest string or list that a template may make by multiplication."""


class Message(TypedDict):
    """One turn of a conversation; `role` is "system", "user" or "assistant"."""

    role: str
    content: str


class ChatTemplate:
    """A compiled template.

    `name` stands for it in messages, `tokens` are the texts of the special tokens by the names
    that templates use (`bos_token`, ...).
    """

    def __init__(self, source: str, name: str, tokens: Mapping[str, str]) -> None:
        self.source = source
        self._name = name
        self._tokens = dict(tokens)

    def render(
        self, messages: Sequence[Message], *, date: datetime.date, answer: bool = True
    ) -> str:
        """The conversation as the model's text; with `answer`, the assistant's header at its end.

        Raises UsageError where the template refuses the messages, DamagedFileError where it is
        broken or does not come to an end.
        """
        try:
            environment, template = self._compiled
            environment.deadline = time.monotonic() + SECONDS
            return template.render(
                **self._tokens,
                messages=[dict(message) for message in messages],
                tools=None,
                documents=None,
                add_generation_prompt=answer,
                date_string=date.strftime("%d %b %Y"),
                strftime_now=date.strftime,
            )
        except _RefusedError as error:
            raise UsageError(
                f"{self._name} refuses these messages: {one_line(error)}; "
                "change what it names, or use --raw"
            ) from error
        except jinja2.TemplateSyntaxError as error:
            raise DamagedFileError(
                f"{self._name} has an error in its line {error.lineno}: {one_line(error.message)};"
                " fetch the model again, or use --raw"
            ) from error
        except MemoryError as error:
            raise DamagedFileError(
                f"{self._name} takes more memory than any has to; fetch the model again, "
                "or use --raw"
            ) from error
        except Exception as error:
            # The template is a program by a stranger: it can raise anything.
            raise DamagedFileError(
                f"{self._name} fails: {type(error).__name__}: {one_line(error)}; "
                "fetch the model again, or use --raw"
            ) from error

    @cached_property
    def prints_date(self) -> bool:
        """Whether the rendered text depends on the date."""
        messages: list[Message] = [{"role": "user", "content": "x"}]
        try:
            first = self.render(messages, date=datetime.date(2001, 2, 3))
            return first != self.render(messages, date=datetime.date(2014, 11, 25))
        except (UsageError, DamagedFileError):
            return False

    @cached_property
    def _compiled(self) -> "tuple[_Sandbox, jinja2.Template]":
        environment = _Sandbox()
        tree = environment.parse(self.source)
        # Jinja has no other loops, and recursion goes through macros or recursive loops. The hook
        # is reached through the environment, where no variable of the template can hide it.
        for node in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock)):
            call = nodes.Call(nodes.EnvironmentAttribute("tick"), [], [], None, None)
            node.body.insert(0, nodes.ExprStmt(call, lineno=node.lineno))  # type: ignore[attr-defined]
        tree.set_environment(environment)
        return environment, environment.from_string(tree)


class _RefusedError(jinja2.TemplateError):
    """The template called raise_exception."""


class _Generation(Extension):
    """`{% generation %}` marks the assistant's text for training; here it only groups."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox that chat templates expect, with a deadline."""

    intercepted_binops = frozenset(["*", "**"])

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        self.deadline = 0.0
        # Jinja's own filter escapes HTML, which no model was trained on.
        self.filters["tojson"] = partial(json.dumps, ensure_ascii=False)
        self.globals["raise_exception"] = _refuse
        del self.globals["lipsum"]  # any number of words, and no prompt of anybody

    def tick(self) -> None:
        """Called once in every pass of a loop and every call of a macro."""
        if time.monotonic() > self.deadline:
            raise SecurityError(f"it did not end within {SECONDS:g} seconds")

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        if operator == "**" and (abs(left) > LONGEST_PRODUCT or abs(right) > 64):
            raise SecurityError("it computes a power that is too large")
        if operator == "*":
            for sequence, count in ((left, right), (right, left)):
                if hasattr(sequence, "__len__") and len(sequence) * count > LONGEST_PRODUCT:
                    raise SecurityError("it makes a text or list that is too long")
        return super().call_binop(context, operator, left, right)


def _refuse(message: object) -> NoReturn:
    raise _RefusedError(str(message))
