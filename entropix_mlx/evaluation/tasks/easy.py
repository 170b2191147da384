"""Short questions that a model of a hundred million parameters can partly answer."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations, count, islice
from typing import ClassVar

from msgspec.structs import replace

from entropix_mlx.evaluation.answer import first_name, first_number
from entropix_mlx.evaluation.item import Item, Items, Verdict
from entropix_mlx.evaluation.numeral import value, written
from entropix_mlx.evaluation.task import Task
from entropix_models.progress import Progress, quiet

_CAPITALS = """
France: Paris. Germany: Berlin. Italy: Rome. Spain: Madrid. Portugal: Lisbon. England: London.
Ireland: Dublin. Austria: Vienna. Greece: Athens. Poland: Warsaw. Hungary: Budapest. Norway: Oslo.
Sweden: Stockholm. Denmark: Copenhagen. Finland: Helsinki. Russia: Moscow. Turkey: Ankara.
Egypt: Cairo. Kenya: Nairobi. Japan: Tokyo. China: Beijing, Peking. India: New Delhi, Delhi.
Thailand: Bangkok. Australia: Canberra. Canada: Ottawa. Mexico: Mexico City. Cuba: Havana.
Argentina: Buenos Aires. Chile: Santiago. Peru: Lima. Belgium: Brussels. Romania: Bucharest.
Bulgaria: Sofia. Serbia: Belgrade. Croatia: Zagreb. Slovakia: Bratislava. Slovenia: Ljubljana.
Iceland: Reykjavik. Estonia: Tallinn. Latvia: Riga. Lithuania: Vilnius. Scotland: Edinburgh.
Wales: Cardiff. Morocco: Rabat. Tunisia: Tunis. Ghana: Accra. Nigeria: Abuja. Ethiopia: Addis Ababa.
Iran: Tehran. Iraq: Baghdad. Syria: Damascus. Lebanon: Beirut. Jordan: Amman. Vietnam: Hanoi.
Indonesia: Jakarta. Malaysia: Kuala Lumpur. South Korea: Seoul. Nepal: Kathmandu.
New Zealand: Wellington. Brazil: Brasilia. Colombia: Bogota. Venezuela: Caracas. Ecuador: Quito.
Uruguay: Montevideo. Ukraine: Kyiv, Kiev. the United States: Washington. the Netherlands: Amsterdam.
the Philippines: Manila. the Czech Republic: Prague. Switzerland: Bern, Berne.
"""
_PLURALS = """
child children, mouse mice, foot feet, tooth teeth, goose geese, man men, knife knives, leaf leaves,
box boxes, city cities, woman women, wolf wolves, wife wives, life lives, baby babies,
story stories, church churches, bus buses, potato potatoes, ox oxen, shelf shelves, thief thieves,
lady ladies, brush brushes, tomato tomatoes, half halves, dish dishes, berry berries, glass glasses,
loaf loaves
"""
_PASTS = """
go went, run ran, write wrote, eat ate, see saw, take took, sing sang, buy bought, bring brought,
think thought, swim swam, drink drank, give gave, come came, know knew, fly flew, draw drew,
teach taught, catch caught, sleep slept, keep kept, find found, make made, sell sold, tell told,
speak spoke, break broke, drive drove, fall fell, begin began
"""
_WORDS = """
planet zebra river mountain garden window bridge candle dragon engine forest guitar hammer island
jungle kitchen ladder market needle orange pencil quarter rocket silver tunnel umbrella violin water
yellow basket
"""
_PEOPLE = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo")
_COLOURS = ("red", "blue", "green", "yellow", "white", "black")
_THINGS = ("kite", "boat", "coat", "lamp", "chair", "bicycle", "hat", "cup")
_TOWNS = ("Bergen", "Lyon", "Porto", "Dresden", "Graz", "Leeds", "Kyoto", "Tampa")


class Easy(Task):
    """As many of each kind: capitals, sums, spelling, comparisons, recall.

    Where a small model would talk about how one reckons until it is cut off, an opening is put into
    the answer's mouth. Right is what names the right number or name before any wrong one.
    """

    summary: ClassVar = "capitals, sums, spelling, comparisons, recall from a text"
    max_tokens: ClassVar = 16
    stop: ClassVar = ("\n",)

    def items(self, n: int, seed: int, progress: Progress = quiet) -> Items:
        """At most as many as there are capitals, times the five kinds."""
        del progress
        kinds = (_capitals, _sums, _spellings, _comparisons, _recalls)
        streams = [kind(random.Random(f"{seed} {kind.__name__}")) for kind in kinds]
        found = islice(chain.from_iterable(zip(*streams, strict=False)), n)
        return Items([replace(item, id=f"easy-{k}") for k, item in enumerate(found, 1)])

    def judge(self, item: Item, text: str) -> Verdict:
        if all(value(accepted) is not None for accepted in item.accepted):
            number = first_number(text)
            given = None if number is None else written(number)
        else:
            given = first_name(text, (*item.accepted, *item.rejected))
        return Verdict(given, given in item.accepted)


def _item(
    kind: str,
    prompt: str,
    accepted: Sequence[str],
    rejected: Iterable[str] = (),
    opening: str = "",
) -> Item:
    wrong = tuple(word for word in rejected if word not in accepted)
    return Item("", prompt, kind, opening, tuple(accepted), wrong)


def _pairs(text: str, entry: str, between: str) -> dict[str, str]:
    return dict(each.split(between, 1) for each in " ".join(text.split()).rstrip(".").split(entry))


def _capitals(chance: random.Random) -> Iterator[Item]:
    capitals = {
        country: names.split(", ") for country, names in _pairs(_CAPITALS, ". ", ": ").items()
    }
    every = list(chain.from_iterable(capitals.values()))
    for country in chance.sample(list(capitals), len(capitals)):
        yield _item(
            "capital", f"What is the capital of {country}?", capitals[country], rejected=every
        )


def _sums(chance: random.Random) -> Iterator[Item]:
    ranges = [
        list(combinations(range(least, most + 1), 2)) for least, most in ((1, 9), (5, 20), (20, 70))
    ]
    for of in ranges:
        chance.shuffle(of)
    for a, b in chain.from_iterable(zip(*ranges, strict=False)):
        yield _item("sum", f"What is {a} + {b}?", [str(a + b)], opening=f"{a} + {b} =")


def _spellings(chance: random.Random) -> Iterator[Item]:
    """What follows a rule that is none for the word is wrong."""
    plurals, pasts = _pairs(_PLURALS, ", ", " "), _pairs(_PASTS, ", ", " ")
    lists = [list(plurals), list(pasts), _WORDS.split()]
    for words in lists:
        chance.shuffle(words)
    for plural, past, word in zip(*lists, strict=True):
        asked = f'What is the plural of "{plural}"?'
        yield _item("spelling", asked, [plurals[plural]], (f"{plural}s", f"{plural}es"))
        asked = f'What is the past tense of "{past}"?'
        yield _item("spelling", asked, [pasts[past]], (f"{past}ed", f"{past}d"))
        asked = f'What is the first letter of the word "{word}"?'
        yield _item("spelling", asked, [word[0]], "bcdefghjklmnopqrstuvwxyz")  # "a", "I": words


def _comparisons(chance: random.Random) -> Iterator[Item]:
    asked = set()
    for number in count():
        most = (20, 100, 1000, 10_000)[number % 4]
        a, b = chance.sample(range(1, most), 2)
        if (a, b) in asked:
            continue
        asked.add((a, b))
        is_larger = number % 8 < 4
        which = "larger" if is_larger else "smaller"
        small, large = sorted((a, b))
        right, wrong = (large, small) if is_larger else (small, large)
        prompt, opening = f"Which number is {which}, {a} or {b}?", f"The {which} number is"
        yield _item("comparison", prompt, [str(right)], [str(wrong)], opening)


def _recalls(chance: random.Random) -> Iterator[Item]:
    """What is asked for is told first and last by turns."""
    asked = set()
    for number in count():
        which = number // 3 % 2
        people = chance.sample(_PEOPLE, 2)
        if number % 3 == 0:
            things, told = chance.sample(_THINGS, 2), chance.sample(_COLOURS, 2)
            text = " and ".join(f"a {c} {t}" for c, t in zip(told, things, strict=True))
            prompt = f"{people[0]} has {text}. What colour is the {things[which]}?"
        elif number % 3 == 1:
            told = chance.sample(_TOWNS, 2)
            text = " ".join(f"{p} lives in {t}." for p, t in zip(people, told, strict=True))
            prompt = f"{text} Where does {people[which]} live?"
        else:
            told = [str(age) for age in chance.sample(range(2, 20), 2)]
            text = " and ".join(f"{p} is {a} years old" for p, a in zip(people, told, strict=True))
            prompt = f"{text}. How old is {people[which]}? Answer with the number."
        if prompt not in asked:
            asked.add(prompt)
            yield _item("recall", prompt, [told[which]], [told[1 - which]])
