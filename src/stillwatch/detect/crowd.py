"""Crowds: groups that share no text, found as sign-up cohorts whose accounts act together.

A campaign that words every prompt anew is linked by no key. What is dear to give up is that its accounts are
opened in batches and work for one purpose. So bursts of sign-ups propose cohorts (`cohorts`), everything else
tests them (`crowd_evidence`), and cohorts with the same habits are one crowd. An account is named only where
both agree: it was opened in the crowd's hours, and its habits are those of the crowd (`named`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from stillwatch.detect import habits, schedules
from stillwatch.detect import hours as spans
from stillwatch.detect.cohorts import AROUND, Cohort, sign_up_cohorts
from stillwatch.detect.crowd_exits import Exits, Rings, rings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.book import Book
    from stillwatch.detect.config import DetectConfig

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_MOST_STRANGERS = 0.03
"""Strangers that a crowd may be expected to name: about one in thirty crowds names one."""
_PRIOR_ACCOUNTS = 30.0
"""Weight of the whole log beside the days around, in accounts."""
_CORE = 0.75
_MOST_OF = 0.5
_MOST_READ = 20_000
_KINDS = 2
_LEAST_KIND = 8
"""Fewer accounts of one kind are none: among strangers, too, somebody is nearest to the middle."""
_BEYOND_CORE = 1.5
_BATCHES_APART = 1.0
_NAT = habits.FINEST
"""One nat of log odds is as little a difference as the finest of habits."""


@dataclass(frozen=True)
class Crowds:
    """Cohorts and the accounts among which they were sought.

    Attributes:
        account: Account numbers, ascending: those with habits, a known birth and no declared relation
            (`with_unknown` adds some whose birth is not known).
        born: Day of their birth, NaN where unknown, shape of `account`.
        cohorts: Bursts of sign-ups; members are positions in `account`.
        weight: Accounts that each one outside the cohorts stands for, where only some of them are kept.
    """

    account: Ints
    born: Floats
    cohorts: list[Cohort]
    weight: float = 1.0

    def members(self) -> list[Ints]:
        """Account numbers of each cohort."""
        return [self.account[one.members] for one in self.cohorts]


@dataclass(frozen=True)
class Named:
    """The accounts of one crowd that may be named.

    Attributes:
        cohorts: Numbers of its cohorts.
        rows: Positions in `Crowds.account`, ascending.
        p_value: Probability that a stranger of the log is born in these hours with habits as near.
        strangers: Strangers expected among the named.
        batches: Bursts of sign-ups that lie more than `_BATCHES_APART` days apart.
        at_exits: Share of the named that stand at exits of the crowd, less the strangers expected there.
    """

    cohorts: Ints
    rows: Ints
    p_value: Floats
    strangers: float
    batches: int
    at_exits: float = 0.0


def unrelated(book: Book) -> Flags:
    """Tell which accounts declare no relation that would explain a common sign-up.

    An organisation of several accounts, a programme and a reseller are such relations; groups of theirs are
    judged by what they share in text.
    """
    org = book.codes["org_id"]
    size = np.bincount(org[org >= 0], minlength=1)
    several = (org >= 0) & (size[np.maximum(org, 0)] > 1)
    return np.asarray(~several & ~book.programme & ~book.reseller)


def sought(book: Book) -> Flags:
    """Tell among which accounts crowds are sought: with a known birth, habits, and no declared relation."""
    known = np.isfinite(book.created) & (book.exchanges >= habits.LEAST_EXCHANGES)
    return np.asarray(known & unrelated(book))


def find_crowds(book: Book, config: DetectConfig) -> Crowds:
    """Find the sign-up cohorts among accounts that send enough to have habits.

    Args:
        book: All accounts.
        config: Settings; cohorts are tested at `pair_level`.
    """
    account = np.flatnonzero(sought(book))
    born = book.created[account]
    return Crowds(account, born, sign_up_cohorts(born, config.pair_level, config.least_accounts))


def thinned(crowds: Crowds, most: int = _MOST_READ) -> Crowds:
    """Keep the accounts of the cohorts and of the others the `most` that are first in the sampling order."""
    inside = np.zeros(crowds.account.size, bool)
    inside[np.concatenate([one.members for one in crowds.cohorts])] = True
    kept = np.flatnonzero(inside | (np.cumsum(~inside) <= most))
    others = int((~inside).sum())
    return Crowds(
        crowds.account[kept],
        crowds.born[kept],
        [replace(one, members=np.searchsorted(kept, one.members)) for one in crowds.cohorts],
        others / max(min(others, most), 1),
    )


def with_unknown(crowds: Crowds, accounts: Ints) -> Crowds:
    """Put accounts of unknown birth beside the others; they are in no cohort and strangers to nobody."""
    account = np.concatenate([crowds.account, accounts])
    order = np.argsort(account, kind="stable")
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    born = np.concatenate([crowds.born, np.full(accounts.size, np.nan)])[order]
    cohorts = [replace(one, members=place[one.members]) for one in crowds.cohorts]
    return Crowds(account[order], born, cohorts, crowds.weight)


def hours_of(cohorts: Sequence[Cohort]) -> spans.Hours:
    """Return the windows of cohorts as hours."""
    return spans.joined([(one.start, one.start + one.days) for one in cohorts])


class Ways:
    """What each account does, as a place in a space in which a crowd stands close together.

    Beside the habits stand numbers that depend on the crowd: how far the account works when the crowd works,
    how far it works by the crowd's plan, whatever its lag (`schedules`), and how much more frequent its
    settings are in the crowd than elsewhere.
    """

    def __init__(self, shown: Floats, table: Floats, settings: Sequence[Ints]) -> None:
        """Prepare the accounts.

        Args:
            shown: Habits, shape (n, h).
            table: Exchanges by hour, whole days, shape (n, days x 24).
            settings: Dense codes of what each account mostly uses, each of shape (n,).
        """
        self.shown = shown
        self.settings = settings
        self.routine = schedules.apart_from_routine(table)
        self.direction = schedules.unit(self.routine)
        spectra = schedules.spectra(table)
        self.plan = spectra - spectra.mean(axis=0)

    def beside(self, members: Ints) -> Floats:
        """Return the places of all accounts as the accounts `members` define them, shape (n, dimensions)."""
        worked = schedules.likeness(self.routine, self.direction, members)
        planned = schedules.likeness(self.plan, self.plan, members)
        used = [_NAT * _log_odds(codes, members) for codes in self.settings]
        return np.column_stack([self.shown, worked, planned, *used])

    def distances(self, members: Ints) -> Floats:
        """Return how far each account is from the accounts `members`, in spreads of theirs."""
        place = self.beside(members)
        return habits.distances(place, place[members])


def _log_odds(codes: Ints, members: Ints) -> Floats:
    """Log ratio of a code among the other members to that among all others, half an account added to each."""
    width = int(codes.max(initial=0)) + 1
    everywhere = np.bincount(codes, minlength=width)[codes] - 1
    inside = np.bincount(codes[members], minlength=width)[codes]
    inside[members] -= 1
    share = (inside + 0.5) / (members.size + 0.5) / ((everywhere + 0.5) / (codes.size + 0.5))
    return np.asarray(np.log(share))


def linked(crowds: Crowds, sure: Flags, ways: Ways) -> list[Ints]:
    """Join the cohorts that go about their work in the same way.

    Two cohorts are linked when half of each lies where three quarters of the other do.

    Args:
        crowds: All cohorts.
        sure: Which cohorts are coordinated; a crowd has at least one of them.
        ways: What the accounts do.

    Returns:
        Numbers of the cohorts of each crowd.
    """
    members = [one.members for one in crowds.cohorts]
    alike = np.zeros((sure.size, sure.size), bool)
    for number, mine in enumerate(members):
        distance = ways.distances(mine)
        core = np.quantile(distance[mine], _CORE)
        alike[number] = [(distance[theirs] <= core).mean() >= _MOST_OF for theirs in members]
    labels = csgraph.connected_components(sparse.csr_array(alike & alike.T), directed=False)[1]
    return [np.flatnonzero(labels == label) for label in np.unique(labels[sure])]


def named(crowds: Crowds, cohorts: Ints, ways: Ways, exits: Exits, config: DetectConfig) -> Named:
    """Choose the accounts of a crowd that may be named.

    A stranger stands in the crowd by chance only if he was opened in its hours *and* goes about his work as
    it does. The first is counted on the days around, the second on strangers of the whole log and of these
    days (the larger share counts). Those accounts are named whose joint probability, times the number of
    accounts, is at most `_MOST_STRANGERS` (Bonferroni: a bound on the expected number of strangers named).

    A crowd may use several tools: the accounts that one kind leaves over are looked at again by themselves.
    Where the crowd has exits of its own (`crowd_exits`), accounts at them are looked at too: the strangers
    that are expected there take the place of those that are expected in the hours.

    Args:
        crowds: All cohorts.
        cohorts: Numbers of the cohorts of the crowd.
        ways: What the accounts do.
        exits: Where accounts come from; empty where that is not known.
        config: Settings; their seed moves hours.
    """
    windows = [crowds.cohorts[number] for number in cohorts.tolist()]
    members = np.concatenate([one.members for one in windows])
    distance = _crossed(crowds, members, ways)
    hours = _grown(crowds, windows, distance)
    moves = np.random.default_rng([config.seed, 6, int(cohorts[0])])
    rings = rings_of(exits, hours_of(windows), config, moves)
    tied = rings.inside.size >= _LEAST_KIND
    rules = 2 * _KINDS if tied else _KINDS
    expected = rules * _by_hours(crowds, hours, distance, ways, rules)
    if tied:
        expected = np.minimum(expected, rules * _by_exits(crowds, rings, exits, ways, rules))
    rows = np.flatnonzero(expected <= _MOST_STRANGERS)
    everybody = crowds.weight * crowds.account.size
    probability = np.minimum(expected[rows] / everybody, 1.0)
    batches = len(spans.around(rings.hours if tied else hours, _BATCHES_APART / 2.0))
    return Named(
        cohorts=cohorts,
        rows=rows,
        p_value=probability,
        strangers=float(expected[rows].max(initial=0.0)),
        batches=batches,
        at_exits=_share_at(crowds.account[rows], rings) if tied else 0.0,
    )


def _share_at(accounts: Ints, rings: Rings) -> float:
    """Share of the accounts that stand at exits of the crowd, less the strangers expected there."""
    at_exit = float(np.isin(accounts, np.concatenate([rings.inside, rings.unknown])).sum())
    return max(at_exit - rings.strangers, 0.0) / max(accounts.size, 1)


def _by_hours(crowds: Crowds, hours: spans.Hours, distance: Floats, ways: Ways, rules: int) -> Floats:
    """Strangers expected within the hours that are as near as each account there."""
    inside = spans.within(crowds.born, hours)
    near = spans.within(crowds.born, spans.around(hours, AROUND)) & ~inside
    due = spans.due(crowds.born[near], hours, AROUND, crowds.weight)
    return _kind_after_kind(crowds, np.where(inside, due, np.inf), (hours, near), distance, ways, rules)


def _by_exits(crowds: Crowds, rings: Rings, exits: Exits, ways: Ways, rules: int) -> Floats:
    """Strangers expected at the exits of the crowd that are as near as each account there.

    Those near are counted among all strangers, and among those who share their address with others.
    """
    mine = np.isin(crowds.account, np.concatenate([rings.inside, rings.unknown]))
    if not mine.any():
        return np.full(mine.shape, np.inf)
    sharing = np.isin(crowds.account, exits.sharing()) & ~spans.within(crowds.born, rings.hours)
    due = np.where(mine, rings.strangers, np.inf)
    distance = _crossed(crowds, np.flatnonzero(mine), ways)
    return _kind_after_kind(crowds, due, (rings.hours, sharing), distance, ways, rules)


def _kind_after_kind(
    crowds: Crowds, due: Floats, others: tuple[spans.Hours, Flags], distance: Floats, ways: Ways, rules: int
) -> Floats:
    """Multiply the strangers that are due with the share that is as near, kind after kind.

    Args:
        crowds: All cohorts.
        due: Strangers expected beside each account, infinity where it is not looked at.
        others: Hours outside which accounts are strangers, and the strangers that are comparable.
        distance: Distances from the first kind.
        ways: What the accounts do.
        rules: Rules among which the level is divided.
    """
    strangers = np.isfinite(crowds.born) & ~spans.within(crowds.born, others[0])
    expected, left = np.full(due.size, np.inf), np.flatnonzero(np.isfinite(due))
    for _ in range(_KINDS):
        found = due * _share_as_near(distance, strangers, others[1] & strangers)
        fit = left[rules * found[left] <= _MOST_STRANGERS]
        if fit.size < _LEAST_KIND:
            break
        expected[fit] = found[fit]
        left = np.setdiff1d(left, fit)
        if left.size < _LEAST_KIND:
            break
        distance = _crossed(crowds, left, ways)
    return expected


def _share_as_near(distance: Floats, strangers: Flags, near: Flags) -> Floats:
    """Share of strangers that are as near as each account: of all or of the comparable, the larger counts."""
    share = (1.0 + _as_near(distance, strangers)) / (1.0 + strangers.sum())
    local = _as_near(distance, near) + _PRIOR_ACCOUNTS * share
    return np.asarray(np.maximum(share, local / (near.sum() + _PRIOR_ACCOUNTS)))


def _grown(crowds: Crowds, windows: Sequence[Cohort], distance: Floats) -> spans.Hours:
    """Let each window grow while accounts of the same habits follow within a quarter of its length."""
    members = np.concatenate([one.members for one in windows])
    radius = _BEYOND_CORE * np.quantile(distance[members], _CORE)
    alike = crowds.born[(distance <= radius) & np.isfinite(crowds.born)]
    return spans.grown([(one.start, one.start + one.days) for one in windows], alike)


def _crossed(crowds: Crowds, members: Ints, ways: Ways) -> Floats:
    """Distance of every account from the crowd as measured on the other half of its members."""
    distance = np.empty(crowds.account.size)
    half = crowds.account % 2
    for mine in (0, 1):
        others = members[half[members] != mine]
        distance[half == mine] = ways.distances(others if others.size else members)[half == mine]
    return distance


def _as_near(distance: Floats, strangers: Flags) -> Floats:
    """Count the strangers that are at least as near as each account."""
    return np.searchsorted(np.sort(distance[strangers]), distance, side="right").astype(np.float64)
