"""When a campaign's accounts ask: shared queues, load balancers, queues of their own, people behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stillwatch.worlds.cards.operation import Rhythm, Schedule
from stillwatch.worlds.conversations import RHYTHM
from stillwatch.worlds.shapes import ranks
from stillwatch.worlds.stage import HOUR

if TYPE_CHECKING:
    from stillwatch.worlds.cards.operation import Craft
    from stillwatch.worlds.shapes import Floats, Ints
    from stillwatch.worlds.stage import Window

BLOCK_HOURS = 6
RESTING = 0.03
"""Rate of a queue that rests, against one at work: stragglers and retries."""
USERS_ZONE = 8
"""Clock of the users whose requests are passed on (China)."""


def job_rate(hours: int, idle_share: float, rng: np.random.Generator, queues: int = 1) -> Floats:
    """Draw for each hour how hard a queue works: blocks of six hours at work or at rest.

    Returns:
        Rates, shape (queues, hours).
    """
    blocks = -(-hours // BLOCK_HOURS)
    at_work = rng.random((queues, blocks)) >= idle_share
    rate = np.where(at_work, rng.uniform(0.5, 1.5, (queues, blocks)), RESTING)
    return np.repeat(rate, BLOCK_HOURS, axis=1)[:, :hours]


def hourly_rate(craft: Craft, job: Floats, zone: Ints, rng: np.random.Generator) -> Floats:
    """Rate of each account in each hour, before its own beginning and end.

    Args:
        craft: How the campaign works.
        job: Rate of the shared queue, shape (1, hours).
        zone: Hours that each account's clock is ahead of UTC, shape (accounts,).
        rng: Source of randomness of the accounts' own queues.

    Returns:
        Rates, shape (accounts, hours).
    """
    count, hours = len(zone), job.shape[1]
    rate = np.repeat(job, count, axis=0)
    if craft.schedule is Schedule.INDEPENDENT:
        rate = job_rate(hours, craft.idle_share, rng, count)
    elif craft.schedule is Schedule.USERS:
        rate, zone = np.ones((count, hours)), np.full(count, USERS_ZONE)
    if craft.rhythm is Rhythm.HUMAN or craft.schedule is Schedule.USERS:
        clock = (np.arange(hours)[None, :] + zone[:, None]) % 24
        rate = rate * np.asarray(RHYTHM)[clock]
    return rate


def inside(rate: Floats, begin: Ints, stop: Ints, window: Window) -> Floats:
    """Take away what lies before each account's `begin` or after its `stop` (microseconds)."""
    edge = window.start + HOUR * np.arange(rate.shape[1] + 1)
    low = np.maximum(edge[None, :-1], begin[:, None])
    high = np.minimum(edge[None, 1:], stop[:, None])
    return np.asarray(rate * np.maximum(high - low, 0) / HOUR)


def moments(
    counts: Ints, rate: Floats, craft: Craft, window: Window, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Place the requests of each account where its rate is.

    A load balancer gives every account its next request when its turn comes: evenly spaced in working time.

    Args:
        counts: Requests of each account; 0 for accounts whose rate is nowhere positive.
        rate: Rate of each account in each hour, shape (accounts, hours).
        craft: How the campaign works.
        window: Time covered.
        rng: Source of randomness.

    Returns:
        Account and moment of each request.
    """
    account = np.repeat(np.arange(len(counts)), counts)
    place = rng.random(len(account))
    if craft.schedule is Schedule.BALANCED:
        turn = rng.random(len(counts))[account]
        place = (ranks(counts) + (turn + 0.2 * place) % 1.0) / counts[account]
    total = np.cumsum(rate.ravel())
    hours = rate.shape[1]
    end = total[hours - 1 :: hours]
    start = np.concatenate([[0.0], end[:-1]])
    target = start[account] + place * (end - start)[account]
    cell = np.searchsorted(total, target, side="right")
    cell = np.clip(cell, account * hours, account * hours + hours - 1)
    into = rng.integers(0, HOUR, len(account))
    return account, window.start + (cell - account * hours) * HOUR + into


def shifted(account: Ints, ts: Ints, begin: Ints, stop: Ints, hours: float, rng: np.random.Generator) -> Ints:
    """Move all requests of an account by its own lag of at most `hours`, around within its time of work."""
    count = len(begin)
    lag = (rng.uniform(-hours, hours, count) * 3600.0).astype(np.int64) * 1_000_000
    span = np.maximum(stop - begin, 1)
    return np.asarray(begin[account] + (ts - begin[account] + lag[account]) % span[account])
