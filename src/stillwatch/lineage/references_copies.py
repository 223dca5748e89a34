"""Copies among models: the same answers under another name would count one model as two references."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stillwatch.lineage.scorers_grams import (
    byte_units,
    gram_counts,
    prompt_of_text,
    prompt_products,
    unit_length,
)

if TYPE_CHECKING:
    from stillwatch.lineage.answers import Grid

COPY_SIMILARITY = 0.98
"""Mean similarity over prompts that makes two models copies; independent re-runs measured at most 0.8."""


class Copies(NamedTuple):
    """Models whose answers are the same."""

    models: tuple[str, ...]
    """Names, in the order of the grid; the first is kept."""
    similarity: float
    """Least mean similarity of a linked pair among them."""


def copies(grid: Grid, threshold: float = COPY_SIMILARITY) -> tuple[Copies, ...]:
    """Groups of models that give the same answers, up to trifles.

    Mean over prompts of the cosine of runs of three bytes. Links are followed: if A copies B and B copies C,
    all three are one group.

    Raises:
        ValueError: The threshold is outside (0, 1].
    """
    if not 0.0 < threshold <= 1.0:
        raise ValueError("the threshold must lie in (0, 1]")
    mean = answer_similarity(grid)
    first, second = np.nonzero(np.triu(mean >= threshold, k=1))
    count = len(grid.models)
    graph = coo_array((np.ones(first.size), (first, second)), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    found = []
    for number in np.unique(group[first]):
        members = np.flatnonzero(group == number)
        linked = group[first] == number
        least = float(mean[first[linked], second[linked]].min())
        found.append(Copies(tuple(grid.models[index] for index in members), least))
    return tuple(found)


def without_copies(grid: Grid, threshold: float = COPY_SIMILARITY) -> tuple[str, ...]:
    """Names of the models with one of each group of copies, in the order of the grid."""
    dropped = {name for group in copies(grid, threshold) for name in group.models[1:]}
    return tuple(name for name in grid.models if name not in dropped)


def answer_similarity(grid: Grid) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Mean similarity of each pair of models over the prompts, shape (M, M); 1 where answers are equal.

    Case and white space do not count, and nothing is weighted by rarity: here sameness is asked for, and a
    trifle that only one of two copies has would weigh most.
    """
    models = len(grid.models)
    plain = [" ".join(text.lower().split()) for text in grid.texts]
    counts = gram_counts(byte_units(plain, 2000), (3,), prompt_of_text(grid))
    cosine = prompt_products(unit_length(counts), grid, range(models), range(models))
    texts = np.array(plain, dtype=object).reshape(len(grid.prompts), models)
    same = texts[:, :, None] == texts[:, None, :]
    return np.asarray(np.where(same.astype(bool), 1.0, cosine).mean(axis=0))
