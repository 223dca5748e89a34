"""What every peer is: a measure that costs, and claims that follow from it at given settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peers.log import Log

Ints = npt.NDArray[np.int64]


class Peer(Protocol):
    """A detector that is compared with ours.

    Attributes:
        name: Permanent name.
        source: Paper, product or practice that it is built after.
        grid: Settings among which training chooses; the published ones are among them where there are any.
    """

    name: str
    source: str
    grid: Sequence[Mapping[str, float]]

    def measure(self, log: Log) -> Any:
        """Compute whatever does not depend on the settings; a pure function of the log."""

    def claims(self, log: Log, measured: Any, settings: Mapping[str, float]) -> list[Ints]:
        """Return groups of account numbers, each ascending without repeats; a group may be one account."""


def alone(accounts: npt.ArrayLike) -> list[Ints]:
    """Make one claim of each account: what a detector of single accounts says."""
    return [np.array([account]) for account in np.unique(np.asarray(accounts, np.int64)).tolist()]


def grouped(label: Ints, account: Ints, least: int) -> list[Ints]:
    """Return the accounts of each label that has at least `least` different ones; labels below 0 are none."""
    pair = np.unique(np.column_stack([label[label >= 0], account[label >= 0]]), axis=0)
    cuts = np.flatnonzero(np.diff(pair[:, 0])) + 1
    return [members for members in np.split(pair[:, 1], cuts) if members.size >= max(least, 1)]
