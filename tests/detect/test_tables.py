"""The split of time into slices."""

from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.tables import (
    CONFIRM_A,
    CONFIRM_B,
    DISCOVERY,
    Span,
    confirmation_blocks,
    measure_span,
    slice_of,
)

START = datetime(2026, 10, 5, tzinfo=UTC)


def rows(times, keys=None):
    stamps = pa.array(times, pa.timestamp("us", tz="UTC"))
    lists = pa.array(keys or [None] * len(times), pa.list_(pa.int64()))
    return ibis.memtable(pa.table({"ts": stamps, "keys": lists}))


def span(first, days, block_seconds):
    return Span(1, first, first + timedelta(days=days), 1, block_seconds)


def dealt(times, block_seconds):
    table = rows(times)
    return table.select(slice=slice_of(table.ts, block_seconds)).to_pyarrow()["slice"].to_numpy()


@pytest.mark.parametrize(("days", "block_seconds"), [(2, 576), (14, 4032), (75, 21_600), (400, 21_600)])
def test_blocks_are_dealt_60_20_20_and_the_engine_deals_as_numpy_does(days, block_seconds):
    first = int(START.timestamp()) // block_seconds
    last = int((START + timedelta(days=days)).timestamp()) // block_seconds
    blocks = np.arange(first, last + 1)
    times = [datetime.fromtimestamp(int(block) * block_seconds, tz=UTC) for block in blocks]
    slices = dealt(times, block_seconds)
    assert (
        confirmation_blocks(span(START, days, block_seconds)).tolist() == blocks[slices != DISCOVERY].tolist()
    )
    shares = np.bincount(slices, minlength=3) / slices.size
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.02)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.integers(300, 21_600))  # noqa: DTZ001
def test_any_two_hundred_blocks_in_a_row_are_dealt_fairly(first, block_seconds):
    start = first.replace(tzinfo=UTC)
    held = confirmation_blocks(span(start, 300 * block_seconds / 86_400, block_seconds))
    assert held.size / 301 == pytest.approx(0.4, abs=0.02)
    assert np.diff(held).max() <= 4, "no long stretch is left to discovery alone"


def test_a_block_belongs_to_one_slice_from_its_first_microsecond_to_its_last():
    block = timedelta(seconds=600)
    edges = [START + n * block for n in range(50)]
    assert (
        dealt(edges, 600).tolist()
        == dealt([edge + block - timedelta(microseconds=1) for edge in edges], 600).tolist()
    )
    assert set(dealt(edges, 600).tolist()) == {DISCOVERY, CONFIRM_A, CONFIRM_B}


def test_no_hour_of_the_day_is_always_in_one_slice():
    times = [START + timedelta(hours=6 * n) for n in range(4 * 60)]
    by_hour = dealt(times, 21_600).reshape(60, 4)
    for hour in range(4):
        assert set(by_hour[:, hour].tolist()) == {DISCOVERY, CONFIRM_A, CONFIRM_B}


def test_the_span_is_what_the_exchanges_cover():
    found = measure_span(rows([START, START + timedelta(days=3)], [[1, 2, 3], None]))
    assert found == Span(2, START, START + timedelta(days=3), 3, 864)
    assert found.seconds == 3 * 86_400
    assert measure_span(rows([START])).block_seconds == 300
    assert measure_span(rows([START, START + timedelta(days=900)])).block_seconds == 21_600
    assert measure_span(rows([])) is None
