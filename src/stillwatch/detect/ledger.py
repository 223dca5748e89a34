"""The ledger: which account used which shared key, how often; written once for every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt

from stillwatch.detect.keyindex import index_of
from stillwatch.detect.pairs import Incidence

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]

_ORDER_BITS = 32
_ORDER_SHIFT = 12
_SLACK = 2
"""How many times B accounts are read for each key before the exact B are taken in memory."""

EXCHANGE_KEYS = ("system_fp", "tools_fp", "client_fp", "sampling_fp")


def sampling_order(fingerprints: Ints) -> Ints:
    """Return the place of each account in the fixed order by which bottom-B sampling chooses."""
    return (fingerprints >> _ORDER_SHIFT) & ((1 << _ORDER_BITS) - 1)


def text_uses(exchanges: ir.Table, classes: ir.Table) -> ir.Table:
    """Count the uses of each key class by each account: columns account_fp, key, uses."""
    rows = exchanges.select("account_fp", member=exchanges["keys"].unnest())
    joined = rows.join(classes, "member").select("account_fp", "key")
    return joined.group_by(["account_fp", "key"]).aggregate(uses=joined.count())


def column_uses(exchanges: ir.Table, column: str) -> ir.Table:
    """Count the uses of the fingerprints in `column` by each account: columns account_fp, key, uses."""
    rows = exchanges.filter(exchanges[column].notnull()).select("account_fp", key=exchanges[column])
    return rows.group_by(["account_fp", "key"]).aggregate(uses=rows.count())


def key_sizes(uses: ir.Table, least: int) -> ir.Table:
    """Return the keys that at least `least` accounts used: key, accounts, repeaters, uses."""
    grouped = uses.group_by("key").aggregate(
        accounts=uses.count(), repeaters=(uses.uses >= 2).sum(), uses=uses.uses.sum()
    )
    return grouped.filter(grouped.accounts >= least)


def bottom_sample(uses: ir.Table, sizes: ir.Table, bottom_b: int) -> ir.Table:
    """Keep about `_SLACK` times `bottom_b` accounts of each key, those first in the sampling order."""
    joined = uses.join(sizes.select("key", "accounts"), "key")
    order = joined.account_fp.__rshift__(_ORDER_SHIFT) & ((1 << _ORDER_BITS) - 1)
    limit = _SLACK * bottom_b * (1 << _ORDER_BITS)
    kept = joined.filter((joined.accounts <= _SLACK * bottom_b) | (order * joined.accounts < limit))
    return kept.select("key", "account_fp")


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

    @staticmethod
    def from_arrow(table: pa.Table) -> Keys:
        """Read the result of `key_sizes`."""
        order = np.argsort(table["key"].to_numpy())
        columns = {name: table[name].to_numpy()[order].astype(np.int64) for name in table.column_names}
        return Keys(columns["key"], columns["accounts"], columns["repeaters"], columns["uses"])


def read_ledger(uses: ir.Table, least: int, bottom_b: int) -> tuple[Keys, pa.Table]:
    """Run the ledger: sizes of the shared keys and the bottom sample (key, account_fp)."""
    kept = uses.cache()
    sizes = key_sizes(kept, least).cache()
    return Keys.from_arrow(sizes.to_pyarrow()), bottom_sample(kept, sizes, bottom_b).to_pyarrow()


def all_uses(exchanges: ir.Table, classes: ir.Table | None, columns: tuple[str, ...]) -> ir.Table:
    """Put the uses of text classes and of the fingerprint `columns` into one table."""
    parts = [column_uses(exchanges, column) for column in columns]
    if classes is not None:
        parts.insert(0, text_uses(exchanges, classes))
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def incidence(keys: Keys, accounts: Ints, sample: pa.Table) -> Incidence:
    """Number keys and accounts densely.

    Args:
        keys: The shared keys.
        accounts: All account fingerprints in sampling order.
        sample: Columns key and account_fp.
    """
    account = index_of(sample["account_fp"].to_numpy(), accounts)
    key = index_of(sample["key"].to_numpy(), keys.key)
    pair = np.sort(key * accounts.size + account)
    return Incidence(pair // accounts.size, pair % accounts.size, keys.key.size, accounts.size)
