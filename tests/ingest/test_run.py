import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from stillwatch.ingest import run
from stillwatch.model.errors import InputError
from stillwatch.store import SourceWriter, StoreWriter

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def line(number: int, **more) -> bytes:
    record = {
        "exchange_id": f"e{number}",
        "ts": 1767225600 + number,
        "account_id": f"a{number % 3}",
        "prompt": f"Q{number}",
    }
    return json.dumps(record | more).encode()


def lines(count: int, start: int = 0) -> bytes:
    return b"".join(line(number) + b"\n" for number in range(start, start + count))


def ids(ingested) -> list[str]:
    return sorted(row["exchange_id"] for row in ingested.rows())


PACKED = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd of two frames": lambda data: zstandard.compress(data[:100]) + zstandard.compress(data[100:]),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "no final newline": lambda data: data.removesuffix(b"\n"),
    "blank lines": lambda data: b"\n" + data.replace(b"\n", b"\n\n \n"),
    "array": lambda data: json.dumps([json.loads(each) for each in data.splitlines()]).encode(),
    "indented array": lambda data: json.dumps(
        [json.loads(each) for each in data.splitlines()], indent=1
    ).encode(),
    "lines of arrays": lambda data: b"".join(
        b"[" + each + b"," + other + b"]\n"
        for each, other in zip(*[iter(data.splitlines())] * 2, strict=True)
    ),
    "indented objects": lambda data: b"\n".join(
        json.dumps(json.loads(each), indent=2).encode() for each in data.splitlines()
    ),
}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("block_bytes", [64, 8 << 20])
def test_every_layout_gives_the_same_exchanges(ingest, packing, block_bytes):
    ingested = ingest(PACKED[packing](lines(20)), block_bytes=block_bytes, block_rows=7)
    assert ids(ingested) == sorted(f"e{number}" for number in range(20))
    assert ingested.report.rejected == 0


@pytest.mark.parametrize("packing", PACKED)
def test_a_first_record_of_any_length_tells_the_format(ingest, packing):
    data = PACKED[packing](line(0, prompt="long " * 40_000) + b"\n" + lines(19, 1))
    assert len(ids(ingest(data))) == 20


@pytest.mark.parametrize("before", [b"\n" * 70_000, line(0, prompt="long " * 40_000) + b"\n"])
def test_what_is_before_the_first_record_hides_no_other(ingest, before):
    ingested = ingest(before + lines(20, 1), max_line_bytes=100_000)
    assert len(ids(ingested)) == 20
    assert len(ingested.rejected()) == before.startswith(b"{")


def test_packed_parquet_is_named(ingest):
    with pytest.raises(InputError, match="Parquet packed with gzip; unpack it"):
        ingest(gzip.compress(b"PAR1 and more"))


def test_the_text_of_each_exchange_reaches_the_kernel_with_it(ingest, texts):
    ingested = ingest(lines(50), block_rows=8)
    prompts = [prompt for batch in texts for prompt in batch["prompt"].to_pylist()]
    assert prompts == [f"Q{number}" for number in range(50)]
    assert ingested.report.exchanges == 50


def test_references_name_file_and_line(ingest, tmp_path):
    by_id = {row["exchange_id"]: row["source_ref"] for row in ingest(b"\n" + lines(2)).rows()}
    assert by_id == {"e0": f"{tmp_path / 'log'}:2", "e1": f"{tmp_path / 'log'}:3"}
    by_id = {
        row["exchange_id"]: row["source_ref"]
        for row in ingest(PACKED["lines of arrays"](lines(4, 2)), "b").rows()
    }
    assert by_id["e5"] == f"{tmp_path / 'b'}#2:2"


def test_the_same_file_twice_changes_nothing(ingest, tmp_path):
    ingest(lines(5), "one")
    before = {
        path: path.read_bytes() for path in (tmp_path / "store" / "exchanges").rglob("*") if path.is_file()
    }
    again = ingest(lines(5), "copy")
    after = {
        path: path.read_bytes() for path in (tmp_path / "store" / "exchanges").rglob("*") if path.is_file()
    }
    assert after == before
    assert [file.outcome for file in again.report.files] == ["known"]
    assert "ingested before" in again.report.notes[0]


def test_directories_are_searched_and_hidden_files_left_out(ingest, tmp_path):
    inside = tmp_path / "logs" / "day"
    inside.mkdir(parents=True)
    (inside / "a.ndjson").write_bytes(lines(2))
    (inside / "b.ndjson.gz").write_bytes(gzip.compress(lines(2, 2)))
    (inside / ".part").write_bytes(b"not JSON")
    (inside / "empty").write_bytes(b"")
    ingested = ingest([tmp_path / "logs"])
    assert ids(ingested) == ["e0", "e1", "e2", "e3"]
    assert [file.outcome for file in ingested.report.files] == ["read", "read", "empty"]


