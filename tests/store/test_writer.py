import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.model.errors import Rejected, StoreError
from stillwatch.store import Shape, StoreWriter, Writer, open_store
from stillwatch.store.disk import Disk
from stillwatch.store.ports import SourceSink, View


def test_a_writer_is_no_view_and_a_reader_no_writer(tmp_path):
    with (
        StoreWriter(tmp_path) as writer,
        open_store(tmp_path) as reader,
        writer.source("d", "d", "x") as source,
    ):
        assert isinstance(writer, Writer)
        assert not isinstance(writer, View)
        assert isinstance(reader, View)
        assert not isinstance(reader, Writer)
        assert isinstance(source, SourceSink)


def test_nothing_is_visible_before_commit(tmp_path, tools):
    with StoreWriter(tmp_path, shape=Shape(group_rows=1, part_rows=1)) as writer:
        with writer.source("d", "d.jsonl", "ndjson") as source:
            source.write(tools.batch(["1", "2"]))
            assert tools.ids(tmp_path) == []
            assert not writer.has_source("d")
            source.commit()
            assert tools.ids(tmp_path) == ["1", "2"]
        assert writer.has_source("d")


def test_leaving_without_commit_discards(tmp_path, tools):
    with StoreWriter(tmp_path, shape=Shape(group_rows=1)) as writer:
        with writer.source("d", "d.jsonl", "ndjson") as source:
            source.write(tools.batch(["1"]))
            source.reject(Rejected("d.jsonl", 2, "bad"))
        assert list((tmp_path / "staging").iterdir()) == []
        assert tools.ids(tmp_path) == []
        assert tools.ingest(writer, "d", tools.batch(["1"])).rows == 1


def test_an_error_inside_discards(tmp_path, tools):
    def fail(writer):
        with writer.source("d", "d.jsonl", "ndjson") as source:
            source.write(tools.batch(["1"]))
            raise KeyError

    with StoreWriter(tmp_path) as writer:
        with pytest.raises(KeyError):
            fail(writer)
        assert not writer.has_source("d")
    assert list((tmp_path / "staging").iterdir()) == []


def test_the_same_source_twice_is_refused(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        with writer.source("d", "d.jsonl", "ndjson") as source:
            with pytest.raises(StoreError, match="already"):
                writer.source("d", "copy.jsonl", "ndjson")
            source.commit()
        with pytest.raises(StoreError, match="already"):
            writer.source("d", "copy.jsonl", "ndjson")
    with StoreWriter(tmp_path) as writer:
        assert writer.has_source("d")


def test_a_finished_source_takes_nothing_more(tmp_path, tools):
    with StoreWriter(tmp_path) as writer, writer.source("d", "d", "ndjson") as source:
        source.commit()
        for use in (
            lambda: source.write(tools.batch(["1"])),
            lambda: source.reject(Rejected("d", 1, "bad")),
            source.commit,
        ):
            with pytest.raises(ValueError, match="begin a new one"):
                use()


def test_a_closed_writer_writes_nothing(tmp_path, tools):
    writer = StoreWriter(tmp_path)
    with writer.source("d", "d", "ndjson") as source:
        source.write(tools.batch(["1"]))
        writer.close()
        for use in (
            source.commit,
            lambda: writer.source("e", "e", "ndjson"),
            lambda: writer.put_accounts(pa.table({"account_id": ["a"], "account_fp": [1]})),
        ):
            with pytest.raises(ValueError, match="closed"):
                use()
    assert tools.ids(tmp_path) == []


def test_an_empty_source_is_remembered(tmp_path, tools):
    with StoreWriter(tmp_path) as writer, writer.source("d", "d", "ndjson") as source:
        source.reject(Rejected("d", 1, "not JSON", "check the export"))
        summary = source.commit()
    assert (summary.rows, summary.rejected, summary.span) == (0, 1, None)
    with StoreWriter(tmp_path) as writer:
        assert writer.has_source("d")
    with open_store(tmp_path) as store:
        [card] = store.coverage()
        assert set(card.filled.values()) == {0.0}
        assert list(store.rejected()) == [Rejected("d", 1, "not JSON", "check the export")]


def test_a_second_writer_is_refused(tmp_path):
    with StoreWriter(tmp_path):
        with pytest.raises(StoreError, match="in use by another writer"):
            StoreWriter(tmp_path)
        code = "import sys; from stillwatch.store import StoreWriter; StoreWriter(sys.argv[1])"
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "StoreError" in other.stderr
        assert "in use by another writer" in other.stderr
    StoreWriter(tmp_path).close()


def test_a_refused_writer_leaves_the_staging_of_the_first(tmp_path, tools):
    with StoreWriter(tmp_path) as writer, writer.source("d", "d", "ndjson") as source:
        source.write(tools.batch(["1"]))
        with pytest.raises(StoreError):
            StoreWriter(tmp_path)
        assert source.commit().rows == 1


def test_two_sources_at_once(tmp_path, tools):
    with (
        StoreWriter(tmp_path) as writer,
        writer.source("a", "a", "ndjson") as one,
        writer.source("b", "b", "ndjson") as two,
    ):
        one.write(tools.batch(["1", "2"]))
        two.write(tools.batch(["2", "3"]))
        assert two.commit().rows == 2
        assert one.commit().duplicates == 1
    assert tools.ids(tmp_path) == ["1", "2", "3"]


class RecordingDisk(Disk):
    """Notes for each rename what was on the medium by then."""

    def __init__(self):
        self.synced = set()
        self.renamed = []

    def sync(self, path):
        super().sync(path)
        self.synced.add(path)

    def move(self, source, target):
        inside = [source, *source.rglob("*")] if source.is_dir() else [source]
        self.renamed.append((target, {path for path in inside if path not in self.synced}))
        self.synced.discard(target.parent)
        super().move(source, target)
        assert target.parent in self.synced


def test_everything_is_on_the_medium_before_it_becomes_visible(tmp_path, tools):
    disk = RecordingDisk()
    with StoreWriter(tmp_path, disk=disk, shape=Shape(group_rows=2, part_rows=2)) as writer:
        tools.ingest(writer, "a", tools.batch(["1", "2"]), tools.batch(["1", "3"]), tools.batch(["4"]))
        writer.put_accounts(pa.table({"account_id": ["a"], "account_fp": [1]}))
    names = [target.name for target, _ in disk.renamed]
    assert names == ["format.json", "a", "accounts.parquet"]
    assert [unsynced for _, unsynced in disk.renamed] == [set(), set(), set()]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(8))
