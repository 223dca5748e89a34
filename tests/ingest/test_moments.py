from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.moments import UNREADABLE, microseconds, timestamps

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SECONDS = 1767323045.678901
MICRO = 1767323045678901


@pytest.mark.parametrize(
    ("moment", "within"),
    [
        (SECONDS, 1),
        (str(SECONDS), 1),
        (MICRO // 1000, 1000),
        (MICRO, 0),
        (MICRO * 1000, 1),
        (str(MICRO * 1000), 1),
        ("2026-01-02T03:04:05.678901Z", 0),
        ("2026-01-02T04:04:05.678901+01:00", 0),
        ("2026-01-01T22:04:05.678901-05:00", 0),
        ("2026-01-02T03:04:05.678901", 0),
        ("2026-01-02 03:04:05.678901", 0),
    ],
    ids=repr,
)
def test_every_usual_way_to_write_a_time(moment, within):
    assert abs(int(microseconds([moment])[0]) - MICRO) <= within
    assert abs(int(microseconds([moment, "x"])[0]) - MICRO) <= within


@pytest.mark.parametrize(
    "moment",
    ["", "soon", None, float("nan"), float("inf"), 1e300, 10**400, "1e999", "9999-99-99", True, "NaN"],
    ids=repr,
)
def test_what_is_no_time_is_unreadable(moment):
    assert microseconds([moment, "x"])[0] == UNREADABLE


def test_unreadable_times_are_null():
    assert timestamps(np.array([MICRO, UNREADABLE])).to_pylist() == [WHEN, None]


def test_no_times_at_all():
    assert len(timestamps(microseconds([]))) == 0


@given(st.datetimes(datetime(2001, 9, 10), datetime(2200, 1, 1)), st.integers(-720, 720))  # noqa: DTZ001
def test_iso_with_any_zone_comes_back(naive, minutes):
    when = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert timestamps(microseconds([when.isoformat(), "x"])).to_pylist()[0] == when


@given(st.lists(st.one_of(st.none(), st.text(), st.floats(), st.integers(), st.booleans())))
def test_nothing_raises(moments):
    assert len(microseconds(moments)) == len(moments)
