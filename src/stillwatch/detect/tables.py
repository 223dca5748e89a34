"""The tables that detection reads, and the split of time into slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt

from stillwatch.store.engine import epoch_us

if TYPE_CHECKING:
    from datetime import datetime

DISCOVERY, CONFIRM_A, CONFIRM_B = 0, 1, 2
_CYCLE = 65_536
# The golden ratio of the cycle: successive blocks fall evenly (a Weyl sequence), and no day or hour of the
# week is always in the same slice.
_STRIDE = 40_503
DISCOVERY_SHARE = 0.6
_DISCOVERY_END = int(DISCOVERY_SHARE * _CYCLE)
_CONFIRM_A_END = int(0.8 * _CYCLE)


@dataclass(frozen=True)
class Tables:
    """Ibis tables with the columns of `stillwatch.model.columns`, all of one backend."""

    exchanges: ir.Table
    accounts: ir.Table
    enforcement: ir.Table


@dataclass(frozen=True)
class Span:
    """What the exchanges cover.

    Attributes:
        exchanges: Number of exchanges.
        first: First time stamp, UTC.
        last: Last time stamp, UTC.
        incidences: Number of (exchange, text key) pairs.
        block_seconds: Length of the time blocks that are dealt to the slices.
    """

    exchanges: int
    first: datetime
    last: datetime
    incidences: int
    block_seconds: int

    @property
    def seconds(self) -> float:
        """Length of the window in seconds."""
        return (self.last - self.first).total_seconds()


def measure_span(exchanges: ir.Table) -> Span | None:
    """Return what `exchanges` cover, or None when there are none."""
    row = (
        exchanges.aggregate(
            rows=exchanges.count(),
            first=exchanges.ts.min(),
            last=exchanges.ts.max(),
            incidences=exchanges["keys"].length().sum(),
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    if not row["rows"]:
        return None
    seconds = (row["last"] - row["first"]).total_seconds()
    return Span(
        exchanges=row["rows"],
        first=row["first"],
        last=row["last"],
        incidences=int(row["incidences"] or 0),
        block_seconds=_block_seconds(seconds),
    )


def _block_seconds(seconds: float) -> int:
    """About 300 blocks in the window, between five minutes and six hours each."""
    return int(min(max(seconds / 300, 300), 6 * 3600))


def slice_of(ts: ir.TimestampColumn, block_seconds: int) -> ir.IntegerColumn:
    """Deal the time block of `ts` to discovery (60 %) or one of two confirmation slices (20 % each).

    All accounts share the blocks, so what accounts do at the same time stays together within a slice.
    """
    block = (epoch_us(ts) // (block_seconds * 1_000_000)).cast("int64")
    position = (block % _CYCLE * _STRIDE) % _CYCLE
    return ibis.cases(
        (position < _DISCOVERY_END, DISCOVERY),
        (position < _CONFIRM_A_END, CONFIRM_A),
        else_=CONFIRM_B,
    ).cast("int8")


def confirmation_blocks(span: Span) -> npt.NDArray[np.int64]:
    """Return the numbers of the time blocks of both confirmation slices within `span`, ascending."""
    first, last = (int(edge.timestamp()) // span.block_seconds for edge in (span.first, span.last))
    blocks = np.arange(first, last + 1)
    return blocks[(blocks % _CYCLE * _STRIDE) % _CYCLE >= _DISCOVERY_END]
