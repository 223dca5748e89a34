"""The likelihood ratio of Gumbel-max marks: twice the evidence of the total score where entropy is even.

The total of -log(1 - u) has an exact law, and it is what serving engines report, but it is not the strongest
statistic. A marked token that the model gave probability p has u = V**p for a uniform V, so its likelihood
ratio against a uniform u is u**(1/p - 1) / p (Li, Ruan, Wang, Long & Su, arXiv 2404.01245, derive
optimal scores from this law). The probabilities are not known, so the ratio is mixed over what is likely:
inside a profile each token draws its p, and the profiles are averaged. Its expectation is 1 under H0, hence
an e-value: it may be watched after every token, and 1/e is a p-value. With dual keys it is the ratio of a
token that follows key A, or with probability alpha key B.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_KINDS = ((0.5,), (0.2,), (0.5, 0.25, 0.1, 0.04))
_FREE = (1.0, 0.6, 0.3, 0.1, 0.03)

PROFILES: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = (
    *(((1.0, *kind), (1.0 - free, *(free / len(kind) for _ in kind))) for free in _FREE for kind in _KINDS),
    ((0.8,), (1.0,)),
)
"""(probabilities, shares): part of the tokens is certain, the rest even, low or spread in probability."""


def running_likelihood_log_e(
    scores: ArrayLike, second: ArrayLike | None = None, alpha: float = 0.0
) -> NDArray[np.float64]:
    """Log evidence after each score of a Gumbel-max mark.

    Args:
        scores: Scores -log(1 - u) of distinct inputs in an order that does not depend on the key, shape (...,
            n).
        second: Dual keys: the scores under key B, in the same shape; `scores` are those under key A.
        alpha: Dual keys: probability that a token follows key B.

    Returns:
        Natural logarithms, shape (..., n).

    Examples:
        >>> bool(running_likelihood_log_e(np.full(50, 2.5))[-1] > 10.0)
        True
    """
    paths = np.cumsum(_log_ratios(scores, second, alpha), axis=-1)
    return np.asarray(logsumexp(paths, axis=0) - math.log(len(PROFILES)))


def likelihood_log_e(
    scores: ArrayLike, second: ArrayLike | None = None, alpha: float = 0.0
) -> NDArray[np.float64]:
    """Log evidence of all scores together, shape (...): the last value of `running_likelihood_log_e`.

    Examples:
        >>> float(likelihood_log_e(np.zeros(0)))
        0.0
    """
    whole = _log_ratios(scores, second, alpha).sum(axis=-1)
    return np.asarray(logsumexp(whole, axis=0) - math.log(len(PROFILES)))


def _log_ratios(
    scores: ArrayLike, second: ArrayLike | None = None, alpha: float = 0.0
) -> NDArray[np.float64]:
    """Log of each profile's likelihood ratio of each score, shape (profiles, ..., n)."""
    powers = _powers(scores)
    if second is not None:
        other = _powers(second)
        powers = {p: (1.0 - alpha) * one + alpha * other[p] for p, one in powers.items()}
    shape = np.shape(scores)
    result = np.empty((len(PROFILES), *shape))
    with np.errstate(divide="ignore"):
        for i, (probabilities, shares) in enumerate(PROFILES):
            mixed = np.zeros(shape)
            for p, share in zip(probabilities, shares, strict=True):
                mixed += share * (powers[p] if p < 1.0 else 1.0)
            result[i] = np.log(mixed)
    return result


def _powers(scores: ArrayLike) -> dict[float, NDArray[np.float64]]:
    """u**(1/p - 1) / p for every probability p below 1 that a profile has."""
    with np.errstate(divide="ignore"):
        log_u = np.log(-np.expm1(-np.asarray(scores, dtype=np.float64)))
    wanted = {p for probabilities, _ in PROFILES for p in probabilities if p < 1.0}
    return {p: np.exp((1.0 / p - 1.0) * log_u) / p for p in wanted}
