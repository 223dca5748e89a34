"""Decoy keys: the exact test that needs no independence, and the check of every analytic p-value.

Under H0 the true key is exchangeable with fresh random keys, whatever the text repeats. So its rank among B
decoys gives an exact p-value, and the decoys' z-scores must have mean 0 and standard deviation 1; where they
do not, the analytic p-value is not to be believed, and the report says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.mark.detection.nulls import log_tail, z_scores
from stillwatch.mark.detection.scan import totals
from stillwatch.stats.conformal import conformal_p

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.detection.evidence import Evidence
    from stillwatch.mark.prf import Keys
    from stillwatch.mark.schemes import Null, Scheme

_WIDTH = 4.0
"""Standard errors within which mean and spread of the decoys must lie; 6 in 100,000 panels do not."""


class DecoyPanel(msgspec.Struct, frozen=True):
    """What random keys say about the same evidence.

    Attributes:
        decoys: Number of decoy keys.
        mean_z: Mean of their z-scores; 0 if the null law fits.
        sd_z: Standard deviation of their z-scores; 1 if the null law fits.
        smallest_log10_p: Smallest analytic p-value among them, as a power of ten.
        rank_p: Exact p-value of the best key tried, from its rank among the decoys; counts one key only.
        sound: Whether mean and standard deviation lie where chance puts them.
        sentence: The same in words.
    """

    decoys: int
    mean_z: float
    sd_z: float
    smallest_log10_p: float
    rank_p: float
    sound: bool
    sentence: str


def decoy_keys(seed: int, count: int) -> Keys:
    """Draw 64-bit decoy keys; the seed goes into the report, so that the other side can draw them again.

    Raises:
        ValueError: Fewer than two decoys, from which no spread can be told.
    """
    if count < 2:
        raise ValueError("a panel needs at least two decoys")
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 2**64, count, dtype=np.uint64)


def panel(null: Null, best: float, decoys: ArrayLike, count: int) -> DecoyPanel:
    """Judge the totals of decoys beside the best total of the keys tried.

    Args:
        null: Law of one score.
        best: Largest total over the keys tried.
        decoys: Totals of the decoys, shape (B,), B of at least 2.
        count: Number of distinct scores in each total.

    Raises:
        ValueError: Fewer than two decoys.
    """
    values = np.asarray(decoys, dtype=np.float64)
    if values.size < 2:
        raise ValueError("a panel needs at least two decoys")
    smallest = float(log_tail(null, values, count).min()) / math.log(10.0)
    rank = float(conformal_p(best, values))
    return _panel_of_z(z_scores(null, values, count), smallest, rank, count)


def _panel_of_z(z: NDArray[np.float64], smallest_log10_p: float, rank_p: float, count: int) -> DecoyPanel:
    """Build the panel from z-scores of decoys of any statistic over `count` distinct scores."""
    mean, spread = float(z.mean()), float(z.std(ddof=1))
    excess = 6.0 / max(
        count, 1
    )  # kurtosis of a mean of exponentials: widens the band where little was scored
    tolerance = _WIDTH * math.sqrt((2.0 + excess) / (4.0 * z.size) + 0.5 / z.size**2)
    sound = count > 0 and abs(mean) <= _WIDTH / math.sqrt(z.size) and abs(spread - 1.0) <= tolerance
    verdict = (
        "as chance has it" if sound else "which is not what chance gives: do not use the analytic p-values"
    )
    sentence = f"{z.size} decoy keys: mean of z {mean:+.2f}, standard deviation {spread:.2f}, {verdict}."
    return DecoyPanel(z.size, mean, spread, smallest_log10_p, rank_p, sound, sentence)


def evidence_panel(
    scheme: Scheme, evidence: Evidence, best: float, keys: Keys, *, threads: int = 1
) -> DecoyPanel:
    """Score decoys `keys` on `evidence` and judge them; see `panel`."""
    scores = totals(scheme, evidence.contexts, evidence.tokens, keys, threads=threads)
    return panel(scheme.null, best, scores, len(evidence))
