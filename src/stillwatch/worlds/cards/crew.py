"""The accounts of a campaign: pools and bans, births, payments, exits. Drawn once for the whole campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.worlds import identities
from stillwatch.worlds.addresses import hosts
from stillwatch.worlds.cards.operation import Operation, Pool, Verification, active_days
from stillwatch.worlds.shapes import Floats, Ints, draw, lognormal_table
from stillwatch.worlds.stage import DAY, HOUR

if TYPE_CHECKING:
    from stillwatch.worlds.identities import Records, Words
    from stillwatch.worlds.stage import Stage, Window

RETRY = 2 * HOUR
"""How long banned accounts keep trying."""
VERIFIED = {
    Verification.EMAIL: (0.98, 0.1, 0.6, 0.0, 0.0),
    Verification.PHONE: (0.99, 0.9, 0.7, 0.0, 0.01),
    Verification.IDENTITY: (1.0, 1.0, 0.9, 0.0, 0.95),
}


class Crew(msgspec.Struct, frozen=True):
    """Columns with one entry an account; moments in microseconds, `never` beyond the window.

    Attributes:
        begin: First moment of work.
        stop: End of work; banned accounts try on for `RETRY`.
        ban: Moment of the ban.
        rate: Exchanges a day.
        born: When the account was opened.
        payment: Payment instrument.
        exits: Addresses, shape (accounts, exits of one account).
        zone: Hours that its clock is ahead of UTC.
    """

    begin: Ints
    stop: Ints
    ban: Ints
    rate: Floats
    born: Ints
    payment: Words
    exits: Ints
    zone: Ints

    def __len__(self) -> int:
        """Return the number of accounts."""
        return len(self.begin)

    def part(self, low: int, high: int) -> Crew:
        """Return the accounts from `low` to `high`."""
        return Crew(**{name: getattr(self, name)[low:high] for name in self.__struct_fields__})


def muster(stage: Stage, operation: Operation) -> Crew:
    """Draw all accounts of `operation`, pool after pool."""
    first = first_day(operation, stage.window)
    plans = [
        _pool(stage.within(f"pool {number}"), operation, pool, first)
        for number, pool in enumerate(operation.pools)
    ]
    begin, stop, ban, born = (np.concatenate([plan[column] for plan in plans]) for column in range(4))
    rng, craft, count = stage.rng("crew"), operation.craft, operation.accounts
    spread = craft.volume_spread
    volume = draw(lognormal_table(_median(spread), spread), count, rng)
    instruments = rng.permutation(count) // craft.accounts_per_payment
    return Crew(
        begin=begin,
        stop=stop,
        ban=ban,
        rate=operation.rate * volume,
        born=born,
        payment=identities.tokens("card", int(instruments.max()) + 1, rng)[instruments],
        exits=_exits(operation, rng),
        zone=rng.integers(-8, 11, count),
    )


def first_day(operation: Operation, window: Window) -> float:
    """Day of the world that is day 0 of the campaign; negative where the world shows a later part.

    The part that is shown begins a day into the world, or at once where there is no room.
    """
    low, high = operation.window
    return min(1.0, max(0.0, window.days - (high - low))) - low


def _median(spread: float) -> float:
    """Median of a lognormal of mean 1, rounded so that it is the same on every machine."""
    return float(round(2.718281828459045 ** (-spread * spread / 2.0), 6))


def _pool(stage: Stage, operation: Operation, pool: Pool, first: float) -> tuple[Ints, Ints, Ints, Ints]:
    """Return begin, stop, ban and birth of each account of one pool."""
    rng, window, count = stage.rng("times"), stage.window, pool.accounts
    low, high = operation.window
    starts, ends = active_days(pool, operation.length)
    never = window.end + 30 * DAY
    ramp = pool.replaced_hours / 24.0 if pool.replaced_hours else min(2.0, 0.15 * (high - low))
    began = starts + 0.02 + rng.uniform(0.0, ramp, count)
    begin = window.start + ((first + np.maximum(began, low)) * DAY).astype(np.int64)
    caught = rng.random(count) < pool.banned_share
    wave = rng.uniform(0.0, 0.08, count)
    ban = np.full(count, never)
    until = np.full(count, high)
    if pool.ban_day is not None:
        ban = np.where(caught, window.start + ((first + ends + wave) * DAY).astype(np.int64), never)
    else:
        until = np.full(count, min(ends, high))
    end = np.minimum(window.start + ((first + until) * DAY).astype(np.int64), window.end)
    stop = np.maximum(np.minimum(end, ban + RETRY), begin)
    return begin, stop, np.where(ban < window.end, ban, never), _born(stage, operation, begin, rng)


def _born(stage: Stage, operation: Operation, begin: Ints, rng: np.random.Generator) -> Ints:
    """Accounts are opened in bursts, one by one over months, or bought aged; never after they begin."""
    craft, count = operation.craft, len(begin)
    if craft.sign_up_bursts:
        before = rng.uniform(0.3, 14.0, craft.sign_up_bursts)
        batch = rng.integers(0, craft.sign_up_bursts, count)
        day = before[batch] + rng.uniform(0.0, 0.25, count)
        base = np.full(count, begin.min(initial=stage.window.start))
    else:
        day, base = rng.uniform(0.2, 120.0, count), begin
    aged = rng.random(count) < craft.aged_share
    day = np.where(aged, rng.uniform(60.0, 500.0, count), day)
    return np.asarray(np.minimum(base, begin) - (day * DAY).astype(np.int64))


def _exits(operation: Operation, rng: np.random.Generator) -> Ints:
    """Deal the exits out: `exits_per_account` places an account, `accounts_per_exit` places an exit."""
    craft, count = operation.craft, operation.accounts
    places = count * craft.exits_per_account
    owner = rng.permutation(places) // craft.accounts_per_exit
    known = hosts(craft.network, int(owner.max()) + 1, rng)
    return np.asarray(known[owner].reshape(count, craft.exits_per_account))


def records_of(stage: Stage, operation: Operation, crew: Crew) -> Records:
    """Draw the operator's records of the accounts in `crew`."""
    craft, count, rng = operation.craft, len(crew), stage.rng("records")
    records = identities.people(stage, count, "campaign")
    records.campaign = np.full(count, operation.id, dtype=object)
    records.created_at = crew.born
    records.zone = crew.zone
    free = craft.payment_kind == "none"
    records.plan = np.full(count, "free" if free else "pay_as_you_go", dtype=object)
    records.payment_kind = np.full(count, craft.payment_kind, dtype=object)
    records.payment_fp = identities.blank(count) if free else crew.payment
    records.email_domain = identities.mail(count, rng, craft.disposable_mail)
    usual = np.where(rng.random(count) < 0.6, crew.exits[:, 0], records.home)
    records.signup_ip = np.where(rng.random(count) < 0.15, 0, usual)
    passed = identities.verified(count, VERIFIED[craft.verification], rng)
    records.verified = passed & (~4 if free else ~0)
    return records
