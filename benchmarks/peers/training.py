"""Choose a peer's settings on training worlds; they are then kept for all judged worlds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peers.log import Log
    from peers.protocol import Ints, Peer


@dataclass(frozen=True)
class Trained:
    """Settings and what they reach on the training worlds.

    Attributes:
        peer: The peer.
        settings: The chosen settings.
        f1: Mean over the training worlds of the F1 of named accounts.
    """

    peer: Peer
    settings: Mapping[str, float]
    f1: float

    def claims(self, log: Log) -> list[Ints]:
        """Apply the chosen settings to a log."""
        return self.peer.claims(log, self.peer.measure(log), self.settings)


def train(peer: Peer, worlds: Sequence[tuple[Log, npt.NDArray[np.bool_]]]) -> Trained:
    """Choose the settings with the largest mean F1 of named accounts; the first of equals.

    F1 weighs a missed campaign account like a wrongly named honest one, which is kind to detectors of single
    accounts: an operator would weigh the honest one far heavier.

    Args:
        peer: The peer.
        worlds: Training worlds: the log and which of its accounts belong to campaigns, shape (A,).

    Raises:
        ValueError: There is no training world.
    """
    if not worlds:
        raise ValueError("training needs at least one world")
    measured = [peer.measure(log) for log, _ in worlds]
    best = Trained(peer, peer.grid[0], -1.0)
    for settings in peer.grid:
        f1 = float(
            np.mean([
                f1_of(peer.claims(log, found, settings), guilty)
                for (log, guilty), found in zip(worlds, measured, strict=True)
            ])
        )  # fmt: skip
        if f1 > best.f1:
            best = Trained(peer, settings, f1)
    return best


def f1_of(claims: Sequence[Ints], guilty: npt.NDArray[np.bool_]) -> float:
    """Return the harmonic mean of precision and recall of the accounts in any claim; 0 without claims."""
    named = np.zeros(guilty.size, bool)
    for members in claims:
        named[members] = True
    right = float((named & guilty).sum())
    both = float(named.sum() + guilty.sum())
    return 2.0 * right / both if both else 0.0
