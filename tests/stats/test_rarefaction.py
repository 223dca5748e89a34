"""Rarefaction: what was drawn is expected again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.stats.rarefaction import expected_kinds, kind_hazards

DRAWS = st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 400)), min_size=1, max_size=12)


@given(DRAWS, st.lists(st.floats(0, 1), min_size=1, max_size=64))
def test_as_many_units_are_expected_to_show_a_kind_as_did(population, shares):
    draws, units = np.array(population, float).T
    showing = np.array(shares) * units.sum()
    hazards = kind_hazards(showing, draws, units)
    expected = -(units[:, None] * np.expm1(-draws[:, None] * hazards)).sum(axis=0)
    assert expected == pytest.approx(showing, rel=1e-6, abs=1e-9)


@given(DRAWS, st.lists(st.floats(0, 1), min_size=1, max_size=64))
def test_units_show_on_average_what_they_are_expected_to(population, shares):
    draws, units = np.array(population, float).T
    showing = np.array(shares) * units.sum()
    shown = expected_kinds(kind_hazards(showing, draws, units), draws)
    assert (units * shown).sum() == pytest.approx(showing.sum(), rel=1e-6, abs=1e-9)


def test_uneven_kinds_are_told_from_even_ones():
    rng = np.random.default_rng(1)
    shares = np.array([0.9, *np.full(20, 0.005)])
    draws = np.repeat([5, 20, 80, 320], 3000)
    counts = np.stack([rng.multinomial(n, shares) for n in draws])
    number, units = np.unique(draws, return_counts=True)
    hazards = kind_hazards((counts > 0).sum(axis=0).astype(float), number.astype(float), units.astype(float))
    for n in number:
        mean = (counts[draws == n] > 0).sum(axis=1).mean()
        assert expected_kinds(hazards, np.array([float(n)]))[0] == pytest.approx(mean, rel=0.05)


def test_what_nobody_showed_is_not_expected():
    hazards = kind_hazards(np.array([0.0, 3.0]), np.array([4.0]), np.array([3.0]))
    assert hazards.tolist() == [0.0, 50.0]
    assert expected_kinds(hazards, np.array([1.0, 9.0])) == pytest.approx([1.0, 1.0])
