"""Modularity communities of the graph of accounts and templates."""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING

import igraph
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from peers.log import Log
    from peers.protocol import Ints

_LEAST_USERS = 3
_SEED = 31


class ModularityCommunities:
    """Louvain-style communities of the raw graph, named when large and when its templates carry much traffic.

    An edge joins an account and a text key that at least three accounts use, with the number of uses as
    weight; communities maximise modularity by Leiden's algorithm (Traag, Waltman, van Eck 2019). Blondel et
    al. 2008 is what most account-graph systems run.
    """

    name = "modularity"
    source = "Blondel et al. 2008, arXiv 0803.0476; Leiden: doi 10.1038/s41598-019-41695-z"
    grid = tuple(
        {"accounts": accounts, "most": most, "share": share}
        for accounts, most, share in product((10, 30, 100), (300, 1_000, 1e9), (0.1, 0.3, 0.6, 0.9))
    )

    def measure(self, log: Log) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Return each account's community, -1 for none, and the share of its key uses that lie inside."""
        row, key = log.uses()
        edge, weight = np.unique(
            np.column_stack([log.account[row], _numbered(key)]), axis=0, return_counts=True
        )
        users = np.bincount(edge[:, 1])
        kept = users[edge[:, 1]] >= _LEAST_USERS
        account, template, weight = edge[kept, 0], _numbered(edge[kept, 1]), weight[kept]
        label = _communities(log.size, account, template, weight)
        inside = label[account] == label[log.size + template]
        used = np.bincount(log.account[row], minlength=log.size)
        within = np.bincount(account[inside], weight[inside], log.size)
        alone = np.bincount(account, minlength=log.size) == 0
        return np.where(alone, -1, label[: log.size]), within / np.maximum(used, 1)

    def claims(
        self, log: Log, measured: tuple[Ints, npt.NDArray[np.float64]], settings: Mapping[str, float]
    ) -> list[Ints]:
        """Name communities of the right size whose members mostly send shared templates."""
        label, share = measured
        order = np.argsort(label, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if log.size else []
        fit = [
            one
            for one in parts
            if label[one[0]] >= 0 and settings["accounts"] <= one.size <= settings["most"]
        ]
        return [np.sort(one) for one in fit if np.median(share[one]) >= settings["share"]]


def _numbered(values: Ints) -> Ints:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _communities(accounts: int, account: Ints, template: Ints, weight: Ints) -> Ints:
    templates = int(template.max(initial=-1)) + 1
    graph = igraph.Graph(n=accounts + templates, edges=np.column_stack([account, accounts + template]))
    igraph.set_random_number_generator(random.Random(_SEED))
    found = graph.community_leiden(objective_function="modularity", weights=weight.tolist(), n_iterations=2)
    return np.asarray(found.membership, np.int64)
