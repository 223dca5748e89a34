"""Communities of the validated graph: Leiden with the Constant Potts Model.

Modularity has a resolution limit and merges planted groups of a large graph; CPM has none (Traag, Van Dooren,
Nesterov 2011, arXiv 1104.3083). Leiden: Traag, Waltman, van Eck 2019, doi 10.1038/s41598-019-41695-z.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.detect.leiden import Partitioner, Question, partitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.pairs import Incidence, Pairs

Ints = npt.NDArray[np.int64]


def communities(
    pairs: Pairs, resolution: float, least: int, seed: int, partitioner: Partitioner = partitions
) -> list[Ints]:
    """Return the communities with at least `least` accounts, largest first, members ascending.

    Args:
        pairs: Validated pairs.
        resolution: CPM resolution: the edge density that a community must have inside.
        least: Smallest size kept.
        seed: Seed of Leiden's random order.
        partitioner: Runs Leiden.
    """
    if pairs.a.size == 0:
        return []
    nodes, place = _numbered(pairs.a, pairs.b)
    ends = place[pairs.a], place[pairs.b]
    (membership,) = _asked(partitioner, nodes.size, ends, [resolution], seed)
    return _members(nodes, membership, least)


def _numbered(*used: Ints) -> tuple[Ints, Ints]:
    """Number the values that occur: which they are, ascending, and the number of each value."""
    seen = np.zeros(max(int(values.max(initial=-1)) for values in used) + 1, np.bool_)
    for values in used:
        seen[values] = True
    return np.flatnonzero(seen), np.cumsum(seen) - 1


def _asked(
    partitioner: Partitioner, nodes: int, ends: tuple[Ints, Ints], resolutions: Sequence[float], seed: int
) -> list[Ints]:
    left, right = (array("i", side.astype(np.intc).tobytes()) for side in ends)
    found = partitioner(Question(nodes, left, right, tuple(resolutions), seed))
    return [np.asarray(membership, np.int64) for membership in found]


def _members(nodes: Ints, membership: Ints, least: int) -> list[Ints]:
    order = np.argsort(membership, kind="stable")
    cuts = np.flatnonzero(np.diff(membership[order])) + 1
    found = [nodes[members] for members in np.split(order, cuts) if members.size >= least]
    return sorted(found, key=lambda members: (-members.size, int(members[0])))


def core(incidence: Incidence, least: int, most_edges: int, busy: int = 0) -> tuple[Ints, Ints]:
    """Reduce accounts and keys to those that still have enough of each other.

    A campaign with many templates and little traffic a head shares too few keys in any *pair* of accounts,
    but its accounts and templates hold together as a whole. What hangs on by fewer than `least` edges is
    pruned until nothing changes (the (a, b)-core of Ahmed et al. 2007; CopyCatch and FRAUDAR prune likewise),
    and the bound is raised until the rest is small enough to partition.

    Args:
        incidence: Which account used which key.
        least: Smallest number of edges of a node.
        most_edges: Bound on the edges that are left.
        busy: Smallest number of edges of an account, where it is larger; then this alone is raised.

    Returns:
        Keys and accounts of the remaining edges.
    """
    bounds = incidence.by_account[1]
    graph = (incidence.bounds, incidence.account, bounds, incidence.keys_by_account)
    degree = np.concatenate([np.diff(incidence.bounds), np.diff(bounds)])
    of_keys, of_accounts = least, max(least, busy)
    while _peel(*graph, degree, of_keys, of_accounts) > most_edges:
        of_keys += 0 if busy else 1
        of_accounts += 1 + (of_accounts // 4 if busy else 0)
    kept = (degree[incidence.key] > 0) & (degree[incidence.keys + incidence.account] > 0)
    return incidence.key[kept], incidence.account[kept]


@numba.njit(cache=True, nogil=True)
def _peel(
    key_bounds: Ints,
    accounts_of: Ints,
    account_bounds: Ints,
    keys_of: Ints,
    degree: Ints,
    of_keys: int,
    of_accounts: int,
) -> int:
    """Take away keys and accounts with too few edges, those that then have too few, and so on.

    Each node is taken away once and its edges looked at once (Batagelj and Zaversnik 2003, arXiv cs/0310049).

    Args:
        key_bounds: Where the accounts of each key start in `accounts_of`.
        accounts_of: Accounts, key after key.
        account_bounds: Where the keys of each account start in `keys_of`.
        keys_of: Keys, account after account.
        degree: Edges of each key, then of each account, 0 for what was taken away; brought up to date.
        of_keys: Smallest number of edges of a key that is enough.
        of_accounts: The same of an account.

    Returns:
        Number of remaining edges.
    """
    keys = key_bounds.size - 1
    least = np.full(degree.size, of_accounts)
    least[:keys] = of_keys
    waiting = np.empty(degree.size, np.int64)
    few = np.flatnonzero((degree > 0) & (degree < least))
    at, filled = 0, few.size
    waiting[:filled] = few
    while at < filled:
        node = waiting[at]
        at += 1
        degree[node] = 0
        if node < keys:
            others = accounts_of[key_bounds[node] : key_bounds[node + 1]] + keys
        else:
            others = keys_of[account_bounds[node - keys] : account_bounds[node - keys + 1]]
        for other in others:
            if degree[other] > 0:
                degree[other] -= 1
                if degree[other] == least[other] - 1:
                    waiting[filled] = other
                    filled += 1
    return int(degree[:keys].sum())


def bipartite_communities(
    incidence: Incidence,
    resolutions: Sequence[float],
    least: int,
    seed: int,
    least_edges: int = 3,
    most_edges: int = 400_000,
    partitioner: Partitioner = partitions,
) -> list[list[Ints]]:
    """Return communities of accounts in the graph of accounts and keys, largest first, members ascending.

    Args:
        incidence: Which account used which key.
        resolutions: CPM resolutions of the bipartite graph, far below that of the account graph. A community
            of a accounts and k keys pays for (a + k)^2 / 2 pairs but can have only a k edges, so that a large
            pool of keys is found at a small resolution only, and a small one is merged with others there.
        least: Smallest number of accounts kept.
        seed: Seed of Leiden's random order.
        least_edges: Smallest number of edges of a node of the core.
        most_edges: Bound on the edges that are partitioned.
        partitioner: Runs Leiden.

    Returns:
        One list of communities for each resolution.
    """
    edges = core(incidence, least_edges, most_edges)
    return _bipartite(edges, resolutions, least, seed, partitioner)


def busy_communities(
    incidence: Incidence,
    below: float,
    least: int,
    seed: int,
    least_edges: int = 3,
    busy: int = 32,
    most_edges: int = 500_000,
    partitioner: Partitioner = partitions,
) -> list[Ints]:
    """Return communities of accounts that use many keys each, in the graph of accounts and keys.

    Of a very large pool of templates each is used by few accounts, so that the bound of `core` would take the
    keys away before anything else. Here only accounts must have many edges: ordinary ones that do are few,
    and what a campaign of busy accounts has in common outweighs theirs. The resolution is the density of this
    core, the smallest at which it is not one community.

    Args:
        incidence: Which account used which key.
        below: Nothing is asked at this resolution or above it.
        least: Smallest number of accounts kept.
        seed: Seed of Leiden's random order.
        least_edges: Smallest number of accounts of a key.
        busy: Smallest number of keys of an account.
        most_edges: Bound on the edges that are partitioned.
        partitioner: Runs Leiden.
    """
    key, account = core(incidence, least_edges, most_edges, busy)
    nodes = float(np.unique(key).size + np.unique(account).size)
    resolution = 2.0 * key.size / max(nodes, 1.0) ** 2
    if resolution >= below:
        return []
    return _bipartite((key, account), [resolution], least, seed, partitioner)[0]


def _bipartite(
    edges: tuple[Ints, Ints],
    resolutions: Sequence[float],
    least: int,
    seed: int,
    partitioner: Partitioner,
) -> list[list[Ints]]:
    """Partition the graph of keys and accounts at each resolution."""
    key, account = edges
    if key.size == 0:
        return [[] for _ in resolutions]
    (accounts, left), (keys, right) = _numbered(account), _numbered(key)
    ends = left[account], accounts.size + right[key]
    found = _asked(partitioner, accounts.size + keys.size, ends, resolutions, seed)
    return [_members(accounts, membership[: accounts.size], least) for membership in found]
