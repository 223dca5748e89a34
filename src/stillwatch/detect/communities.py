"""Communities of the validated graph: Leiden with the Constant Potts Model.

Modularity has a resolution limit and merges planted groups of a large graph; CPM has none (Traag, Van Dooren,
Nesterov 2011, arXiv 1104.3083). Leiden: Traag, Waltman, van Eck 2019, doi 10.1038/s41598-019-41695-z.
"""

from __future__ import annotations

import random

import igraph
import numpy as np
import numpy.typing as npt

from stillwatch.detect.pairs import Pairs

Ints = npt.NDArray[np.int64]


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
    nodes, ends = np.unique(np.concatenate([pairs.a, pairs.b]), return_inverse=True)
    half = pairs.a.size
    graph = igraph.Graph(n=nodes.size, edges=np.column_stack([ends[:half], ends[half:]]))
    igraph.set_random_number_generator(random.Random(seed))
    parts = graph.community_leiden(objective_function="CPM", resolution=resolution, n_iterations=5)
    membership = np.asarray(parts.membership)
    order = np.argsort(membership, kind="stable")
    cuts = np.flatnonzero(np.diff(membership[order])) + 1
    found = [nodes[members] for members in np.split(order, cuts) if members.size >= least]
    return sorted(found, key=lambda members: (-members.size, int(members[0])))
