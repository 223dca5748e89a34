"""Records survive their forms, refuse contradictions, and lose nothing on a bad line."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark import records
from stillwatch.mark.keys import MasterKey
from stillwatch.mark.records import MarkRecord
from stillwatch.mark.schemes import DualKeyGumbel, GreenList

EPOCH = MasterKey(bytes(range(32))).epoch("2026-11")
MOMENT = datetime(2026, 11, 22, 3, 0, 0, 123456, tzinfo=UTC)


@st.composite
def made(draw: st.DrawFn) -> MarkRecord:
    positions = draw(st.integers(1, 500))
    if draw(st.booleans()):
        return records.unmarked_record(draw(st.text(max_size=5)), MOMENT, positions, "greedy")
    marked = draw(st.integers(1, positions))
    scheme = draw(st.sampled_from([DualKeyGumbel(), GreenList()]))
    return MarkRecord(
        exchange_id=draw(st.text(max_size=8)),
        served_at=MOMENT + timedelta(microseconds=draw(st.integers(0, 10**12))),
        scheme=scheme.name,
        version=scheme.version,
        parameters=records.scheme_parameters(scheme),
        key_ids=(EPOCH.key_id("global"), EPOCH.key_id("account", "a")),
        tokenizer=records.tokenizer_digest({"a": 0}),
        temperature=draw(st.floats(0, 2)),
        positions=positions,
        markable=draw(st.integers(0, marked)),
        marked=marked,
    )


@given(st.lists(made(), max_size=6))
def test_records_survive_lines_and_columns(found):
    assert records.from_lines(records.to_lines(found), "x") == (found, [])
    table = records.to_table(found)
    assert table.schema == records.SCHEMA
    assert records.from_table(table) == found


def test_a_bad_line_is_reported_and_costs_no_other():
    good = records.unmarked_record("e1", MOMENT, 4, "opted out")
    newer = records.to_lines([good]).replace(b'"format":1', b'"format":2')
    content = records.to_lines([good]) + b"{secret text\n\n" + newer + records.to_lines([good])
    found, rejected = records.from_lines(content, "marks.ndjson")
    assert found == [good, good]
    assert [(one.line, one.reason) for one in rejected] == [
        (2, "this line is no mark record"),
        (4, "the record has a newer format"),
    ]
    assert "secret" not in repr(rejected)


@pytest.mark.parametrize(
    ("positions", "markable", "marked", "keys", "unmarked"),
    [
        (5, 6, 6, ("k",), ""),
        (5, 3, 2, ("k",), ""),
        (5, 1, 2, (), ""),
        (5, 0, 0, ("k",), ""),
        (5, 1, 2, ("k",), "greedy"),
    ],
    ids=["too many", "more markable than marked", "no key", "no mark and no reason", "mark and reason"],
)
def test_contradictions_are_refused(positions, markable, marked, keys, unmarked):
    with pytest.raises(ValueError, match="mark"):
        MarkRecord("e", MOMENT, "gumbel", "1", {}, keys, "", 1.0, positions, markable, marked, unmarked)


def test_the_share_of_markable_tokens_is_of_the_answer():
    record = MarkRecord("e", MOMENT, "gumbel", "1", {}, ("k",), "", 1.0, 8, 2, 6)
    assert record.markable_share == 0.25


def test_the_digest_of_a_tokenizer_sees_every_change():
    base = {"a": 0, "b": 1, "c": 2}
    digests = {
        records.tokenizer_digest(one)
        for one in (base, {"a": 1, "b": 0, "c": 2}, {"a": 0, "b": 1}, {"ab": 0, "c": 2})
    }
    assert len(digests) == 4
