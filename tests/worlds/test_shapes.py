from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.shapes import LEVELS, draw, lognormal_table, pick, ranks, share_out, whole


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@given(st.lists(st.floats(0, 1e6), min_size=11, max_size=11).map(sorted), st.integers(0, 2**32))
def test_draws_stay_inside_the_table(table, seed):
    drawn = draw(table, 50, rng(seed))
    assert drawn.min() >= table[0] * (1 - 1e-12)
    assert drawn.max() <= table[-1] * (1 + 1e-12)


def test_draws_have_the_quantiles_of_the_table():
    table = lognormal_table(40.0, 1.0)
    found = np.quantile(draw(table, 200_000, rng()), LEVELS[1:-1])
    assert found == pytest.approx(table[1:-1], rel=0.06)


def test_picks_follow_the_weights():
    counts = np.bincount(pick((1, 0, 3), 40_000, rng()), minlength=3)
    assert counts[1] == 0
    assert counts[2] / counts[0] == pytest.approx(3, rel=0.1)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_ranks_count_up_inside_each_group(counts):
    expected = [place for count in counts for place in range(count)]
    assert ranks(np.array(counts)).tolist() == expected


@given(st.integers(0, 500), st.lists(st.floats(0.1, 10), min_size=1, max_size=8), st.integers(0, 99))
def test_sharing_out_gives_each_thing_one_owner(total, sizes, seed):
    owner = share_out(total, sizes, rng(seed))
    assert len(owner) == total
    shares = np.bincount(owner, minlength=len(sizes))
    assert np.abs(shares - total * np.array(sizes) / sum(sizes)).max() <= 1.0 + 1e-9


@given(st.lists(st.floats(-5, 1e6), max_size=20), st.integers(0, 3))
def test_whole_numbers_are_at_least_the_least(values, least):
    assert (whole(np.array(values, dtype=float), least) >= least).all()
