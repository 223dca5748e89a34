"""Where in a mixed document the marked text stands, with control over all places that were looked at.

Windows of doubling lengths slide by a quarter of their length. Each gets its exact p-value, and a window
counts when that stays below the level after Bonferroni over all windows, which holds however they overlap.
The best window is taken, those that touch it are dropped, and so on; the ends are then moved to where the
excess ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.mark.detection.nulls import log_tail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.schemes import Null

SHORTEST = 16
"""Scores in the shortest window; even the likeliest marked text says little in fewer."""


class Segment(msgspec.Struct, frozen=True):
    """A stretch that carries the mark.

    Attributes:
        start: First score of the stretch.
        end: Behind its last score.
        log_p: Log of the smallest p-value of a window inside, corrected for all windows and tests.
    """

    start: int
    end: int
    log_p: float


@dataclass(frozen=True)
class _Windows:
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def localise(
    null: Null, scores: ArrayLike, *, level: float, shortest: int = SHORTEST, tests: int = 1
) -> tuple[Segment, ...]:
    """Find the stretches of a document that carry the mark.

    Under H0 the probability of finding anything at all is at most `level`.

    Args:
        null: Law of one score.
        scores: Scores of distinct inputs in the order of the document, shape (n,).
        level: Family-wise level over all windows of all `tests`.
        shortest: Scores in the shortest window.
        tests: Number of documents times keys that are searched in this way.

    Returns:
        Stretches that do not touch, in order.

    Raises:
        ValueError: The level is outside (0, 1), or a count is below 1.

    Examples:
        >>> from stillwatch.mark.schemes import Null
        >>> found = localise(Null("exponential"), [1.0] * 100 + [4.0] * 30 + [1.0] * 100, level=0.01)
        >>> [(one.start, one.end) for one in found]
        [(100, 130)]
    """
    if not 0.0 < level < 1.0 or shortest < 1 or tests < 1:
        raise ValueError(
            "the level must lie inside (0, 1); window length and number of tests must be at least 1"
        )
    values = np.asarray(scores, dtype=np.float64)
    windows = _windows(values.size, shortest)
    if not windows.starts.size:
        return ()
    log_p = _window_log_p(null, values, windows) + math.log(windows.starts.size * tests)
    chosen = sorted(_chosen(windows, log_p, math.log(level)))
    segments: list[Segment] = []
    for i, (start, end, p) in enumerate(chosen):
        low = segments[-1].end + 1 if segments else 0
        high = chosen[i + 1][0] - 1 if i + 1 < len(chosen) else values.size
        segments.append(_fitted(values - null.mean, (start, end), (low, high), p))
    return tuple(segments)


def _windows(size: int, shortest: int) -> _Windows:
    starts, ends = [], []
    length = shortest
    while length <= size:
        begin = np.arange(0, size - length + 1, max(1, length // 4))
        starts.append(begin)
        ends.append(begin + length)
        length *= 2
    none = np.zeros(0, dtype=np.int64)
    return _Windows(np.concatenate([none, *starts]), np.concatenate([none, *ends]))


def _window_log_p(null: Null, values: NDArray[np.float64], windows: _Windows) -> NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    totals = sums[windows.ends] - sums[windows.starts]
    lengths = windows.ends - windows.starts
    result = np.empty(totals.shape)
    for length in np.unique(lengths):
        rows = lengths == length
        result[rows] = log_tail(null, totals[rows], int(length))
    return result


def _chosen(windows: _Windows, log_p: NDArray[np.float64], log_level: float) -> list[tuple[int, int, float]]:
    """Take the best window, drop all that touch it, and go on while one is below the level."""
    chosen = []
    open_ = log_p <= log_level
    while np.any(open_):
        best = int(np.argmin(np.where(open_, log_p, np.inf)))
        start, end = int(windows.starts[best]), int(windows.ends[best])
        chosen.append((start, end, float(log_p[best])))
        open_ &= (windows.ends < start) | (windows.starts > end)
    return chosen


def _fitted(
    excess: NDArray[np.float64], window: tuple[int, int], room: tuple[int, int], log_p: float
) -> Segment:
    """Move the ends, at most half a window outwards, to the largest sum above half the mean excess."""
    start, end = window
    half = (end - start) // 2
    low = max(room[0], start - half)
    part = excess[low : min(room[1], end + half)]
    drift = np.concatenate([[0.0], np.cumsum(part - excess[start:end].mean() / 2.0)])
    last = int(np.argmax(drift - np.minimum.accumulate(drift)))
    first = int(np.argmin(drift[: last + 1]))
    return Segment(low + first, low + max(last, first + 1), log_p)
