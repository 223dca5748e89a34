"""Exits of a crowd: addresses that belong to its accounts, seen by when these were opened.

A campaign opens its accounts in batches and deals them out over exits. So most accounts of one exit were
opened in the crowd's hours, though not in the same hours. Whoever shares an address honestly was opened when
he liked (a carrier, an office, a campus), or in one go with the others (a class). An address for each account
is what a campaign would have to pay to lose the trace.

Nobody is taken for a stranger or a member by what he sends: strangers at these exits are counted by those
whose sign-up lies outside the hours, and addresses that look alike by chance by moving the hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect import hours as spans
from stillwatch.detect.cohorts import AROUND, WIDTHS, sign_up_cohorts

if TYPE_CHECKING:
    from stillwatch.detect.config import DetectConfig
    from stillwatch.detect.hours import Hours

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_LEAST_INSIDE = 3
"""Two accounts of one address are a household."""
_ONE_GO = WIDTHS[1]
"""Days within which a class or a firm opens its accounts: whoever comes in one go has come together."""
_ROUNDS = 3
_MOVED = 200
_TRIES = 20


@dataclass(frozen=True)
class Exits:
    """Accounts with an address and no declared relation, whatever they sent.

    Attributes:
        account: Account numbers, ascending, shape (n,).
        address: Code of the address that each mostly comes from, shape (n,).
        born: Day of birth, NaN where unknown, shape (n,).
    """

    account: Ints
    address: Ints
    born: Floats

    def count(self, chosen: Flags) -> Ints:
        """Count the chosen accounts of each address."""
        return np.bincount(self.address[chosen], minlength=int(self.address.max(initial=-1)) + 1)

    def sharing(self) -> Ints:
        """Account numbers of those at addresses of at least `_LEAST_INSIDE` accounts."""
        return self.account[self.count(np.ones(self.account.size, bool))[self.address] >= _LEAST_INSIDE]

    def only(self, chosen: Flags) -> Exits:
        """Return the chosen accounts."""
        return Exits(self.account[chosen], self.address[chosen], self.born[chosen])


@dataclass(frozen=True)
class Rings:
    """Accounts at the exits of a crowd.

    Attributes:
        inside: Account numbers of those opened in its hours, ascending.
        unknown: Account numbers of those of whose birth nothing is known, ascending.
        strangers: Strangers expected among both.
        hours: The hours, with bursts that only the exits show.
    """

    inside: Ints
    unknown: Ints
    strangers: float
    hours: Hours


def rings_of(exits: Exits, hours: Hours, config: DetectConfig, rng: np.random.Generator) -> Rings:
    """Find the exits of a crowd, and how many strangers are to be expected there.

    An address is an exit when at least `_LEAST_INSIDE` of its accounts were opened in the hours, more than
    `_ONE_GO` days apart, and these are more than all others. Two kinds of strangers are expected:

    - at exits of the crowd. With o accounts opened outside, of P such accounts in the log, where w are due in
      the hours by the days around and the births of u are unknown, (o + 1) (w + u) / P strangers.
    - at addresses that are none of its exits: as many as there are on average when each burst is moved to
      another place within `AROUND` days, so that births that go together stay together.

    Args:
        exits: Accounts and addresses.
        hours: Hours in which the crowd was opened.
        config: Settings; further bursts are sought as cohorts are.
        rng: Source of the moves.
    """
    hours, ring = _extended(exits, hours, config)
    unknown = np.isnan(exits.born)
    inside = spans.within(exits.born, hours)
    outside = ~inside & ~unknown
    alien = float(ring[exits.address[outside]].sum()) + 1.0
    due = spans.due(exits.born[outside], hours, AROUND) + float(unknown.sum())
    at_exit = ring[exits.address]
    return Rings(
        exits.account[at_exit & inside],
        exits.account[at_exit & unknown],
        _by_chance(exits.only(~inside), hours, rng) + alien * due / max(float(outside.sum()), 1.0),
        hours,
    )


def candidates(exits: Exits, hours: Hours) -> Ints:
    """Return the account numbers of those of unknown birth at exits of these hours, ascending."""
    return exits.account[np.isnan(exits.born) & at_rings(exits, hours)[exits.address]]


def at_rings(exits: Exits, hours: Hours) -> Flags:
    """Tell which addresses are exits, by their code."""
    inside = spans.within(exits.born, hours)
    mine, count = exits.only(inside), exits.count(inside)
    first, last = np.full(count.size, np.inf), np.full(count.size, -np.inf)
    np.minimum.at(first, mine.address, mine.born)
    np.maximum.at(last, mine.address, mine.born)
    outside = exits.count(~inside & np.isfinite(exits.born))
    return np.asarray((count >= _LEAST_INSIDE) & (last - first > _ONE_GO) & (count > outside))


def _extended(exits: Exits, hours: Hours, config: DetectConfig) -> tuple[Hours, Flags]:
    """Add what the sign-ups of the exits show: bursts outside the hours, and where these begin and end."""
    ring = at_rings(exits, hours)
    for _ in range(_ROUNDS):
        born = exits.born[ring[exits.address] & np.isfinite(exits.born)]
        rest = born[~spans.within(born, hours)]
        bursts = sign_up_cohorts(rest, config.pair_level, config.least_accounts)
        wider = spans.grown([*hours, *((one.start, one.start + one.days) for one in bursts)], born)
        if wider == hours:
            break
        hours = wider
        ring = at_rings(exits, hours)
    return hours, ring


def _by_chance(strangers: Exits, hours: Hours, rng: np.random.Generator) -> float:
    """Return how many strangers, with an unknown birth or one in them, stand at exits of moved hours."""
    shared = strangers.count(np.isfinite(strangers.born)) >= _LEAST_INSIDE
    strangers = strangers.only(shared[strangers.address])
    unknown = np.isnan(strangers.born)
    found = 1
    for _ in range(_MOVED if strangers.account.size else 0):
        elsewhere = _moved(hours, rng)
        at_exit = at_rings(strangers, elsewhere)[strangers.address]
        found += int((at_exit & (unknown | spans.within(strangers.born, elsewhere))).sum())
    return found / _MOVED


def _moved(hours: Hours, rng: np.random.Generator) -> Hours:
    """Move each burst to a random place within `AROUND` days, outside the hours where there is room."""
    places = []
    for low, high in hours:
        start = low
        for _ in range(_TRIES):
            start = float(rng.uniform(low - AROUND, low + AROUND))
            if not any(start <= end and begin <= start + high - low for begin, end in hours):
                break
        places.append((start, start + high - low))
    return spans.joined(places)
