"""Where in a mixed document the marked text stands, with control over all places that were looked at.

Windows of doubling lengths slide by a quarter of their length. Each gets its exact p-value, and a window
counts when that stays below the level after Bonferroni over all windows, which holds however they overlap.
Windows that count are joined, and the ends are then trimmed to the stretch with the largest excess over half
the excess of the whole.
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
    found = np.flatnonzero(log_p <= math.log(level))
    return tuple(_trimmed(null, values, *one) for one in _joined(windows, log_p, found))


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


def _joined(
    windows: _Windows, log_p: NDArray[np.float64], found: NDArray[np.int64]
) -> list[tuple[int, int, float]]:
    """Unite windows that overlap or touch; the smallest p-value of each union goes with it."""
    joined: list[tuple[int, int, float]] = []
    for i in sorted(found.tolist(), key=lambda one: int(windows.starts[one])):
        start, end, p = int(windows.starts[i]), int(windows.ends[i]), float(log_p[i])
        if joined and start <= joined[-1][1]:
            last = joined.pop()
            start, end, p = last[0], max(last[1], end), min(last[2], p)
        joined.append((start, end, p))
    return joined


def _trimmed(null: Null, values: NDArray[np.float64], start: int, end: int, log_p: float) -> Segment:
    """Cut the union to its part with the largest sum above half the mean excess of its best half."""
    part = values[start:end] - null.mean
    half = max(1, part.size // 2)
    sums = np.concatenate([[0.0], np.cumsum(part)])
    excess = float(np.max(sums[half:] - sums[: sums.size - half])) / half
    drift = np.concatenate([[0.0], np.cumsum(part - excess / 2.0)])
    lowest = np.minimum.accumulate(drift)
    last = int(np.argmax(drift - lowest))
    first = int(np.argmin(drift[: last + 1]))
    return Segment(start + first, start + max(last, first + 1), log_p)
