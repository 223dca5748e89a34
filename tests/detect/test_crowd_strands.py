"""What crowds send: counted by hour, by settings and by day, for the asked accounts only."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import ibis
import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detect.crowd_strands import hourly_counts, modal_addresses, modal_settings, whole_strands

START = datetime(2026, 10, 5, 3, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("account_fp", pa.int64()),
        ("ts", pa.timestamp("us", tz="UTC")),
        ("slice", pa.int8()),
        ("sampling_fp", pa.int64()),
        ("client_fp", pa.int64()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
    ]
)
ROWS = [
    (0, 0.5, 0, 5, 8, 1, 10),
    (0, 30.0, 1, 5, None, 1, 10),
    (0, 31.0, 2, 6, None, None, 10),
    (2, 0.1, 0, None, 9, 2, 20),
    (2, 47.9, 2, None, 9, 2, 20),
    (3, 5.0, 0, 7, 9, 3, 30),
]


@pytest.fixture
def scene(made):
    book = made.book([[4, 0, 0]] * 4)
    columns = [list(column) for column in zip(*ROWS, strict=True)]
    columns[0] = book.fingerprint[columns[0]]
    columns[1] = [START + timedelta(hours=hour) for hour in columns[1]]
    return book, ibis.memtable(pa.table(columns, schema=SCHEMA))


def test_hours_of_whole_days_are_counted(scene):
    book, exchanges = scene
    span = SimpleNamespace(first=START, last=START + timedelta(hours=49))
    table = hourly_counts(exchanges, np.array([0, 2]), book, span)
    assert table.shape == (2, 48)
    assert np.argwhere(table > 0).tolist() == [[0, 0], [0, 30], [0, 31], [1, 0], [1, 47]]
    short = SimpleNamespace(first=START, last=START + timedelta(hours=30))
    assert hourly_counts(exchanges, np.array([0, 2]), book, short).shape == (2, 24)


def test_the_most_frequent_address_is_taken_and_nobody_without_one_shares_it(scene):
    book, exchanges = scene
    assert modal_addresses(exchanges.mutate(ip=ibis.null("string")), book).tolist() == [-1] * 4
    home = ibis.cases((exchanges.input_tokens == 1, "10.0.0.9"), (exchanges.input_tokens == 2, "10.0.0.7"))
    address = modal_addresses(exchanges.mutate(ip=home), book)
    assert address[1] == address[3] == -1
    assert len({*address.tolist()}) == 3
    both = modal_addresses(exchanges.mutate(ip=ibis.literal("10.0.0.9")), book)
    assert both[0] == both[2] == both[3] >= 0


def test_the_most_frequent_settings_are_taken_and_missing_ones_are_a_value(scene):
    book, exchanges = scene
    sampling, client = modal_settings(exchanges, np.array([0, 2, 3]), book)
    assert len(set(sampling.tolist())) == 3
    assert client[1] == client[2] != client[0]


def test_strands_are_all_that_the_members_sent(scene):
    book, exchanges = scene
    one, both = whole_strands(exchanges, [np.array([0]), np.array([0, 2])], book)
    assert one.account.tolist() == [0]
    assert one.hits.tolist() == [[1, 1, 1]]
    assert one.tokens.tolist() == [[2, 30]]
    assert both.hits.tolist() == [[1, 1, 1], [1, 0, 1]]
    assert both.days[:, [0, 2]].tolist() == [[0, 1], [0, 2], [2, 1], [2, 1]]
    assert both.first[1] == int((START + timedelta(hours=0.1)).timestamp() * 1e6)
    assert (both.last > both.first).all()
    assert whole_strands(exchanges, [], book) == []
