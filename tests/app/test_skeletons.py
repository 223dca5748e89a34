"""Words of prompts: none without the option, only shared ones with it."""

import json
from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.app import pipeline
from stillwatch.app.config import Settings
from stillwatch.app.skeletons import ASKED, with_words
from stillwatch.cases import render_report
from stillwatch.ingest import IngestOptions
from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint
from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.findings import Skeleton, Verdict
from stillwatch.model.progress import Silent
from stillwatch.store import open_store

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OPTIONS = IngestOptions(now=NOW)
TEMPLATE = "Grade the following candidate answer on a scale and justify every deduction in detail please"
SLOTS = ["aardvark", "bassoon", "cinnamon", "dandelion", "eiderdown", "flamingo"]


@pytest.fixture
def key():
    return FingerprintKey.from_bytes(bytes(range(32)))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    write(path, TEMPLATE)
    return path


def write(path, template):
    lines = [
        {
            "exchange_id": f"e{n}",
            "ts": 1767225600 + n,
            "account_id": f"acct{n}",
            "prompt": f"{template}: {slot}",
        }
        for n, slot in enumerate(SLOTS)
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")


@pytest.fixture
def found(log, key, make_group, make_detection):
    text = {"system": None, "history": None, "prompt": f"{TEMPLATE}: {SLOTS[0]}", "tools": None}
    keys = fingerprint(pa_batch([text]), key)["keys"][0].as_py()
    names = tuple(f"{value & (2**64 - 1):016x}" for value in keys)
    refs = tuple(f"{log}:{n}" for n in range(1, len(SLOTS) + 1))
    skeleton = Skeleton(names, ("prefix_long",), 6, 6, 6, (), refs)
    accused = msgspec.structs.replace(make_group("g-1", ["acct0"]), skeletons=(skeleton,))
    honest = msgspec.structs.replace(make_group("g-2", ["acct1"], Verdict.APPLICATION), skeletons=(skeleton,))
    return make_detection(accused, honest)


def pa_batch(rows):
    return pa.RecordBatch.from_pylist(rows, schema=TEXT_SCHEMA)


def test_campaigns_get_the_shared_words_and_honest_groups_none(found, key):
    worded = with_words(found, {}, key, OPTIONS)
    (skeleton,) = worded.campaigns[0].skeletons
    assert skeleton.text == f"{TEMPLATE.lower()}: ⟨…⟩"
    assert all(each.text is None for group in worded.groups[1:] for each in group.skeletons)
    assert worded.notes == (ASKED,)
    page = render_report(worded, [], NOW, "0")
    assert "justify every deduction in detail" in page
    assert "The operator asked for their words" in page
    assert "without their words" in render_report(found, [], NOW, "0")
    assert not any(slot in page for slot in SLOTS)


def test_a_log_that_is_gone_or_another_one_gives_no_words(found, key, log):
    write(log, "Bake a cake for the birthday of an old friend with cream and cherries and candles")
    replaced = with_words(found, {}, key, OPTIONS)
    assert replaced.campaigns[0].skeletons[0].text is None
    log.unlink()
    gone = with_words(found, {}, key, OPTIONS)
    assert gone.campaigns[0].skeletons[0].text is None
    assert str(log) in gone.notes[-1]


def everything(root) -> str:
    parts = [path.read_bytes().decode(errors="replace") for path in root.rglob("*") if path.is_file()]
    tables = [str(pq.read_table(path).to_pylist()) for path in root.rglob("*.parquet")]
    return "\n".join([*parts, *tables])


@pytest.mark.parametrize("asked", [False, True])
def test_no_planted_word_is_in_anything_that_a_scan_writes(tmp_path, found, log, monkeypatch, asked):
    """Without the option nothing of the prompts; with it only what all share, and only of campaigns."""
    monkeypatch.setattr(pipeline, "find_groups", lambda *_: found)
    out = tmp_path / "out"
    key_file = tmp_path / "key"
    FingerprintKey.from_bytes(bytes(range(32))).save(key_file)
    settings = Settings(threads=1, format="ndjson", skeletons=asked, key_file=key_file)
    pipeline.scan([log], out, settings, NOW, Silent())
    with open_store(out / "store") as store:
        written = everything(out) + str(store.exchanges().to_pyarrow().to_pylist())
    assert ("justify every deduction" in written) is asked
    assert "Grade the following" not in written
    assert not any(slot in written for slot in SLOTS)
