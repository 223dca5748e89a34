"""Matched groups: the same volumes, nobody twice, and every account of an octave as likely as the others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.matched import matched_groups


def octave(volume):
    return np.log2(np.maximum(volume, 1)).astype(int)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_groups_have_the_octaves_of_the_members_and_nobody_twice(seed, size):
    rng = np.random.default_rng(seed)
    volume = np.repeat(2 ** np.arange(3, 10), 160)
    wanted = rng.integers(8, 1000, size)
    groups = matched_groups(volume, wanted, 30, rng)
    assert groups.shape == (30, size)
    assert (octave(volume[groups]) == octave(wanted)).all()
    assert all(np.unique(group).size == size for group in groups)


def test_an_octave_with_few_accounts_borrows_from_its_neighbours():
    rng = np.random.default_rng(1)
    volume = np.concatenate([np.full(3, 64), np.full(50, 32)])
    groups = matched_groups(volume, np.full(8, 70), 20, rng)
    assert (groups >= 0).all()
    assert (volume[groups] == 32).any()


def test_where_nobody_is_like_a_member_its_place_stays_empty():
    groups = matched_groups(np.full(30, 32), np.array([40, 5000]), 10, np.random.default_rng(2))
    assert (groups[:, 0] >= 0).all()
    assert (groups[:, 1] == -1).all()
    assert (matched_groups(np.full(3, 32), np.full(5, 32), 4, np.random.default_rng(3)) >= 0).sum() == 12


def test_all_accounts_are_drawn_equally_often():
    groups = matched_groups(np.full(40, 20), np.full(12, 20), 4000, np.random.default_rng(4))
    drawn = np.bincount(groups.ravel(), minlength=40)
    assert abs(drawn - 1200).max() < 5 * np.sqrt(1200)
