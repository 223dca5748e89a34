"""Honest users of what a campaign sends as well are left out of it; a campaign by itself is left whole."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.features import Reference
from stillwatch.detect.mixture import halves, key_profiles, purified
from stillwatch.model.findings import Verdict

REFERENCE = Reference(rhythm=0.5, cells=20.0, throwaway=0.04)
CAMPAIGN, HONEST = 120, 200
SIZE = CAMPAIGN + HONEST


def bits_of(rng, accounts, keys, drawn):
    """Classes of the keys that each account shows, `drawn` of `keys`."""
    classes = np.argsort(rng.random((accounts, len(keys))), axis=1)[:, :drawn]
    return (np.int64(1) << np.asarray(keys, np.int64)[classes]).sum(axis=1)


def group(made, bits, *, hostile, read=None):
    """Accounts with these keys; the hostile ones throw cards away, were opened together and ask for reasons."""
    size, hostile = bits.size, np.asarray(hostile)
    accounts = np.arange(size)
    shown = np.array([int(one).bit_count() for one in bits])
    strands = made.strands(accounts, np.column_stack([shown, shown, shown]), bits)
    book = made.book(
        np.full((size, 3), 60),
        payment_fp=np.where(hostile, accounts // 4, accounts + size),
        throwaway=hostile.astype(np.int64),
        verified=(~hostile).astype(np.int64),
        created=np.where(hostile, 20_000.0, 19_000.0 + accounts),
        known=np.ones(size, bool),
    )
    read = accounts if read is None else np.asarray(read)
    rows = made.behaviour(np.repeat(read, 3), elicitation=np.repeat(hostile[read], 3).astype(np.int64))
    judged = SimpleNamespace(  # without `evidence`: the schedule of the whole speaks for none of its parts
        membership=made.membership(strands),
        rows=rows,
        raw=np.array([16 + 1]),
        verdict=Verdict.CAMPAIGN,
    )
    return purified(judged, book, REFERENCE)


@given(st.integers(0, 1_000), st.integers(2, 3))
def test_customers_who_use_a_few_of_the_keys_are_left_out(made, seed, drawn):
    rng = np.random.default_rng(seed)
    pool = bits_of(rng, CAMPAIGN, range(40), 15)
    format_users = bits_of(rng, HONEST, range(4), drawn)
    hostile = np.arange(SIZE) < CAMPAIGN
    found = group(made, np.concatenate([pool, format_users]), hostile=hostile)
    assert found is not None
    assert (found.kept == hostile).all()


def test_several_kinds_of_customers_are_left_out_one_after_the_other(made):
    rng = np.random.default_rng(5)
    pool = bits_of(rng, CAMPAIGN, range(40), 15)
    customers = [bits_of(rng, HONEST // 2, range(low, low + 2), 2) for low in (0, 4)]
    hostile = np.arange(SIZE) < CAMPAIGN
    found = group(made, np.concatenate([pool, *customers]), hostile=hostile)
    assert found is not None
    assert (found.kept == hostile).all()
    assert found.parts > 2


@pytest.mark.parametrize("pools", [[range(40)], [range(20), range(20, 40)]], ids=["one pool", "two pools"])
def test_a_campaign_is_left_whole_whatever_its_pools(made, pools):
    rng = np.random.default_rng(7)
    bits = np.concatenate([bits_of(rng, CAMPAIGN, list(keys), 8) for keys in pools])
    assert group(made, bits, hostile=np.ones(bits.size, bool)) is None


@pytest.mark.parametrize(
    ("honest", "same"), [(5, False), (HONEST, True)], ids=["too few to be judged", "the same keys"]
)
def test_nothing_is_divided_without_reason(made, honest, same):
    rng = np.random.default_rng(9)
    pool = bits_of(rng, CAMPAIGN, range(40), 15)
    others = np.full(honest, pool[0]) if same else bits_of(rng, honest, range(4), 1)
    bits = np.full(CAMPAIGN + honest, pool[0]) if same else np.concatenate([pool, others])
    assert group(made, bits, hostile=np.arange(bits.size) < CAMPAIGN) is None


def test_a_part_of_which_nothing_was_read_stays(made):
    rng = np.random.default_rng(11)
    bits = np.concatenate([bits_of(rng, CAMPAIGN, range(40), 15), bits_of(rng, HONEST, range(4), 1)])
    assert group(made, bits, hostile=np.arange(SIZE) < CAMPAIGN, read=range(CAMPAIGN)) is None


@given(st.lists(st.integers(0, 2**62 - 1), min_size=1, max_size=80))
def test_halves_are_two_and_none_where_all_are_alike(bits):
    profiles = key_profiles(np.array(bits, np.int64))
    assert np.linalg.norm(profiles, axis=1) == pytest.approx((np.array(bits) > 0).astype(float))
    first = halves(profiles)
    if first is None:
        return
    assert 0 < first.sum() < len(bits)
    one, other = profiles[first].mean(axis=0), profiles[~first].mean(axis=0)
    nearer = np.linalg.norm(profiles - one, axis=1) <= np.linalg.norm(profiles - other, axis=1) + 1e-9
    assert nearer[first].mean() >= 0.5
