"""Habits: the numbers are those that one counts by hand, and a cohort's centre stands some strangers."""

from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detect.habits import HABITS, distances, habits_of, hourly
from stillwatch.model.views import Elicitation

START = datetime(2026, 10, 5, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("account_fp", pa.int64()),
        ("ts", pa.timestamp("us", tz="UTC")),
        ("turn", pa.int32()),
        ("elicitation", pa.int64()),
        ("tools_fp", pa.int64()),
    ]
)


def exchanges(book, rows):
    """Rows of account, hour, turn, elicitation, tools."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[0] = book.fingerprint[columns[0]]
    columns[1] = [START + timedelta(hours=hour) for hour in columns[1]]
    return ibis.memtable(pa.table(columns, schema=SCHEMA))


def shown(book, rows, accounts):
    accounts = np.array(accounts)
    found = habits_of(hourly(exchanges(book, rows), accounts, book), accounts, book)
    return [dict(zip(HABITS, row, strict=True)) for row in found.tolist()]


def test_habits_are_counted_by_hand(made):
    book = made.book([[4, 0, 0]] * 4)
    asked = int(Elicitation.REASONING)
    rows = [
        (1, 24 * day + 9, 1 + day % 2, asked if day == 0 else 0, 77 if day < 2 else None) for day in range(4)
    ]
    rows += [(3, 6 * at, None, None, None) for at in range(4)]
    rows += [(0, 1, 1, 0, None)]
    first, second = shown(book, rows, [1, 3])
    assert first["volume"] == second["volume"] == pytest.approx(np.log(4))
    assert first["rhythm"] == pytest.approx(1.0)
    assert second["rhythm"] == 0.0
    assert first["first turns"] == pytest.approx(np.arcsin(np.sqrt(0.5)))
    assert first["elicitation"] == pytest.approx(np.arcsin(np.sqrt(0.25)))
    assert first["tools"] == pytest.approx(np.arcsin(np.sqrt(0.5)))
    assert [second[name] for name in HABITS[2:]] == [0.0, 0.0, 0.0]


def test_the_order_of_the_accounts_is_kept(made):
    book = made.book([[4, 0, 0]] * 3)
    rows = [(account, hour, 1, 0, None) for account in range(3) for hour in range(2 + account)]
    volumes = [one["volume"] for one in shown(book, rows, [2, 0, 1])]
    assert volumes == pytest.approx(np.log([4, 2, 3]))


def test_a_quarter_of_strangers_does_not_move_the_centre():
    rng = np.random.default_rng(2)
    kind = rng.normal(0.0, 0.2, (60, 3))
    strangers = rng.normal(9.0, 2.0, (20, 3))
    together = np.vstack([kind, strangers])
    found = distances(together, together)
    assert found[:60].max() < found[60:].min()


def test_where_all_are_equal_small_differences_are_none():
    cohort = np.zeros((10, 2))
    assert distances(np.array([[0.0, 0.0], [0.05, 0.0], [1.0, 0.0]]), cohort) == pytest.approx(
        [0.0, 1.0, 20.0]
    )
