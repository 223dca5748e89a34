"""Placebo groups of the same make-up: one account of like volume for each member."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_LEAST_CHOICE = 4
_ROUNDS = 40


def matched_groups(volume: Ints, wanted: Ints, number: int, rng: np.random.Generator) -> Ints:
    """Draw groups with the volumes of a given one, each member from the accounts of its own octave.

    A group drawn around a typical volume would be too even: the joint statistics of accounts that sent thirty
    and three thousand exchanges follow the few that sent most.

    Args:
        volume: Exchanges of the accounts to draw from, shape (n,).
        wanted: Exchanges of the members, shape (k,).
        number: Groups.
        rng: Source of randomness.

    Returns:
        Places in `volume`, shape (number, k), nobody twice in a group; -1 where an octave has too few.
    """
    octave = np.log2(np.maximum(volume, 1)).astype(np.int64)
    members = np.log2(np.maximum(wanted, 1)).astype(np.int64)
    groups = np.full((number, wanted.size), -1, np.int64)
    for value in np.unique(members):
        places = np.flatnonzero(members == value)
        choice = np.flatnonzero(octave == value)
        if choice.size < _LEAST_CHOICE * places.size:
            choice = np.flatnonzero(np.abs(octave - value) <= 1)
        filled = places[: choice.size]
        groups[:, filled] = choice[_distinct(choice.size, filled.size, number, rng)]
    return groups


def _distinct(choice: int, size: int, number: int, rng: np.random.Generator) -> Ints:
    """Draw `size` different numbers below `choice`, `number` times."""
    drawn = rng.integers(0, max(choice, 1), (number, size))
    for _ in range(_ROUNDS if 2 * size <= choice else 0):
        again = np.zeros(drawn.shape, bool)
        order = np.argsort(drawn, axis=1, kind="stable")
        ranked = np.take_along_axis(drawn, order, axis=1)
        np.put_along_axis(again, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], axis=1)
        if not again.any():
            return drawn
        drawn[again] = rng.integers(0, choice, int(again.sum()))
    return np.argsort(rng.random((number, choice)), axis=1)[:, :size]
