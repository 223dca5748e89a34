import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.mark.detection import scan
from stillwatch.mark.detection.scan import totals
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax, SynthId

SCHEMES = [
    GumbelMax(1),
    GumbelMax(4),
    GumbelMax(7),
    DualKeyGumbel(4, alpha=0.1),
    GreenList(0.25, context_width=2),
]
GENERIC = [GreenList(0.5, context_width=1, seeding="lefthash", vocabulary_size=64), SynthId()]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: f"{one.name}-{one.context_width}")
@pytest.mark.parametrize("keys", [1, 3, 1100])
def test_totals_are_the_sums_of_the_scores(scheme, keys):
    compare(scheme, keys, pairs=250)


@pytest.mark.parametrize("scheme", GENERIC, ids=lambda one: one.name)
def test_schemes_with_their_own_functions_are_added_up_in_parts(scheme, monkeypatch):
    monkeypatch.setattr(scan, "_GENERIC_CELLS", 100)
    compare(scheme, keys=5, pairs=40)


def compare(scheme, keys, pairs):
    rng = np.random.default_rng(7)
    contexts = rng.integers(1, 5, (pairs, scheme.context_width))
    tokens = rng.integers(0, 64, pairs)
    values = rng.integers(0, 2**64, keys, dtype=np.uint64) & np.uint64(2**62 - 1)
    expected = scheme.scores(contexts, tokens, values).sum(axis=1)
    assert totals(scheme, contexts, tokens, values) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 130), st.sampled_from([1, 9, 1030]))
def test_any_width_and_any_number_of_pairs(seed, width, pairs, keys):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(-1, 3, (pairs, width))
    tokens = rng.integers(0, 2**31, pairs)
    drawn = rng.integers(0, 2**64, keys, dtype=np.uint64)
    expected = GumbelMax(width).scores(contexts, tokens, drawn).sum(axis=1)
    assert totals(GumbelMax(width), contexts, tokens, drawn) == pytest.approx(expected, rel=1e-12)


def test_threads_and_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(8)
    contexts, tokens = rng.integers(0, 99, (60, 4)), rng.integers(0, 99, 60)
    keys = rng.integers(0, 2**64, 1500, dtype=np.uint64)
    one = totals(GumbelMax(), contexts, tokens, keys)
    assert np.array_equal(totals(GumbelMax(), contexts, tokens, keys, threads=3), one)
    monkeypatch.setattr(scan, "BLOCK", 100)
    assert np.array_equal(totals(GumbelMax(), contexts, tokens, keys), one)


def test_without_pairs_or_keys():
    none = np.zeros((0, 4), dtype=np.int64)
    assert totals(GumbelMax(), none, np.zeros(0, np.int64), np.array([1, 2], np.uint64)).tolist() == [
        0.0,
        0.0,
    ]
    some = np.zeros((1, 4), dtype=np.int64)
    assert totals(GumbelMax(), some, np.zeros(1, np.int64), np.zeros(0, np.uint64)).size == 0
