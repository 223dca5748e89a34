"""The account book: what is known of every account, as columns in one order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.keyindex import index_of
from stillwatch.detect.ledger import sampling_order
from stillwatch.detect.tables import CONFIRM_A, CONFIRM_B, DISCOVERY
from stillwatch.model.views import KIND_BITS, KeyKind

if TYPE_CHECKING:
    import ibis.expr.types as ir

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MISSING = -1
CODED = ("org_id", "payment_fp", "device_fp", "signup_ip", "email_domain", "country", "plan")
LINKING = {"payment_fp": KeyKind.PAYMENT, "device_fp": KeyKind.DEVICE, "signup_ip": KeyKind.ADDRESS}
_THROWAWAY = ("virtual_card", "prepaid")
_STRONG = ("organisation", "identity")
_DAY = 86_400.0
_PAYMENTS = 3
"""Kinds of payment: unknown, throwaway, another."""


@dataclass(frozen=True)
class Volumes:
    """How many accounts sent how much, in steps of at most one thirty-second.

    Attributes:
        volume: Representative volumes, ascending, shape (v,).
        accounts: Accounts with about that volume, shape (v,).
    """

    volume: Ints
    accounts: Ints

    @staticmethod
    def of(exchanges: Ints) -> Volumes:
        """Count accounts by their number of exchanges, shape (A,)."""
        volume, accounts = np.unique(rounded_volume(exchanges), return_counts=True)
        return Volumes(volume, accounts)


@numba.njit(cache=True, nogil=True)
def rounded_volume(exchanges: Ints, significant: int = 6) -> Ints:
    """Round down to some significant bits: at six, a million accounts have a few hundred volumes."""
    rounded = np.empty(exchanges.size, np.int64)
    for at in range(exchanges.size):
        shift = 0
        while np.int64(exchanges[at]) >> (shift + significant) > 0:
            shift += 1
        rounded[at] = (np.int64(exchanges[at]) >> shift) << shift
    return rounded


@dataclass(frozen=True)
class Book:
    """Columns of all accounts that sent something, in sampling order; A accounts.

    Attributes:
        fingerprint: Account fingerprints, shape (A,).
        totals: Exchanges in the discovery and the two confirmation slices, shape (A, 3).
        codes: For each column of `CODED` dense numbers, `MISSING` where unknown, each of shape (A,).
        created: Day of creation since the epoch, NaN where unknown, shape (A,).
        throwaway: 1 for a virtual or prepaid card, 0 for another payment, `MISSING` where unknown, shape
            (A,).
        verified: 1 where organisation or identity was verified, 0 where not, `MISSING` where unknown.
        programme: Whether the account belongs to a declared programme, shape (A,).
        reseller: Whether the account resells or belongs to a reseller, shape (A,).
        banned: First ban, seconds since the epoch, NaN where there was none, shape (A,).
        known: Whether the operator gave a record of the account, shape (A,).
        language: Code of the language that the account writes most, `MISSING` where unknown, shape (A,).
        languages: Names of the languages by code.
        spoken: Account, language and exchanges in the discovery slice, one row a language of an account.
        exchanges: All exchanges of each account, shape (A,).
        volumes: How many accounts sent how much in all.
        held_out_volumes: How many accounts sent how much in the confirmation slices.
    """

    fingerprint: Ints
    totals: Ints
    codes: dict[str, Ints]
    created: Floats
    throwaway: Ints
    verified: Ints
    programme: npt.NDArray[np.bool_]
    reseller: npt.NDArray[np.bool_]
    banned: Floats
    known: npt.NDArray[np.bool_]
    language: Ints
    languages: tuple[str, ...]
    spoken: Ints
    exchanges: Ints
    volumes: Volumes
    held_out_volumes: Volumes

    @property
    def size(self) -> int:
        """Number of accounts."""
        return int(self.fingerprint.size)

    @cached_property
    def volumes_by_language(self) -> dict[int, Volumes]:
        """How many accounts of each language sent how much."""
        return {
            code: Volumes.of(self.exchanges[self.language == code])
            for code in np.unique(self.language[self.language >= 0]).tolist()
        }

    @cached_property
    def records(self) -> tuple[Ints, Floats]:
        """Cells of records, age in octaves of days and kind of payment, and the shares of the cells.

        Returns:
            Numbers of cells, shape (A,), and the share of all accounts in each cell.
        """
        last = np.nanmax(self.created, initial=0.0)
        age = np.log2(1.0 + np.nan_to_num(last - self.created)).astype(np.int64)
        cell = age * _PAYMENTS + self.throwaway - MISSING
        return cell, np.bincount(cell) / cell.size


def account_totals(exchanges: ir.Table) -> ir.Table:
    """Count the exchanges of each account by language and slice.

    Args:
        exchanges: Table with the columns account_fp, language and slice.
    """
    return exchanges.group_by(["account_fp", "language"]).aggregate(
        discovery=exchanges.count(where=exchanges.slice == DISCOVERY),
        confirm_a=exchanges.count(where=exchanges.slice == CONFIRM_A),
        confirm_b=exchanges.count(where=exchanges.slice == CONFIRM_B),
    )


def coded(accounts: pa.Table) -> pa.Table:
    """Give the columns of `CODED` as dictionaries, which `make_book` would make of them."""
    for name in CODED:
        at = accounts.schema.get_field_index(name)
        accounts = accounts.set_column(at, name, accounts[name].combine_chunks().dictionary_encode())
    return accounts


def make_book(totals: pa.Table, accounts: pa.Table, enforcement: pa.Table) -> Book:
    """Join the totals with the operator's records.

    Args:
        totals: Result of `account_totals`.
        accounts: Rows of `ACCOUNT_SCHEMA`, `coded` or not.
        enforcement: Rows of `ENFORCEMENT_SCHEMA`.
    """
    fingerprint, counts, spoken, languages = _by_account(totals)
    row = _rows_of(fingerprint, accounts["account_fp"].to_numpy())
    kinds = accounts["payment_kind"]
    return Book(
        fingerprint=fingerprint,
        totals=counts.astype(np.int64),
        codes={name: _pick(_codes(accounts[name]), row) for name in CODED},
        created=_pick_float(_days(accounts["created_at"]), row),
        throwaway=_pick(_flag(pc.is_in(kinds, pa.array(_THROWAWAY)), kinds), row),
        verified=_pick(_verified(accounts["verified"]), row),
        programme=_pick(_flag(pc.is_valid(accounts["programme"])), row) == 1,
        reseller=_pick(_flag(pc.is_valid(accounts["reseller_of"])), row) == 1,
        banned=_bans(fingerprint, enforcement),
        known=row >= 0,
        language=_main_language(counts, spoken),
        languages=languages,
        spoken=spoken[:, :3],
        exchanges=counts.sum(axis=1).astype(np.int64),
        volumes=Volumes.of(counts.sum(axis=1)),
        held_out_volumes=Volumes.of(counts[:, CONFIRM_A:].sum(axis=1)),
    )


def _by_account(totals: pa.Table) -> tuple[Ints, Ints, Ints, tuple[str, ...]]:
    """Put the accounts into sampling order.

    Returns:
        Fingerprints; exchanges by slice; for each language of an account the account, the language, its
        exchanges in the discovery slice and in all; the names of the languages.
    """
    fingerprint = np.unique(totals["account_fp"].to_numpy())
    fingerprint = fingerprint[np.lexsort((fingerprint, sampling_order(fingerprint)))]
    owner = index_of(totals["account_fp"].to_numpy(), fingerprint)
    rows = np.column_stack([totals[name].to_numpy() for name in ("discovery", "confirm_a", "confirm_b")])
    rows = rows.astype(np.int64)
    counts = np.zeros((fingerprint.size, rows.shape[1]), np.int64)
    np.add.at(counts, owner, rows)
    languages = pc.unique(totals["language"]).drop_null().sort()
    code = pc.fill_null(pc.index_in(totals["language"], languages), MISSING).to_numpy().astype(np.int64)
    spoken = np.column_stack([owner, code, rows[:, 0], rows.sum(axis=1)])
    return fingerprint, counts, spoken, tuple(languages.to_pylist())


def _main_language(counts: Ints, spoken: Ints) -> Ints:
    """Return the code of the language that each account writes most."""
    owner, code, _, exchanges = spoken.T
    language = np.full(counts.shape[0], MISSING)
    order = np.lexsort((-code, exchanges))  # the most frequent is written last
    order = order[code[order] >= 0]
    language[owner[order]] = code[order]
    return language


def _rows_of(wanted: Ints, given: Ints) -> Ints:
    """Return for each of `wanted` its row in `given`, or -1."""
    if given.size == 0:
        return np.full(wanted.size, MISSING)
    ascending = np.argsort(given)
    place = np.minimum(np.searchsorted(given[ascending], wanted), given.size - 1)
    row = ascending[place]
    return np.where(given[row] == wanted, row, MISSING)


def _pick(values: Ints, row: Ints) -> Ints:
    padded = np.append(values, MISSING)
    return padded[row]


def _pick_float(values: Floats, row: Ints) -> Floats:
    return np.append(values, np.nan)[row]


def _codes(column: pa.ChunkedArray) -> Ints:
    encoded = column.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.fill_null(MISSING).to_numpy(zero_copy_only=False), np.int64)


def _flag(true: pa.ChunkedArray, known: pa.ChunkedArray | None = None) -> Ints:
    values: Ints = true.fill_null(fill_value=False).to_numpy().astype(np.int64)
    if known is not None:
        values[~pc.is_valid(known).to_numpy()] = MISSING
    return values


def _verified(column: pa.ChunkedArray) -> Ints:
    lists = column.combine_chunks()
    strong = pc.is_in(pc.list_flatten(lists), pa.array(_STRONG)).to_numpy(zero_copy_only=False)
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    found = np.zeros(len(lists), dtype=np.int64)
    np.maximum.at(found, parents, strong.astype(np.int64))
    found[~pc.is_valid(lists).to_numpy(zero_copy_only=False)] = MISSING
    return found


def _seconds(column: pa.ChunkedArray) -> Floats:
    micros = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    seconds: Floats = micros.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy() / 1e6
    return seconds


def _days(column: pa.ChunkedArray) -> Floats:
    return _seconds(column) / _DAY


def _bans(fingerprint: Ints, enforcement: pa.Table) -> Floats:
    bans = enforcement.filter(pc.equal(enforcement["kind"], "ban"))
    first = np.full(fingerprint.size + 1, np.nan)
    ascending = np.argsort(fingerprint)
    row = _rows_of(bans["account_fp"].to_numpy(), fingerprint[ascending])
    at = np.where(row >= 0, ascending[row], fingerprint.size)
    np.fmin.at(first, at, _seconds(bans["ts"]))
    return first[:-1]


def identity_incidence(book: Book, least: int) -> tuple[Ints, Ints]:
    """Return pseudo keys for payment, device and address, with the accounts that share them.

    A pseudo key is the dense number of the value with its `KeyKind` in the low bits; values of fewer than
    `least` accounts are left out.

    Returns:
        Keys and account numbers, two arrays of the same length.
    """
    keys, accounts = [], []
    for name, kind in LINKING.items():
        code = book.codes[name]
        members = np.flatnonzero(code >= 0)
        shared = np.bincount(code[members]) >= least if members.size else np.zeros(1, bool)
        members = members[shared[code[members]]]
        keys.append((code[members] << KIND_BITS) | int(kind))
        accounts.append(members)
    return np.concatenate(keys), np.concatenate(accounts)
