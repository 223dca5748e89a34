"""Style of answers apart from what they are about: habits of characters, and of form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3
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
    """Fold of each prompt, 0 to `folds` - 1 and of even size, by the ids and not by their order."""
    hashed = [int.from_bytes(blake3(prompt.encode()).digest(8)) for prompt in prompts]
    order = np.argsort(np.argsort(np.array(hashed, dtype=np.uint64)))
    return np.asarray(order % folds)


class RidgeFolds:
    """One-against-rest ridge regression of "which teacher wrote this?", with parts of the texts held out.

    Products over all texts are made once. Where columns are fewer than texts, a fit without a part takes the
    sums of that part away; else it takes the part out of the table of inner products. Both are the same fit.
    """

    def __init__(self, cube: NDArray[np.float32], penalty: float) -> None:
        """Learn on `cube`, shape (prompts, teachers, width), with a ridge `penalty` above 0."""
        self._cube, self._penalty = cube, penalty
        flat = _flat(cube)
        self._dual = flat.shape[0] <= flat.shape[1]
        self._products = flat @ flat.T if self._dual else flat.T @ flat

    def without(self, held: NDArray[np.bool_], test: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Scores of `test`, shape (n, width), by the fit without the prompts where `held` is True.

        Returns:
            Shape (n, teachers): about 1 for a text like the teacher's and 0 for one unlike; None when no
            prompt is left to learn from.
        """
        if bool(held.all()):
            return None
        fit = self._from_texts if self._dual else self._from_columns
        centre, weights = fit(held)
        return np.asarray((test - centre) @ weights + 1.0 / self._cube.shape[1])

    def _from_columns(self, held: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        teachers, out = self._cube.shape[1], _flat(self._cube[held])
        towards = self._cube[~held].sum(axis=0, dtype=np.float64)
        count = int((~held).sum()) * teachers
        centre = towards.sum(axis=0) / count
        inner = (self._products - out.T @ out).astype(np.float64) - count * np.outer(centre, centre)
        inner[np.diag_indices_from(inner)] += self._penalty
        return centre, linalg.solve(inner, (towards - count / teachers * centre).T, assume_a="pos")

    def _from_texts(self, held: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        teachers, texts = self._cube.shape[1], _flat(self._cube[~held])
        kept = np.repeat(~held, teachers)
        inner = self._products[np.ix_(kept, kept)].astype(np.float64)
        mean = inner.mean(axis=0)
        inner += mean.mean() - mean - mean[:, None]
        inner[np.diag_indices_from(inner)] += self._penalty
        label = np.tile(np.eye(teachers), (texts.shape[0] // teachers, 1)) - 1.0 / teachers
        dual = linalg.solve(inner, label, assume_a="pos")
        centre = texts.mean(axis=0, dtype=np.float64)
        return centre, texts.T @ dual - np.outer(centre, dual.sum(axis=0))


def _flat(cube: NDArray[np.float32]) -> NDArray[np.float32]:
    return cube.reshape(-1, cube.shape[-1])
