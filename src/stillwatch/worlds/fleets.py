"""Honest fleets that look guilty, each named in the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from stillwatch.worlds.part import Part
from stillwatch.worlds.stage import Stage, Window
from stillwatch.worlds.streams import Streams


def play(stage: Stage) -> Iterable[tuple[str, Part]]:
    """Play all fleets."""
    return ()


def enforcement(accounts: pa.Table, events: Sequence[pa.Table], window: Window, streams: Streams) -> pa.Table:
    """Join the campaigns' bans with the operator's other actions."""
    table = (
        pa.concat_tables(events)
        if events
        else pa.table(
            {
                "account": pa.array([], pa.int64()),
                "ts": pa.array([], pa.int64()),
                "kind": pa.array([], pa.string()),
                "reason": pa.array([], pa.string()),
            }
        )
    )
    return table.sort_by([("ts", "ascending"), ("account", "ascending")])
