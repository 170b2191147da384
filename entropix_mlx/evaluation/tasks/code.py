"""Small functions of Python, which are run."""

import json
import random
import re
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from entropix_mlx.evaluation.child import Failed, Returned, called
from entropix_mlx.evaluation.functions import FUNCTIONS, Function
from entropix_mlx.evaluation.item import Item, Items, Verdict
from entropix_mlx.evaluation.task import Task
from entropix_models.progress import Progress, quiet

_FENCE = re.compile(r"```[ \t]*(?:python|py)?\d?[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.S | re.M | re.I)
_STATEMENT = re.compile(r"(?:def|import|from|@|class)\b|@|#|$|\s")
_LONGEST = 1 << 14
_NUMBERS = range(3, 12)


class Code(Task):
    """Each function once, in an order by the seed; then those that have a number with other ones.

    Run is the first code block that defines a function, or else what follows from the first `def`
    on, as far as it is code. Right is a function of the name that was asked for that returns the
    right value for every one of the calls, none of which the prompt tells. What runs is bounded
    (`evaluation.child`).
    """

    summary: ClassVar = "small functions of Python, run in a bounded process"
    max_tokens: ClassVar = 160
    stop: ClassVar = ("\n```", "\nprint(", "\nif __name__")

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        del progress
        found = islice(_asked(random.Random(f"{seed} code")), n)
        return Items([_item(f"code-{k}", *each, seed) for k, each in enumerate(found, 1)])

    def judge(self, item: Item, text: str) -> Verdict:
        code = extracted(item.opening + text)
        if code is None or len(code) > _LONGEST:
            return Verdict(None, False)
        calls, expected = json.loads(item.data["calls"]), json.loads(item.data["expected"])
        results = called(code, item.data["name"], calls)
        right = [
            isinstance(result, Returned) and _same(result.value, wanted)
            for result, wanted in zip(results, expected, strict=True)
        ]
        failed = next((result.why for result in results if isinstance(result, Failed)), None)
        given = f"{sum(right)} of {len(right)} calls right" + (f"; {failed}" if failed else "")
        return Verdict(given, all(right))


def extracted(text: str) -> str | None:
    """The code of an answer that has any."""
    for block in _FENCE.findall(text):
        if re.search(r"^[ \t]*(?:async )?def ", block, re.M):
            return str(block)
    lines = text.split("\n")
    first = next((k for k, line in enumerate(lines) if line.startswith("def ")), None)
    if first is None:
        return None
    kept = [line for line in lines[:first] if re.match(r"(?:import|from) \w", line)]
    for line in lines[first:]:
        if not _STATEMENT.match(line):
            break
        kept.append(line)
    return "\n".join(kept)


def _same(value: object, wanted: object) -> bool:
    if isinstance(value, float) and isinstance(wanted, int | float):
        return abs(value - wanted) <= 1e-9 * max(1, abs(wanted))
    return value == wanted


def _asked(chance: random.Random) -> Iterator[tuple[Function, int]]:
    """The numbers of a function never twice; the order of functions changes with every round."""
    numbers = {function: chance.sample(_NUMBERS, len(_NUMBERS)) for function in FUNCTIONS}
    for number in range(len(_NUMBERS)):
        of = [function for function in FUNCTIONS if number == 0 or function.has_number]
        for function in chance.sample(of, len(of)):
            yield function, numbers[function][number]


def _item(id: str, function: Function, k: int, seed: int) -> Item:
    name, says = (text.replace("{k}", str(k)) for text in (function.name, function.says))
    calls = function.cases(random.Random(f"{seed} {name}"))
    given = [k] if function.has_number else []
    # Copies: what is asked stays as it is, whatever the function does with it.
    expected = [function.does(*given, *json.loads(json.dumps(arguments))) for arguments in calls]
    return Item(
        id,
        f"Write a Python function `{name}({function.parameters})` that {says}. "
        "Answer with its code alone.",
        function.kind,
        f"```python\ndef {name}({function.parameters}):",
        data={"name": name, "calls": json.dumps(calls), "expected": json.dumps(expected)},
    )
