"""Candidate groups: communities of accounts with the keys that mark them, and clusters of keys.

A pool of many templates shows as a community of account pairs; one fixed prompt in every request shows as a
single key of many accounts, which no pair test can see. Both give the same thing: a set of keys whose
carriers are looked at.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.stats import binom

from stillwatch.detect.keyindex import index_of
from stillwatch.detect.pairs import by_number
from stillwatch.detect.speech import Members
from stillwatch.model.views import KIND_MASK, KeyKind
from stillwatch.stats.fdr import benjamini_hochberg, null_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.ledger import Keys
    from stillwatch.detect.pairs import Incidence
    from stillwatch.detect.speech import Speech

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_KEY_LEVEL = 1e-3
_LEAST_TOGETHER = 0.2
"""Least share of a key's users that use another key of the set; low, since the bottom-B sample hides some."""
_LEAST_ODDS = 2.0
"""Odds, as a multiple of those that are due, at which keys mark a group although none does so alone."""
_LIKE_OTHERS = 0.5
"""Least such share, as a part of that of the key of the median use."""
_MOST_KEYS_OF_ACCOUNT = 200
_LEAST_HELD = 3


@dataclass(frozen=True)
class Candidate:
    """Keys that mark a group, and the accounts that they were found with.

    Attributes:
        keys: Positions in `Keys` that an exchange can carry (text, system prompt, tools), ascending.
        seeds: Account numbers that the keys were chosen for; empty for a cluster of keys.
        uses: Exchanges that carried the keys in the discovery slice, the rank of the candidate.
    """

    keys: Ints
    seeds: Ints
    uses: int


def carried(keys: Keys) -> npt.NDArray[np.bool_]:
    """Tell which keys mark single exchanges by their text."""
    return (keys.key & KIND_MASK) <= int(KeyKind.TOOLS)


def of_communities(
    keys: Keys, incidence: Incidence, groups: list[Ints], speech: Speech, *, alone: bool = False
) -> list[Candidate]:
    """Find the keys that each community uses far more than is its due.

    A community holds a key when it has at least 30 % of the key's sampled accounts (up to 60 % for
    communities that make up much of the log); see `_marks` for the test.

    Args:
        keys: The shared keys.
        incidence: The bottom-B sample.
        groups: Account numbers of each community; no account is in two of them.
        speech: Languages of keys and accounts, from which follows what is due.
        alone: Whether each community is a question of its own, and its test allows for how many keys are its
            own: of a very large pool hardly a key stands out alone, and nearly all of them belong to it.
    """
    label = np.full(incidence.accounts, -1)
    for number, members in enumerate(groups):
        label[members] = number
    group, key, held = held_keys(incidence.bounds, label[incidence.account], len(groups))
    size = np.diff(incidence.bounds)[key]
    base = _due(keys, incidence, speech, Members.of(groups), group, key, held > 1)
    share = np.minimum(0.6, np.maximum(0.3, 5 * base))
    apart = np.searchsorted(group, np.arange(len(groups) + 1)) if alone else None
    marks = _marks(held, size, base, share, apart) & carried(keys)[key]
    group, key = group[marks], key[marks]  # sorted by group, as the pairs are
    bounds = np.searchsorted(group, np.arange(len(groups) + 1))
    chosen = [key[low:high] for low, high in itertools.pairwise(bounds.tolist())]
    return [
        Candidate(mine, members, int(keys.uses[mine].sum()))
        for mine, members in zip(chosen, groups, strict=True)
        if mine.size
    ]


@numba.njit(cache=True, nogil=True)
def held_keys(bounds: Ints, owner: Ints, groups: int) -> tuple[Ints, Ints, Ints]:
    """Count the accounts of each group in the sample of each key: group, key and accounts, group by group."""
    found, filled = np.empty((3, owner.size), np.int64), 0
    place = np.full(groups, -1, np.int64)
    for key in range(bounds.size - 1):
        first = filled
        for row in range(bounds[key], bounds[key + 1]):
            group = owner[row]
            if group < 0:
                continue
            if place[group] < first:
                place[group] = filled
                found[0, filled], found[1, filled], found[2, filled] = group, key, 0
                filled += 1
            found[2, place[group]] += 1
    order = by_number(found[0, :filled], groups)[0]
    return found[0][order], found[1][order], found[2][order]


def _due(
    keys: Keys,
    incidence: Incidence,
    speech: Speech,
    members: Members,
    group: Ints,
    key: Ints,
    asked: npt.NDArray[np.bool_],
) -> Floats:
    """Return the share that is due to each group in each key where it is `asked`, elsewhere 0."""
    due = np.zeros(key.size)
    reach = _reach(keys, incidence, key[asked])
    due[asked] = speech.due(members, group[asked], key[asked], reach)
    return due


