"""Is the mark genuine, or did somebody learn its rule and forge it to frame an account?

A forger learns from marked samples which tokens score well behind which contexts, so a forged text scores
well where its contexts are frequent and like chance where they are rare. In genuine text the score depends on
the probability of the chosen token alone, not on how often the context occurs elsewhere. So within groups of
equal token probability the rank correlation of score and context frequency is 0 for genuine text, and a
permutation within these groups gives an exact p-value. The idea is that of Gloaguen, Jovanovic, Staab and
Vechev, "Discovering Spoofing Attempts on Language Model Watermarks" (ICML 2025, arXiv 2410.02693).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.stats import rankdata

from stillwatch.stats.conformal import conformal_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.prf import Tokens

_FEWEST, _MOST = 50, 20_000


class SpoofingCheck(msgspec.Struct, frozen=True):
    """What the check for forged marks says.

    Attributes:
        correlation: Rank correlation of score and context frequency within the strata.
        p: Probability of so high a correlation if the mark is genuine; None if nothing can be said.
        scores: Scores that entered.
        controlled: Whether token probabilities were given, so that entropy cannot explain a correlation.
        sentence: The same in words.
    """

    correlation: float
    p: float | None
    scores: int
    controlled: bool
    sentence: str


def context_frequencies(contexts: Tokens, reference: Tokens) -> NDArray[np.int64]:
    """Count how often each context, shape (n, w), stands in a reference corpus of contexts, shape (m, w).

    Examples:
        >>> context_frequencies(np.array([[1], [2]]), np.array([[1], [1], [3]]))
        array([2, 0])
    """
    both = np.concatenate([contexts, reference])
    _, label = np.unique(both, axis=0, return_inverse=True)
    label = label.reshape(-1)
    counts = np.bincount(label[len(contexts) :], minlength=int(label.max(initial=0)) + 1)
    return np.asarray(counts[label[: len(contexts)]])


def probability_strata(probabilities: ArrayLike, groups: int = 20) -> NDArray[np.int64]:
    """Group tokens by the probability that our model gives them, into groups of equal size."""
    ranks = rankdata(np.asarray(probabilities, dtype=np.float64), method="ordinal") - 1.0
    return np.asarray((ranks * groups // max(ranks.size, 1)).astype(np.int64))


def check_spoofing(
    scores: ArrayLike,
    frequencies: ArrayLike,
    rng: np.random.Generator,
    *,
    strata: ArrayLike | None = None,
    permutations: int = 999,
) -> SpoofingCheck:
    """Test whether scores rise with the frequency of their contexts.

    Args:
        scores: Scores of distinct inputs under the accused key, shape (n,); of more than 20,000, so many are
            drawn at random.
        frequencies: How often each context occurs in a corpus like the one a forger would have learned from,
            (n,).
        rng: Source of the permutations.
        strata: Groups of equal token probability (see `probability_strata`), shape (n,). Without them a
            correlation may come from entropy: frequent contexts are often followed by likely tokens, which
            score lower.
        permutations: Number of permutations; the smallest p-value is 1 / (permutations + 1).

    Returns:
        The check; fewer than 50 scores, or contexts of one frequency only, say nothing.
    """
    values, counts = np.asarray(scores, dtype=np.float64), np.asarray(frequencies, dtype=np.float64)
    groups = np.zeros(values.size, np.int64) if strata is None else np.asarray(strata, dtype=np.int64)
    if values.size > _MOST:
        drawn = rng.choice(values.size, _MOST, replace=False)
        values, counts, groups = values[drawn], counts[drawn], groups[drawn]
    ranked, levels = _ranks_within(values, groups), _ranks_within(counts, groups)
    if values.size < _FEWEST or not np.any(levels):
        sentence = "Too little to tell a genuine mark from a forged one."
        return SpoofingCheck(0.0, None, values.size, strata is not None, sentence)
    observed = float(ranked @ levels)
    shuffled = np.array([_shuffled(ranked, groups, rng) @ levels for _ in range(permutations)])
    p = float(conformal_p(observed, shuffled))
    norm = float(np.sqrt((ranked @ ranked) * (levels @ levels)))
    rho = observed / norm if norm > 0.0 else 0.0
    return SpoofingCheck(rho, p, values.size, strata is not None, _sentence(rho, p, strata is not None))


def _sentence(rho: float, p: float, controlled: bool) -> str:
    rises = "rise with the frequency of contexts, as in forged text" if p <= 0.01 else "do not rise with it"
    subject = "Scores" if p <= 0.01 else "Set against the frequency of contexts, scores"
    caution = "" if controlled else " Without token probabilities entropy may hide or feign a link."
    return f"{subject} {rises} (correlation {rho:.2f}, p {p:.3g}).{caution}"


def _ranks_within(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Centred ranks inside each group."""
    result = np.zeros(values.size)
    for group in np.unique(groups):
        rows = groups == group
        ranks = rankdata(values[rows])
        result[rows] = ranks - ranks.mean()
    return result


def _shuffled(
    values: NDArray[np.float64], groups: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Permute inside each group: order by group and a random number, put back in the order of groups."""
    target = np.argsort(groups, kind="stable")
    source = np.lexsort((rng.random(values.size), groups))
    result = np.empty_like(values)
    result[target] = values[source]
    return result
