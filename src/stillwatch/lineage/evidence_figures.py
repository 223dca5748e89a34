"""What every tier of the evidence states, in one form."""

from __future__ import annotations

import math
from typing import Any

import msgspec


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one tier; all follow from the data in the evidence file.

    Attributes:
        tier: `0`, `1a`, `1b`, `2` or `3`.
        title: What the tier asks, in a few words.
        tested: Units of the test: items, contexts or reference models.
        log_e: Natural logarithm of the e-value, None where the tier gives none.
        p: P-value, None where the tier gives none or the test stopped early.
        floor: Smallest p-value that the tier can give.
        sentence: What was found, for a reader.
        against: P-value of the opposite question: had the suspect been trained as the plan supposes, how
            probable is so little? None where the tier cannot answer it.
        details: Further figures by name.
        notes: What a reader must know beside them.
    """

    tier: str
    title: str
    tested: int
    log_e: float | None = None
    p: float | None = None
    floor: float | None = None
    sentence: str
    against: float | None = None
    details: dict[str, Any] = {}
    notes: tuple[str, ...] = ()


LOG_E_BOUND = 700.0
"""Beyond this the logarithm of an e-value is cut, so that e itself stays a number: 1e304."""


def bounded(log_e: float) -> float:
    """Return `log_e` inside what can be exponentiated."""
    return max(-LOG_E_BOUND, min(LOG_E_BOUND, log_e))


def stated_p(log_p: float) -> float:
    """Return a p-value from its logarithm; where no number is so small the bound, since no p-value is 0.

    Example:
        >>> stated_p(-5000.0) > 0.0
        True
    """
    return math.exp(max(log_p, -LOG_E_BOUND))
