"""Conformal p-values: where a group's score stands among placebo groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def conformal_p(score: ArrayLike, placebo_scores: ArrayLike) -> NDArray[np.float64]:
    """Conformal p-value (1 + #{placebo >= score}) / (m + 1).

    Super-uniform when score and placebos are exchangeable; values that share placebos are positively
    dependent (arXiv 2104.08279), so Benjamini-Hochberg holds on them. Ties count against the discovery: a
    placebo equal to the score counts as larger, hence no randomness and never a smaller value than with
    smoothing.

    Args:
        score: Shape (G,) or a scalar; higher speaks more against the null.
        placebo_scores: Shape (G, m), or (m,) when all groups share the placebos.

    Returns:
        P-values in the shape of `score`, from 1 / (m + 1) to 1.

    Raises:
        ValueError: A score is not a number, or the shapes do not fit.

    Example:
        >>> float(conformal_p(2.0, [1.0, 2.0, 3.0]))
        0.75
    """
    scores, placebos = np.asarray(score, dtype=np.float64), np.asarray(placebo_scores, dtype=np.float64)
    if np.any(np.isnan(scores)) or np.any(np.isnan(placebos)):
        raise ValueError("scores must be numbers: one of them is not")
    count = placebos.shape[-1] if placebos.ndim else 0
    if count == 0 or (placebos.ndim > 1 and placebos.shape[:-1] != scores.shape):
        raise ValueError("placebo scores must have shape (m,) or (groups, m) with m of at least 1")
    if placebos.ndim == 1:
        below = np.searchsorted(np.sort(placebos), scores, side="left")
        return np.asarray((1.0 + count - below) / (count + 1.0))
    return np.asarray((1.0 + np.sum(placebos >= scores[..., None], axis=-1)) / (count + 1.0))
