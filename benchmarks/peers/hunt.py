"""The rules of a SIEM hunt: many accounts behind one address, and raw volume."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from peers.protocol import Ints, alone, grouped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peers.log import Log


class Hunt:
    """Names the accounts behind each address that many share, and accounts of great volume.

    The published hunts for advisory AA26-251A use 20 accounts an address and 10,000 requests; both are in the
    grid.
    """

    name = "siem-hunt"
    source = "Huntbase hunts for AA26-251A (accounts per exit, request volume), as public rules"
    grid = tuple(
        {"accounts": accounts, "requests": requests}
        for accounts, requests in product((3, 5, 10, 20, 50), (100, 300, 1_000, 10_000, 1e9))
    )

    def measure(self, log: Log) -> tuple[Ints, Ints]:
        """Return the distinct pairs (address, account)."""
        pairs = np.unique(np.column_stack([log.address, log.account])[log.address >= 0], axis=0)
        return pairs[:, 0], pairs[:, 1]

    def claims(self, log: Log, measured: tuple[Ints, Ints], settings: Mapping[str, float]) -> list[Ints]:
        """Apply both rules."""
        behind = grouped(*measured, int(settings["accounts"]))
        return [*behind, *alone(np.flatnonzero(log.volume >= settings["requests"]))]