def test_duplicate_ids_are_rejected_lines(ingest):
    ingested = ingest(lines(3) + line(1) + b"\n")
    assert ids(ingested) == ["e0", "e1", "e2"]
    assert [(each.line, "duplicate" in each.reason) for each in ingested.rejected()] == [(4, True)]


BAD = {
    "malformed": (b'{"exchange_id": "x", "ts":', "malformed|truncated"),
    "NUL": (b"\0\0\0\0", "NUL"),
    "not UTF-8": (line(999).replace(b"Q999", b"Q\xff\xfe"), "UTF-8"),
    "nested": (
        b'{"exchange_id":"x","ts":1767225600,"account_id":"a","y":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "nested",
    ),
    "a number": (b"42", "Expected"),
    "no account": (b'{"exchange_id": "x", "ts": 1767225600}', "account"),
    "empty account": (line(999, account_id=""), "account"),
    "no id": (line(999, exchange_id=None), "exchange_id"),
    "no time": (line(999, ts=None), "ts"),
    "time before 2015": (line(999, ts="1999-01-01T00:00:00Z"), "2015"),
    "time far ahead": (line(999, ts="2031-01-01T00:00:00Z"), "2015"),
    "time is prose": (line(999, ts="yesterday"), "2015"),
    "negative count": (line(999, input_tokens=-1), "input_tokens"),
    "huge count": (line(999, output_tokens=10**30), "output_tokens"),
    "prose for a count": (line(999, output_tokens="many"), "output_tokens"),
    "prose for an id": (line(999, account_id="x" * 600), "512"),
    "another format": (b'{"resourceSpans": []}', "OTLP"),
    "NaN for a setting": (line(999, temperature="nan"), "temperature"),
    "infinity for a setting": (line(999, top_p="-inf"), "top_p"),
    "NaN for a duration": (line(999, latency_ms="nan"), "latency_ms"),
    "list for text": (line(999, prompt=["a"]), "prompt"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_line_is_noted_and_stops_nothing(ingest, fault):
    bad, reason = BAD[fault]
    ingested = ingest(lines(2) + bad + b"\n" + lines(2, 2))
    assert ids(ingested) == ["e0", "e1", "e2", "e3"]
    (rejected,) = ingested.rejected()
    assert rejected.line == 3
    assert any(word in rejected.reason for word in reason.split("|")), rejected.reason
    assert ingested.report.files[0].rejected == 1
    assert "1 of 5 lines" in ingested.report.notes[0]


def test_a_time_within_a_day_ahead_is_kept(ingest):
    ahead = (NOW + timedelta(hours=23)).isoformat()
    assert ids(ingest(line(1, ts=ahead))) == ["e1"]


def test_a_line_beyond_the_limit_is_noted(ingest):
    ingested = ingest(lines(2) + line(2, prompt="x" * 5000) + b"\n" + lines(2, 3), max_line_bytes=1000)
    assert ids(ingested) == ["e0", "e1", "e3", "e4"]
    assert [(each.line, each.reason) for each in ingested.rejected()] == [
        (3, "the line is longer than 1000 bytes")
    ]


def test_good_items_of_an_array_survive_a_bad_one(ingest):
    ingested = ingest(lines(3) + b"[" + line(3) + b', 7, {"exchange_id": 1},' + line(4) + b"]\n")
    assert ids(ingested) == ["e0", "e1", "e2", "e3", "e4"]
    assert [each.line for each in ingested.rejected()] == [4, 4]


def test_rejected_lines_and_errors_quote_nothing(ingest, tmp_path):
    secret = b"canary-7f3a"
    bad = [entry[0].replace(b"999", secret).replace(b"many", secret) for entry in BAD.values()]
    ingested = ingest(lines(200) + b"\n".join(bad))
    text = "".join(each.reason + each.remedy for each in ingested.rejected())
    assert secret.decode() not in text
    with pytest.raises(InputError) as error:
        ingest(b"\n".join(bad * 30) + lines(1, 900), "mostly")
    assert secret.decode() not in str(error.value)


def test_too_many_bad_lines_stop_the_run_and_keep_nothing(ingest, tmp_path):
    good = tmp_path / "a-good"
    good.write_bytes(lines(3))
    bad = tmp_path / "b-bad"
    bad.write_bytes(lines(150, 10) + b"{}\n" * 30 + lines(50, 300))
    with pytest.raises(InputError, match="30 of the first 230 lines are bad, most often") as error:
        ingest([good, bad])
    assert "nothing of it was kept" in str(error.value)
    after = ingest(lines(1, 999), "other")
    assert ids(after) == ["e0", "e1", "e2", "e999"]


def test_few_lines_are_not_judged_by_their_share(ingest):
    assert ids(ingest(lines(3) + b"{}\n{}\n")) == ["e0", "e1", "e2"]


def test_a_file_of_bad_lines_only_is_an_error(ingest):
    with pytest.raises(InputError, match="none of its 2 lines can be read as ndjson"):
        ingest(b'{"exchange_id":"x","ts":1,"account_id":"a"}\n' * 2)


def test_records_that_are_no_exchanges_are_counted(ingest):
    failed = b'{"id":"f","call_type":"acompletion","status":"failure","startTime":1767225600,"endTime":1,"metadata":{},"model_parameters":{},"response_cost":0,"hidden_params":{}}'
    good = failed.replace(b'"metadata":{}', b'"metadata":{"user_api_key_hash":"k"}')
    ingested = ingest(failed + b"\n" + good + b"\n")
    assert (ingested.report.exchanges, ingested.report.skipped, ingested.report.rejected) == (1, 1, 0)
    assert "passed over" in ingested.report.notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"<html><body>", "XML or HTML"),
        (b"a,b,c\n1,2,3\n", "CSV or plain text"),
        (b"\x00\x01\x02" * 99, "binary"),
        (b"PK\x03\x04zip", "zip"),
        (b"BZh9", "bzip2"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b'{"hello": "world"}\n', "of no known format"),
        (b"{hello}\n", "not JSON records"),
        (gzip.compress(lines(500), mtime=0)[:-40], "gzip data are damaged or cut off"),
        (gzip.compress(lines(500), mtime=0)[:300] + b"\0" * 400, "gzip data are damaged or cut off"),
        (zstandard.compress(lines(5000))[:-9], "zstd data are damaged or cut off"),
        (b"PAR1 and nothing else", "Parquet data are damaged or cut off"),
        (b'[{"exchange_id":"e","ts":1767225600,"account_id":"a"},\n{"exchange', "record 2 is cut off"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_cannot_be_read_gets_one_sentence(ingest, content, words, tmp_path):
    with pytest.raises(InputError) as error:
        ingest(content)
    sentence = str(error.value)
    assert words in sentence
    assert sentence.startswith(str(tmp_path / "log"))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not list((tmp_path / "store" / "exchanges").iterdir())


def test_a_wrong_format_is_named(ingest):
    with pytest.raises(
        InputError, match=r"looks like canonical NDJSON and was to be read as LiteLLM .* use --format ndjson"
    ):
        ingest(lines(3), format="litellm")
    with pytest.raises(InputError, match=r"there is no such format; use auto, litellm, otlp"):
        ingest(lines(3), format="xml")
    with pytest.raises(InputError, match="to be read as parquet"):
        ingest(lines(3), format="parquet")


def test_a_missing_path_is_named(ingest, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        ingest([tmp_path / "nowhere"])
    (tmp_path / "void").mkdir()
    with pytest.raises(InputError, match="there are no files in it"):
        ingest([tmp_path / "void"])


def test_bad_files_can_be_passed_over(ingest, tmp_path):
    (tmp_path / "a").write_bytes(b"<html>")
    (tmp_path / "b").write_bytes(lines(2))
    report = ingest([tmp_path / "a", tmp_path / "b"], skip_bad_files=True).report
    assert [file.outcome for file in report.files] == ["failed", "read"]
    assert "XML or HTML" in report.notes[0]


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("after", range(5))
def test_a_crash_loses_and_doubles_nothing(ingest, tmp_path, monkeypatch, after):
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].write_bytes(lines(30))
    files[1].write_bytes(lines(30, 30))
    take, taken = run.Intake.take, iter(range(99))

    def dying(self, piece):
        if next(taken) == after:
            raise Crash
        take(self, piece)

    with monkeypatch.context() as patch:
        patch.setattr(run.Intake, "take", dying)
        with pytest.raises(Crash):
            ingest(files, block_rows=10)
    assert len(ingest(files, block_rows=10).rows()) == 60


def test_a_crash_at_the_commit_loses_and_doubles_nothing(ingest, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(SourceWriter, "commit", lambda _: (_ for _ in ()).throw(Crash))
        with pytest.raises(Crash):
            ingest(lines(5))
    assert len(ingest(lines(5)).rows()) == 5


def test_progress_counts_the_bytes_of_the_files(tmp_path, key, texts):
    from stillwatch.ingest import IngestOptions, ingest_files  # noqa: PLC0415

    class Seen:
        total, done, finished = 0, 0, False

        def start(self, _task, total=None):
            self.total = total

        def advance(self, amount=1):
            self.done += amount

        def finish(self):
            self.finished = True

    file = tmp_path / "log.gz"
    file.write_bytes(gzip.compress(lines(300)))
    seen = Seen()
    with StoreWriter(tmp_path / "store") as writer:
        for _ in range(2):
            ingest_files([file], writer, key, IngestOptions(now=NOW), seen)
            assert seen.finished
            assert seen.done == seen.total == file.stat().st_size
            seen.done = 0
