"""Strands: the exchanges of each account that carry a candidate's keys."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt

from stillwatch.detect.keyclasses import index_of
from stillwatch.detect.tables import CONFIRM_A, CONFIRM_B, DISCOVERY
from stillwatch.store.engine import epoch_us

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]

_DAY_US = 86_400 * 1_000_000
CLASS_BITS = 62


@ibis.udf.agg.builtin(name="bit_or")
def _bit_or(bits: int) -> int:  # type: ignore[empty-body]
    """Name the engines' own aggregate: Ibis 12 cannot compile `.bit_or()` for Spark."""


_ROW = ("account_fp", "ts", "slice", "input_tokens", "output_tokens")


def carrying(exchanges: ir.Table, marks: ir.Table, columns: tuple[str, ...]) -> ir.Table:
    """Return the exchanges that carry a marked key, once for each group: columns group, `columns` and bits.

    Args:
        exchanges: Exchanges with the column slice.
        marks: Columns member (a raw key), group, and bit (one of 62, by the class of the key).
        columns: Columns to keep; exchanges that agree in all of them count once.

    Returns:
        One row an exchange and group; bits tells which of the group's classes it carries.
    """
    parts = [exchanges.select(*columns, member=exchanges["keys"].unnest())]
    for fingerprint in ("system_fp", "tools_fp"):
        known = exchanges.filter(exchanges[fingerprint].notnull())
        parts.append(known.select(*columns, member=known[fingerprint]))
    hits = [part.join(marks, "member").select("group", *columns, "bit") for part in parts]
    together = ibis.union(*hits)
    return together.group_by(["group", *columns]).aggregate(bits=_bit_or(together.bit))


def strand_counts(exchanges: ir.Table, marks: ir.Table) -> ir.Table:
    """Sum each account's strand of each group by day (days since the epoch, UTC)."""
    rows = carrying(exchanges, marks, _ROW)
    rows = rows.mutate(day=(epoch_us(rows.ts) // _DAY_US).cast("int64"), us=epoch_us(rows.ts))
    return rows.group_by(["group", "account_fp", "day"]).aggregate(
        discovery=(rows.slice == DISCOVERY).sum(),
        confirm_a=(rows.slice == CONFIRM_A).sum(),
        confirm_b=(rows.slice == CONFIRM_B).sum(),
        first=rows.us.min(),
        last=rows.us.max(),
        input_tokens=rows.input_tokens.sum(),
        output_tokens=rows.output_tokens.sum(),
        bits=_bit_or(rows.bits),
    )


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


def split_strands(counts: pa.Table, fingerprint: Ints, groups: int) -> list[Strands]:
    """Divide the result of `strand_counts` by group.

    Args:
        counts: Result of `strand_counts`.
        fingerprint: Account fingerprints in book order.
        groups: Number of groups.
    """
    account = index_of(counts["account_fp"].to_numpy(), fingerprint)
    columns = {name: counts[name].fill_null(0).to_numpy().astype(np.int64) for name in counts.column_names}
    order = np.lexsort((columns["day"], columns["group"] * fingerprint.size + account))
    columns = {name: column[order] for name, column in columns.items()}
    account = account[order]
    bounds = np.searchsorted(columns["group"], np.arange(groups + 1))
    return [
        _strands(account[low:high], {name: column[low:high] for name, column in columns.items()})
        for low, high in itertools.pairwise(bounds.tolist())
    ]


def _strands(account: Ints, columns: dict[str, Ints]) -> Strands:
    """Sum the days of each account; rows are sorted by account, then day."""
    starts = np.flatnonzero(np.diff(account, prepend=-1))
    hits = np.column_stack([columns[name] for name in ("discovery", "confirm_a", "confirm_b")])
    tokens = np.column_stack([columns["input_tokens"], columns["output_tokens"]])
    none = starts.size == 0
    return Strands(
        account=account[starts],
        hits=hits if none else np.add.reduceat(hits, starts),
        first=columns["first"] if none else np.minimum.reduceat(columns["first"], starts),
        last=columns["last"] if none else np.maximum.reduceat(columns["last"], starts),
        bits=columns["bits"] if none else np.bitwise_or.reduceat(columns["bits"], starts),
        tokens=tokens if none else np.add.reduceat(tokens, starts),
        days=np.column_stack([account, columns["day"], hits.sum(axis=1)]),
    )
