"""When exchanges happen: people with days and nights, machines without, jobs, and turns of a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.worlds.shapes import Floats, Ints, draw, pick, ranks
from stillwatch.worlds.stage import DAY, HOUR
from stillwatch.worlds.traffic import shipped_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.worlds.sources import Client

RHYTHM = (2, 1, 1, 0.6, 0.5, 0.8, 1.5, 3, 6, 9, 10, 10, 9, 9.5, 10, 10, 9.5, 8.5, 8, 8.5, 9, 8, 6, 4)
"""Weight of each local hour in the traffic of people."""
OFFICE = (0.1, 0.1, 0, 0, 0, 0.1, 0.6, 3, 8, 11, 12, 10, 7, 10, 11, 10, 8, 4, 1.5, 1, 0.8, 0.6, 0.4, 0.2)
"""The same for people at work."""
ZONES = (-8, -6, -5, -3, 0, 1, 2, 3, 5, 8, 9)
GAPS = (4, 9, 16, 24, 45, 85, 180, 420, 900, 2600, 5000)
"""Seconds between two turns of a person, quantiles at `LEVELS` (assumption)."""
TOOL_GAPS = (1, 2, 3, 4, 6, 11, 24, 60, 130, 600, 1500)
"""Seconds between two turns of an agent, after the think and API times of public coding sessions."""
MAX_SESSION = 5 * HOUR


class Rows(msgspec.Struct, frozen=True):
    """Exchanges in conversation order: turns of one conversation stand one after the other.

    Attributes:
        account: Index of the account inside its population, shape (rows,).
        ts: Microseconds since 1970, shape (rows,).
        opener: Row of the first turn of the same conversation, shape (rows,).
        turn: 0 for the first turn, shape (rows,).
    """

    account: Ints
    ts: Ints
    opener: Ints
    turn: Ints

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.account)

    def by_opener(self, values: Ints) -> Ints:
        """Give every row the value drawn for the first row of its conversation."""
        return np.asarray(values[self.opener])


def single(account: Ints, ts: Ints) -> Rows:
    """Rows that are conversations of one turn each."""
    rows = np.arange(len(account))
    return Rows(account, ts, rows, np.zeros_like(rows))


def turns(account: Ints, start: Ints, lengths: Ints, gaps: Sequence[float], rng: np.random.Generator) -> Rows:
    """Unfold conversations that start at `start` and have `lengths` turns, `gaps` (seconds) apart."""
    place = ranks(lengths)
    rows = np.arange(len(place))
    opener = rows - place
    gap = np.where(place == 0, 0, draw(gaps, len(place), rng) * 1e6).astype(np.int64)
    total = np.cumsum(gap)
    since = np.minimum(total - total[opener], MAX_SESSION) + place * rng.integers(1_000, 900_000, len(place))
    return Rows(np.repeat(account, lengths), np.repeat(start, lengths) + since, opener, place)


def human(
    active: tuple[Ints, Ints],
    zone: Ints,
    account: Ints,
    rng: np.random.Generator,
    rhythm: Sequence[float] = RHYTHM,
) -> Ints:
    """Draw a start for each session of a person: a day while active, an hour of the local rhythm.

    Args:
        active: First and last moment of each account, microseconds, shape (accounts,) each.
        zone: Hours that each account's clock is ahead of UTC, shape (accounts,).
        account: Account of each session, shape (sessions,).
        rng: Source of randomness.
        rhythm: Weight of each local hour.

    Returns:
        Moments, shape (sessions,), inside the account's active time with room for a session.
    """
    first, last = active[0][account], active[1][account]
    span = np.maximum(last - first - MAX_SESSION, HOUR)
    moment = first + (rng.random(len(account)) * span).astype(np.int64)
    day = moment // DAY
    weekend = ((day + 3) % 7 >= 5) & (rng.random(len(account)) < 0.45)
    day = day - np.where(weekend, rng.integers(1, 4, len(account)), 0)
    hour = (pick(rhythm, len(account), rng) - zone[account]) % 24
    at = day * DAY + hour * HOUR + rng.integers(0, HOUR, len(account))
    outside = (at < first) | (at >= first + span)
    return np.asarray(np.where(outside, moment, at), dtype=np.int64)


def machine(
    active: tuple[Ints, Ints], counts: Ints, rng: np.random.Generator, clients: Sequence[Client] = ()
) -> tuple[Ints, Ints]:
    """Requests of programs: bursts inside the part of each day in which the program runs.

    Gaps are gamma distributed with a coefficient of variation for each account, and each account runs for a
    share of the day, both drawn from the table fitted to ServeGen's clients. With `clients`, the moments are
    drawn from the windows of a real client instead.

    Args:
        active: First and last moment of each account.
        counts: Requests of each account.
        rng: Source of randomness.
        clients: Real clients with their windows.

    Returns:
        Account and moment of each request.
    """
    account = np.repeat(np.arange(len(counts)), counts)
    first, last = active[0][account], active[1][account]
    share = _bursts(counts, account, rng)
    if clients:
        return account, first + (_replayed(counts, rng, clients) * (last - first - 1000)).astype(np.int64)
    table = traffic_table()
    awake = np.maximum(draw(table["active_share"], len(counts), rng), 0.02)[account]
    phase = rng.random(len(counts))[account]
    days = np.maximum((last - first) // DAY, 1)
    place = share * days
    day = np.floor(place)
    at = first + ((day + (phase + (place - day) * awake) % 1.0) * DAY).astype(np.int64)
    return account, np.minimum(at, last - 1000)


def _bursts(counts: Ints, account: Ints, rng: np.random.Generator) -> Floats:
    """Place of each request in its account's time, from 0 to 1, by gamma gaps."""
    burstiness = np.minimum(draw(traffic_table()["burstiness"], len(counts), rng), 12.0)
    shape = 1.0 / burstiness[account] ** 2
    gaps = rng.standard_gamma(shape) / shape + 1e-9
    edge = np.cumsum(gaps)
    start = np.cumsum(counts) - counts
    before = np.where(start > 0, edge[np.maximum(start - 1, 0)], 0.0)
    tail = rng.standard_exponential(len(counts)) + 1e-9
    whole_span = edge[np.maximum(start + counts - 1, 0)] - before + tail
    return np.asarray((edge - before[account]) / whole_span[account])


def _replayed(counts: Ints, rng: np.random.Generator, clients: Sequence[Client]) -> Floats:
    """Place of each request in its account's time, from the windows of real clients."""
    long = [client for client in clients if len(client.start_s) > 100] or list(clients)
    chosen = rng.integers(0, len(long), len(counts))
    places = [_windows(long[number], int(count), rng) for number, count in zip(chosen, counts, strict=True)]
    return np.concatenate(places)


def _windows(client: Client, count: int, rng: np.random.Generator) -> Floats:
    window = pick(client.requests, count, rng)
    return np.asarray((client.start_s[window] + rng.random(count) * 600.0) / (client.start_s.max() + 600.0))


def traffic_table() -> dict[str, list[float]]:
    """Quantiles fitted to public traces, as they ship (see `fit`)."""
    return shipped_tables()
