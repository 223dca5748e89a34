"""Level of imitation: where a suspect stands between unrelated models and the teacher itself.

I = (S - floor) / (ceiling - floor), with S the suspect's similarity to the teacher, the floor that of matched
models which did not learn from it, and the ceiling that of an independent re-run of the teacher at the
suspect's settings. A raw similarity has no meaning; this has, for one teacher and one scorer. Levels with
different ceilings must not be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.lineage.scorers_style import RidgeFolds, character_habits, fold_of_prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stillwatch.lineage.answers import Grid
    from stillwatch.lineage.scorers import Affinities


class Imitation(msgspec.Struct, frozen=True):
    """A level of imitation with its interval.

    Attributes:
        teacher: The teacher.
        scorer: Name and version of the scorer.
        similarity: S, the suspect's mean similarity.
        floor: Mean over references of their mean similarity.
        ceiling: Mean similarity of the teacher's re-run.
        level: I; None where floor and ceiling cannot be told apart.
        low: Lower end of the interval of I.
        high: Upper end.
        confidence: Confidence of the interval.
        references: Number of references behind the floor.
        prompts: Number of prompts.
        sentence: The same in words.
    """

    teacher: str
    scorer: str
    similarity: float
    floor: float
    ceiling: float
    level: float | None
    low: float | None
    high: float | None
    confidence: float
    references: int
    prompts: int
    sentence: str


def imitation(
    affinities: Affinities,
    suspect: str,
    teacher: str,
    rerun: str,
    references: Sequence[str],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Imitation:
    """Level of imitation with a percentile interval from a bootstrap over prompts *and* references.

    Args:
        affinities: Of suspect, re-run and references with the teacher, by a scorer whose values mean the same
            for every pair (any but `Combined`).
        suspect: Row of the model under test.
        teacher: Column of the teacher.
        rerun: Row of an independent run of the teacher (`Answers.runs_as_models`).
        references: Rows of matched models that did not learn from the teacher.
        rng: Source of randomness.
        confidence: Of the interval, inside (0, 1).
        resamples: Bootstrap samples.

    Raises:
        ValueError: Fewer than two references or prompts, or the confidence is outside (0, 1).
    """
    if len(references) < 2 or len(affinities.prompts) < 2 or not 0.0 < confidence < 1.0:
        raise ValueError("a level needs two references, two prompts and a confidence inside (0, 1)")
    column = affinities.columns([teacher])[0]
    rows = [affinities.row(name)[:, column] for name in (suspect, rerun, *references)]
    scores = np.stack(rows, axis=1)
    draws = _bootstrap(scores, len(references), rng, resamples)
    similarity, ceiling, floor = scores[:, 0].mean(), scores[:, 1].mean(), scores[:, 2:].mean()
    tail = 50.0 * (1.0 - confidence)
    apart = float(np.percentile(draws[:, 2] - draws[:, 1], tail)) > 0.0
    level, low, high = None, None, None
    if apart:
        levels = (draws[:, 0] - draws[:, 1]) / np.maximum(draws[:, 2] - draws[:, 1], 1e-12)
        level = float((similarity - floor) / (ceiling - floor))
        low, high = (float(end) for end in np.percentile(levels, [tail, 100.0 - tail]))
    return Imitation(
        teacher,
        affinities.scorer,
        float(similarity),
        float(floor),
        float(ceiling),
        level,
        low,
        high,
        confidence,
        len(references),
        len(affinities.prompts),
        _sentence(level, low, high, confidence),
    )


def distinguisher_advantage(grid: Grid, suspect: str, teacher: str, *, folds: int = 5) -> float:
    """Advantage of a classifier that must tell the suspect's answers from the teacher's: 2 * accuracy - 1.

    Habits of characters, ridge regression, each prompt judged by a fit that has not seen it (the measure of
    arXiv 2605.30448 with a plain judge). 1: always told apart; 0: not better than a coin. A stronger judge
    finds at least as much, so it is a lower bound.

    Raises:
        ValueError: There are fewer prompts than folds, or a model is not in the grid.
    """
    if len(grid.prompts) < folds:
        raise ValueError("an advantage needs at least as many prompts as folds")
    pair = list(grid.positions([suspect, teacher]))
    width = len(grid.models)
    texts = [grid.texts[p * width + m] for p in range(len(grid.prompts)) for m in pair]
    cube = character_habits(texts, (2, 3, 4), 700).reshape(len(grid.prompts), 2, -1)
    ridge, fold = RidgeFolds(cube, 3.0), fold_of_prompts(grid.prompts, folds)
    right = 0.0
    for part in range(folds):
        held = fold == part
        scores = ridge.without(held, cube[held].reshape(-1, cube.shape[-1]))
        if scores is not None:
            own = scores.reshape(-1, 2, 2)
            gap = np.stack([own[:, 0, 0] - own[:, 0, 1], own[:, 1, 1] - own[:, 1, 0]])
            right += float(np.sum(gap > 0.0) + 0.5 * np.sum(gap == 0.0))
    return right / len(grid.prompts) - 1.0


def _bootstrap(
    scores: NDArray[np.float64], references: int, rng: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Means of suspect, floor and ceiling over resampled prompts and references, shape (resamples, 3)."""
    prompts = scores.shape[0]
    drawn = np.empty((resamples, 3))
    for index in range(resamples):
        weight = np.bincount(rng.integers(0, prompts, prompts), minlength=prompts) / prompts
        mean = weight @ scores
        chosen = rng.integers(0, references, references)
        drawn[index] = mean[0], mean[2:][chosen].mean(), mean[1]
    return drawn


def _sentence(level: float | None, low: float | None, high: float | None, confidence: float) -> str:
    if level is None:
        return (
            "No level: the teacher's own re-run is not more similar to it than unrelated models are, "
            "so there is nothing to measure on; use more prompts or a less random setting."
        )
    return (
        f"The suspect lies {level:.0%} of the way from matched unrelated models (0 %) to the teacher's own "
        f"re-run (100 %), with a {confidence:.0%} interval of {low:.0%} to {high:.0%}."
    )
