"""What suspects said and what networks expect, grouped by context for the radioactivity tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.lab.answering import distributions
from stillwatch.lab.tokens import PAD, Rows, answered
from stillwatch.lineage.radioactivity_contexts import (
    Masses,
    Places,
    grouped,
    not_copied,
    occurs,
    places_of,
    summed,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.lab.network import Network

_LEAST = 1e-3
"""Probabilities below it are left out of sums; thousands of them weigh less than one sampled token."""


@dataclass(frozen=True)
class Heard:
    """The places of a suspect's answers that may speak.

    Attributes:
        rows: The answers.
        places: Their places that passed the filters.
        contexts: (c, w) distinct contexts of these places.
        groups: (m,) index of each place's context.
        answered: Number of answer places before the filters.
    """

    rows: Rows
    places: Places
    contexts: NDArray[np.int64]
    groups: NDArray[np.int64]
    answered: int


def hear(rows: Rows, width: int, served: NDArray[np.int64] | None = None) -> Heard:
    """Find the places of `rows` whose context is not in the prompt and, if given, is among those `served`.

    Args:
        rows: Answers of the suspect.
        width: Tokens in a context.
        served: (s, w) contexts that stood in answers we served; None keeps every context.
    """
    scored = answered(rows)
    prompted = (np.arange(rows.tokens.shape[1]) < rows.starts[:, None]) & (rows.tokens != PAD)
    places = places_of(rows.tokens, scored, width)
    before = len(places)
    places = places.where(not_copied(places, rows.tokens, prompted))
    if served is not None:
        places = places.where(occurs(places.contexts, served))
    contexts, groups = grouped(places.contexts)
    return Heard(rows, places, contexts, groups, before)


def said(heard: Heard) -> Masses:
    """Counts of what was sampled after each context."""
    return summed(heard.contexts, heard.groups, heard.places.tokens, np.ones(len(heard.places)))


def expected(network: Network, heard: Heard, top: int | None = None) -> Masses:
    """Probabilities that `network` gives at the heard places, summed over each context.

    Args:
        network: Our unmarked model, or the suspect itself where it shows log-probabilities.
        heard: Places.
        top: Only the `top` most probable tokens of each place, as an API shows them; None for all.
    """
    length = heard.rows.tokens.shape[1]
    group_at = np.full(heard.rows.tokens.size, -1, dtype=np.int64)
    group_at[heard.places.rows * length + heard.places.columns] = heard.groups
    groups, tokens, masses = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for flat, chances in distributions(network, heard.rows):
        kept = group_at[flat] >= 0
        shown = chances[kept] if top is None else _highest(chances[kept], top)
        place, token = np.nonzero(shown > _LEAST)
        groups.append(group_at[flat[kept]][place])
        tokens.append(token)
        masses.append(shown[place, token].astype(np.float64))
    return summed(heard.contexts, np.concatenate(groups), np.concatenate(tokens), np.concatenate(masses))


def served_contexts(rows: Rows, width: int) -> NDArray[np.int64]:
    """(s, w) distinct contexts in the answers of `rows`."""
    return grouped(places_of(rows.tokens, answered(rows), width).contexts)[0]


def _highest(chances: NDArray[np.float32], top: int) -> NDArray[np.float32]:
    bound = np.partition(chances, -top, axis=1)[:, -top, None]
    return np.where(chances >= bound, chances, np.float32(0.0))
