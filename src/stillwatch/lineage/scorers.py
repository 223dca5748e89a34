"""Scorers: how much the answers of each model look like those of each possible teacher.

A scorer is a plug-in. Own ones stand in `SCORERS`; all go through one contract suite
(`tests/lineage/test_scorers.py`). Calibration needs one thing of them: the score of a model must not depend
on which of the models is called the suspect, so models and prompts may be given in any order.

What the measured choice rests on, and what was tried and left, stands in
`docs/decisions/0050-lineage-scorers.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from stillwatch.lineage.scorers_form import form_distances, template_units
from stillwatch.lineage.scorers_grams import (
    Units,
    byte_units,
    containments,
    gram_counts,
    prompt_of_text,
    prompt_products,
    rarity_weighted,
    word_units,
)
from stillwatch.lineage.scorers_style import RidgeFolds, character_habits, fold_of_prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stillwatch.lineage.answers import Grid


_TEXTS_AT_ONCE = 20_000


@runtime_checkable
class Scorer(Protocol):
    """Compares answers of models with answers of possible teachers to the same prompts."""

    @property
    def name(self) -> str:
        """Permanent name."""
        ...

    @property
    def version(self) -> int:
        """Raised with every change that changes a score."""
        ...

    def scores(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        """Affinity of each model of `grid` with the models at `teachers`.

        Returns:
            Shape (prompts, models, teachers), finite; higher is more alike. What stands where a model is
            compared with itself does not matter.
        """
        ...


@dataclass(frozen=True, repr=False)
class Affinities:
    """Scores of models against teachers, prompt by prompt.

    Attributes:
        scorer: Name and version of the scorer, such as `words/1`.
        prompts: Prompt ids, P of them.
        models: Models, R of them.
        teachers: Teachers, C of them.
        values: Shape (P, R, C); not a number where a model would be compared with itself.
    """

    scorer: str
    prompts: tuple[str, ...]
    models: tuple[str, ...]
    teachers: tuple[str, ...]
    values: NDArray[np.float64]

    def __repr__(self) -> str:
        shape = " x ".join(str(size) for size in self.values.shape)
        return f"Affinities({self.scorer}, {shape})"

    def columns(self, teachers: Sequence[str]) -> list[int]:
        """Positions of `teachers`.

        Raises:
            ValueError: One of them is no column.
        """
        missing = [name for name in teachers if name not in self.teachers]
        if missing:
            raise ValueError(f"not among the teachers: {', '.join(missing)}")
        return [self.teachers.index(name) for name in teachers]

    def row(self, model: str) -> NDArray[np.float64]:
        """Scores of one model, shape (P, C).

        Raises:
            ValueError: The model is no row.
        """
        if model not in self.models:
            raise ValueError(f"not among the models: {model}")
        return np.asarray(self.values[:, self.models.index(model)])

    def mean(self) -> NDArray[np.float64]:
        """Mean over prompts, shape (R, C); not a number where a model meets itself."""
        return np.asarray(self.values.mean(axis=0))

    def on(self, prompts: Sequence[int] | NDArray[np.int64]) -> Affinities:
        """The same on the prompts at these positions (a bootstrap may repeat some)."""
        chosen = np.asarray(prompts, dtype=np.int64)
        names = tuple(self.prompts[p] for p in chosen)
        return Affinities(self.scorer, names, self.models, self.teachers, self.values[chosen])


def affinities(scorer: Scorer, grid: Grid, teachers: Sequence[str]) -> Affinities:
    """Score all models of `grid` against `teachers`.

    Raises:
        ValueError: A teacher is not in the grid, or the scorer returns what its contract forbids.

    Example:
        >>> from stillwatch.lineage.answers import Grid
        >>> said = ("a red fox", "a red fox ran", "no idea at all")
        >>> found = affinities(WORDS, Grid(("q1",), ("ours", "suspect", "other"), said), ["ours"])
        >>> bool(found.row("suspect")[0, 0] > found.row("other")[0, 0])
        True
    """
    columns = grid.positions(teachers)
    values = np.array(scorer.scores(grid, columns), dtype=np.float64)
    expected = (len(grid.prompts), len(grid.models), len(columns))
    if values.shape != expected or not np.isfinite(values).all():
        raise ValueError(f"scorer {scorer.name} must return finite scores of shape {expected}")
    values[:, columns, np.arange(len(columns))] = np.nan
    return Affinities(f"{scorer.name}/{scorer.version}", grid.prompts, grid.models, tuple(teachers), values)


@dataclass(frozen=True)
class RareGrams:
    """Cosine of n-grams that few models use on the same prompt (TF-IDF across models, prompt by prompt).

    `kind` is `word` or `byte`. With `root` the square root is taken: one long shared phrase then counts less
    than agreement on many prompts.
    """

    name: str
    kind: str
    sizes: tuple[int, ...]
    limit: int
    root: bool
    version: int = 1

    def scores(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        """Cosines from 0 to 1, shape (prompts, models, teachers)."""
        return np.concatenate([self._part(part, teachers) for part in _parts(grid)])

    def _part(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        units = _units(self.kind, grid.texts, self.limit)
        weighted = rarity_weighted(gram_counts(units, self.sizes, prompt_of_text(grid)), len(grid.models))
        cosine = prompt_products(weighted, grid, range(len(grid.models)), teachers)
        return np.sqrt(np.maximum(cosine, 0.0)) if self.root else cosine


@dataclass(frozen=True)
class SharedPhrases:
    """Share of a model's rare phrases, weighted by rarity, that the teacher uses on the same prompt."""

    name: str = "shared"
    sizes: tuple[int, ...] = (3, 4, 5)
    limit: int = 150
    version: int = 1

    def scores(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        """Shares from 0 to 1, shape (prompts, models, teachers)."""
        return np.concatenate([self._part(part, teachers) for part in _parts(grid)])

    def _part(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        counts = gram_counts(word_units(grid.texts, self.limit), self.sizes, prompt_of_text(grid))
        return containments(counts, grid, teachers)


@dataclass(frozen=True)
class Form:
    """Nearness in form: length, sentences, lists, mark-up, marks, capitals, digits, function words."""

    name: str = "form"
    version: int = 1

    def scores(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        """Minus the mean distance in spreads of the prompt, shape (prompts, models, teachers)."""
        return -form_distances(grid, teachers)


@dataclass(frozen=True)
class Habits:
    """Habits of characters that tell the teachers apart, learned on the teachers' answers to *other* prompts.

    Ridge regression of "which teacher wrote this?" on runs of 2 to 4 bytes, each answer less the mean of the
    teachers' answers to its prompt: what a prompt is about is common to them all and would only be noise. A
    prompt's scores come from a fit that has not seen the prompt. A suspect's few answers meet all that the
    teachers ever said, and no answer but the teachers' is learned from.
    """

    name: str = "habits"
    sizes: tuple[int, ...] = (2, 3, 4)
    limit: int = 700
    penalty: float = 3.0
    folds: int = 5
    version: int = 2

    def scores(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        """About 1 for a text like the teacher's and 0 for one unlike, shape (prompts, models, teachers)."""
        width = len(grid.models)
        said = [grid.texts[p * width + t] for p in range(len(grid.prompts)) for t in teachers]
        cube = character_habits(said, self.sizes, self.limit).reshape(len(grid.prompts), len(teachers), -1)
        topic = cube.mean(axis=1, keepdims=True)
        ridge, fold = RidgeFolds(cube - topic, self.penalty), fold_of_prompts(grid.prompts, self.folds)
        found = np.zeros((len(grid.prompts), width, len(teachers)))
        for part in np.unique(fold):
            held = fold == part
            test = character_habits(grid.restricted(np.flatnonzero(held)).texts, self.sizes, self.limit)
            test = (test.reshape(-1, width, test.shape[1]) - topic[held]).reshape(test.shape)
            scores = ridge.without(held, test)
            if scores is not None:
                found[held] = scores.reshape(-1, width, len(teachers))
        return found


@dataclass(frozen=True)
class Combined:
    """Weighted sum of scorers, each less its mean over the teachers and in units of its overall spread."""

    name: str
    parts: tuple[tuple[float, Scorer], ...]
    version: int = 1

    def scores(self, grid: Grid, teachers: Sequence[int]) -> NDArray[np.float64]:
        """Sum of standardised scores, shape (prompts, models, teachers); all 0 for a single teacher."""
        total = np.zeros((len(grid.prompts), len(grid.models), len(teachers)))
        for weight, scorer in self.parts:
            total += weight * _standardised(scorer.scores(grid, teachers), teachers)
        return total


TFIDF = RareGrams("tfidf", "word", (1, 2), 150, root=False)
"""The plain baseline of the literature: what every other scorer has to beat."""
WORDS = RareGrams("words", "word", (1, 2), 150, root=True)
PHRASES = RareGrams("phrases", "word", (2, 3, 4, 5), 150, root=True)
CHARACTERS = RareGrams("characters", "byte", (6,), 700, root=True)
TEMPLATES = RareGrams("templates", "template", (3, 4, 5), 150, root=True)
HABITS = Habits()
FORM = Form()
LINEAGE = Combined(
    "lineage", ((1.0, WORDS), (1.0, PHRASES), (1.0, CHARACTERS), (3.0, HABITS), (2.0, FORM)), version=2
)
"""The scorer that tests use by default."""

SCORERS: tuple[Scorer, ...] = (
    TFIDF,
    WORDS,
    PHRASES,
    CHARACTERS,
    SharedPhrases(),
    TEMPLATES,
    FORM,
    HABITS,
    LINEAGE,
)
"""All scorers of this package."""


def _parts(grid: Grid) -> list[Grid]:
    """The grid in pieces of whole prompts: n-grams of different prompts never meet, and memory is bounded."""
    step = max(1, _TEXTS_AT_ONCE // len(grid.models))
    return [
        grid.restricted(range(at, min(at + step, len(grid.prompts))))
        for at in range(0, len(grid.prompts), step)
    ]


def _units(kind: str, texts: Sequence[str], limit: int) -> Units:
    if kind == "template":
        return template_units(texts, limit)
    return byte_units(texts, limit) if kind == "byte" else word_units(texts, limit)


def _standardised(values: NDArray[np.float64], teachers: Sequence[int]) -> NDArray[np.float64]:
    """Less the mean over teachers, over the spread of all; cells where a model meets itself are left out."""
    own = np.zeros(values.shape[1:], dtype=bool)
    own[list(teachers), np.arange(len(teachers))] = True
    weight = np.where(own, 0.0, 1.0)
    count = np.maximum(weight.sum(axis=1), 1.0)
    centred = values - ((values * weight).sum(axis=2) / count)[:, :, None]
    spread = np.sqrt((centred**2 * weight).sum() / max(weight.sum() * values.shape[0], 1.0))
    return np.asarray(centred * weight / max(spread, 1e-12))
