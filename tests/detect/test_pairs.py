"""Sampling and pair counts against their definitions."""

from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from stillwatch.detect.pairs import Incidence, bottom, bounded, pair_count, repeated_pairs, validated

EDGES = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 11)), max_size=70)


def incidence(edges, keys=8, accounts=12):
    rows = np.array(sorted(edges), np.int64).reshape(-1, 2)
    return Incidence(rows[:, 0].copy(), rows[:, 1].copy(), keys, accounts)


def by_key(found):
    users = defaultdict(list)
    for key, account in zip(found.key.tolist(), found.account.tolist(), strict=True):
        users[key].append(account)
    return dict(users)


def counted(found):
    return Counter(pair for users in by_key(found).values() for pair in combinations(sorted(users), 2))


@given(EDGES, st.integers(1, 12))
def test_bottom_keeps_the_first_accounts_of_every_key(edges, most):
    whole, kept = by_key(incidence(edges)), by_key(bottom(incidence(edges), most))
    assert kept == {key: sorted(users)[:most] for key, users in whole.items()}


@given(EDGES, st.integers(1, 12))
def test_the_same_accounts_survive_in_every_key(edges, most):
    """An account that a key drops is never before one that it keeps, so overlaps are those of the minima."""
    whole, kept = by_key(incidence(edges)), by_key(bottom(incidence(edges), most))
    for one, two in combinations(whole, 2):
        both = sorted(set(whole[one]) & set(whole[two]))
        sampled = set(kept[one]) & set(kept[two])
        assert sampled == set(both[: len(sampled)])
        assert len(sampled) >= min(len(both), most - len(set(whole[one]) ^ set(whole[two])))


@given(EDGES)
def test_pairs_are_counted_as_by_hand(edges):
    found = incidence(edges)
    pairs = repeated_pairs(found)
    got = {
        (a, b): n for a, b, n in zip(pairs.a.tolist(), pairs.b.tolist(), pairs.shared.tolist(), strict=True)
    }
    by_hand = counted(found)
    assert got == {pair: n for pair, n in by_hand.items() if n >= 2}
    assert pair_count(found) == sum(by_hand.values())


@given(EDGES, st.integers(2, 12), st.integers(0, 300))
def test_bounded_keeps_the_bound_down_to_four_accounts_a_key(edges, most_accounts, most_pairs):
    kept = bounded(incidence(edges), most_accounts, most_pairs)
    largest = max((len(users) for users in by_key(kept).values()), default=0)
    assert largest <= most_accounts
    assert pair_count(kept) <= most_pairs or largest <= 4
    assert by_key(kept) == by_key(bottom(incidence(edges), max(largest, 1))), "it is a bottom sample as well"


def test_bounded_changes_nothing_within_the_bound():
    found = incidence({(key, account) for key in range(8) for account in range(12)})
    assert bounded(found, 12, pair_count(found)).key.size == 96
    assert bounded(found, 12, pair_count(found) - 1).key.size < 96


@given(EDGES, st.floats(1e-9, 0.4), st.floats(1e-9, 0.4))
def test_validated_pairs_grow_with_the_level(edges, one, two):
    found = incidence(edges)
    pairs = repeated_pairs(found)
    low, high = (validated(pairs, found, level) for level in sorted((one, two)))
    strict = set(zip(low.a.tolist(), low.b.tolist(), strict=True))
    assert strict <= set(zip(high.a.tolist(), high.b.tolist(), strict=True))


@given(EDGES, st.sampled_from([1e-6, 1e-3, 0.05, 0.3]))
def test_pairs_are_validated_a_part_at_a_time_as_they_are_together(edges, level):
    found = incidence(edges)
    together = validated(repeated_pairs(found), found, level)
    parts = repeated_pairs(found, lambda some: validated(some, found, level))
    for name in ("a", "b", "shared"):
        assert getattr(parts, name).tolist() == getattr(together, name).tolist()


@given(EDGES, st.sampled_from([1e-6, 1e-3, 0.05, 0.3]))
def test_validated_is_the_poisson_tail(edges, level):
    found = incidence(edges)
    pairs = validated(repeated_pairs(found), found, level)
    kept = set(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True))
    degree = Counter(account for _, account in edges)
    strength = 2 * sum(counted(found).values()) / max(len(edges), 1) ** 2
    for (a, b), shared in counted(found).items():
        chance = poisson.sf(shared - 1, degree[a] * degree[b] * strength)
        if chance != pytest.approx(level, rel=1e-9):
            assert ((a, b) in kept) == (shared >= 2 and chance <= level)


def test_a_planted_pair_is_found_among_many_who_share_by_chance():
    rng = np.random.default_rng(4)
    edges = {(int(key), int(account)) for account in range(300) for key in rng.integers(0, 2000, 20)}
    edges |= {(2000 + key, account) for key in range(8) for account in (17, 41)}
    found = incidence(edges, 2008, 300)
    pairs = validated(repeated_pairs(found), found, 1e-6)
    assert list(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)) == [(17, 41)]
    assert pairs.shared[0] >= 8
