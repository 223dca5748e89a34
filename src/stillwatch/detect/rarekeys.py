"""Search for the keys that more than one account uses: most keys are private content and link nobody."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.carriers import list_bounds
from stillwatch.detect.dealing import Dealt, Small, deal, numbered
from stillwatch.store.engine import map_batches

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from stillwatch.detect.keyindex import KeyIndex
    from stillwatch.detect.tables import Span

Ints = npt.NDArray[np.int64]

_SAMPLE_CYCLE = 65_536
_FOUND = pa.schema(
    {
        "key": pa.list_(pa.int64()),
        "account": pa.list_(pa.int32()),
        "keys": pa.list_(pa.list_(pa.int64())),
        "language": pa.list_(pa.string()),
    }
)
"""What is read of a batch, as one row: its pairs as they are dealt, and the exchanges of the sample."""


def sampled(exchanges: ir.Table, fraction: float) -> ir.Table:
    """Keep a share of the exchanges, chosen by fingerprints so that every engine keeps the same ones."""
    if fraction >= 1.0:
        return exchanges
    return exchanges.filter(_place(exchanges) < _places(fraction))


def _place(exchanges: ir.Table) -> ir.IntegerValue:
    """Place of each exchange in the cycle: a sample is all exchanges of the first places."""
    mixed = exchanges.item_fp.fill_null(0).__rshift__(8) ^ exchanges.account_fp.__rshift__(13)
    return mixed & (_SAMPLE_CYCLE - 1)


def _places(fraction: float) -> int:
    return max(1, int(fraction * _SAMPLE_CYCLE))


def screen_fraction(span: Span, most_incidences: int) -> float:
    """Return the share of exchanges to look at so that about `most_incidences` keys are grouped."""
    return min(1.0, most_incidences / max(span.incidences, 1))


def shared_keys(exchanges: ir.Table, accounts: KeyIndex, share: float) -> tuple[Ints, pa.Table]:
    """Return the text keys that at least two accounts used, ascending, and a sample of the exchanges.

    Args:
        exchanges: Exchanges; all their keys are held in memory at once (`screen_fraction`), 12 bytes each.
        accounts: Fingerprints of all accounts.
        share: Share of all exchanges that the sample is (`sampled`), not more than `exchanges` are.

    Returns:
        The keys, and the columns keys and language of the sample.
    """
    sent = exchanges.select("account_fp", "keys", "language", place=_place(exchanges))
    found = map_batches(sent, partial(_found, accounts=accounts, places=_places(share)), _FOUND)
    pairs = zip(found["key"], found["account"], strict=True)
    dealt = Dealt.of((key.values, account.values) for key, account in pairs)
    sample = pa.table({name: pc.list_flatten(found[name]) for name in ("keys", "language")})
    return np.sort(np.concatenate([np.empty(0, np.int64), *dealt.map(_of_several)])), sample


def _found(batch: pa.RecordBatch, accounts: KeyIndex, places: int) -> pa.RecordBatch:
    owner = accounts.find(batch["account_fp"].to_numpy())
    dealt = deal(*_pairs(*list_bounds(batch["keys"]), owner))
    sample = batch.select(["keys", "language"]).filter(pa.array(batch["place"].to_numpy() < places))
    row = [pa.ListArray.from_arrays([0, len(column)], column) for column in (*dealt.columns, *sample.columns)]
    return pa.record_batch(row, schema=_FOUND)


@numba.njit(cache=True, nogil=True)
def _pairs(starts: Ints, ends: Ints, values: Ints, owner: Ints) -> tuple[Ints, Small]:
    """Put the owner of its row beside every value."""
    size = (ends - starts).sum()
    keys, owners, filled = np.empty(size, np.int64), np.empty(size, np.int32), 0
    for row in range(starts.size):
        for at in range(starts[row], ends[row]):
            keys[filled], owners[filled] = values[at], owner[row]
            filled += 1
    return keys, owners


@numba.njit(cache=True, nogil=True)
def _of_several(keys: Ints, account: Small) -> Ints:
    """Return the distinct keys that stand there with two different accounts."""
    number, distinct = numbered(keys)
    first, several = np.full(distinct.size, -1, np.int32), np.zeros(distinct.size, np.bool_)
    for at in range(keys.size):
        if first[number[at]] < 0:
            first[number[at]] = account[at]
        several[number[at]] |= first[number[at]] != account[at]
    found: Ints = distinct[several]
    return found
