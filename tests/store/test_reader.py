import os
import sys

import pyarrow as pa
import pytest

from stillwatch.model.errors import MissingExtra, StoreError
from stillwatch.store import StoreWriter, open_store
from stillwatch.store.reader import default_memory_limit


def test_a_reader_sees_what_was_committed_when_it_opened(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "a", tools.batch(["1"]))
        with open_store(tmp_path) as store:
            tools.ingest(writer, "b", tools.batch(["2"]))
            assert store.exchanges().exchange_id.to_pyarrow().to_pylist() == ["1"]
            assert [card.source for card in store.coverage()] == ["a.jsonl"]
    assert tools.ids(tmp_path) == ["1", "2"]


def test_tables_are_the_same_object_each_time(tmp_path):
    StoreWriter(tmp_path).close()
    with open_store(tmp_path) as store:
        assert store.exchanges() is store.exchanges()


def test_coverage_is_the_share_of_filled_values(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(
            writer, "a", tools.batch(["1", "2"], keys=[[1], None]), tools.batch(["3", "4"], keys=[[], [2]])
        )
    with open_store(tmp_path) as store:
        [card] = store.coverage()
    assert (card.source, card.format, card.rows, card.rejected) == ("a.jsonl", "ndjson", 4, 0)
    assert card.filled["keys"] == 0.75
    assert card.filled["exchange_id"] == 1.0
    assert card.filled["model"] == 0.0


def test_settings_reach_the_database(tmp_path):
    StoreWriter(tmp_path).close()
    with open_store(tmp_path, memory_limit=512 << 20, threads=1) as store:

        def setting(name):
            return store.backend.con.sql(f"SELECT current_setting('{name}')").fetchall()[0][0]

        assert setting("memory_limit") == "512.0 MiB"
        assert setting("threads") == 1
        assert setting("preserve_insertion_order") is False
        assert setting("temp_directory").startswith(str(tmp_path / "tmp"))
        assert setting("TimeZone") == "UTC"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_default_memory_is_bounded():
    assert 0 < default_memory_limit() <= 6_000_000_000


def test_an_unknown_engine_is_refused_and_leaves_nothing(tmp_path):
    StoreWriter(tmp_path).close()
    with pytest.raises(StoreError, match="use duckdb or spark"):
        open_store(tmp_path, "sqlite")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_spark_that_is_not_installed_is_a_clear_sentence(tmp_path, monkeypatch):
    StoreWriter(tmp_path).close()
    monkeypatch.delitem(sys.modules, "stillwatch.store.spark", raising=False)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stillwatch\[spark\]'"):
        open_store(tmp_path, "spark")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_store_is_read(tmp_path, tools):
    root = tmp_path / "store"
    with StoreWriter(root) as writer:
        tools.ingest(writer, "a", tools.batch(["1"]))
    root.chmod(0o555)
    try:
        assert tools.ids(root) == ["1"]
    finally:
        root.chmod(0o755)


def test_a_place_that_cannot_be_made_inside_is_made_elsewhere(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "a", tools.batch(["1"]))
    (tmp_path / "tmp").write_bytes(b"in the way")
    assert tools.ids(tmp_path) == ["1"]


def test_a_cached_table_may_outlive_its_reader(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "a", tools.batch(["1"]))
    with open_store(tmp_path) as store:
        cached = store.exchanges().select("exchange_id").cache()
        assert cached.to_pyarrow() == pa.table({"exchange_id": ["1"]})
    del cached  # its finaliser must not complain
