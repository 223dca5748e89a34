"""What the operator did in the window: the bans of campaigns, and actions on honest accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from stillwatch.worlds.stage import DAY, HOUR, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.shapes import Ints
    from stillwatch.worlds.streams import Streams

SCHEMA = pa.schema(
    [("account", pa.int64()), ("ts", pa.int64()), ("kind", pa.string()), ("reason", pa.string())]
)
"""Actions; `account` is an index."""


def actions(account: Ints, ts: Ints, kind: str, reason: str) -> pa.Table:
    """Return actions of one kind as columns of `SCHEMA`."""
    count = len(account)
    return pa.table(
        {"account": account, "ts": ts, "kind": [kind] * count, "reason": [reason] * count}, SCHEMA
    )


def all_actions(
    accounts: pa.Table, last_seen: Ints, campaigns: Sequence[pa.Table], window: Window, streams: Streams
) -> pa.Table:
    """Join the campaigns' bans with what befell honest accounts.

    Args:
        accounts: Columns of `part.RECORDS`.
        last_seen: Last exchange of each account, or 0; nobody honest is banned before it.
        campaigns: Actions on campaigns.
        window: Time covered.
        streams: Source of randomness.

    Returns:
        Columns of `SCHEMA` in order of time.
    """
    rng = streams.named("honest")
    honest = accounts["campaign"].is_null().to_numpy(zero_copy_only=False)
    population = accounts["population"].to_numpy().astype(str)
    chance = rng.random(len(honest))
    person = honest & np.isin(population, ["hobbyist", "developer", "prompt_list", "agent_user"])
    banned = np.flatnonzero(person & (chance < 0.006))
    limited = np.flatnonzero(honest & np.isin(population, ["product", "batch", "ci"]) & (chance < 0.06))
    challenged = np.flatnonzero(person & (chance > 0.992))
    at = np.clip(last_seen[banned], window.start, window.end - DAY) + rng.integers(
        HOUR // 6, DAY // 2, len(banned)
    )
    appealed = rng.random(len(banned)) < 0.4
    back = appealed & (rng.random(len(banned)) < 0.6)
    hours = rng.integers(2 * HOUR, DAY, len(banned))
    tables = [
        actions(banned, at, "ban", "terms of use"),
        actions(banned[appealed], at[appealed] + hours[appealed] // 2, "appeal", "customer disagrees"),
        actions(banned[back], at[back] + hours[back], "reinstate", "appeal upheld"),
        actions(limited, rng.integers(window.start, window.end, len(limited)), "limit", "rate limit"),
        actions(
            challenged,
            rng.integers(window.start, window.end, len(challenged)),
            "challenge",
            "verify the payment",
        ),
    ]
    return in_order([*tables, *campaigns])


def in_order(tables: Sequence[pa.Table]) -> pa.Table:
    """Join actions in order of time."""
    return pa.concat_tables(tables).sort_by(
        [("ts", "ascending"), ("account", "ascending"), ("kind", "ascending")]
    )
