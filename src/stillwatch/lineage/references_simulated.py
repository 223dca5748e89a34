"""Simulated populations of models with known lineage: where error rates can be counted, not only argued.

A model is a way to choose words. On each prompt there are words that everybody uses and words that one *base*
or one *teacher* favours; apart from prompts, each has habits (a distribution over function words and marks).
A student draws each word from its teacher with probability `dose`, else from its own base, and every model
also has a leaning of its own towards each teacher (`contamination`): public text that no one can account for.
That random leaning is what makes the model, and not the prompt, the unit of evidence. It tests calibration;
power on it says nothing about real models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from stillwatch.lineage.answers import Grid
from stillwatch.lineage.references import ModelCard, ReferenceSet, Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHARED, _OWN, _HABITS = 24, 12, 60
_MARKS = (",", ".", "\n", "!", "(", "\n-")


class Population(msgspec.Struct, frozen=True):
    """Size and strength of a simulated population.

    Attributes:
        prompts: Number of prompts.
        vendors: Teachers, each of a vendor of its own.
        bases: Base models; models are dealt out evenly.
        innocents: Models that learned from people.
        students: Models that learned from a teacher; teachers are dealt out evenly.
        words: Words of each answer.
        dose: Share of a student's words that come from its teacher's ways.
        contamination: Mean share of any model's words that come from some teacher's ways by other routes.
        base_leaning: Further share with which every model of the first base leans to the first teacher: what
            makes references of another base a wrong null.
    """

    prompts: int = 60
    vendors: int = 4
    bases: int = 2
    innocents: int = 40
    students: int = 12
    words: int = 60
    dose: float = 0.25
    contamination: float = 0.06
    base_leaning: float = 0.0


class Simulated(NamedTuple):
    """A population with its truth."""

    grid: Grid
    """Answers of all models, teachers first, then a re-run of each (`NAME@run1`), innocents, students."""
    references: ReferenceSet
    """Cards of all models but the re-runs."""


def simulated(population: Population, rng: np.random.Generator) -> Simulated:
    """Draw a population.

    Args:
        population: Its size and strength.
        rng: Source of all randomness.
    """
    cards = _cards(population)
    runs = [f"{card.name}@run1" for card in cards if card.role is Role.TEACHER]
    sources = population.vendors + population.bases
    mixtures = _mixtures(population, cards, rng)
    habits = rng.dirichlet(np.full(_HABITS, 0.6), size=sources)
    columns = [_answers(population, mixtures, habits, rng) for _ in range(population.prompts)]
    texts = tuple(
        " ".join(_word(prompt, number) for number in row)
        for prompt, rows in enumerate(columns)
        for row in rows
    )
    teachers = [card.name for card in cards[: population.vendors]]
    rest = [card.name for card in cards[population.vendors :]]
    names = (*teachers, *runs, *rest)
    prompts = tuple(f"p{number:04d}" for number in range(population.prompts))
    return Simulated(Grid(prompts, names, texts), ReferenceSet(tuple(cards)))


def _cards(population: Population) -> list[ModelCard]:
    cards = [
        ModelCard(f"teacher-{number}", Role.TEACHER, vendor=f"vendor-{number}")
        for number in range(population.vendors)
    ]
    for number in range(population.innocents):
        base = f"base-{number % population.bases}"
        cards.append(ModelCard(f"innocent-{number}", Role.HUMAN, base=base, size_b=7.0))
    for number in range(population.students):
        taught = number % population.vendors
        base = f"base-{(number // population.vendors) % population.bases}"
        of = (f"vendor-{taught}/teacher-{taught}",)
        cards.append(ModelCard(f"student-{number}", Role.STUDENT, base=base, size_b=7.0, teachers=of))
    return cards


def _mixtures(
    population: Population, cards: list[ModelCard], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Share of each source (teachers, then bases) in the words of each model, re-runs included."""
    vendors = population.vendors
    rows = np.zeros((len(cards), vendors + population.bases))
    for index, card in enumerate(cards):
        if card.role is Role.TEACHER:
            rows[index, index] = 1.0
            continue
        leaning = np.minimum(rng.exponential(population.contamination, vendors), 0.5 / vendors)
        rows[index, :vendors] = leaning
        if card.base == "base-0":
            rows[index, 0] += population.base_leaning
        if card.teachers:
            rows[index, int(card.teachers[0].rpartition("-")[2])] += population.dose
        rows[index, vendors + int(card.base.rpartition("-")[2])] = 1.0 - rows[index].sum()
    return np.concatenate([rows[:vendors], rows])


def _answers(
    population: Population,
    mixtures: NDArray[np.float64],
    habits: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Words of each model's answer to one prompt, shape (models, words).

    Words 0 to `_HABITS` - 1 are function words; the next belong to the prompt and to all, then to one source.
    """
    models, sources = mixtures.shape
    cumulated = np.cumsum(mixtures, axis=1)
    draw = rng.random((models, population.words, 1)) * cumulated[:, None, -1:]
    source = np.minimum((draw > cumulated[:, None, :]).sum(axis=2), sources - 1)
    kind = rng.random(source.shape)
    shared = _HABITS + rng.integers(0, _SHARED, source.shape)
    favoured = _HABITS + _SHARED + source * _OWN + rng.integers(0, _OWN, source.shape)
    bounds = np.cumsum(habits, axis=1)[source]
    function = np.minimum((rng.random((*source.shape, 1)) > bounds).sum(axis=2), _HABITS - 1)
    return np.asarray(np.where(kind < 0.4, function, np.where(kind < 0.75, shared, favoured)))


def _word(prompt: int, number: int) -> str:
    """A word of letters, or a mark; marks and function words are the same on all prompts."""
    if number < len(_MARKS):
        return _MARKS[number]
    value = number if number < _HABITS else number + 1000 * (prompt + 1)
    letters = []
    while True:
        value, digit = divmod(value, 20)
        letters.append("bcdfghjklmnprstvwxyz"[digit] + "aeiou"[digit % 5])
        if value == 0:
            return "".join(letters)
