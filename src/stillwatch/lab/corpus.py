"""A seeded corpus of short tasks and worked answers with enough entropy to carry a mark.

Every document is a question about a small scene and an answer that first counts, then tells how it went on.
The counting is exact, the telling is free: most words of an answer are drawn, so that a teacher trained on it
stays uncertain about them. All words and sentence forms are our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

ASKS: Final = (
    "{name}: {n} {adj} {noun}, then {m} more. Total and story?",
    "{n} {noun} at the {place}, {m} from the {person}. Tell.",
    "{noun} in the {place}: {n}, {name} adds {m}. What then?",
    "{name} has {n} {noun}, the {person} {m}. Together?",
)
COUNTS: Final = (
    "{n} plus {m} makes {sum} {noun}.",
    "The total is {n} + {m} = {sum}.",
    "Add {m} to {n} and get {sum}.",
    "Together {sum}, since {n} and {m} are {sum}.",
)
TELLS: Final = (
    "{time} the {adj} {noun} {past} the {person} {link} the {place}.",
    "{time} {name} {adverb} {verb} the {adj} {noun} {link} the {place}.",
    "The {person} {verb} {adj} {noun} and {verb} the {noun} {adverb}.",
    "{name} was {feeling}, so the {person} {verb} the {adj} {noun}.",
    "{adverb} the {feeling} {person} {verb} some {noun} {link} the {adj} {place}.",
    "But the {adj} {place} was {adj}, and {name} {verb} it {adverb}.",
    "Then {name} and the {person} {verb} {adj} {noun} {time}.",
    "A {feeling} {person} {adverb} {verb} every {adj} {noun} {time}.",
    "The {noun} {link} the {place} were {adj} and {adj}.",
    "{name} {verb} the {noun}, and the {person} felt {feeling} {time}.",
)
_SUBJECT: Final = ("name", "noun", "place", "person")
"""The subject of a task; an answer comes back to it at a third of the places."""


@dataclass(frozen=True)
class Document:
    """One task.

    Attributes:
        prompt: What a client asks.
        answer: What a teacher learns to say.
    """

    prompt: str
    answer: str


def generate(count: int, rng: np.random.Generator) -> list[Document]:
    """Draw `count` documents.

    >>> generate(1, np.random.default_rng(0))[0].prompt[-1] in "?."
    True
    """
    return [_document(rng) for _ in range(count)]


@cache
def lexicon() -> dict[str, tuple[str, ...]]:
    """The words of each slot."""
    lines = files("stillwatch.lab").joinpath("lexicon.txt").read_text("utf-8").splitlines()
    pairs = (line.split(": ", 1) for line in lines if not line.startswith("#"))
    return {slot: tuple(words.split(", ")) for slot, words in pairs}


def _document(rng: np.random.Generator) -> Document:
    n, m = int(rng.integers(2, 50)), int(rng.integers(2, 50))
    known = {slot: _draw(rng, lexicon()[slot]) for slot in _SUBJECT}
    numbers = {"n": str(n), "m": str(m), "sum": str(n + m)}
    ask = _fill(_pick(rng, ASKS), known | numbers, rng, keep=1.0)
    count = _fill(_pick(rng, COUNTS), known | numbers, rng, keep=1.0)
    told = [_fill(_pick(rng, TELLS), known, rng, keep=0.35) for _ in range(int(rng.integers(2, 5)))]
    return Document(prompt=ask, answer=" ".join([count, *told]))


def _pick(rng: np.random.Generator, among: Sequence[str]) -> str:
    return among[int(rng.integers(len(among)))]


def _draw(rng: np.random.Generator, among: Sequence[str]) -> str:
    """Draw with falling weights, as the words of a text have."""
    return among[int(len(among) * rng.random() ** 1.5)]


def _fill(form: str, known: dict[str, str], rng: np.random.Generator, keep: float) -> str:
    """Fill the slots of `form`, each with the `known` word at probability `keep`, else with a fresh one."""
    words = []
    for piece in form.split("{"):
        slot, closed, rest = piece.partition("}")
        if not closed:
            words.append(piece)
            continue
        fresh = slot not in known or rng.random() >= keep
        words.append((_draw(rng, lexicon()[slot]) if fresh else known[slot]) + rest)
    text = "".join(words)
    return text[0].upper() + text[1:]
