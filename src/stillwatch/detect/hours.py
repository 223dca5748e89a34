"""Hours of sign-up: intervals of days that are apart and ascending, and who was born within them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Hours = list[tuple[float, float]]


def joined(intervals: Sequence[tuple[float, float]]) -> Hours:
    """Join intervals that touch, ascending."""
    found: Hours = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def length(hours: Hours) -> float:
    """Return the days that the intervals cover."""
    return sum(high - low for low, high in hours)


def grown(windows: Sequence[tuple[float, float]], born: Floats) -> Hours:
    """Let each window grow while a birth follows within a quarter of its length.

    Args:
        windows: First and last day of each.
        born: Days of birth, none unknown.
    """
    found, days = [], np.sort(born)
    for low, high in windows:
        gap = (high - low) / 4.0
        later = np.append(high, days[days > high])
        earlier = np.append(low, days[days < low][::-1])
        last = float(later[np.argmax(np.append(np.diff(later), np.inf) > gap)])
        first = float(earlier[np.argmax(np.append(-np.diff(earlier), np.inf) > gap)])
        found.append((first, last))
    return joined(found)


def within(born: Floats, hours: Hours) -> Flags:
    """Tell who was born within one of the intervals; nobody of whose birth nothing is known."""
    if not hours:
        return np.zeros(born.shape, bool)
    low, high = np.array(hours).T
    place = np.searchsorted(low, born, side="right") - 1
    return np.asarray((place >= 0) & (born <= high[place]))


def around(hours: Hours, days: float) -> Hours:
    """Return the days before, in and after the intervals."""
    return joined([(low - days, high + days) for low, high in hours])


def due(born: Floats, hours: Hours, days: float, weight: float = 1.0) -> float:
    """Return how many births are due in the hours by those of strangers on the days around; one more counts.

    Args:
        born: Births of strangers, those within the hours left out.
        hours: The hours.
        days: Days around.
        weight: Strangers that each stands for.
    """
    near = around(hours, days)
    inside = length(hours)
    return float((weight * within(born, near).sum() + 1.0) * inside / max(length(near) - inside, inside))
