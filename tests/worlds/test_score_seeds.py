"""Figures over seeds and bounds of rare events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.score_seeds import at_most, over_seeds

FINITE = st.floats(-1e6, 1e6)


@given(st.lists(FINITE, min_size=1, max_size=40))
def test_the_interval_holds_the_median_and_lies_within_the_range(values: list[float]) -> None:
    got = over_seeds(values)
    assert got.least <= got.low <= got.median <= got.high <= got.most
    assert got == over_seeds(values[::-1])


def test_few_seeds_give_the_whole_range() -> None:
    got = over_seeds([1.0, 2.0, 9.0])
    assert (got.low, got.high) == (1.0, 9.0)


def test_twenty_seeds_give_the_sixth_and_the_fifteenth() -> None:
    got = over_seeds([float(n) for n in range(1, 21)])
    assert (got.low, got.high) == (6.0, 15.0)


def test_the_interval_covers_the_true_median() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        got = over_seeds(rng.exponential(size=20).tolist())
        covered += got.low <= np.log(2.0) <= got.high
    assert covered >= 400 * 0.92


def test_nothing_seen_bounds_the_rate_by_three_over_n() -> None:
    assert at_most(0, 100_000) == pytest.approx(3.0 / 100_000, rel=0.01)
    assert at_most(0, 0) == at_most(5, 5) == 1.0


@given(st.integers(0, 50), st.integers(1, 1000))
def test_the_bound_grows_with_events_and_lies_above_the_rate(events: int, more: int) -> None:
    trials = events + more
    assert events / trials <= at_most(events, trials) <= at_most(events + 1, trials)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="seed"):
        over_seeds([])
