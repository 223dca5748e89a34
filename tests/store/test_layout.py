import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillwatch.model.errors import Rejected, StoreError
from stillwatch.store import StoreWriter, layout, open_store

GOLDEN = Path(__file__).parent / "golden"


def test_a_new_store_names_its_version(tmp_path):
    StoreWriter(tmp_path / "store").close()
    content = json.loads((tmp_path / "store" / "format.json").read_text())
    assert content == {"format": "stillwatch-store", "version": layout.FORMAT_VERSION}


def test_the_key_may_be_there_first(tmp_path):
    (tmp_path / "fingerprint.key").write_bytes(bytes(32))
    StoreWriter(tmp_path).close()
    assert (tmp_path / "fingerprint.key").read_bytes() == bytes(32)


def test_a_foreign_directory_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(StoreError, match="not empty and not a stillwatch store"):
        StoreWriter(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "x"
    assert not (tmp_path / "format.json").exists()


def test_a_file_in_the_place_of_a_store_is_refused(tmp_path):
    (tmp_path / "store").write_text("x")
    with pytest.raises(StoreError, match="store"):
        StoreWriter(tmp_path / "store")
    with pytest.raises(StoreError, match="store"):
        open_store(tmp_path / "store")


def test_wildcards_in_the_path_are_refused(tmp_path):
    with pytest.raises(StoreError, match="cannot hold any of"):
        StoreWriter(tmp_path / "a[b]")
    with pytest.raises(StoreError, match="cannot hold any of"):
        open_store(tmp_path / "*")


def test_no_store_is_a_clear_sentence(tmp_path):
    with pytest.raises(StoreError, match="no store here"):
        open_store(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":"stillwatch-store"}', b"\xff\xfe"])
def test_a_damaged_format_file_is_refused(tmp_path, content):
    StoreWriter(tmp_path).close()
    (tmp_path / "format.json").write_bytes(content)
    for opening in (StoreWriter, open_store):
        with pytest.raises(StoreError, match="damaged"):
            opening(tmp_path)


@pytest.mark.parametrize(
    "content", [{"format": "other", "version": 1}, {"format": "stillwatch-store", "version": 0}]
)
def test_another_format_is_refused(tmp_path, content):
    StoreWriter(tmp_path).close()
    (tmp_path / "format.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="not the format file of a stillwatch store"):
        open_store(tmp_path)


def test_a_newer_version_is_refused(tmp_path):
    StoreWriter(tmp_path).close()
    newer = {"format": "stillwatch-store", "version": layout.FORMAT_VERSION + 1}
    (tmp_path / "format.json").write_text(json.dumps(newer))
    for opening in (StoreWriter, open_store):
        with pytest.raises(StoreError, match="newer stillwatch"):
            opening(tmp_path)


def test_sources_without_a_format_file_are_refused(tmp_path, tools):
    with StoreWriter(tmp_path) as writer:
        tools.ingest(writer, "d", tools.batch(["1"]))
    (tmp_path / "format.json").unlink()
    with pytest.raises(StoreError, match="missing"):
        StoreWriter(tmp_path)


def test_every_old_version_has_a_step():
    assert set(layout.UPGRADES) == set(range(1, layout.FORMAT_VERSION))


def test_steps_run_in_order_and_go_on_after_a_crash(tmp_path, monkeypatch, tools):
    StoreWriter(tmp_path).close()
    monkeypatch.setattr(layout, "FORMAT_VERSION", 3)
    ran = []

    def second(root):
        ran.append(2)
        if ran.count(2) == 1:
            raise tools.Crash

    steps = {1: lambda _: ran.append(1), 2: second}
    with pytest.raises(StoreError, match="older layout"):
        open_store(tmp_path)
    with pytest.raises(tools.Crash):
        StoreWriter(tmp_path, upgrades=steps)
    StoreWriter(tmp_path, upgrades=steps).close()
    assert ran == [1, 2, 2]
    open_store(tmp_path).close()


@pytest.mark.parametrize("digest", ["", ".", "..", "a/b", "-x", "x" * 129, "sha256:1", "a\n"])
def test_a_digest_must_be_a_name(tmp_path, digest):
    with StoreWriter(tmp_path) as writer, pytest.raises(ValueError, match="digest"):
        writer.has_source(digest)


def test_version_1_is_still_read(tmp_path, tools):
    root = tmp_path / "v1"
    shutil.copytree(GOLDEN / "v1", root)
    with StoreWriter(root) as writer:  # upgrades it, should there be a newer version
        assert writer.has_source("3f2a")
        again = tools.ingest(writer, "99", tools.batch(["e2", "new"], [0.5, 0.5]))
        assert (again.rows, again.duplicates) == (1, 1)
    with open_store(root) as store:
        rows = store.exchanges().order_by("exchange_id").to_pyarrow().to_pylist()
        accounts = store.accounts().to_pyarrow().to_pylist()
        actions = store.enforcement().to_pyarrow().to_pylist()
        rejected = list(store.rejected())
        cards = {card.source: card for card in store.coverage()}
    assert [row["exchange_id"] for row in rows] == ["e1", "e2", "new"]
    assert rows[0]["keys"] == [2**62 + 1, -3]
    assert rows[0]["ts"] == datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
    assert (rows[0]["model"], rows[0]["temperature"], rows[0]["tool_names"]) == ("m-1", 0.25, ["search"])
    assert rows[1]["keys"] is None
    assert [(row["account_id"], row["plan"]) for row in accounts] == [("a", "pro"), ("b", None)]
    assert [(row["kind"], row["ts"]) for row in actions] == [("ban", datetime(2026, 1, 2, tzinfo=UTC))]
    assert Rejected("old.jsonl", 3, "not JSON", "check the export") in rejected
    assert (cards["old.jsonl"].rows, cards["old.jsonl"].rejected, cards["old.jsonl"].filled["keys"]) == (
        2,
        1,
        0.5,
    )
