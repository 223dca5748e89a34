"""Passages of a crowd become a candidate, whether or not one of them marks it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.candidates import Candidate
from stillwatch.detect.ledger import Keys
from stillwatch.detect.pairs import Incidence
from stillwatch.detect.passages import of_crowds, passages
from stillwatch.model.views import KeyKind

CROWD = np.arange(600)


def keys_of(accounts, repeaters, uses, kind=KeyKind.SHINGLE):
    accounts, repeaters, uses = (np.asarray(column, np.int64) for column in (accounts, repeaters, uses))
    names = (np.arange(accounts.size, dtype=np.int64) << 4) | int(kind)
    return Keys(names, accounts, repeaters, uses)


def log(kind=KeyKind.SHINGLE, seed=3):
    """A crowd of 600 beside 1,400 others: 30 passages of the crowd, 30 of the others, 200 phrases of all."""
    rng = np.random.default_rng(seed)
    draws = [rng.choice(600, 25, replace=False) for _ in range(30)]
    draws += [600 + rng.choice(1_400, 25, replace=False) for _ in range(30)]
    draws += [rng.choice(2_000, 40, replace=False) for _ in range(200)]
    size = np.array([draw.size for draw in draws])
    long = np.arange(260) < 60
    keys = keys_of(size, np.where(long, size, size // 3), np.where(long, 2 * size, size * 4 // 3), kind)
    order = np.concatenate([np.sort(draw) for draw in draws])
    return keys, Incidence(np.repeat(np.arange(260), size), order, 260, 2_000)


@pytest.mark.parametrize(
    ("accounts", "repeaters", "expected"),
    [(40, 40, True), (40, 36, True), (40, 35, False), (19, 19, False), (40, 0, False)],
)
def test_a_passage_comes_with_another_of_its_keys_at_each_of_its_users(accounts, repeaters, expected):
    assert passages(keys_of([accounts], [repeaters], [2 * accounts])).tolist() == [expected]


@pytest.mark.parametrize("kind", [KeyKind.CLIENT, KeyKind.SAMPLING])
def test_what_no_text_carries_is_no_passage(kind):
    assert not passages(keys_of([40], [40], [80], kind)).any()


def test_a_crowd_gives_the_passages_that_it_sends():
    (found,) = of_crowds(*log(), [CROWD], [])
    assert found.keys.tolist() == list(range(30))
    assert found.seeds.tolist() == CROWD.tolist()
    assert found.uses == 30 * 50


def test_each_crowd_has_its_own():
    found = of_crowds(*log(), [CROWD, np.arange(600, 2_000)], [])
    assert [one.keys.tolist() for one in found] == [list(range(30)), list(range(30, 60))]


@given(st.integers(0, 499))
def test_a_small_community_is_no_crowd(size):
    assert of_crowds(*log(), [np.arange(size)], []) == []


def test_a_crowd_with_a_few_passages_gives_none():
    keys, incidence = log()
    few = Keys(keys.key, keys.accounts, np.where(np.arange(260) < 15, keys.repeaters, 0), keys.uses)
    assert of_crowds(few, incidence, [CROWD], []) == []


def test_no_community_is_no_candidate():
    assert of_crowds(*log(), [], []) == []


@pytest.mark.parametrize(("own", "candidates"), [(29, 1), (30, 0)])
def test_a_crowd_that_as_many_keys_mark_needs_none(own, candidates):
    marked = Candidate(np.arange(100, 100 + own), CROWD, 9)
    assert len(of_crowds(*log(), [CROWD], [marked])) == candidates
