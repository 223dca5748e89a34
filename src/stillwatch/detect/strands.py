"""Strands: the exchanges of each account that carry a candidate's keys."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detect.carriers import CARRIED, Marks, carriers
from stillwatch.detect.keyindex import index_of
from stillwatch.store.engine import map_batches

if TYPE_CHECKING:
    import ibis.expr.types as ir

Ints = npt.NDArray[np.int64]

_DAY_US = 86_400 * 1_000_000
_SLICES = 3
_SENT = ("account_fp", "ts", "slice", "input_tokens", "output_tokens")
HITS = pa.schema(
    {
        "group": pa.int32(),
        "account_fp": pa.int64(),
        "us": pa.int64(),
        "slice": pa.int8(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "bits": pa.int64(),
    }
)
"""Columns of `strand_hits`."""


def strand_hits(exchanges: ir.Table, marks: Marks) -> pa.Table:
    """Read the exchanges that carry marked keys, once for each group.

    Args:
        exchanges: Exchanges with the column slice.
        marks: The keys of all groups.

    Returns:
        Columns `HITS`: us is the time in microseconds since the epoch; bits tells which of the group's key
        classes the exchange carries.
    """
    return map_batches(exchanges.select(*_SENT, *CARRIED), partial(_hits, marks=marks), HITS)


def _hits(batch: pa.RecordBatch, marks: Marks) -> pa.RecordBatch:
    found = carriers(batch, marks)
    sent = batch.select(_SENT).take(pa.array(found.row))
    columns = {
        "group": pa.array(found.group.astype(np.int32)),
        "account_fp": sent["account_fp"],
        "us": sent["ts"].cast(pa.int64()),
        "slice": sent["slice"].cast(pa.int8()),
        "input_tokens": sent["input_tokens"].cast(pa.int64()).fill_null(0),
        "output_tokens": sent["output_tokens"].cast(pa.int64()).fill_null(0),
        "bits": pa.array(found.bits),
    }
    return pa.record_batch(columns, schema=HITS)


@dataclass(frozen=True)
class Strands:
    """The carriers of one group's keys; n accounts.

    Attributes:
        account: Account numbers, ascending, shape (n,).
        hits: Strand exchanges by slice, shape (n, 3).
        first: First strand exchange, microseconds since the epoch, shape (n,).
        last: Last strand exchange, likewise.
        bits: Which keys of the group the account used, in `CLASS_BITS` classes, shape (n,).
        tokens: Tokens sent and tokens taken in the strand, shape (n, 2).
        days: Account number, day since the epoch and strand exchanges of that day, shape (d, 3).
    """

    account: Ints
    hits: Ints
    first: Ints
    last: Ints
    bits: Ints
    tokens: Ints
    days: Ints

    @property
    def variety(self) -> Ints:
        """Different keys of the group that each account used, as far as the classes tell, shape (n,)."""
        return np.bitwise_count(self.bits).astype(np.int64)

    def only(self, rows: npt.NDArray[np.bool_]) -> Strands:
        """Keep the given accounts."""
        account = self.account[rows]
        return Strands(
            account=account,
            hits=self.hits[rows],
            first=self.first[rows],
            last=self.last[rows],
            bits=self.bits[rows],
            tokens=self.tokens[rows],
            days=self.days[np.isin(self.days[:, 0], account)],
        )


def split_strands(hits: pa.Table, fingerprint: Ints, groups: int) -> list[Strands]:
    """Sum the exchanges of each account, and divide the accounts by group.

    Args:
        hits: Columns `HITS`, in any order.
        fingerprint: Account fingerprints in book order.
        groups: Number of groups.
    """
    account = index_of(hits["account_fp"].to_numpy(), fingerprint)
    us = hits["us"].to_numpy()
    day = us // _DAY_US
    first_day = int(day.min(initial=0))
    width = int(day.max(initial=0)) - first_day + 1
    owner = hits["group"].to_numpy().astype(np.int64) * fingerprint.size + account
    code = owner * width + (day - first_day)
    order = np.argsort(code)  # what is equal is summed, so its order means nothing
    code = code[order]
    days = np.flatnonzero(np.diff(code, prepend=-1))
    starts = np.flatnonzero(np.diff(code // width, prepend=-1))
    number = code[starts] // width
    columns = {
        "account": number % fingerprint.size,
        "hits": _by_slice(hits["slice"].to_numpy()[order], starts),
        "first": _reduced(np.minimum, us[order], starts),
        "last": _reduced(np.maximum, us[order], starts),
        "bits": _reduced(np.bitwise_or, hits["bits"].to_numpy()[order], starts),
        "tokens": np.column_stack(
            [
                _reduced(np.add, hits[name].to_numpy()[order], starts)
                for name in ("input_tokens", "output_tokens")
            ]
        ),
    }
    daily = np.column_stack(
        [
            code[days] // width % fingerprint.size,
            code[days] % width + first_day,
            np.diff(days, append=code.size),
        ]
    )
    edges = np.arange(groups + 1) * fingerprint.size
    bounds = np.searchsorted(number, edges).tolist()
    day_bounds = np.searchsorted(code[days], edges * width).tolist()
    return [
        Strands(**{name: column[low:high] for name, column in columns.items()}, days=daily[begin:end])
        for (low, high), (begin, end) in zip(
            itertools.pairwise(bounds), itertools.pairwise(day_bounds), strict=True
        )
    ]


def _reduced(function: np.ufunc, values: Ints, starts: Ints) -> Ints:
    """Reduce the rows from each start to the next."""
    if not starts.size:
        return values
    reduced: Ints = function.reduceat(values, starts)
    return reduced


def _by_slice(slices: npt.NDArray[np.int8], starts: Ints) -> Ints:
    """Count the rows of each slice from each start to the next, shape (starts, slices)."""
    return np.column_stack(
        [_reduced(np.add, (slices == number).astype(np.int64), starts) for number in range(_SLICES)]
    )
