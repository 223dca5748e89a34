"""The ledger: which account used which shared key, how often; the same on every engine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.detect.carriers import list_bounds, marked_rows
from stillwatch.detect.dealing import BUCKETS, Dealt, Small, bucket_of, deal, numbered
from stillwatch.detect.pairs import Incidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir
    import pyarrow as pa

    from stillwatch.detect.keyindex import KeyIndex

Ints = npt.NDArray[np.int64]

_ORDER_BITS = 32
_ORDER_SHIFT = 12
_MISSING = 0
"""No fingerprint: the lowest bits of all of them are a kind, and that of these columns is not 0."""
EXCHANGE_KEYS = ("system_fp", "tools_fp", "client_fp", "sampling_fp")


def sampling_order(fingerprints: Ints) -> Ints:
    """Return the place of each account in the fixed order by which bottom-B sampling chooses."""
    return (fingerprints >> _ORDER_SHIFT) & ((1 << _ORDER_BITS) - 1)


@dataclass(frozen=True)
class Keys:
    """The shared keys with their sizes, ascending by key.

    Attributes:
        key: Fingerprints; the four lowest bits are the `KeyKind`, shape (K,).
        accounts: Accounts that used the key in the discovery slice, shape (K,).
        repeaters: Accounts that used it at least twice, shape (K,).
        uses: Exchanges, shape (K,).
    """

    key: Ints
    accounts: Ints
    repeaters: Ints
    uses: Ints


@dataclass(frozen=True)
class Ledger:
    """Keys in any order, each with a sample of its accounts.

    Attributes:
        keys: The keys with their sizes; K keys.
        sampled: How many accounts of each key are in the sample, shape (K,).
        account: Account numbers, key after key, ascending within a key, shape (I,).
    """

    keys: Keys
    sampled: Ints
    account: Ints


def joined(
    parts: Sequence[Ledger], kept: Sequence[npt.NDArray[np.bool_]], accounts: int
) -> tuple[Keys, Incidence]:
    """Put ledgers without common keys into one, ascending by key.

    Args:
        parts: The ledgers.
        kept: Which keys of each are wanted.
        accounts: Number of all accounts.
    """
    columns = [
        np.concatenate(column) for column in zip(*(_columns(part.keys) for part in parts), strict=True)
    ]
    sampled = np.concatenate([part.sampled for part in parts])
    account = np.concatenate([part.account for part in parts])
    order = np.argsort(columns[0])
    order = order[np.concatenate(list(kept))[order]]
    key, user = (np.empty(int(sampled[order].sum()), np.int64) for _ in range(2))
    _write(order, sampled, account, key, user)
    incidence = Incidence(key, user, order.size, accounts)
    return Keys(*(column[order] for column in columns)), incidence


@numba.njit(cache=True, nogil=True)
def _write(order: Ints, sampled: Ints, account: Ints, key: Ints, user: Ints) -> None:
    """Write the accounts of each key in the given order of keys, beside the number of the key."""
    ends, filled = np.cumsum(sampled), 0
    for number in range(order.size):
        end = ends[order[number]]
        for row in range(end - sampled[order[number]], end):
            key[filled], user[filled] = number, account[row]
            filled += 1


def _columns(keys: Keys) -> tuple[Ints, Ints, Ints, Ints]:
    return keys.key, keys.accounts, keys.repeaters, keys.uses


@dataclass(frozen=True)
class Wanted:
    """What the ledger counts.

    Attributes:
        accounts: Fingerprints of all accounts, in the order by which bottom-B sampling chooses.
        members: The text keys that count.
        classes: The key that stands for each of them.
        columns: Columns of exchanges whose fingerprints count as keys as well.
    """

    accounts: KeyIndex
    members: KeyIndex
    classes: Ints
    columns: tuple[str, ...] = EXCHANGE_KEYS


def read_ledger(exchanges: ir.Table, wanted: Wanted, least: int, bottom_b: int, rounds: int = 1) -> Ledger:
    """Count the uses of all keys by all accounts, and sample the accounts of each key.

    Args:
        exchanges: Exchanges of one slice.
        wanted: What is counted.
        least: Keys with fewer accounts are left out.
        bottom_b: Accounts that are kept for each key: those with the smallest numbers.
        rounds: In how many rounds the exchanges are read, each for a part of the keys; all pairs of a key and
            an account that a round meets are held in memory, 12 bytes each.
    """
    sent = exchanges.select("account_fp", "keys", *wanted.columns)
    parts = []
    for number in range(rounds):
        dealt = Dealt.read(sent, partial(_pairs, wanted=wanted, part=(number, rounds)))
        parts += dealt.map(partial(_counted, least=least, most=bottom_b))
    empty = np.empty(0, np.int64)
    found = [np.concatenate([empty, *column]) for column in zip(*parts, strict=True)] or [empty] * 6
    return Ledger(Keys(*found[:4]), *found[4:])


def _pairs(batch: pa.RecordBatch, wanted: Wanted, part: tuple[int, int]) -> pa.RecordBatch:
    account = wanted.accounts.find(batch["account_fp"].to_numpy())
    columns = [batch[name].fill_null(_MISSING).to_numpy(zero_copy_only=False) for name in wanted.columns]
    members = wanted.members
    found = marked_rows(*list_bounds(batch["keys"]), members.keys, members.slots, members.seen)
    # NumPy asks for huge pages where compiled code would not, and touching these costs a fraction
    size = found[0].size + len(columns) * account.size
    keys, owner = np.empty(size, np.int64), np.empty(size, np.int32)
    filled = _uses(*found, np.stack(columns), account, wanted.classes, *part, keys, owner)
    return deal(keys[:filled], owner[:filled])


@numba.njit(cache=True, nogil=True)
def _uses(
    row: Small,
    number: Small,
    columns: Ints,
    account: Ints,
    classes: Ints,
    part: int,
    parts: int,
    keys: Ints,
    owner: Small,
) -> int:
    """Put the account beside every key of its exchanges that belongs to the given part of the keys.

    Args:
        row: Row of each text key.
        number: Its number.
        columns: Other keys of each row, shape (columns, rows).
        account: Account of each row.
        classes: The key that stands for each text key.
        part: Number of the part.
        parts: In how many parts the keys are divided.
        keys: Room for the keys.
        owner: Room for the accounts.

    Returns:
        How many were written.
    """
    filled = 0
    for at in range(row.size):
        keys[filled], owner[filled] = classes[number[at]], account[row[at]]
        filled += parts == 1 or bucket_of(keys[filled]) * parts // BUCKETS == part
    for column in columns:
        for at in range(column.size):
            keys[filled], owner[filled] = column[at], account[at]
            mine = parts == 1 or bucket_of(column[at]) * parts // BUCKETS == part
            filled += mine and column[at] != _MISSING
    return filled


def _counted(keys: Ints, account: Small, least: int, most: int) -> tuple[Ints, ...]:
    """Return the columns of the ledger of one bucket."""
    number, distinct = numbered(keys)
    codes = np.sort((number << np.int64(32)) | account)
    sizes, sample = _sizes(codes, distinct.size, most)
    kept = sizes[0] >= least
    sampled = np.minimum(sizes[0], most)
    return distinct[kept], *sizes[:, kept], sampled[kept], sample[np.repeat(kept, sampled)]


@numba.njit(cache=True, nogil=True)
def _sizes(codes: Ints, keys: int, most: int) -> tuple[Ints, Ints]:
    """Count accounts, repeaters and uses of each key, and keep its first accounts; codes are sorted."""
    sizes = np.zeros((3, keys), np.int64)
    sample, filled = np.empty(codes.size, np.int64), 0
    at = 0
    while at < codes.size:
        end = at + 1
        while end < codes.size and codes[end] == codes[at]:
            end += 1
        key = codes[at] >> 32
        if sizes[0, key] < most:
            sample[filled] = codes[at] & 0xFFFFFFFF
            filled += 1
        sizes[0, key] += 1
        sizes[1, key] += end - at >= 2
        sizes[2, key] += end - at
        at = end
    return sizes, sample[:filled]
