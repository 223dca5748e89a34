"""Candidate groups: communities of accounts with the keys that mark them, and clusters of keys.

A pool of many templates shows as a community of account pairs; one fixed prompt in every request shows as a
single key of many accounts, which no pair test can see. Both give the same thing: a set of keys whose
carriers are looked at.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.stats import binom

from stillwatch.model.views import KIND_MASK, KeyKind
from stillwatch.stats.fdr import benjamini_hochberg

if TYPE_CHECKING:
    from stillwatch.detect.ledger import Keys
    from stillwatch.detect.pairs import Incidence

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_KEY_LEVEL = 1e-3
_LEAST_TOGETHER = 0.2
"""Least share of a key's users that use another key of the set; low, since the bottom-B sample hides some."""
_MOST_KEYS_OF_ACCOUNT = 200
_OWN_SHARE = 0.6
_MOST_BASE = 0.4


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


def of_communities(keys: Keys, incidence: Incidence, groups: list[Ints]) -> list[Candidate]:
    """Find the keys that each community uses far more than its share of all incidences allows.

    A community holds a key when it has at least 30 % of the key's sampled accounts (up to 60 % for
    communities that make up much of the log); see `_marks` for the test.

    Args:
        keys: The shared keys.
        incidence: The bottom-B sample.
        groups: Account numbers of each community; no account is in two of them.
    """
    label = np.full(incidence.accounts, -1)
    for number, members in enumerate(groups):
        label[members] = number
    owner = label[incidence.account]
    inside = owner >= 0
    pair, held = np.unique(owner[inside] * keys.key.size + incidence.key[inside], return_counts=True)
    group, key = pair // keys.key.size, pair % keys.key.size
    size = np.diff(incidence.bounds)[key]
    base = _base(group, held, size, incidence.key.size, len(groups))
    share = np.minimum(0.6, np.maximum(0.3, 5 * base[group]))
    marks = _marks(held, size, base[group], share) & carried(keys)[key]
    group, key = group[marks], key[marks]  # sorted by group, as the pairs are
    bounds = np.searchsorted(group, np.arange(len(groups) + 1))
    chosen = [key[low:high] for low, high in itertools.pairwise(bounds.tolist())]
    return [
        Candidate(mine, members, int(keys.uses[mine].sum()))
        for mine, members in zip(chosen, groups, strict=True)
        if mine.size
    ]


def _base(group: Ints, held: Ints, size: Ints, incidences: int, groups: int) -> Floats:
    """Share of each group in all incidences, shape (groups,), as far as it is not the group's own doing.

    A campaign sends so much more of shared text than anybody else that it can make up most of all
    incidences; measured by these it would have no more of its own keys than is its due. Beyond two fifths
    of all the share is therefore taken over the keys that the group does not mostly hold itself.

    Args:
        group: Group of each pair of a group and a key that it uses.
        held: Sampled accounts of the key that belong to the group.
        size: All sampled accounts of the key.
        incidences: Number of all incidences.
        groups: Number of groups.
    """
    others = held < _OWN_SHARE * size
    whole = np.bincount(group, held, groups) / max(incidences, 1)
    own = np.bincount(group[~others], size[~others], groups)
    apart = np.bincount(group[others], held[others], groups) / np.maximum(incidences - own, 1.0)
    return np.maximum(apart, np.minimum(whole, _MOST_BASE))


def _marks(held: Ints, size: Ints, base: Floats, share: Floats | float) -> npt.NDArray[np.bool_]:
    """Test which keys mark a group.

    The null is that a group takes its share of all incidences in every key (binomial test,
    Benjamini-Hochberg over all keys). One supporter is taken away first: a key that is chosen would be chosen
    without any single account, so that every account can then be judged on all of its traffic.

    Args:
        held: Sampled accounts of the key that belong to the group.
        size: All sampled accounts of the key.
        base: Share of the group in all incidences.
        share: Least share of the key's accounts that the group must hold.
    """
    p_value = binom.sf(held - 2, size - 1, base)
    return benjamini_hochberg(p_value, _KEY_LEVEL) & (held - 1 >= share * (size - 1)) & (held >= 3)


def refined(keys: Keys, incidence: Incidence, members: Ints, share: float) -> Candidate | None:
    """Choose the keys anew, now that the members are known: those that mostly belong to the members.

    Args:
        keys: The shared keys.
        incidence: The bottom-B sample.
        members: Confirmed members of a group.
        share: Least share of a key's accounts that are members; one account is taken away first.
    """
    inside = incidence.rows_of(members)
    used = incidence.key[inside]
    key, held = np.unique(used, return_counts=True)
    size = incidence.bounds[key + 1] - incidence.bounds[key]
    base = _base(np.zeros_like(key), held, size, incidence.key.size, 1)[np.zeros_like(key)]
    text = (keys.key[key] & KIND_MASK) <= int(KeyKind.TOOLS)
    chosen = key[_marks(held, size, base, share) & text]
    chosen = _held_together(chosen, used, incidence.account[inside])
    return Candidate(chosen, members, int(keys.uses[chosen].sum())) if chosen.size else None


def _held_together(chosen: Ints, key: Ints, account: Ints) -> Ints:
    """Drop the keys whose users use no other key of the set.

    The template of an honest customer that slipped into a pool of templates has users of its own: they use it
    and nothing else of the pool. Where most accounts use a single key anyway (one fixed prompt), nothing is
    dropped.

    Args:
        chosen: Keys that were chosen.
        key: Keys of the members' incidences.
        account: Accounts of the same incidences.
    """
    while chosen.size > 1:
        rows = np.isin(key, chosen)
        users, place = np.unique(account[rows], return_inverse=True)
        variety = np.bincount(place, minlength=users.size)
        if np.median(variety) < 2:
            break
        number = np.searchsorted(chosen, key[rows])
        several = np.bincount(number, variety[place] >= 2, chosen.size) / np.bincount(
            number, minlength=chosen.size
        )
        if (several >= _LEAST_TOGETHER).all():
            break
        chosen = chosen[several >= _LEAST_TOGETHER]
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
