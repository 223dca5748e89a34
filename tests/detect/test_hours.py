"""Hours of sign-up: intervals that are apart and ascending."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.hours import around, due, grown, joined, length, within

days = st.floats(0.0, 40.0)
windows = st.lists(
    st.tuples(days, st.floats(0.01, 3.0)).map(lambda one: (one[0], one[0] + one[1])), max_size=6
)
births = st.lists(st.one_of(days, st.just(float("nan"))), max_size=40).map(np.array)


@given(windows, births)
def test_joined_hours_are_apart_and_hold_whom_the_windows_held(found, born):
    hours = joined(found)
    assert all(high < low for (_, high), (low, _) in pairwise(hours))
    held = [any(low <= one <= high for low, high in found) for one in born]
    assert within(born, hours).tolist() == held
    assert length(hours) <= sum(high - low for low, high in found) + 1e-9


@given(windows, births)
def test_hours_grow_by_births_only(found, born):
    known = born[np.isfinite(born)]
    wider = grown(found, known)
    assert within(known, wider)[within(known, joined(found))].all()
    ends = {end for window in found for end in window}
    assert all(end in ends or end in known for window in wider for end in window)


def test_a_window_grows_while_births_follow_within_a_quarter_of_its_length():
    assert grown([(10.0, 11.0)], np.array([9.8, 11.2, 11.4, 11.9])) == [(9.8, 11.4)]
    assert grown([(10.0, 11.0)], np.empty(0)) == [(10.0, 11.0)]


@given(windows, births)
def test_more_time_holds_more(found, born):
    hours = joined(found)
    assert within(born, around(hours, 1.0))[within(born, hours)].all()


def test_births_are_due_at_the_rate_of_the_days_around():
    born = np.arange(0.0, 20.0, 0.1)
    hours = [(10.0, 11.0)]
    strangers = born[~within(born, hours)]
    assert due(strangers, hours, 3.0) == pytest.approx(10.0, rel=0.1)
    assert due(strangers, hours, 3.0, weight=4.0) == pytest.approx(40.0, rel=0.1)
    assert due(np.empty(0), hours, 3.0) == pytest.approx(1 / 6)
