"""A part of a world that is done: cut to the window, with identifiers and the operator's actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.worlds import enforcement
from stillwatch.worlds.identify import numbered, salt_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stillwatch.worlds.part import Part
    from stillwatch.worlds.stage import Stage

TRUTH_SCHEMA = pa.schema(
    [
        ("exchange_id", pa.string()),
        ("account_id", pa.string()),
        ("role", pa.string()),
        ("population", pa.string()),
        ("fleet", pa.string()),
        ("campaign", pa.string()),
        ("is_strand", pa.bool_()),
        ("wanted_share", pa.float64()),
        ("ts", pa.timestamp("us", tz="UTC")),
    ]
)
"""Columns of the truth, one row an exchange; see `truth_of`."""


class Block(msgspec.Struct, frozen=True):
    """One part with what the world adds to it.

    Attributes:
        part: Accounts with `account_id`, exchanges with `exchange_id`, none after the window.
        enforcement: Actions on these accounts; `account` is an index into them.
        salt: Seed of identities inside the block.
    """

    part: Part
    enforcement: pa.Table
    salt: int


def blocks(parts: Iterable[tuple[Part, pa.Table | None]], stage: Stage) -> Iterator[Block]:
    """Finish one part after the other."""
    for number, (part, actions) in enumerate(parts):
        streams = stage.streams.within(f"block {number}")
        table, accounts = _placed(within(part.exchanges, stage.window.end), part.accounts, stage)
        salt = salt_of(streams, "exchange")
        identifiers = numbered("acct-", accounts.num_rows, salt_of(streams, "account"))
        last = np.zeros(accounts.num_rows, dtype=np.int64)
        np.maximum.at(last, table["account"].to_numpy(), table["ts"].to_numpy())
        done = enforcement.all_actions(
            accounts, last, [] if actions is None else [actions], stage.window, streams.within("enforcement")
        )
        yield Block(
            part=msgspec.structs.replace(
                part,
                accounts=accounts.append_column("account_id", identifiers),
                exchanges=table.append_column("exchange_id", numbered("", table.num_rows, salt)),
            ),
            enforcement=done,
            salt=salt,
        )


def _placed(exchanges: pa.Table, accounts: pa.Table, stage: Stage) -> tuple[pa.Table, pa.Table]:
    """Lay the addresses onto real ranges, where there are some."""
    atlas = stage.sources.atlas
    if atlas is None:
        return exchanges, accounts
    there = pa.array(atlas.translate(exchanges["ip"].to_numpy()))
    first = accounts["signup_ip"]
    signup = pa.array(atlas.translate(first.fill_null(0).to_numpy()), mask=first.is_null().to_numpy())
    return (
        exchanges.set_column(exchanges.schema.get_field_index("ip"), "ip", there),
        accounts.set_column(accounts.schema.get_field_index("signup_ip"), "signup_ip", signup),
    )


def within(exchanges: pa.Table, end: int) -> pa.Table:
    """Drop what a late conversation would add after `end`: later turns go, never an opener before them."""
    keep = exchanges["ts"].to_numpy() < end
    moved = np.cumsum(keep) - 1
    opener = pa.array(moved[exchanges["opener"].to_numpy()])
    place = exchanges.schema.get_field_index("opener")
    return exchanges.set_column(place, "opener", opener).filter(pa.array(keep))


def truth_of(exchanges: pa.Table, accounts: pa.Table) -> pa.Table:
    """Ground truth, one row for each of the `exchanges`.

    Args:
        exchanges: Columns `account` (index), `ts`, `strand` and `exchange_id`.
        accounts: Columns of `part.RECORDS` and `account_id`.

    Returns:
        `exchange_id`, `account_id`, `role` ("honest" or "campaign"), `population`, `fleet` (kind-number, null
        outside fleets), `campaign` (null for honest accounts), `is_strand` (the exchange belongs to the
        campaign, not to its cover), `wanted_share` (share of such exchanges in the account's traffic) and
        `ts` (UTC).
    """
    index = exchanges["account"].to_numpy()
    strand = exchanges["strand"].to_numpy(zero_copy_only=False).astype(np.int64)
    number = len(accounts)
    share = np.bincount(index, strand, number) / np.maximum(np.bincount(index, minlength=number), 1)
    owner = accounts.select(["account_id", "population", "fleet", "campaign"]).take(exchanges["account"])
    return pa.table(
        {
            "exchange_id": exchanges["exchange_id"],
            "account_id": owner["account_id"],
            "role": pc.if_else(pc.is_valid(owner["campaign"]), "campaign", "honest"),
            "population": owner["population"],
            "fleet": owner["fleet"],
            "campaign": owner["campaign"],
            "is_strand": exchanges["strand"],
            "wanted_share": share[index],
            "ts": exchanges["ts"].cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC")),
        }
    ).cast(TRUTH_SCHEMA)
