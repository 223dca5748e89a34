"""Rarefaction: how many different kinds so many draws are expected to show.

Presence of each kind in units that made different numbers of draws, as in the sample-based rarefaction of
Colwell et al. (2012, J. Plant Ecology 5(1), 3-21, doi 10.1093/jpe/rtr044).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CERTAIN = 50.0
"""Hazard of a kind that every unit showed: it is in every draw."""
_ROUNDS = 50
_PRECISE = 1e-9


def kind_hazards(showing: Floats, draws: Floats, units: Floats) -> Floats:
    """Find the hazard of each kind in one draw from the number of units that showed it.

    A unit of n draws shows a kind of hazard x with probability 1 - exp(-n x); x is such that as many units
    are expected to show the kind as did.

    Args:
        showing: Units that showed each kind, from 0 to all of them, shape (kinds,).
        draws: Numbers of draws that occur, positive, shape (n,).
        units: Units with so many draws, shape (n,).

    Returns:
        Hazards, from 0 to 50 where every unit showed the kind, shape (kinds,).

    Example:
        >>> kind_hazards(np.array([10.0, 5.0, 0.0]), np.array([2.0]), np.array([10.0])).round(4)
        array([50.    ,  0.3466,  0.    ])
    """
    hazards: Floats = _solve(
        np.asarray(showing, np.float64), np.asarray(draws, np.float64), np.asarray(units, np.float64)
    )
    return hazards


def expected_kinds(hazards: Floats, draws: Floats) -> Floats:
    """Return how many different kinds so many draws are expected to show, shape of `draws`.

    Example:
        >>> expected_kinds(np.array([50.0, 0.3466]), np.array([2.0, 4.0])).round(3)
        array([1.5 , 1.75])
    """
    shown: Floats = -np.expm1(-np.multiply.outer(draws, hazards)).sum(axis=-1)
    return shown


@njit(cache=True, nogil=True)
def _solve(showing: Floats, draws: Floats, units: Floats) -> Floats:
    most, trials = units.sum(), (units * draws).sum()
    hazards = np.zeros(showing.size)
    for kind, wanted in enumerate(showing):
        if wanted <= 0:
            continue
        hazards[kind] = _CERTAIN if wanted >= most else _root(wanted, wanted / trials, draws, units)
    return hazards


@njit(cache=True, nogil=True)
def _root(wanted: float, start: float, draws: Floats, units: Floats) -> float:
    """Newton's method from below: the expected number of units is concave, so it never passes the root."""
    hazard = start
    for _ in range(_ROUNDS):
        silent = units * np.exp(-draws * hazard)
        step = (wanted - (units - silent).sum()) / (draws * silent).sum()
        hazard += step
        if step <= _PRECISE * hazard or hazard >= _CERTAIN:
            break
    return min(hazard, _CERTAIN)
