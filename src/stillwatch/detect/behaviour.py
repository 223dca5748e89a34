"""What the accounts of a group do, as columns: the raw material of the group statistics."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

import ibis
import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.carriers import CARRIED, Marks, carriers, group_after_group
from stillwatch.detect.keyindex import KeyIndex
from stillwatch.store.engine import map_batches

if TYPE_CHECKING:
    import builtins

    import ibis.expr.types as ir

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

COLUMNS = (
    "account_fp",
    "ts",
    "slice",
    "item_fp",
    "cell",
    "elicitation",
    "sampling_fp",
    "client_fp",
    "tools_fp",
    "model",
    "turn",
    "ip",
)
_UNSEEN = -1
_PARTS = 32


@dataclass(frozen=True)
class Behaviour:
    """Exchanges of sampled accounts; n rows. Codes are dense numbers, -1 where a value is missing.

    Attributes:
        group: Number of the group whose strand the exchange belongs to, -1 in the placebo pool.
        account: Account number in the book.
        second: Time, seconds since the epoch.
        slice: Slice of the time block.
        item: Fingerprint of the whole prompt, 0 where unknown.
        cell: Capability cell, -1 where unknown.
        elicitation: Bit set, -1 where unknown.
        sampling: Code of the sampling settings.
        client: Code of the client software.
        tools: 1 where tools were offered.
        model: Code of the model.
        turn: User turn within the conversation, -1 where unknown.
        address: Code of the address.
        models: Names of the models by code.
    """

    group: Ints
    account: Ints
    second: Floats
    slice: Ints
    item: Ints
    cell: Ints
    elicitation: Ints
    sampling: Ints
    client: Ints
    tools: Ints
    model: Ints
    turn: Ints
    address: Ints
    models: tuple[str, ...]

    def rows(self, chosen: builtins.slice[int] | npt.NDArray[np.bool_]) -> Behaviour:
        """Return the chosen rows."""
        columns = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "models"}
        return Behaviour(**{name: column[chosen] for name, column in columns.items()}, models=self.models)


@dataclass(frozen=True)
class Sample:
    """Accounts of several groups whose exchanges are read.

    Attributes:
        fingerprint: Fingerprints of the accounts, shape (n,); an account of two groups stands there twice.
        group: Number of the group, shape (n,).
    """

    fingerprint: Ints
    group: Ints


def strand_rows(
    exchanges: ir.Table, marks: Marks, sample: Sample, columns: tuple[str, ...] = COLUMNS
) -> pa.Table:
    """Read the strand exchanges of the sampled accounts: columns group and `columns`.

    Args:
        exchanges: Exchanges with the column slice.
        marks: The keys of all groups.
        sample: Which accounts are sampled for which group.
        columns: Columns to read, account_fp among them.
    """
    accounts, number = np.unique(sample.fingerprint, return_inverse=True)
    known = ibis.memtable(pa.table({"account_fp": accounts}))
    sent = exchanges.semi_join(known, "account_fp").select(*dict.fromkeys((*columns, *CARRIED)))
    wanted = KeyIndex.of(np.unique(number * marks.groups + sample.group))
    function = partial(_sampled, marks=marks, accounts=KeyIndex.of(accounts), wanted=wanted, columns=columns)
    fields = [(name, kind.to_pyarrow()) for name, kind in sent.select(*columns).schema().items()]
    return map_batches(sent, function, pa.schema([("group", pa.int64()), *fields]))


def _sampled(
    batch: pa.RecordBatch, marks: Marks, accounts: KeyIndex, wanted: KeyIndex, columns: tuple[str, ...]
) -> pa.RecordBatch:
    found = carriers(batch, marks)
    account = accounts.find(batch["account_fp"].to_numpy())[found.row]
    chosen = np.flatnonzero((account >= 0) & (wanted.find(account * marks.groups + found.group) >= 0))
    chosen = chosen[np.argsort(found.group[chosen], kind="stable")]
    sent = batch.select(columns).take(pa.array(found.row[chosen]))
    group = pa.array(found.group[chosen])
    return pa.record_batch([group, *sent.columns], names=["group", *columns])


@dataclass(frozen=True)
class Excerpts:
    """Exchanges of the members of many groups.

    Attributes:
        parts: Exchanges of some groups each, group after group.
        first: Number of the first group of each part.
    """

    parts: list[Behaviour]
    first: Ints

    @staticmethod
    def of(rows: pa.Table, accounts: KeyIndex) -> Excerpts:
        """Number the exchanges of many groups, each group by itself.

        Args:
            rows: Columns group and `COLUMNS`, in any order.
            accounts: Account fingerprints in book order.
        """
        batches = group_after_group(rows)
        groups = [batch["group"].to_numpy() for batch in batches]
        last = max((int(group.max(initial=-1)) for group in groups), default=-1)
        edges = np.unique(np.linspace(0, last + 1, _PARTS + 1).astype(np.int64))

        def numbered(bounds: tuple[int, int]) -> Behaviour:
            cuts = [np.searchsorted(group, bounds) for group in groups]
            mine = [batch.slice(low, high - low) for batch, (low, high) in zip(batches, cuts, strict=True)]
            whole = pa.Table.from_batches(mine, rows.schema).combine_chunks()
            return _numbered(whole, accounts, by_group=True)

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # what is worked on stays in the cache
            return Excerpts(list(pool.map(numbered, itertools.pairwise(edges.tolist()))), edges[:-1])

    def of_group(self, number: int) -> Behaviour:
        """Return the exchanges of one group."""
        part = self.parts[int(np.searchsorted(self.first, number, side="right")) - 1]
        low, high = np.searchsorted(part.group, [number, number + 1])
        return part.rows(slice(low, high))


def read_behaviour(rows: pa.Table, fingerprint: Ints) -> Behaviour:
    """Number what was read, in the order of groups, accounts and times.

    Args:
        rows: Columns group and `COLUMNS`.
        fingerprint: Account fingerprints in book order.
    """
    return _numbered(rows, KeyIndex.of(fingerprint))


def _numbered(rows: pa.Table, accounts: KeyIndex, *, by_group: bool = False) -> Behaviour:
    account = accounts.find(rows["account_fp"].to_numpy())
    models = pc.unique(rows["model"]).drop_null().sort()
    columns = {
        "group": rows["group"].to_numpy().astype(np.int64),
        "account": account,
        "second": rows["ts"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy() / 1e6,
        "slice": rows["slice"].to_numpy().astype(np.int64),
        "item": rows["item_fp"].fill_null(0).to_numpy(),
        "cell": rows["cell"].fill_null(_UNSEEN).to_numpy().astype(np.int64),
        "elicitation": rows["elicitation"].fill_null(_UNSEEN).to_numpy().astype(np.int64),
        "sampling": _code(rows["sampling_fp"]),
        "client": _code(rows["client_fp"]),
        "tools": pc.is_valid(rows["tools_fp"]).to_numpy().astype(np.int64),
        "model": pc.fill_null(pc.index_in(rows["model"], models), _UNSEEN).to_numpy().astype(np.int64),
        "turn": rows["turn"].fill_null(_UNSEEN).to_numpy().astype(np.int64),
        "address": _code(rows["ip"]),
    }
    whose = (columns["group"] + 1) * accounts.keys.size + account
    order = _ordered(whose, columns["second"], columns["item"])
    ordered = {name: column[order] for name, column in columns.items()}
    group = ordered["group"] if by_group else np.zeros(order.size, np.int64)
    ordered |= {name: _renumbered(ordered[name], group) for name in ("sampling", "client", "address")}
    return Behaviour(**ordered, models=tuple(models.to_pylist()))


def _ordered(whose: Ints, second: Floats, item: Ints) -> Ints:
    """Return the order by owner, then time, then item; as `np.lexsort`, but ties in time are rare."""
    by_time = np.argsort(second)
    rank = np.empty_like(by_time)
    rank[by_time] = np.cumsum(np.diff(second[by_time], prepend=-np.inf) > 0)
    code = whose * (second.size + 1) + rank
    order: Ints = np.argsort(code)
    same = np.diff(code[order], prepend=-1) == 0
    tied = np.flatnonzero(same | np.append(same[1:], False))
    order[tied] = order[tied][np.lexsort((item[order[tied]], code[order[tied]]))]
    return order


def _code(column: pa.ChunkedArray) -> Ints:
    encoded = column.combine_chunks().dictionary_encode()
    codes: Ints = encoded.indices.fill_null(_UNSEEN).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


@numba.njit(cache=True, nogil=True)
def _renumbered(codes: Ints, group: Ints) -> Ints:
    """Number codes by their first row in a group, so that no order in which an engine answers matters.

    Args:
        codes: Codes, -1 for a missing value, shape (n,).
        group: Group of each, equal ones together, shape (n,).
    """
    number = np.empty(codes.size, np.int64)
    given = np.empty(codes.max() + 1 if codes.size else 0, np.int64)
    latest = np.full(given.size, -1, np.int64)  # first row of the group in which the code was met last
    first, filled = 0, 0
    for row in range(codes.size):
        if group[row] != group[first]:
            first, filled = row, 0
        code = codes[row]
        if code >= 0 and latest[code] != first:
            latest[code], given[code] = first, filled
            filled += 1
        number[row] = given[code] if code >= 0 else _UNSEEN
    return number


def distinct_of(account: Ints) -> tuple[Ints, Ints]:
    """Return the distinct accounts, ascending, and the place of each row among them."""
    if (account[1:] < account[:-1]).any():
        return np.unique(account, return_inverse=True)
    starts = np.diff(account, prepend=_UNSEEN) > 0
    return account[starts], np.cumsum(starts) - 1


def mode_of(account: Ints, code: Ints) -> tuple[Ints, Ints]:
    """Return the distinct accounts, ascending, and the most frequent code of each (-1 counts as no code)."""
    if (account[1:] < account[:-1]).any():
        order = np.argsort(account, kind="stable")
        account, code = account[order], code[order]
    found: tuple[Ints, Ints] = _modes(account, code)
    return found


@numba.njit(cache=True, nogil=True)
def _modes(account: Ints, code: Ints) -> tuple[Ints, Ints]:
    """Return the accounts, which stand in order, and the smallest of the most frequent codes of each."""
    accounts, best = np.empty(account.size, np.int64), np.empty(account.size, np.int64)
    times = np.zeros(code.max() + 1 if code.size else 0, np.int64)
    filled, row = 0, 0
    while row < account.size:
        end = row + 1
        while end < account.size and account[end] == account[row]:
            end += 1
        accounts[filled], best[filled] = account[row], _mode(code[row:end], times)
        filled += 1
        row = end
    return accounts[:filled], best[:filled]


@numba.njit(cache=True, nogil=True)
def _mode(codes: Ints, times: Ints) -> np.int64:
    """Return the smallest of the most frequent codes; `times` has a 0 for each code, before and after."""
    mode, most = np.int64(_UNSEEN), np.int64(0)
    for code in codes:
        if code >= 0:
            times[code] += 1
            if times[code] > most or (times[code] == most and code < mode):
                mode, most = code, times[code]
    for code in codes:
        if code >= 0:
            times[code] = 0
    return mode
