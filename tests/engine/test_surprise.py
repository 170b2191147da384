"""What a text's surprises are."""

import math
from typing import Any

from entropix_mlx.analysis.surprise import surprises
from entropix_mlx.records.record import TokenRecord


def token(text: str, id: int, p: float | None, *listed: tuple[int, str, float]) -> TokenRecord:
    """`listed`: candidates as id, text and probability, the most likely first."""
    names = (
        *("logprob", "rank", "entropy", "varentropy", "attn_entropy", "attn_varentropy"),
        *("agreement", "interaction_strength", "quadrant", "region", "strategy"),
    )
    fields: dict[str, Any] = dict.fromkeys(names)
    if p is not None:
        rank = next((n for n, one in enumerate(listed) if one[0] == id), 8)
        fields |= {"logprob": math.log(p), "rank": rank}
    own = () if p is None or any(one[0] == id for one in listed) else ((id, text, p),)
    candidates = [(i, t, math.log(q), q) for i, t, q in (*listed, *own)]
    return TokenRecord(
        **fields, index=0, parent=-1, id=id, text=text, bytes="", candidates=candidates
    )


SPAIN = [
    token("The", 1, None),
    token(" capital", 2, 2**-10, (9, " man", 0.25)),
    token(" of", 3, 0.5, (3, " of", 0.5)),
    token(" Spain", 4, 2**-4, (8, " the", 0.25)),
    token(" is", 5, 2**-5, (5, " is", 2**-5)),
    token("", 6, 2**-10, (7, " Madrid", 0.75), (6, "<part>", 2**-10)),
    token(" banana", 10, 2**-20, (7, " Madrid", 0.5)),
]


def test_the_most_surprising_comes_first_with_what_was_expected() -> None:
    first, *rest = surprises(SPAIN)
    assert first.record is SPAIN[-1]
    assert (first.token, first.expected) == (" banana", " Madrid")
    assert math.isclose(first.bits, 20)
    assert math.isclose(first.p, 0.5)
    assert "".join(r.text for r in SPAIN)[first.at :] == " banana"
    assert [one.token for one in rest] == [" capital", "<part>", " Spain"], "equals as they came"


def test_what_was_expected_is_no_surprise() -> None:
    assert {" of", " is"}.isdisjoint(one.token for one in surprises(SPAIN))
    assert not surprises([token("a", 1, 0.001, (1, "a", 0.001))])
    assert not surprises([])


def test_how_many_and_from_where_on() -> None:
    assert [one.token for one in surprises(SPAIN, most=1)] == [" banana"]
    assert [one.token for one in surprises(SPAIN, least=10)] == [" banana", " capital", "<part>"]
    assert [one.token for one in surprises(SPAIN, least=10.001)] == [" banana"]
