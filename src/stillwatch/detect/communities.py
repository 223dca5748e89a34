"""Communities of the validated graph: Leiden with the Constant Potts Model.

Modularity has a resolution limit and merges planted groups of a large graph; CPM has none (Traag, Van Dooren,
Nesterov 2011, arXiv 1104.3083). Leiden: Traag, Waltman, van Eck 2019, doi 10.1038/s41598-019-41695-z.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import igraph
import numba
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.pairs import Incidence, Pairs

Ints = npt.NDArray[np.int64]

_ITERATIONS = 3


def communities(pairs: Pairs, resolution: float, least: int, seed: int) -> list[Ints]:
    """Return the communities with at least `least` accounts, largest first, members ascending.

    Args:
        pairs: Validated pairs.
        resolution: CPM resolution: the edge density that a community must have inside.
        least: Smallest size kept.
        seed: Seed of Leiden's random order.
    """
    if pairs.a.size == 0:
        return []
    nodes, place = _numbered(pairs.a, pairs.b)
    graph = igraph.Graph(n=nodes.size, edges=np.column_stack([place[pairs.a], place[pairs.b]]))
    return _members(nodes, _partition(graph, resolution, seed), least)


def _numbered(*used: Ints) -> tuple[Ints, Ints]:
    """Number the values that occur: which they are, ascending, and the number of each value."""
    seen = np.zeros(max(int(values.max(initial=-1)) for values in used) + 1, np.bool_)
    for values in used:
        seen[values] = True
    return np.flatnonzero(seen), np.cumsum(seen) - 1


def _partition(graph: igraph.Graph, resolution: float, seed: int) -> Ints:
    igraph.set_random_number_generator(random.Random(seed))
    parts = graph.community_leiden(objective_function="CPM", resolution=resolution, n_iterations=_ITERATIONS)
    return np.asarray(parts.membership)


def _members(nodes: Ints, membership: Ints, least: int) -> list[Ints]:
    order = np.argsort(membership, kind="stable")
    cuts = np.flatnonzero(np.diff(membership[order])) + 1
    found = [nodes[members] for members in np.split(order, cuts) if members.size >= least]
    return sorted(found, key=lambda members: (-members.size, int(members[0])))


def core(incidence: Incidence, least: int, most_edges: int) -> tuple[Ints, Ints]:
    """Reduce accounts and keys to those that still have enough of each other.

    A campaign with many templates and little traffic a head shares too few keys in any *pair* of accounts,
    but its accounts and templates hold together as a whole. What hangs on by fewer than `least` edges is
    pruned until nothing changes (the (a, b)-core of Ahmed et al. 2007; CopyCatch and FRAUDAR prune likewise),
    and the bound is raised until the rest is small enough to partition.

    Returns:
        Keys and accounts of the remaining edges.
    """
    key, account = incidence.key.copy(), incidence.account.copy()
    key_degree = np.bincount(key, minlength=incidence.keys)
    account_degree = np.bincount(account, minlength=incidence.accounts)
    size = _peeled(key, account, key_degree, account_degree, least)
    while size > most_edges:
        least += 1
        size = _peeled(key[:size], account[:size], key_degree, account_degree, least)
    return key[:size], account[:size]


@numba.njit(cache=True, nogil=True)
def _peeled(key: Ints, account: Ints, key_degree: Ints, account_degree: Ints, least: int) -> int:
    """Move the edges of the core to the front and return their number; degrees follow at once."""
    size = key.size
    before = -1
    while before != size:
        before, size = size, 0
        for edge in range(before):
            k, a = key[edge], account[edge]
            if key_degree[k] < least or account_degree[a] < least:
                key_degree[k] -= 1
                account_degree[a] -= 1
            else:
                key[size], account[size] = k, a
                size += 1
    return size


def bipartite_communities(
    incidence: Incidence,
    resolutions: Sequence[float],
    least: int,
    seed: int,
    least_edges: int = 3,
    most_edges: int = 400_000,
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

    Returns:
        One list of communities for each resolution.
    """
    key, account = core(incidence, least_edges, most_edges)
    if key.size == 0:
        return [[] for _ in resolutions]
    (accounts, left), (keys, right) = _numbered(account), _numbered(key)
    edges = np.column_stack([left[account], accounts.size + right[key]])
    graph = igraph.Graph(n=accounts.size + keys.size, edges=edges)
    return [
        _members(accounts, _partition(graph, resolution, seed)[: accounts.size], least)
        for resolution in resolutions
    ]
