"""Placebo groups: matched, disjoint, and nothing by construction."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.placebo import SIZES, Null, Placebos, draw_pool, half_size
from stillwatch.detect.profiles import MATCHES, STATISTICS, Profiles


def placebos(volume, number=50, seed=1):
    """A pool of accounts with these volumes about which nothing is known."""
    size = len(volume)
    codes = {name: np.full(size, -1) for name in MATCHES}
    profiles = Profiles(
        np.arange(size), codes, np.random.default_rng(seed).poisson(1.0, (size, 4)).astype(float)
    )
    return Placebos(profiles, np.asarray(volume), np.ones(4), number, seed)


@given(
    st.integers(40, 400),
    st.sampled_from(SIZES),
    st.floats(1, 500),
    st.integers(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_no_account_stands_twice_in_a_group_and_halves_share_none(pool, size, volume, half, seed):
    volumes = np.random.default_rng(seed).integers(1, 600, pool)
    groups = placebos(volumes).draw(size, volume, half, 30, np.random.default_rng(seed))
    assert groups.shape == (30, size)
    for group in groups:
        filled = group[group >= 0]
        assert np.unique(filled).size == filled.size
        assert (filled % 2 == half).all()
        assert filled.size == size or filled.size > pool / 2 - 12, (
            "only a pool that is too small leaves places empty"
        )


@pytest.mark.parametrize("volume", [3.0, 40.0, 300.0])
@pytest.mark.parametrize("size", [4, 16, 48])
def test_placebos_have_the_volume_of_the_group(volume, size):
    volumes = np.exp(np.random.default_rng(3).uniform(0, np.log(2000), 20_000)).astype(int)
    groups = placebos(volumes).draw(size, volume, 0, 200, np.random.default_rng(1))
    assert volumes[groups].min() > volume / 3
    assert volumes[groups].max() < volume * 3


def test_groups_are_as_different_as_random_ones():
    """Two placebo groups share no more accounts than two draws from their window would."""
    groups = placebos(np.full(4000, 10)).draw(12, 10, 1, 300, np.random.default_rng(5))
    together = [np.intersect1d(one, two).size for one, two in zip(groups[::2], groups[1::2], strict=True)]
    assert np.unique(groups).size >= 101
    assert np.mean(together) == pytest.approx(12 * 12 / 101, rel=0.35)


def test_distributions_are_kept_and_made_from_the_seed():
    one, other = placebos(np.arange(1, 200)), placebos(np.arange(1, 200))
    first = one.distribution(8, 20.0, 0)
    assert one.distribution(8, 24.0, 0) is first, "the same octave"
    assert np.array_equal(other.distribution(8, 20.0, 0).values, first.values)
    assert not np.array_equal(one.distribution(8, 20.0, 1).values, first.values)
    assert first.values.shape == (50, len(STATISTICS))


def test_distributions_that_threads_made_are_those_that_are_made_when_asked_for():
    ahead, asked = placebos(np.arange(1, 200)), placebos(np.arange(1, 200))
    with ThreadPoolExecutor(2) as cores:
        ahead.prepare([(8, 20.0, 0), (8, 20.0, 1), (8, 24.0, 0)], cores)
    for half in (0, 1):
        found, other = (one.distribution(8, 20.0, half) for one in (ahead, asked))
        assert np.array_equal(found.values, other.values)


def test_a_distribution_that_could_not_be_made_is_asked_for_anew(monkeypatch):
    pool = placebos(np.arange(1, 200))

    def fails(*_):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Placebos, "_make", fails)
        with pytest.raises(MemoryError):
            pool.distribution(8, 20.0, 0)
    assert pool.distribution(8, 20.0, 0).values.shape == (50, len(STATISTICS))


@given(st.integers(1, 60), st.integers(0, 1000))
def test_the_null_knows_its_middle(number, seed):
    values = np.random.default_rng(seed).normal(size=(number, 3))
    null = Null.of(values)
    assert null.median == pytest.approx(np.median(values, axis=0))
    assert np.array_equal(null.values, np.sort(values, axis=0))
    low, high = np.quantile(values, [0.25, 0.75], axis=0)
    assert null.spread == pytest.approx((high - low) / 1.349)


@pytest.mark.parametrize(
    ("accounts", "half"), [(0, 0), (3, 0), (4, 4), (5, 4), (12, 12), (79, 64), (80, 80), (9999, 80)]
)
def test_a_half_is_cut_to_a_size_that_placebos_share(accounts, half):
    assert half_size(accounts) == half


@given(st.lists(st.integers(1, 500), min_size=60, max_size=400), st.integers(10, 300), st.integers(0, 99))
def test_the_pool_leaves_out_the_groups_where_it_can(made, volumes, wanted, seed):
    totals = np.zeros((len(volumes), 3), np.int64)
    totals[:, 0] = volumes
    inside = np.random.default_rng(seed).random(len(volumes)) < 0.3
    group = np.where(inside, np.arange(len(volumes)) // 3, -1)  # groups of three: all may stand in
    pool = draw_pool(made.book(totals), group, wanted, np.random.default_rng(seed))
    assert (np.diff(pool) > 0).all()
    octave = np.log2(volumes).astype(int)
    for value in np.unique(octave):
        mine = octave == value
        chosen = np.isin(np.flatnonzero(mine), pool)
        if (mine & ~inside).sum() >= 50:
            assert not chosen[inside[mine]].any()
        else:
            assert chosen[~inside[mine]].all()
        assert chosen.sum() >= min(mine.sum() if (mine & ~inside).sum() < 50 else 50, 50)


@given(st.integers(0, 40), st.integers(0, 99))
def test_a_loud_campaign_is_not_compared_with_itself(made, others, seed):
    """Whoever fills a volume alone stands in for it with four accounts, not with fifty."""
    totals = np.zeros((400 + others, 3), np.int64)
    totals[:300, 0], totals[300:, 0] = 10, 1000
    group = np.full(400 + others, -1)
    group[300:400] = 0
    pool = draw_pool(made.book(totals), group, 100, np.random.default_rng(seed))
    assert np.isin(np.arange(300, 400), pool).sum() == 4
    assert np.isin(np.arange(400, 400 + others), pool).all()
