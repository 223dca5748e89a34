"""Per-account rate limits as providers run them: requests a minute and a day, tokens a day."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from peers.protocol import Ints, alone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peers.log import Log

_MINUTE, _DAY = 60, 86_400


class RateLimits:
    """Names every account that would have hit a limit. The unit is the account; nothing is grouped."""

    name = "rate-limits"
    source = "requests a minute, requests and tokens a day of an account, as API providers document them"
    grid = tuple(
        {"minute": minute, "day": day, "tokens": tokens}
        for minute, day, tokens in product(
            (5, 10, 50, 1e9), (20, 50, 100, 200, 500, 1e9), (2e4, 1e5, 1e6, 1e12)
        )
    )

    def measure(self, log: Log) -> tuple[Ints, Ints, Ints]:
        """Return each account's most requests in a minute, in a day, and most tokens in a day."""
        return (
            _most(log, _MINUTE, np.ones_like(log.tokens)),
            _most(log, _DAY, np.ones_like(log.tokens)),
            _most(log, _DAY, log.tokens),
        )

    def claims(
        self, log: Log, measured: tuple[Ints, Ints, Ints], settings: Mapping[str, float]
    ) -> list[Ints]:
        """Name the accounts above any of the limits."""
        del log
        over = [
            most > settings[name] for most, name in zip(measured, ("minute", "day", "tokens"), strict=True)
        ]
        return alone(np.flatnonzero(np.any(over, axis=0)))


def _most(log: Log, seconds: int, amount: Ints) -> Ints:
    """Return the largest amount that each account reaches in one period; periods are calendar ones."""
    period = (log.second // seconds).astype(np.int64)
    start = np.flatnonzero(
        np.diff(log.account, prepend=-1).astype(bool) | np.diff(period, prepend=-1).astype(bool)
    )
    most = np.zeros(log.size, np.int64)
    if start.size:
        np.maximum.at(most, log.account[start], np.add.reduceat(amount, start))
    return most
