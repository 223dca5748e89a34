"""What the accounts of crowds send, as columns: by hour of the log, and as whole strands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.book import MISSING
from stillwatch.detect.keyindex import index_of
from stillwatch.detect.strands import Strands
from stillwatch.detect.tables import CONFIRM_A, CONFIRM_B, DISCOVERY
from stillwatch.store.engine import epoch_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.book import Book
    from stillwatch.detect.tables import Span

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_HOUR_US = 3_600 * 1_000_000
_DAY_US = 24 * _HOUR_US


def _sent_by(exchanges: ir.Table, accounts: Ints, book: Book) -> ir.Table:
    wanted = ibis.memtable(pa.table({"account_fp": book.fingerprint[accounts]}))
    return exchanges.semi_join(wanted, "account_fp")


def hourly_counts(exchanges: ir.Table, accounts: Ints, book: Book, span: Span) -> Floats:
    """Count the exchanges of each account in each hour of the whole days of the log.

    Args:
        exchanges: Exchanges of all slices.
        accounts: Account numbers, ascending, shape (n,).
        book: All accounts.
        span: What the exchanges cover.

    Returns:
        Shape (n, days x 24), at least one day.
    """
    first = int(span.first.timestamp() // 3600)
    hours = max(int(span.last.timestamp() // 3600 + 1 - first) // 24, 1) * 24
    sent = _sent_by(exchanges, accounts, book)
    sent = sent.select("account_fp", hour=(epoch_us(sent.ts) // _HOUR_US).cast("int64") - first)
    sent = sent.filter(sent.hour < hours)
    counts = sent.group_by(["account_fp", "hour"]).aggregate(sent=sent.count()).to_pyarrow()
    owner = np.searchsorted(accounts, index_of(counts["account_fp"].to_numpy(), book.fingerprint))
    table = np.zeros((accounts.size, hours))
    table[owner, counts["hour"].to_numpy()] = counts["sent"].to_numpy()
    return table


def modal_addresses(exchanges: ir.Table, book: Book) -> Ints:
    """Return the code of the address that each account mostly sends from, -1 where none is known.

    Shape (A,), by account number.
    """
    known = exchanges.filter(exchanges.ip.notnull())
    counts = known.group_by(["account_fp", "ip"]).aggregate(sent=known.count()).to_pyarrow()
    owner = index_of(counts["account_fp"].to_numpy(), book.fingerprint)
    addresses = pc.rank(counts["ip"].combine_chunks(), tiebreaker="dense").to_numpy().astype(np.int64)
    weight = counts["sent"].to_numpy().astype(np.int64)
    found = _most_frequent(owner, addresses, weight, book.size)
    found[np.bincount(owner, minlength=book.size) == 0] = MISSING
    return found


def modal_settings(exchanges: ir.Table, accounts: Ints, book: Book) -> tuple[Ints, Ints]:
    """Return the most frequent sampling settings and client software of each account, each of shape (n,).

    Values are dense codes; exchanges without one count as a value of their own.
    """
    sent = _sent_by(exchanges, accounts, book)
    kinds = ["sampling_fp", "client_fp"]
    counts = sent.group_by(["account_fp", *kinds]).aggregate(sent=sent.count()).to_pyarrow()
    owner = np.searchsorted(accounts, index_of(counts["account_fp"].to_numpy(), book.fingerprint))
    weight = counts["sent"].to_numpy().astype(np.int64)
    codes = (counts[kind].fill_null(0).to_numpy() for kind in kinds)
    sampling, client = (_most_frequent(owner, code, weight, accounts.size) for code in codes)
    return sampling, client


def _most_frequent(owner: Ints, values: Ints, weight: Ints, accounts: int) -> Ints:
    code = np.unique(values, return_inverse=True)[1]
    width = int(code.max(initial=0)) + 1
    pair, place = np.unique(owner * width + code, return_inverse=True)
    order = np.lexsort((-pair, np.bincount(place, weight)))  # the most frequent is written last
    chosen = np.zeros(accounts, np.int64)
    chosen[pair[order] // width] = pair[order] % width
    return chosen


def whole_strands(exchanges: ir.Table, members: Sequence[Ints], book: Book) -> list[Strands]:
    """Take all exchanges of the members for their strands: nothing tells which of them belong to a crowd.

    Args:
        exchanges: Exchanges of all slices.
        members: Account numbers of each crowd, ascending.
        book: All accounts.
    """
    if not members:
        return []
    sent = _sent_by(exchanges, np.unique(np.concatenate(members)), book)
    sent = sent.mutate(us=epoch_us(sent.ts), day=(epoch_us(sent.ts) // _DAY_US).cast("int64"))
    counts = sent.group_by(["account_fp", "day"]).aggregate(
        discovery=(sent.slice == DISCOVERY).sum(),
        confirm_a=(sent.slice == CONFIRM_A).sum(),
        confirm_b=(sent.slice == CONFIRM_B).sum(),
        first=sent.us.min(),
        last=sent.us.max(),
        input_tokens=sent.input_tokens.sum(),
        output_tokens=sent.output_tokens.sum(),
    )
    days = counts.to_pyarrow()
    owner = index_of(days["account_fp"].to_numpy(), book.fingerprint)
    columns = {name: days[name].fill_null(0).to_numpy().astype(np.int64) for name in days.column_names}
    order = np.lexsort((columns["day"], owner))
    columns = {name: column[order] for name, column in columns.items()}
    return [_strands(owner[order], columns, accounts) for accounts in members]


def _strands(owner: Ints, columns: dict[str, Ints], accounts: Ints) -> Strands:
    mine = np.isin(owner, accounts)
    account = owner[mine]
    chosen = {name: column[mine] for name, column in columns.items()}
    starts = np.searchsorted(account, accounts)
    hits = np.column_stack([chosen[name] for name in ("discovery", "confirm_a", "confirm_b")])
    tokens = np.column_stack([chosen["input_tokens"], chosen["output_tokens"]])
    return Strands(
        account=accounts,
        hits=np.add.reduceat(hits, starts),
        first=np.minimum.reduceat(chosen["first"], starts),
        last=np.maximum.reduceat(chosen["last"], starts),
        bits=np.zeros(accounts.size, np.int64),
        tokens=np.add.reduceat(tokens, starts),
        days=np.column_stack([account, chosen["day"], hits.sum(axis=1)]),
    )