def _reach(keys: Keys, incidence: Incidence, key: Ints) -> Ints:
    """Return the last account, in the sampling order, that the sample of each `key` could hold."""
    size = incidence.bounds[key + 1] - incidence.bounds[key]
    last = incidence.account[np.maximum(incidence.bounds[key + 1] - 1, 0)] if incidence.key.size else size
    return np.where(size < keys.accounts[key], last, incidence.accounts - 1)


def _marks(
    held: Ints, size: Ints, base: Floats, share: Floats | float, apart: Ints | None = None
) -> npt.NDArray[np.bool_]:
    """Test which keys mark a group.

    The null is that a group takes in every key what is its due (binomial test, Benjamini-Hochberg over all
    keys). One supporter is taken away first: a key that is chosen would be chosen
    without any single account, so that every account can then be judged on all of its traffic.

    Args:
        held: Sampled accounts of the key that belong to the group.
        size: All sampled accounts of the key.
        base: Share that is due to the group (`Speech.due`).
        share: Least share of the key's accounts that the group must hold.
        apart: Where each question of its own starts, and the end of the last; its p-values are weighed by the
            share of keys that are nobody's (`null_share`). None where all are one question.
    """
    p_value = _p_values(held, size, base)
    if apart is None:
        sure = benjamini_hochberg(p_value, _KEY_LEVEL)
    else:
        each = [_adaptively(p_value[low:high]) for low, high in itertools.pairwise(apart.tolist())]
        sure = np.concatenate([np.zeros(0, np.bool_), *each])
    return sure & _mostly_held(held, size, share)


def _adaptively(p_value: Floats) -> npt.NDArray[np.bool_]:
    return benjamini_hochberg(null_share(p_value) * p_value, _KEY_LEVEL)


def _p_values(held: Ints, size: Ints, base: Floats) -> Floats:
    """Return the p-values of the binomial test less one supporter; 1 where that leaves none."""
    p_value = np.ones(held.size)
    some = held > 1
    p_value[some] = binom.sf(held[some] - 2, size[some] - 1, base[some])
    return p_value


def _mostly_held(held: Ints, size: Ints, share: Floats | float) -> npt.NDArray[np.bool_]:
    mostly: npt.NDArray[np.bool_] = (held - 1 >= share * (size - 1)) & (held >= _LEAST_HELD)
    return mostly


def refined(
    keys: Keys,
    incidence: Incidence,
    speech: Speech,
    members: Sequence[Ints],
    present: Sequence[Ints],
    share: float,
) -> list[Candidate | None]:
    """Choose the keys of groups anew, now that the members are known: those that mostly belong to them.

    Args:
        keys: The shared keys.
        incidence: A bottom-B sample, the larger B the better.
        speech: Languages of keys and accounts.
        members: For each group the accounts that carry the present keys like members.
        present: For each group the keys by which they were found.
        share: Least share of a key's accounts that are members; one account is taken away first.

    Returns:
        For each group the new keys, or the present ones where none passes but their users are members clearly
        more often than is due; None where nothing marks the group, such as ordinary phrases of resold chats.
    """
    inside = Members.of(members)
    ends = np.searchsorted(inside.group, np.arange(len(members) + 1))
    uses = (incidence.keys_by_account, incidence.by_account[1])
    key, held, bounds = _used(inside.account, ends, *uses, incidence.keys)
    group = np.repeat(np.arange(len(members)), np.diff(bounds))
    size = np.diff(incidence.bounds)[key]
    mine = index_of(group * keys.key.size + key, _codes(present, keys.key.size)) >= 0
    due = _due(keys, incidence, speech, inside, group, key, (held > 1) | mine)
    p_value = _p_values(held, size, due)
    marks = _mostly_held(held, size, np.maximum(share, due)) & carried(keys)[key]
    number = np.full(keys.key.size, -1)
    found: list[Candidate | None] = []
    for at, (low, high) in enumerate(itertools.pairwise(bounds.tolist())):
        rows = slice(low, high)
        chosen = key[rows][benjamini_hochberg(p_value[rows], _KEY_LEVEL) & marks[rows]]
        chosen = _held_together(chosen, members[at], *uses, number)
        own = low + np.flatnonzero(mine[rows])
        if chosen.size == 0 and _stands_out(held[own], size[own], due[own]):
            chosen = present[at]
        uses_of = int(keys.uses[chosen].sum())
        found.append(Candidate(chosen, members[at], uses_of) if chosen.size else None)
    return found


def _codes(present: Sequence[Ints], keys: int) -> Ints:
    """Write group and key of all pairs as one number."""
    listed = Members.of(present)
    return listed.group * keys + listed.account


