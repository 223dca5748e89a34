"""The whole path over files, with the real parts."""

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from stillwatch.app import pipeline
from stillwatch.app.config import Settings
from stillwatch.model.errors import InputError, StoreError
from stillwatch.model.findings import decode_group
from stillwatch.model.progress import Silent
from stillwatch.store import open_store
from stillwatch.worlds import TINY, build_world, write_world

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
RECIPE = "the recipe of the grandmother"
FILES = {
    "campaigns.jsonl",
    "groups.jsonl",
    "accounts.parquet",
    "coverage.json",
    "detection.json",
    "rejected.jsonl",
    "report.html",
    "store",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(build_world(TINY, seed=5, scale=0.4), tmp_path_factory.mktemp("world"), "ndjson")


@pytest.fixture(scope="module")
def scanned(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("scan") / "out"
    settings = Settings(accounts=world.accounts, enforcement=world.enforcement, threads=1)
    outcome = pipeline.scan(world.logs[:-1], out, settings, NOW, Silent())
    return out, settings, outcome


def test_scan_leaves_all_files_and_no_others(scanned):
    out, _, outcome = scanned
    assert {path.name for path in out.iterdir()} == FILES
    assert outcome.ingested.exchanges == outcome.detection.exchanges > 0
    lines = (out / "campaigns.jsonl").read_bytes().splitlines()
    assert [decode_group(line).id for line in lines] == [group.id for group in outcome.detection.campaigns]


def test_second_scan_reads_only_new_files_and_keeps_ids(scanned, world, tmp_path):
    before, settings, first = scanned
    out = shutil.copytree(before, tmp_path / "out")  # the first scan is other tests' as well
    again = pipeline.scan(world.logs, out, settings, datetime(2026, 11, 22, tzinfo=UTC), Silent())
    outcomes = [file.outcome for file in again.ingested.files]
    assert outcomes.count("known") == len(world.logs) - 1
    assert outcomes.count("read") == 1
    assert again.detection.exchanges == first.detection.exchanges + again.ingested.exchanges
    known = {group.id: group for group in first.detection.groups}
    kept = [group for group in again.detection.groups if group.id in known]
    assert all(group.detected_at == known[group.id].detected_at for group in kept)


def test_detect_alone_says_the_same_as_scan(scanned, tmp_path):
    out, settings, _ = scanned
    settings = msgspec.structs.replace(settings, store=out / "store")
    one = pipeline.detect(tmp_path / "one", settings, NOW, Silent())
    two = pipeline.detect(tmp_path / "two", settings, NOW, Silent())
    assert one == two
    assert (tmp_path / "one/report.html").read_bytes() == (tmp_path / "two/report.html").read_bytes()


def test_cards_come_from_the_store(scanned):
    out, _, _ = scanned
    cards = pipeline.store_cards(out / "store")
    assert cards
    assert all("shared_prompts" in card.supported and "births" in card.supported for card in cards)


def lines(count, text=RECIPE):
    start = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
    for index in range(count):
        yield json.dumps(
            {
                "exchange_id": f"e{index}",
                "ts": datetime.fromtimestamp(start + 60 * index, UTC).isoformat(),
                "account_id": f"a{index % 7}",
                "prompt": f"{text} {index}",
                "system": text,
            }
        )


def put(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_no_prompt_text_is_in_anything_that_is_written(tmp_path):
    log = put(tmp_path / "log.jsonl", "\n".join([*lines(300), '{"prompt": "' + RECIPE]) + "\n")
    out = tmp_path / "out"
    pipeline.scan([log], out, Settings(threads=1, format="ndjson"), NOW, Silent())
    for path in out.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert RECIPE.encode() not in content
            assert b"grandmother" not in content
    with open_store(out / "store") as store:
        rows = store.exchanges().to_pyarrow().to_pylist()
    assert len(rows) == 300
    assert "grandmother" not in json.dumps(rows, default=str)


@pytest.mark.parametrize(
    ("content", "skip", "said"),
    [
        ("", False, r"bad\.jsonl: it is empty"),
        ("{}\nnoise\n", False, r"bad\.jsonl: none of its 2 lines"),
        ("{}\nnoise\n", True, "no exchange that could be read"),
    ],
)
def test_nothing_readable_stops_the_run(tmp_path, content, skip, said):
    log = put(tmp_path / "bad.jsonl", content)
    settings = Settings(threads=1, format="ndjson", skip_bad_files=skip)
    with pytest.raises(InputError, match=said):
        pipeline.scan([log], tmp_path / "out", settings, NOW, Silent())
    assert not (tmp_path / "out/report.html").exists()


def test_out_and_store_may_lie_inside_the_logs(tmp_path):
    put(tmp_path / "log.jsonl", "\n".join(lines(20)))
    settings = Settings(threads=1, format="ndjson", store=tmp_path / "kept")
    for outcome in ("read", "known"):
        scanned = pipeline.scan([tmp_path], tmp_path / "findings", settings, NOW, Silent())
        assert [file.outcome for file in scanned.ingested.files] == [outcome]


@pytest.mark.parametrize(("out", "store", "option"), [(".", None, "--out"), ("out", ".", "--store")])
def test_nothing_is_written_among_the_logs(tmp_path, out, store, option):
    put(tmp_path / "log.jsonl", "\n".join(lines(20)))
    settings = Settings(threads=1, store=store and tmp_path / store)
    with pytest.raises(InputError, match=f"holds the logs; give {option} another"):
        pipeline.scan([tmp_path], tmp_path / out, settings, NOW, Silent())
    assert [each.name for each in tmp_path.iterdir()] == ["log.jsonl"]


def test_missing_logs_stop_the_run(tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl"):
        pipeline.scan([tmp_path / "none.jsonl"], tmp_path / "out", Settings(threads=1), NOW, Silent())


def test_truncated_gzip_is_told_and_nothing_of_it_is_stored(tmp_path):
    log = tmp_path / "log.jsonl.gz"
    log.write_bytes(gzip.compress("\n".join(lines(5_000)).encode())[:-2_000])
    settings = Settings(threads=1, format="ndjson", store=tmp_path / "store")
    with pytest.raises(InputError, match=r"log\.jsonl\.gz"):
        pipeline.ingest([log], settings, NOW, Silent())
    assert pipeline.store_cards(tmp_path / "store") == []


def test_a_store_keeps_to_its_key(tmp_path):
    log = put(tmp_path / "log.jsonl", "\n".join(lines(20)))
    settings = Settings(threads=1, format="ndjson", store=tmp_path / "store")
    pipeline.ingest([log], settings, NOW, Silent())
    assert (tmp_path / "store/fingerprint.key").stat().st_mode & 0o077 == 0
    (tmp_path / "other.key").write_bytes(bytes(range(32)))
    (tmp_path / "other.key").chmod(0o600)
    other = msgspec.structs.replace(settings, key_file=tmp_path / "other.key")
    with pytest.raises(InputError, match="not the key that this store was filled with"):
        pipeline.ingest([log], other, NOW, Silent())
    (tmp_path / "store/fingerprint.key").unlink()
    with pytest.raises(InputError, match="is missing"):
        pipeline.ingest([log], settings, NOW, Silent())


def test_bad_detector_setting_is_told_before_anything_is_read(tmp_path):
    log = put(tmp_path / "log.jsonl", "\n".join(lines(20)))
    settings = Settings(threads=1, detect={"least_acounts": 3})
    with pytest.raises(InputError, match="least_acounts"):
        pipeline.scan([log], tmp_path / "out", settings, NOW, Silent())
    assert not (tmp_path / "out").exists()


def test_detect_needs_a_store(tmp_path):
    with pytest.raises(InputError, match="--store"):
        pipeline.detect(tmp_path / "out", Settings(), NOW, Silent())
    with pytest.raises(StoreError, match="no store here"):
        pipeline.detect(tmp_path / "out", Settings(store=tmp_path / "none"), NOW, Silent())
