"""Strands: the exchanges of each account that carry a candidate's keys."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detect.carriers import CARRIED, Marks, carriers, group_after_group, only_marked
from stillwatch.store.engine import in_threads, map_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from stillwatch.detect.keyindex import KeyIndex

Ints = npt.NDArray[np.int64]

_DAY_US = 86_400 * 1_000_000
_PARTS = 64
_SLICES = 3
_FIRST, _LAST, _BITS, _ALONE, _TOKENS = 3, 4, 5, 6, 7
"""Columns of the sums of an account, after its exchanges by slice."""
_SENT = ("account_fp", "ts", "slice", "input_tokens", "output_tokens")
_OF_EXCHANGE = {
    "account": pa.int32(),
    "us": pa.int64(),
    "slice": pa.int8(),
    "input_tokens": pa.int64(),
    "output_tokens": pa.int64(),
}
HITS = pa.schema({"group": pa.int32(), **_OF_EXCHANGE, "bits": pa.int64()})
"""Columns of `strand_hits`."""
MARKED = pa.schema(
    {**_OF_EXCHANGE, "keys": pa.list_(pa.int64()), "system_fp": pa.int64(), "tools_fp": pa.int64()}
)
"""Columns of `marked_exchanges`."""


class HitReader:
    """Reads who carries which keys, and goes back to the store only for keys that it was not asked for first.

    When the keys of many groups are chosen anew nearly all of them only lose some, so what carried the first
    keys is kept, about 80 bytes for each such exchange.
    """

    def __init__(self, exchanges: ir.Table, accounts: KeyIndex) -> None:
        """Prepare to read.

        Args:
            exchanges: Exchanges with the column slice.
            accounts: Account fingerprints in book order.
        """
        self._exchanges, self._accounts = exchanges, accounts
        self._first: tuple[KeyIndex, pa.Table] | None = None

    def hits(self, marks: Marks) -> pa.Table:
        """Read the exchanges that carry marked keys, once for each group (`strand_hits`)."""
        if self._first and (self._first[0].find(marks.index.keys) >= 0).all():
            return strand_hits(self._first[1], marks)
        sent = marked_exchanges(self._exchanges, marks, self._accounts)
        self._first = self._first or (marks.index, sent)
        return strand_hits(sent, marks)


def marked_exchanges(exchanges: ir.Table, marks: Marks, accounts: KeyIndex) -> pa.Table:
    """Read the exchanges that carry marked keys, with none but these: columns `MARKED`.

    Args:
        exchanges: Exchanges with the column slice.
        marks: The keys of all groups.
        accounts: Account fingerprints in book order.
    """
    read = partial(_marked, marks=marks, accounts=accounts)
    return map_batches(exchanges.select(*_SENT, *CARRIED), read, MARKED)


def _marked(batch: pa.RecordBatch, marks: Marks, accounts: KeyIndex) -> pa.RecordBatch:
    rows, keys = only_marked(batch, marks)
    sent = batch.select([*_SENT, *CARRIED[1:]]).take(pa.array(rows))
    columns = {
        "account": pa.array(accounts.find(sent["account_fp"].to_numpy()).astype(np.int32)),
        "us": sent["ts"].cast(pa.int64()),
        "slice": sent["slice"].cast(pa.int8()),
        "input_tokens": sent["input_tokens"].cast(pa.int64()).fill_null(0),
        "output_tokens": sent["output_tokens"].cast(pa.int64()).fill_null(0),
        "keys": keys,
        "system_fp": sent["system_fp"],
        "tools_fp": sent["tools_fp"],
    }
    return pa.record_batch(columns, schema=MARKED)


def strand_hits(sent: pa.Table, marks: Marks) -> pa.Table:
    """Tell which groups' keys exchanges carry, once for each group.

    Args:
        sent: Columns `MARKED`; other exchanges carry no marked key.
        marks: The keys of all groups.

    Returns:
        Columns `HITS`: us is the time in microseconds since the epoch; bits tells which of the group's key
        classes the exchange carries.
    """
    return pa.Table.from_batches(in_threads(sent.to_batches(), partial(_hits, marks=marks)), HITS)


def _hits(batch: pa.RecordBatch, marks: Marks) -> pa.RecordBatch:
    """Read the hits of a batch, group after group."""
    found = carriers(batch, marks)
    small = np.int16 if marks.groups < 1 << 15 else np.int32  # which is sorted by counting
    order = np.argsort(found.group.astype(small), kind="stable")
    sent = batch.select(list(_OF_EXCHANGE)).take(pa.array(found.row[order]))
    group = pa.array(found.group[order].astype(np.int32))
    return pa.record_batch([group, *sent.columns, pa.array(found.bits[order])], schema=HITS)


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
        alone: Those of `bits` that were all that an exchange carried, shape (n,); empty where not known.
    """

    account: Ints
    hits: Ints
    first: Ints
    last: Ints
    bits: Ints
    tokens: Ints
    days: Ints
    alone: Ints = field(default_factory=lambda: np.empty(0, np.int64))

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
            alone=self.alone[rows] if self.alone.size else self.alone,
        )