def test_a_full_disk_is_a_clear_sentence_and_can_be_mended(tmp_path, tools, at, after):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "old", tools.batch(["0"]))
    disk = tools.FailingDisk(at, after=after, error=OSError(28, "No space left on device"), dead=False)
    with StoreWriter(tmp_path, disk=disk) as writer:
        try:
            tools.ingest(writer, "d", tools.batch(["0", "1"]))
        except StoreError as error:
            assert "No space left on device" in str(error)  # noqa: PT017 - the last operations may not fail
        if not writer.has_source("d"):
            tools.ingest(writer, "d", tools.batch(["0", "1"]))
    assert tools.ids(tmp_path) == ["0", "1"]
    assert list((tmp_path / "staging").iterdir()) == []


def test_damage_is_a_clear_sentence(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "d", tools.batch(["1"]))
    source = tmp_path / "exchanges" / "d"
    part = source / "part-000000.parquet"
    whole = part.read_bytes()
    for harm in (lambda: part.write_bytes(whole[:-1]), part.unlink, (source / "source.json").unlink):
        harm()
        for opening in (StoreWriter, open_store):
            with pytest.raises(StoreError, match=r"exchanges/d: damaged; remove this directory"):
                opening(tmp_path)
    with pytest.raises(StoreError):
        StoreWriter(tmp_path)


def test_what_a_query_left_behind_is_removed_unless_it_runs(tmp_path):
    StoreWriter(tmp_path).close()
    dead = tmp_path / "tmp" / "dead"
    dead.mkdir(parents=True)
    (dead / "spill.block").write_bytes(b"x")
    with open_store(tmp_path) as store:
        StoreWriter(tmp_path).close()
        assert not dead.exists()
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        assert store.exchanges().count().to_pyarrow().as_py() == 0
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_record_of_a_source(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "d", tools.batch(["1", "2"], keys=[[1], None]))
    record = json.loads((tmp_path / "exchanges" / "d" / "source.json").read_text())
    assert (record["name"], record["rows"], record["rejected"], record["duplicates"]) == ("d.jsonl", 2, 0, 0)
    assert record["parts"][0]["filled"]["keys"] == 1
    assert record["parts"][0]["first_us"] == int(tools.start.timestamp()) * 1_000_000
    assert Path(tmp_path / "exchanges" / "d" / "rejected.jsonl").read_bytes() == b""


def test_times_range_over_all_parts(tmp_path, tools):
    with StoreWriter(tmp_path, shape=Shape(group_rows=1, part_rows=1)) as writer:
        summary = tools.ingest(
            writer, "d", tools.batch(["1"], [3]), tools.batch(["2"], [1]), tools.batch(["3"], [2])
        )
    first, last = (int((tools.start + timedelta(days=day)).timestamp() * 1_000_000) for day in (1, 3))
    assert summary.span == (first, last)
