"""Templates are programs by strangers: what they may do, and what becomes of their errors."""

import datetime

import pytest

from entropix_models.errors import DamagedFileError, UsageError
from entropix_models.tokenizer import chat_template
from entropix_models.tokenizer.chat_template import ChatTemplate, Message

DATE = datetime.date(2026, 1, 2)
MESSAGES: list[Message] = [
    {"role": "system", "content": "Be <brief> é."},
    {"role": "user", "content": "Hi"},
]


def render(source: str, *, answer: bool = True) -> str:
    return ChatTemplate(source, "the template", {"bos_token": "<s>"}).render(
        MESSAGES, date=DATE, answer=answer
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ bos_token }}{{ eos_token }}|{{ tools is none }}", "<s>|True"),
        ("{{ strftime_now('%Y-%m-%d %H:%M') }} {{ date_string }}", "2026-01-02 00:00 02 Jan 2026"),
        ("{{ messages[0] | tojson }}", '{"role": "system", "content": "Be <brief> é."}'),
        ("{{ [1] | tojson(indent=1) }}", "[\n 1\n]"),
        ("{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}"
         "{% break %}{% endfor %}", "user"),
        ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
        ("{% generation %}a{{ messages[1].content }}{% endgeneration %}", "aHi"),
        ("{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = ns.n * 3 %}"
         "{% endfor %}{{ ns.n }}", "9"),
        ("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(1) }}{{ 'ab' * 3 }}{{ 2 ** 8 }}",
         "<1>ababab256"),
        ("{{ add_generation_prompt }}", "True"),
    ],
)  # fmt: skip
def test_what_templates_use(source: str, expected: str) -> None:
    assert render(source) == expected


def test_without_an_answer_to_come() -> None:
    assert render("{{ add_generation_prompt }}", answer=False) == "False"


def test_a_refusal_is_wrong_usage() -> None:
    source = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role\n no!') }}{% endif %}"
    )
    with pytest.raises(UsageError, match=r"^the template refuses these messages: System role no!;"):
        render(source)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% if %}", "error in its line 1"),
        ("{{ messages | nosuch }}", "error in its line 1"),
        ("{{ messages[0].content + 1 }}", "TypeError"),
        ("{{ missing.attribute }}", "UndefinedError"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ strftime_now.__self__.__class__() }}", "SecurityError"),
        ("{% include '/etc/passwd' %}", "TypeError"),
        ("{{ 'x' * 10**9 }}", "SecurityError"),
        ("{{ [0] * 10**9 }}", "SecurityError"),
        ("{{ 10 ** 10 ** 10 }}", "SecurityError"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{{ messages[0].nothing.more }}", "UndefinedError"),
        ("{{ raise_exception }}{{ 1 // 0 }}", "ZeroDivisionError"),
    ],
)
def test_broken_and_hostile_templates_give_one_line(source: str, reason: str) -> None:
    with pytest.raises(DamagedFileError, match=rf"^the template [^\n]*{reason}[^\n]*--raw$"):
        render(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% set tick = 0 %}{% for a in range(9999) %}{% for b in range(9999) recursive %}"
        "{% set environment = 0 %}{% endfor %}{% endfor %}",
    ],
)
def test_templates_that_do_not_end(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "SECONDS", 0.05)
    with pytest.raises(DamagedFileError, match=r"did not end within 0\.05 seconds"):
        render(source)


@pytest.mark.parametrize(
    ("source", "prints"),
    [
        ("{{ strftime_now('%d %b %Y') }}", True),
        ("{% if messages[0].role == 'user' %}{{ date_string }}{% endif %}", True),
        ("no date_string", False),
        ("{{ raise_exception('never') }}", False),
        ("{% if %}", False),
    ],
)
def test_whether_the_date_matters(source: str, prints: bool) -> None:
    assert ChatTemplate(source, "the template", {}).prints_date is prints
