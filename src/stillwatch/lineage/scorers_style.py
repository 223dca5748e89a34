"""Style of answers apart from what they are about: habits of characters, and of form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from stillwatch.lineage.scorers_grams import Units, byte_units, gram_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDTH = 2048
"""Hashed columns of the habits of characters."""


def character_habits(texts: Sequence[str], sizes: Sequence[int], limit: int) -> NDArray[np.float32]:
    """How often each text uses short runs of characters, hashed to `WIDTH` columns, as logs of counts.

    Returns:
        Shape (texts, WIDTH), each row of unit length (all zero for an empty text).
    """
    units = byte_units(texts, limit)
    counts = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for size in sizes:
        _count_into(counts, units, size)
    np.log1p(counts, out=counts)
    length = np.linalg.norm(counts, axis=1, keepdims=True)
    return np.asarray(np.divide(counts, length, out=counts, where=length > 0.0))


def _count_into(counts: NDArray[np.float32], units: Units, size: int) -> None:
    hashes, text = gram_hashes(units, size)
    cell = text * WIDTH + (hashes % np.uint64(WIDTH)).astype(np.int64)
    where, number = np.unique(cell, return_counts=True)
    counts.ravel()[where] += number


def fold_of_prompts(prompts: Sequence[str], folds: int) -> NDArray[np.int64]:
    """Fold of each prompt, from its id alone, so that neither order nor the other prompts matter."""
    hashed = [sum((position + 1) * byte for position, byte in enumerate(p.encode())) for p in prompts]
    order = np.argsort(np.argsort(hashed, kind="stable"), kind="stable")
    return np.asarray(order % folds)


class RidgeFolds:
    """One-against-rest ridge regression of "which teacher wrote this?", with parts of the texts held out.

    The sums over all texts are made once; a fit without a part takes the sums of that part away.
    """

    def __init__(self, cube: NDArray[np.float32], penalty: float) -> None:
        """Learn on `cube`, shape (prompts, teachers, width), with a ridge `penalty` above 0."""
        self._cube, self._penalty = cube, penalty
        self._gram, self._sums = _moments(cube)

    def without(self, held: NDArray[np.bool_], test: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Scores of `test`, shape (n, width), by the fit without the prompts where `held` is True.

        Returns:
            Shape (n, teachers): about 1 for a text like the teacher's and 0 for one unlike; None when no
            prompt is left to learn from.
        """
        prompts, teachers, _ = self._cube.shape
        count = (prompts - int(held.sum())) * teachers
        if count == 0:
            return None
        gram, sums = _moments(self._cube[held])
        own = (self._sums - sums).astype(np.float64)
        centre = own.sum(axis=0) / count
        inner = (self._gram - gram).astype(np.float64) - count * np.outer(centre, centre)
        inner[np.diag_indices_from(inner)] += self._penalty
        towards = own - (count / teachers) * centre
        weights = linalg.solve(inner, towards.T, assume_a="pos")
        return np.asarray((test - centre) @ weights + 1.0 / teachers)


def _moments(cube: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Second moments over all texts, and sums for each teacher."""
    flat = cube.reshape(-1, cube.shape[-1])
    return flat.T @ flat, cube.sum(axis=0)
