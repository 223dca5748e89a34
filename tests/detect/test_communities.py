"""Communities: what is planted is found, and what hangs on by a thread is not merged."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.communities import bipartite_communities, busy_communities, communities, core
from stillwatch.detect.pairs import Incidence, Pairs


def pairs_of(edges):
    rows = np.array(sorted(edges), np.int64).reshape(-1, 2)
    return Pairs(rows[:, 0].copy(), rows[:, 1].copy(), np.full(len(rows), 2))


def clique(members):
    return set(combinations(sorted(members), 2))


def incidence_of(edges):
    rows = np.array(sorted(edges), np.int64).reshape(-1, 2)
    keys, accounts = (int(column.max(initial=-1)) + 1 for column in (rows[:, 0], rows[:, 1]))
    return Incidence(rows[:, 0].copy(), rows[:, 1].copy(), keys, accounts)


@given(st.lists(st.integers(8, 20), min_size=1, max_size=5), st.integers(0, 1000))
def test_planted_cliques_are_found_although_one_edge_joins_each_to_the_next(sizes, seed):
    numbers = np.random.default_rng(seed).permutation(1000)
    groups = [sorted(part.tolist()) for part in np.split(numbers[: sum(sizes)], np.cumsum(sizes)[:-1])]
    edges = set().union(*map(clique, groups))
    edges |= {tuple(sorted((one[0], two[-1]))) for one, two in pairwise(groups)}
    found = communities(pairs_of(edges), 0.05, 8, seed)
    assert sorted(members.tolist() for members in found) == sorted(groups)
    assert [members.size for members in found] == sorted(sizes, reverse=True)


def test_small_communities_and_empty_graphs_are_left_out():
    assert communities(pairs_of(clique(range(7))), 0.05, 8, 1) == []
    assert communities(pairs_of(set()), 0.05, 8, 1) == []


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_gives_the_same_communities_of_a_graph_without_any(seed):
    rng = np.random.default_rng(seed)
    edges = {tuple(sorted(map(int, rng.choice(120, 2, replace=False)))) for _ in range(700)}
    once, again = (communities(pairs_of(edges), 0.1, 3, 9) for _ in range(2))
    assert [members.tolist() for members in once] == [members.tolist() for members in again]
    everyone = np.concatenate(once)
    assert np.unique(everyone).size == everyone.size, "no account is in two communities"


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=80), st.integers(1, 4))
def test_the_core_is_what_pruning_one_by_one_leaves(edges, least):
    found = incidence_of(edges)
    key, account = core(found, least, 10**6)
    left = set(edges)
    while True:
        weak = {
            edge
            for edge in left
            if sum(other[0] == edge[0] for other in left) < least
            or sum(other[1] == edge[1] for other in left) < least
        }
        if not weak:
            break
        left.remove(min(weak))
    assert set(zip(key.tolist(), account.tolist(), strict=True)) == left


@given(st.sets(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=150), st.integers(1, 60))
def test_the_core_is_a_fixed_point_within_the_bound(edges, most_edges):
    key, account = core(incidence_of(edges), 2, most_edges)
    assert key.size <= most_edges
    if key.size:
        assert np.unique(key, return_counts=True)[1].min() >= 2
        assert np.unique(account, return_counts=True)[1].min() >= 2


@given(
    st.sets(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=150),
    st.integers(3, 6),
    st.integers(1, 200),
)
def test_the_busy_core_asks_more_of_accounts_and_no_more_of_keys(edges, busy, most_edges):
    key, account = core(incidence_of(edges), 2, most_edges, busy)
    assert key.size <= most_edges
    every_key, everyone = core(incidence_of(edges), 2, 10**6)
    assert set(zip(key.tolist(), account.tolist(), strict=True)) <= set(
        zip(every_key.tolist(), everyone.tolist(), strict=True)
    )
    if key.size:
        assert np.unique(key, return_counts=True)[1].min() >= 2
        assert np.unique(account, return_counts=True)[1].min() >= busy


def test_a_pool_of_which_few_accounts_use_each_template_is_found_among_busy_accounts():
    """Each template has four users; a core that asks twelve edges of both has none of them left."""
    rng = np.random.default_rng(12)
    campaign = {(int(key), account) for account in range(60) for key in rng.choice(900, 60, replace=False)}
    crowd = {
        (int(900 + key), account) for account in range(60, 900) for key in rng.choice(1500, 9, replace=False)
    }
    busy = {
        (int(900 + key), account)
        for account in range(900, 1000)
        for key in rng.choice(1500, 60, replace=False)
    }
    found, edges = incidence_of(campaign | crowd | busy), len(campaign) + len(busy)
    communities = [members.tolist() for members in busy_communities(found, 0.01, 8, 3, most_edges=edges)]
    assert communities == [list(range(900, 1000)), list(range(60))]
    assert not core(found, 12, edges)[0].size
    assert not busy_communities(found, 0.001, 8, 3, most_edges=edges), "that was asked already"


def test_a_campaign_with_many_templates_and_little_traffic_a_head_holds_together_as_a_whole():
    rng = np.random.default_rng(8)
    campaign = {(int(key), account) for account in range(40) for key in rng.choice(80, 8, replace=False)}
    crowd = {
        (int(80 + key), account) for account in range(40, 400) for key in rng.choice(4000, 8, replace=False)
    }
    (found,) = bipartite_communities(incidence_of(campaign | crowd), [0.01], 8, 3)
    assert found[0].tolist() == list(range(40))
    (again,) = bipartite_communities(incidence_of(campaign | crowd), [0.01], 8, 3)
    assert [members.tolist() for members in found] == [members.tolist() for members in again]


def test_no_keys_give_no_communities():
    assert bipartite_communities(incidence_of(set()), [0.01, 0.001], 8, 3) == [[], []]


def test_a_huge_pool_of_templates_is_found_at_the_small_resolution():
    rng = np.random.default_rng(9)
    pool = 4000
    campaign = {(int(key), account) for account in range(60) for key in rng.choice(pool, 200, replace=False)}
    crowd = {
        (int(pool + key), account) for account in range(60, 600) for key in rng.choice(6000, 8, replace=False)
    }
    large, small = bipartite_communities(incidence_of(campaign | crowd), [0.05, 0.002], 8, 3)
    assert all(members.size < 60 for members in large)
    assert small[0].tolist() == list(range(60))