@numba.njit(cache=True, nogil=True)
def _used(account: Ints, ends: Ints, key: Ints, bounds: Ints, keys: int) -> tuple[Ints, Ints, Ints]:
    """Count how many accounts of each group used each key.

    Args:
        account: Accounts, group after group.
        ends: Where each group starts, and the end of the last.
        key: Keys of the sample in the order of accounts.
        bounds: Where each account starts in `key`.
        keys: Number of keys.

    Returns:
        Key and accounts, group after group and ascending by key, and where each group starts.
    """
    rows = 0
    for one in account:
        rows += bounds[one + 1] - bounds[one]
    found, filled = np.empty((2, rows), np.int64), 0
    starts = np.zeros(ends.size, np.int64)
    count = np.zeros(keys, np.int64)
    for group in range(ends.size - 1):
        first = filled
        for member in account[ends[group] : ends[group + 1]]:
            for used in key[bounds[member] : bounds[member + 1]]:
                if count[used] == 0:
                    found[0, filled] = used
                    filled += 1
                count[used] += 1
        found[0, first:filled] = np.sort(found[0, first:filled])
        for at in range(first, filled):
            found[1, at] = count[found[0, at]]
            count[found[0, at]] = 0
        starts[group + 1] = filled
    return found[0, :filled].copy(), found[1, :filled].copy(), starts


def _stands_out(held: Ints, size: Ints, due: Floats) -> bool:
    """Tell whether the users of a set of keys are members with at least twice the odds that are due."""
    have, owed = float(held.sum()), float((size * due).sum())
    return bool(have * (size.sum() - owed) >= _LEAST_ODDS * owed * (size.sum() - have))


@numba.njit(cache=True, nogil=True)
def _held_together(chosen: Ints, members: Ints, key: Ints, bounds: Ints, number: Ints) -> Ints:
    """Drop the keys whose users use no other key of the set.

    The template of an honest customer that slipped into a pool of templates has users of its own: they use it
    and nothing else of the pool. Where most uses are of keys whose users use a single one (one fixed prompt),
    nothing is dropped: uses are counted and not accounts, since a common format may have more users than the
    pool.

    Args:
        chosen: Keys that were chosen.
        members: The members.
        key: Keys of the sample in the order of accounts.
        bounds: Where each account starts in `key`.
        number: Room for a number of each key, -1 before and after.
    """
    while chosen.size > 1:
        number[chosen] = np.arange(chosen.size)
        size, several = np.zeros(chosen.size, np.int64), np.zeros(chosen.size)
        for member in members:
            used = number[key[bounds[member] : bounds[member + 1]]]
            used = used[used >= 0]
            for one in used:
                size[one] += 1
                several[one] += 1.0 if used.size > 1 else 0.0
        number[chosen] = -1
        several /= size
        usual = np.median(np.repeat(several, size))
        kept = several >= max(_LEAST_TOGETHER, _LIKE_OTHERS * usual)
        if usual < _LEAST_TOGETHER or kept.all():
            break
        chosen = chosen[kept]
    return chosen


def of_keys(
    keys: Keys, incidence: Incidence, least_accounts: int, taken: Ints, least_overlap: float = 0.5
) -> list[Candidate]:
    """Cluster the keys that many accounts use again and again, by the accounts that use them.

    Two keys are linked when their bottom-B samples overlap by `least_overlap` (Jaccard, estimated on bottom-k
    sketches: Broder 1997); a cluster is a component of that graph.

    Args:
        keys: The shared keys.
        incidence: The bottom-B sample.
        least_accounts: A key counts when at least this many accounts used it twice or more.
        taken: Keys that already mark a community; a cluster made of these only is left out.
        least_overlap: Overlap at which two keys are one cluster.
    """
    repeated = (keys.repeaters >= least_accounts) & (keys.uses >= 2 * keys.accounts) & carried(keys)
    chosen = np.flatnonzero(repeated)
    if chosen.size == 0:
        return []
    labels = _cluster(chosen, incidence, least_overlap)
    fresh = ~np.isin(chosen, taken)
    found = []
    for label in np.unique(labels[fresh]):
        members = chosen[labels == label]
        found.append(Candidate(members, np.empty(0, np.int64), int(keys.uses[members].max())))
    return found


def _cluster(chosen: Ints, incidence: Incidence, least_overlap: float) -> Ints:
    """Label the `chosen` keys by component of the overlap graph."""
    place = np.full(incidence.keys, -1)
    place[chosen] = np.arange(chosen.size)
    rows = np.flatnonzero(place[incidence.key] >= 0)
    key, account = place[incidence.key[rows]], incidence.account[rows]
    degree = np.bincount(account, minlength=incidence.accounts)
    light = degree[account] <= _MOST_KEYS_OF_ACCOUNT
    matrix = sparse.csr_array(
        (np.ones(int(light.sum()), np.int32), (key[light], account[light])),
        shape=(chosen.size, incidence.accounts),
    )
    shared = (matrix @ matrix.T).tocoo()
    size = np.bincount(key[light], minlength=chosen.size)
    either = size[shared.row] + size[shared.col] - shared.data
    linked = shared.data >= least_overlap * either
    graph = sparse.coo_array(
        (np.ones(int(linked.sum())), (shared.row[linked], shared.col[linked])), shape=(chosen.size,) * 2
    )
    labels: Ints = csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    return labels