def split_strands(hits: pa.Table, groups: int) -> list[Strands]:
    """Sum the exchanges of each account, and divide the accounts by group.

    Args:
        hits: Columns `HITS`, in any order.
        groups: Number of groups.
    """
    chunks = [[column.to_numpy() for column in batch.columns] for batch in group_after_group(hits)]
    # a part of the groups at a time: what is worked on stays in the cache, and all cores have some
    edges = np.unique(np.linspace(0, groups, _PARTS + 1).astype(np.int64))
    bounds = [np.searchsorted(chunk[0], edges) for chunk in chunks]

    def split(part: int) -> list[Strands]:
        low, high = edges[part : part + 2]
        rows = [
            [column[cut[part] : cut[part + 1]] for column in chunk]
            for chunk, cut in zip(chunks, bounds, strict=True)
        ]
        columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
        return _split(columns, int(low), int(high)) if rows else []

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(itertools.chain.from_iterable(pool.map(split, range(edges.size - 1))))
    return found or [_nobody() for _ in range(groups)]


def _split(columns: Sequence[Ints], low: int, high: int) -> list[Strands]:
    """Divide the hits of the groups from `low` to before `high`; columns are those of `HITS`."""
    group, account, us, *summed = columns
    day = us // _DAY_US
    first_day = int(day.min(initial=0))
    width = int(day.max(initial=0)) - first_day + 1
    accounts = int(account.max(initial=0)) + 1
    code = ((group - low).astype(np.int64) * accounts + account) * width + (day - first_day)
    order = np.argsort(code)  # what is equal is summed, so its order means nothing
    number, sums, days = _summed(order, code, width, us, *summed)
    daily = np.column_stack([days[:, 0] // width % accounts, days[:, 0] % width + first_day, days[:, 1]])
    edges = np.arange(high - low + 1) * accounts
    bounds = itertools.pairwise(np.searchsorted(number, edges).tolist())
    day_bounds = itertools.pairwise(np.searchsorted(days[:, 0], edges * width).tolist())
    return [
        _strands(number[first:last] % accounts, sums[first:last], daily[begin:end])
        for (first, last), (begin, end) in zip(bounds, day_bounds, strict=True)
    ]


def _strands(account: Ints, sums: Ints, days: Ints) -> Strands:
    return Strands(
        account=account,
        hits=sums[:, :_SLICES],
        first=sums[:, _FIRST],
        last=sums[:, _LAST],
        bits=sums[:, _BITS],
        tokens=sums[:, _TOKENS:],
        days=days,
        alone=sums[:, _ALONE],
    )


def _nobody() -> Strands:
    """Strands of a group that nobody carries."""
    return _strands(*(np.empty(shape, np.int64) for shape in (0, (0, _TOKENS + 2), (0, 3))))


@numba.njit(cache=True, nogil=True)
def _summed(
    order: Ints,
    code: Ints,
    width: int,
    us: Ints,
    slices: npt.NDArray[np.int8],
    sent: Ints,
    taken: Ints,
    bits: Ints,
) -> tuple[Ints, Ints, Ints]:
    """Sum the exchanges of each account of each group, and count them by day, in the given order of rows.

    Returns:
        Account of a group (code over width), its sums, and pairs of code and exchanges.
    """
    owners, distinct_days = _distinct(order, code, width)
    number, sums = np.empty(owners, np.int64), np.zeros((owners, _TOKENS + 2), np.int64)
    daily = np.zeros((distinct_days, 2), np.int64)
    owner, day = -1, -1
    for at in range(order.size):
        row = order[at]
        if day < 0 or daily[day, 0] != code[row]:
            day += 1
            daily[day, 0] = code[row]
            if owner < 0 or number[owner] != code[row] // width:
                owner += 1
                number[owner] = code[row] // width
                sums[owner, _FIRST : _LAST + 1] = us[row]
        daily[day, 1] += 1
        mine = sums[owner]
        mine[slices[row]] += 1
        mine[_FIRST] = min(mine[_FIRST], us[row])
        mine[_LAST] = max(mine[_LAST], us[row])
        mine[_BITS] |= bits[row]
        if bits[row] & (bits[row] - 1) == 0:
            mine[_ALONE] |= bits[row]
        mine[_TOKENS] += sent[row]
        mine[_TOKENS + 1] += taken[row]
    return number, sums, daily


@numba.njit(cache=True, nogil=True)
def _distinct(order: Ints, code: Ints, width: int) -> tuple[int, int]:
    """Count the different codes over `width`, and the different codes."""
    owners, days = 0, 0
    last = np.int64(-1)
    for row in order:
        if code[row] != last:
            days += 1
            owners += 1 if last < 0 or code[row] // width != last // width else 0
            last = code[row]
    return owners, days
