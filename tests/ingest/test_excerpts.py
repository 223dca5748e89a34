import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ingest import IngestOptions
from stillwatch.ingest.excerpts import GAP, Place, place_of, read_again, shared_words
from stillwatch.ingest.formats import LINE_FORMATS
from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.errors import InputError

OPTIONS = IngestOptions(now=datetime(2026, 6, 1, tzinfo=UTC), block_bytes=200, block_rows=3)


def record(number: int) -> dict:
    return {
        "exchange_id": f"e{number}",
        "ts": 1767225600,
        "account_id": f"a{number}",
        "prompt": f"Question {number}",
    }


def prompts(excerpts) -> dict[str, str]:
    return dict(zip(excerpts.refs, excerpts.text["prompt"].to_pylist() if excerpts.refs else [], strict=True))


PACKED = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("layout", ["lines", "arrays", "document"])
def test_the_wanted_prompts_are_read_again(tmp_path, packing, layout):
    log = tmp_path / "log"
    records = [record(number) for number in range(1, 31)]
    content, place = {
        "lines": ("\n".join(map(json.dumps, records)), lambda n: f"{log}:{n}"),
        "arrays": (
            "\n".join(json.dumps(records[at : at + 5]) for at in range(0, 30, 5)),
            lambda n: f"{log}#{(n - 1) % 5 + 1}:{(n - 1) // 5 + 1}",
        ),
        "document": (json.dumps(records, indent=1), lambda n: f"{log}:{n}"),
    }[layout]
    log.write_bytes(PACKED[packing](content.encode()))
    found = read_again([place(n) for n in (2, 9, 10, 30)], {str(log): "ndjson"}, OPTIONS)
    assert prompts(found) == {place(n): f"Question {n}" for n in (2, 9, 10, 30)}
    assert found.accounts == ("a2", "a9", "a10", "a30")
    assert found.notes == ()


def test_rows_of_a_table_are_read_again(tmp_path):
    log = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist([record(number) for number in range(1, 9)]), log)
    found = read_again([f"{log}:7", f"{log}:1"], {}, OPTIONS)
    assert prompts(found) == {f"{log}:1": "Question 1", f"{log}:7": "Question 7"}


@pytest.mark.parametrize("each", LINE_FORMATS, ids=lambda each: each.name)
def test_every_format_is_read_again(tmp_path, each):
    log = tmp_path / "log"
    log.write_bytes(b"\n".join([each.examples[0]] * 3) + b"\n")
    found = read_again([f"{log}:2"], {str(log): each.name}, OPTIONS)
    assert found.refs == (f"{log}:2",)
    assert found.text.schema.names == TEXT_SCHEMA.names


def test_only_the_log_up_to_the_last_place_is_read(tmp_path):
    log = tmp_path / "log.gz"
    whole = gzip.compress("\n".join(json.dumps(record(n)) for n in range(1, 20_000)).encode())
    log.write_bytes(whole[:-100])
    assert len(read_again([f"{log}:3"], {str(log): "ndjson"}, OPTIONS).refs) == 1


def test_a_log_that_is_gone_is_named(tmp_path):
    here = tmp_path / "here"
    here.write_text(json.dumps(record(1)) + "\n")
    found = read_again([f"{tmp_path}/gone:1", f"{here}:1", f"{here}:7"], {}, OPTIONS)
    assert found.refs == (f"{here}:1",)
    assert len(found.notes) == 1
    assert f"{tmp_path}/gone: no such file or directory; check" in found.notes[0]


def test_places(tmp_path):
    assert place_of("a/b.jsonl:12") == Place("a/b.jsonl", 12, 0)
    assert place_of("a:b#c#3:12") == Place("a:b#c", 12, 3)
    (tmp_path / "log#2").touch()
    assert place_of(f"{tmp_path}/log#2:5") == Place(f"{tmp_path}/log#2", 5, 0)
    for wrong in ("", "a", "a:", ":4", "a:x"):
        with pytest.raises(InputError, match="not FILE:LINE"):
            place_of(wrong)


def test_a_template_is_shown_without_what_fills_it():
    slots = ["the Nile", "Rome", "my dear aunt Emma of 12 Elm Street", "prime numbers", "tea", "bees"]
    texts = {
        f"a{n}": f"Explain {slot} to a child step by step. Answer in {n} words as JSON."
        for n, slot in enumerate(slots)
    }
    assert shared_words(texts) == f"explain {GAP} to a child step by step. answer in {GAP} words as json."


def test_one_of_twenty_may_differ_and_four_accounts_are_too_few():
    texts = {f"a{n}": "Rank these answers from best to worst" for n in range(19)} | {"z": "Hello"}
    assert shared_words(texts) == "rank these answers from best to worst"
    assert shared_words(dict(list(texts.items())[:4])) is None
    assert shared_words({f"a{n}": f"{n}" for n in range(9)}) is None


WORDS = st.sampled_from(
    ["Write", "a", "story", "about", "answer", "as", "json", "x7", "my\u202esecret", "Straße", "12"]
)
TEXTS = st.lists(WORDS, max_size=14).map(" ".join)


@settings(max_examples=200)
@given(st.lists(TEXTS, max_size=12), st.lists(WORDS, max_size=6), st.text(max_size=30))
def test_no_word_that_is_not_shared_ever_appears(texts, template, noise):
    prompts = {f"a{n}": " ".join([*template, text]) for n, text in enumerate(texts)} | {"z": noise}
    shown = shared_words(prompts)
    if shown is None:
        return
    assert len(prompts) >= 5
    words = [word for word in shown.split(" ") if word != GAP]
    assert words
    held = [text.casefold().split() for text in prompts.values()]
    for word in words:
        assert sum(word in text for text in held) >= 0.9 * len(held)
        assert not any(map(str.isnumeric, word))
        assert word.isprintable()
    in_order = [all(word in rest for rest in [iter(text)] for word in words) for text in held]
    assert any(in_order)


@given(st.lists(st.text(max_size=60), min_size=5, max_size=8))
def test_it_does_not_matter_who_wrote_what_first(texts):
    prompts = {f"a{n}": text for n, text in enumerate(texts)}
    assert shared_words(dict(reversed(prompts.items()))) == shared_words(prompts)
