"""Fit the compact traffic table to the public files.

The table that ships, `lexicon/traffic.toml`, is the output of
`python -m stillwatch.worlds.fit FOLDER`, where FOLDER holds the public files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.worlds.sources import (
    SERVEGEN_LENGTHS,
    SERVEGEN_TRACES,
    Client,
    quantiles,
    servegen_clients,
    servegen_lengths,
    traffic_tables,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY_S = 86_400.0
_WINDOW_S = 600.0


def fit(clients: Sequence[Client], lengths: Sequence[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Return quantiles at `LEVELS` over clients.

    Args:
        clients: ServeGen's clients.
        lengths: Its length quantiles a client and window.

    Returns:
        `burstiness`: median coefficient of variation of a client's gaps. `active_share`: share of ten-minute
        windows with traffic, between the pool's first and last. `night_share`: requests in the client's
        quietest six hours of the day over a quarter of all (1 = no rhythm), clients seen on two days or more.
        `input_tokens`, `output_tokens`: typical (median over windows) quantiles of a client, here their
        medians. `input_spread`: 90 % over 10 % quantile of a client's input lengths.
    """
    span = {
        pool: max(float(c.start_s.max()) for c in clients if c.pool == pool)
        for pool in {c.pool for c in clients}
    }
    middles = np.array([record["input_tokens"] for record in lengths])
    outputs = np.array([record["output_tokens"] for record in lengths])
    columns = {
        "burstiness": np.array([np.median(c.cv[c.cv > 0]) for c in clients if (c.cv > 0).any()]),
        "active_share": np.array([len(c.start_s) / (span[c.pool] / _WINDOW_S + 1) for c in clients]),
        "night_share": np.array([_night_share(c) for c in clients if np.ptp(c.start_s) > 2 * _DAY_S]),
        "input_tokens": middles[:, 4],
        "output_tokens": outputs[:, 4],
        "input_spread": middles[:, 6] / np.maximum(middles[:, 2], 1.0),
    }
    return {name: quantiles(values) for name, values in columns.items()}


def _night_share(client: Client) -> float:
    hour = (client.start_s % _DAY_S // 3600).astype(np.int64)
    total = np.bincount(hour, client.requests, 24)
    rolling = [float(np.roll(total, -start)[:6].sum()) for start in range(24)]
    return min(rolling) / max(float(total.sum()) / 4, 1e-9)


def as_toml(tables: dict[str, list[float]]) -> str:
    """Write the tables as they ship."""
    head = "# Quantiles of public traces; written by `python -m stillwatch.worlds.fit FOLDER`.\n"
    return head + "".join(f"{name} = {values}\n" for name, values in tables.items())


def main(arguments: Sequence[str]) -> int:
    """Print the table fitted to the folder named in `arguments`."""
    folder = Path(arguments[0])
    tables = fit(servegen_clients(folder / SERVEGEN_TRACES), servegen_lengths(folder / SERVEGEN_LENGTHS))
    tables |= traffic_tables(folder)
    sys.stdout.write(as_toml(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
