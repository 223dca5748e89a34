import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.model.errors import Rejected
from stillwatch.store import Shape, StoreWriter, open_store


def test_the_first_in_the_source_stays(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        summary = tools.ingest(
            writer, "d", tools.batch(["1", "2", "1"], [5, 1, 0], output_tokens=[10, 20, 30])
        )
    assert (summary.rows, summary.rejected, summary.duplicates) == (2, 1, 1)
    with open_store(tmp_path) as store:
        rows = store.exchanges().select("exchange_id", "output_tokens").to_pyarrow().to_pylist()
        assert sorted(row["output_tokens"] for row in rows) == [10, 20]
        assert list(store.rejected()) == [
            Rejected("d.jsonl", 3, "duplicate exchange_id; first seen in d.jsonl")
        ]


def test_the_older_source_stays_and_is_named(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "z", tools.batch(["1"], output_tokens=[10]))
        tools.ingest(writer, "a", tools.batch(["2", "1"], [0, 0], output_tokens=[20, 30]))
    with open_store(tmp_path) as store:
        assert sorted(store.exchanges().output_tokens.to_pyarrow().to_pylist()) == [10, 20]
        assert list(store.rejected()) == [
            Rejected("a.jsonl", 2, "duplicate exchange_id; first seen in z.jsonl")
        ]


@pytest.mark.parametrize(
    ("reference", "line"), [("log.jsonl:17", 17), ("log.jsonl", 0), ("x" * 3 + "9" * 30, 10**15 - 1)]
)
def test_the_line_is_read_from_the_reference(tmp_path, tools, reference, line):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "d", tools.batch(["1", "1"], source_ref=["a:1", reference]))
    with open_store(tmp_path) as store:
        assert [rejected.line for rejected in store.rejected()] == [line]


def test_names_with_quotes(tmp_path, tools):
    root = tmp_path / 'it\'s "here"'
    with StoreWriter(root) as writer, writer.source("d", "o'no\"\n.jsonl", "ndjson") as source:
        source.write(tools.batch(["1", "1"]))
        source.commit()
    with open_store(root) as store:
        [rejected] = store.rejected()
    assert rejected == Rejected("o'no\"\n.jsonl", 2, "duplicate exchange_id; first seen in o'no\"\n.jsonl")


def test_a_file_that_grew(tmp_path, tools):
    lines = [str(line) for line in range(100)]
    with StoreWriter(tmp_path, shape=Shape(group_rows=16, part_rows=32)) as writer:
        tools.ingest(writer, "monday", tools.batch(lines[:60]))
        summary = tools.ingest(writer, "tuesday", tools.batch(lines))
        assert (summary.rows, summary.duplicates) == (40, 60)
        assert tools.ingest(writer, "copy", tools.batch(lines)).rows == 0
    assert tools.ids(tmp_path) == sorted(lines)


def test_coverage_counts_what_is_kept(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "a", tools.batch(["1"]))
        tools.ingest(writer, "b", tools.batch(["1", "2"], keys=[[1], None]))
    with open_store(tmp_path) as store:
        filled = {card.source: card.filled["keys"] for card in store.coverage()}
    assert filled == {"a.jsonl": 0.0, "b.jsonl": 0.0}


def test_little_memory_is_enough(tmp_path, tools):
    rows = 100_000
    ids = [f"request-{row:032d}" for row in range(rows)]
    with StoreWriter(tmp_path, memory_limit=60_000_000) as writer:
        tools.ingest(writer, "a", tools.batch(ids))
        shifted = [f"request-{row + rows // 2:032d}" for row in range(rows)]
        summary = tools.ingest(writer, "b", tools.batch(shifted))
    assert (summary.rows, summary.duplicates) == (rows // 2, rows // 2)
    with open_store(tmp_path) as store:
        table = store.exchanges()
        assert (
            table.exchange_id.nunique().to_pyarrow().as_py()
            == table.count().to_pyarrow().as_py()
            == rows * 3 // 2
        )


rows = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 4)), max_size=6)


@settings(max_examples=10, deadline=None)
@given(sources=st.lists(rows, min_size=1, max_size=4))
def test_only_sources_of_the_same_time_are_compared(tmp_path_factory, tools, sources):
    root = tmp_path_factory.mktemp("store")
    kept = []
    with StoreWriter(root, shape=Shape(group_rows=2, part_rows=3)) as writer:
        for number, source in enumerate(sources):
            ids, days = ([row[column] for row in source] for column in (0, 1))
            batches = [tools.batch(ids, days)] if source else []
            summary = tools.ingest(writer, f"d{number}", *batches)
            fresh = {}
            for exchange_id, day in source:
                fresh.setdefault(exchange_id, day)
            for older in kept:
                if older and source and min(older.values()) <= max(days) and min(days) <= max(older.values()):
                    fresh = {name: day for name, day in fresh.items() if name not in older}
            kept.append(fresh)
            assert (summary.rows, summary.duplicates) == (len(fresh), len(source) - len(fresh))
    with open_store(root) as store:
        table = store.exchanges().select("exchange_id", "ts").to_pyarrow()
    days = (table["ts"].cast(pa.int64()).to_numpy() - int(tools.start.timestamp() * 1e6)) // 86_400_000_000
    stored = sorted(zip(table["exchange_id"].to_pylist(), days.tolist(), strict=True))
    assert stored == sorted(item for fresh in kept for item in fresh.items())
