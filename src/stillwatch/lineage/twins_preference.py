"""Does the suspect prefer what was served to what was not? Exact p-values and a betting e-process.

The null: the suspect never trained on what we served. Then the served position of each item is uniform over
its candidates and independent of every score, so the tests need no assumption on the suspect, on style, on
shared bases or on the web.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

from stillwatch.lineage.twins_exact import LEVELS, checked, distinct, midranks, payoffs, sum_log_p
from stillwatch.stats.evalues import log_mean_e
from stillwatch.stats.sequential import NEVER, crossing_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

BETS = (0.03, 0.06, 0.12, 0.25, 0.5, 0.9)
"""Shares of the wealth that the e-process stakes; it takes the mean over all of them."""


@dataclass(frozen=True)
class Preference:
    """What the served-versus-twin test says.

    Attributes:
        items: Items that were tested.
        dropped: Items left out because the suspect scored all candidates alike.
        wins: Share of (served, twin) pairs in which the served answer is preferred; a tie counts one half.
        wins_low: Lower end of the 95 % interval of `wins` over items (Wilson).
        wins_high: Upper end of it.
        log_p_rank: Log of the exact p-value of the sum of ranks; for one twin this is the sign test.
        log_p_sum: Log of the exact p-value of the sum of bounded payoffs, which uses how much is preferred.
        log_e: Log of the e-value after all items.
        log_e_stopped: Log of the e-value at the stop; that after all items where there was none.
        stopped_at: Item, counted from 0 after dropping, at which the e-process reached 1 / alpha, or -1.
    """

    items: int
    dropped: int
    wins: float
    wins_low: float
    wins_high: float
    log_p_rank: float
    log_p_sum: float
    log_e: float
    log_e_stopped: float
    stopped_at: int

    @property
    def p_rank(self) -> float:
        """P-value of the rank test."""
        return math.exp(self.log_p_rank)

    @property
    def p_sum(self) -> float:
        """P-value of the sum test."""
        return math.exp(self.log_p_sum)


def preference_test(
    scores: ArrayLike,
    served: ArrayLike,
    *,
    alpha: float = 0.001,
    scale: float | None = None,
    bets: Sequence[float] = BETS,
) -> Preference:
    """Test whether the served candidates are preferred beyond chance.

    Args:
        scores: Preference of the suspect for each candidate, shape (items, k + 1): log-probability of the
            answer (best minus that of the teacher or of a reference model, see `twins_score.residual`),
            minus the rank that the suspect gave it, or overlap with the suspect's own answers.
        served: Position of the served candidate, shape (items,).
        alpha: Level at which the e-process stops: at wealth 1 / alpha.
        scale: See `twins_exact.payoffs`; for a valid *sequential* stop it must be fixed before the test.
        bets: Stakes of the e-process, inside (0, 1).

    Returns:
        The result; with no informative item p and e are 1.

    Raises:
        ValueError: The shapes do not fit or a score is not finite.

    Example:
        >>> round(preference_test([[2.0, 1.0]] * 12, [0] * 12).p_rank * 2**12, 9)
        1.0
    """
    values, index = checked(scores, served)
    keep = distinct(values)
    values, index = values[keep], index[keep]
    if not index.size:
        return Preference(0, int(keep.size), 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, NEVER)
    pay = payoffs(values, scale)
    path = log_wealth(served_payoffs(pay, index), bets)
    wins, low, high = win_share(values, index)
    stop = first_stop(path, alpha)
    return Preference(
        items=int(index.size),
        dropped=int(keep.size - index.size),
        wins=wins,
        wins_low=low,
        wins_high=high,
        log_p_rank=sum_log_p(midranks(values), index),
        log_p_sum=sum_log_p(np.rint(pay * LEVELS), index),
        log_e=float(path[-1]),
        log_e_stopped=float(path[stop]),
        stopped_at=stop,
    )


def served_payoffs(pay: NDArray[np.float64], served: NDArray[np.int64]) -> NDArray[np.float64]:
    """Payoff of the served candidate of each item, shape (items,)."""
    return np.asarray(pay[np.arange(served.size), served])


def log_wealth(gains: ArrayLike, bets: Sequence[float] = BETS) -> NDArray[np.float64]:
    """Log wealth after each item of a gambler who bets on the served answers.

    Each stake b multiplies wealth by 1 + b s with s in [-1, 1] of conditional mean zero under the null: a
    non-negative martingale. The mean over stakes is one too, so by Ville's inequality it reaches 1 / alpha
    with probability at most alpha, whenever one looks (Waudby-Smith & Ramdas 2024, JRSS-B 86(1)).

    Args:
        gains: Payoff of the served answer of each item, inside [-1, 1], shape (items,).
        bets: Stakes inside (0, 1).

    Returns:
        Shape (items,).

    Raises:
        ValueError: A payoff or a stake is outside its range.

    Example:
        >>> log_wealth([1.0, 1.0, -1.0], bets=(0.5,)).round(3).tolist()
        [0.405, 0.811, 0.118]
    """
    steps, stakes = np.asarray(gains, dtype=np.float64), np.asarray(bets, dtype=np.float64)
    if np.any(np.abs(steps) > 1.0 + 1e-12) or not np.all((stakes > 0.0) & (stakes < 1.0)):
        raise ValueError("payoffs must lie in [-1, 1] and stakes inside (0, 1)")
    return log_mean_e(np.cumsum(np.log1p(np.outer(stakes, np.clip(steps, -1.0, 1.0))), axis=1), axis=0)


def first_stop(path: NDArray[np.float64], alpha: float) -> int:
    """Index of the item at which the running log wealth first reaches log(1 / alpha), or -1."""
    if not path.size:
        return NEVER
    return int(crossing_index(np.diff(path, prepend=0.0)[None, :], math.log(1.0 / alpha))[0])


def win_share(scores: NDArray[np.float64], served: NDArray[np.int64]) -> tuple[float, float, float]:
    """Share of (served, twin) pairs that the served answer wins, with a 95 % interval over items (Wilson)."""
    mine = scores[np.arange(served.size), served][:, None]
    twins = scores.shape[1] - 1
    shares = (np.sum(mine > scores, axis=1) + 0.5 * (np.sum(mine == scores, axis=1) - 1)) / twins
    wins = float(shares.mean())
    interval = binomtest(round(wins * shares.size), shares.size).proportion_ci(0.95, method="wilson")
    return wins, min(wins, float(interval.low)), max(wins, float(interval.high))


def by_account(
    scores: ArrayLike,
    served: ArrayLike,
    accounts: Sequence[str],
    *,
    alpha: float = 0.001,
    scale: float | None = None,
) -> Mapping[str, Preference]:
    """Return the test of each account's items alone, by falling evidence.

    Accounts are separate hypotheses: correct the p-values for their number (`stats.fdr.holm_log_levels`).
    """
    values, index = checked(scores, served)
    names, of = np.unique(np.asarray(accounts, dtype=str), return_inverse=True)
    tests = {
        str(name): preference_test(values[of == number], index[of == number], alpha=alpha, scale=scale)
        for number, name in enumerate(names)
    }
    return dict(sorted(tests.items(), key=lambda pair: (pair[1].log_p_sum, pair[0])))
