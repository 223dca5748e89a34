"""What the suspect prefers: one score for each candidate of each item.

A score may use anything but the knowledge of which candidate was served. That alone makes the null exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stillwatch.lineage.twins import gram_hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from stillwatch.lineage.twins import TwinItem


def residual(log_probs: ArrayLike, controls: ArrayLike, fit_on: int | None = None) -> NDArray[np.float64]:
    """Take from the suspect's log-probabilities what other models explain.

    Most of the difference between two candidates is that one is plainer than the other, to any model. The
    within-item deviations are regressed on those of the controls by least squares, without looking at what
    was served, and the rest is returned. With few items the coefficient is shrunk to 1 by a ridge.

    Args:
        log_probs: Under the suspect, shape (items, k + 1), in nats.
        controls: Under the provider's model or a reference model: shape (items, k + 1), or (controls, items,
            k + 1) for several.
        fit_on: Number of first items that the coefficients are fitted on; all if not given. A test that may
            stop early must fit on items that it never stops before.

    Returns:
        Shape (items, k + 1).

    Raises:
        ValueError: The shapes do not fit or a value is not finite.

    Example:
        >>> residual([[3.0, 1.0], [5.0, 1.0]], [[1.0, 0.0], [2.0, 0.0]]).round(2).tolist()
        [[0.25, -0.25], [0.5, -0.5]]
    """
    mine = _centred(log_probs)
    others = np.stack([_centred(each) for each in _listed(controls)])
    if others.shape[1:] != mine.shape or not (np.all(np.isfinite(mine)) and np.all(np.isfinite(others))):
        raise ValueError("controls must be finite and have the shape of the log-probabilities")
    features = others[:, :fit_on].reshape(others.shape[0], -1).T
    prior = np.full(features.shape[1], 1.0 / features.shape[1])
    ridge = features.T @ features + np.eye(features.shape[1]) * np.var(features) * _RIDGE_ITEMS
    wanted = features.T @ (mine[:fit_on].ravel() - features @ prior)
    weights = prior + np.linalg.lstsq(ridge, wanted, rcond=None)[0]
    return np.asarray(mine - np.tensordot(weights, others, axes=1))


_RIDGE_ITEMS = 4.0
"""Weight, in observations, of the prior belief that a control counts one to one."""


def _centred(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return np.asarray(array - array.mean(axis=-1, keepdims=True))


def _listed(controls: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(controls, dtype=np.float64)
    return array if array.ndim == 3 else array[None]


def overlap_scores(
    items: Sequence[TwinItem], samples: Sequence[Sequence[str]], key: bytes, gram: int
) -> NDArray[np.float64]:
    """Score candidates by the rare n-grams that they share with the suspect's own answers.

    Everything is done on keyed hashes, so no text of the provider is needed. An n-gram weighs the more the
    fewer candidates of all items have it; one that all candidates of the item have weighs nothing.

    Args:
        items: The tested items, each with the same number of candidates.
        samples: The suspect's answers to each item's prompt, one or more.
        key: `TwinSeed.gram_key()`.
        gram: Words of an n-gram, as in the design.

    Returns:
        Weight found in the samples over weight of the candidate, shape (items, k + 1).

    Raises:
        ValueError: There is not one list of samples for each item, or items differ in their candidates.
    """
    sizes = {len(item.candidates) for item in items}
    if len(samples) != len(items) or len(sizes) > 1:
        raise ValueError("give one list of samples for each item, and items with equally many candidates")
    if not items:
        return np.zeros((0, 2))
    owner, grams = _candidate_grams(items)
    drawn_by, drawn = _sample_grams(samples, key, gram)
    size = sizes.pop()
    weights = _rarity(owner // size, grams, size)
    found = np.isin(_pairs(owner // size, grams), _pairs(drawn_by, drawn))
    total = np.bincount(owner, weights, minlength=len(items) * size)
    shared = np.bincount(owner, weights * found, minlength=len(items) * size)
    return np.asarray(shared / np.where(total > 0.0, total, 1.0)).reshape(len(items), size)


def _candidate_grams(items: Sequence[TwinItem]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    blocks = [np.frombuffer(candidate.grams, dtype="<u8") for item in items for candidate in item.candidates]
    return _flat(blocks)


def _sample_grams(
    samples: Sequence[Sequence[str]], key: bytes, gram: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    empty = np.zeros(0, dtype=np.uint64)
    return _flat(
        [np.concatenate([empty, *(gram_hashes(text, key, gram) for text in texts)]) for texts in samples]
    )


def _flat(blocks: Sequence[NDArray[np.uint64]]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    owner = np.repeat(np.arange(len(blocks)), [block.size for block in blocks])
    return owner, np.concatenate(blocks).astype(np.uint64)


def _pairs(owner: NDArray[np.int64], grams: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One number for each (item, n-gram): the hash moved by a multiple of an odd constant."""
    return np.asarray(grams + owner.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _rarity(item: NDArray[np.int64], grams: NDArray[np.uint64], size: int) -> NDArray[np.float64]:
    """Weight of each n-gram of each candidate; 0 where all candidates of the item have it."""
    _, inverse, holders = np.unique(_pairs(item, grams), return_inverse=True, return_counts=True)
    _, code, carriers = np.unique(grams, return_inverse=True, return_counts=True)
    spread = np.log(1.0 + (item.max(initial=0) + 1.0) * size / carriers[code])
    return np.asarray(np.where(holders[inverse] < size, spread, 0.0))


def ranking_scores(orders: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Turn the order in which the suspect put the candidates (best first) into scores.

    Args:
        orders: For each item a permutation of 0 to k; who asks must show the candidates in random order.

    Returns:
        Minus the place of each candidate, shape (items, k + 1).

    Example:
        >>> ranking_scores([[1, 0]]).tolist()
        [[-1.0, 0.0]]
    """
    return np.asarray(-np.argsort(np.asarray(orders, dtype=np.int64), axis=1), dtype=np.float64)
