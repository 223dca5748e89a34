"""What every log format must do, whichever it is."""

import json
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.ingest import FORMAT_NAMES, IngestOptions
from stillwatch.ingest.blocks import Block
from stillwatch.ingest.checks import check
from stillwatch.ingest.formats import LINE_FORMATS, line_format, recognise, resemblance
from stillwatch.ingest.reading import read_block
from stillwatch.model.columns import EXCHANGE_SCHEMA, TEXT_SCHEMA

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OPTIONS = IngestOptions(now=NOW)
EXAMPLES = [(each.name, number) for each in LINE_FORMATS for number in range(len(each.examples))]
CANARY = "canary-5d1c"


def records(line: bytes) -> list:
    value = json.loads(line)
    return value if isinstance(value, list) else [value]


def read(name: str, data: bytes):
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    return read_block(Block(memoryview(data), 1, lines), line_format(name), OPTIONS, len(data))


def test_names_are_unique_and_listed():
    assert len(set(FORMAT_NAMES)) == len(FORMAT_NAMES) == len(LINE_FORMATS) + 1


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_examples_are_read(name, number):
    chosen = line_format(name)
    piece = read(name, chosen.examples[number] + b"\n")
    assert piece.rejected == ()
    assert piece.lines == 1
    draft = piece.draft
    assert draft.refused == {}
    for column, values in draft.columns.items():
        assert values.type == EXCHANGE_SCHEMA.field(column).type
        assert len(values) == draft.rows == draft.text.num_rows == len(draft.places.lines)
    assert draft.text.schema == TEXT_SCHEMA
    known = draft.columns.get("account_id")
    assert known is not None or draft.credential.null_count == 0
    if known is not None:
        assert check(draft, chosen.account_sources, NOW).keep.all()


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_examples_are_recognised(name, number):
    sample = records(line_format(name).examples[number])
    assert recognise(sample).name == name
    others = [each for each in LINE_FORMATS if each.name != name]
    assert all(resemblance(each, sample) < resemblance(line_format(name), sample) for each in others)


@pytest.mark.parametrize("each", LINE_FORMATS, ids=lambda each: each.name)
def test_an_array_reads_as_its_lines_do(each):
    apart = [read(each.name, example).draft for example in each.examples]
    items = [record for example in each.examples for record in records(example)]
    together = read(each.name, json.dumps(items).encode()).draft
    for column in ("exchange_id", "account_id", "ts", "model", "input_tokens"):
        separate = [
            v
            for d in apart
            for v in (d.columns[column].to_pylist() if column in d.columns else [None] * d.rows)
        ]
        joined = (
            together.columns[column].to_pylist() if column in together.columns else [None] * together.rows
        )
        assert joined == separate
    assert [row for d in apart for row in d.text.to_pylist()] == together.text.to_pylist()


@pytest.mark.parametrize("each", LINE_FORMATS, ids=lambda each: each.name)
def test_bad_lines_are_named_by_number(each):
    good = each.examples[0]
    piece = read(each.name, good + b"\n{\n\n" + good + b"\n17\n")
    assert [number for number, _ in piece.rejected] == [2, 5]
    assert list(np.unique(piece.draft.places.lines)) == [1, 4]
    assert piece.lines == 4


@pytest.mark.parametrize("each", LINE_FORMATS, ids=lambda each: each.name)
def test_lines_of_other_formats_are_named(each):
    for other in LINE_FORMATS:
        if other is not each:
            piece = read(each.name, other.examples[0])
            reasons = [why.reason for _, why in piece.rejected]
            reasons += [why.reason for why in piece.draft.refused.values()] if piece.draft else []
            kept = piece.draft is not None and check(piece.draft, "", NOW).keep.any()
            pairs = {each.name, other.name} == {"openai", "anthropic"}
            assert pairs or not kept
            assert pairs or not reasons or any(other.title in reason for reason in reasons), (
                other.name,
                reasons,
            )


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=8),
        st.sampled_from(["user", "text", "[", '{"a"', "-1", "data: {}", "1e999", "\U0001f600"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)  # fmt: skip


def places_in(value, path=()):
    yield path
    if isinstance(value, dict):
        for name, below in value.items():
            yield from places_in(below, (*path, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from places_in(below, (*path, index))


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_no_mutation_of_an_example_raises(data):
    """One value anywhere is replaced by anything: the line is read or refused, and every count adds up."""
    name, number = data.draw(st.sampled_from(EXAMPLES))
    value = json.loads(line_format(name).examples[number])
    path = data.draw(st.sampled_from(list(places_in(value))))
    line = json.dumps(replaced(value, path, data.draw(JSON))).encode()
    piece = read(name, line)
    if piece.draft is None:
        assert len(piece.rejected) == piece.lines >= 1
    else:
        checked = check(piece.draft, "", NOW)
        dropped = set(checked.refused) | piece.draft.skipped
        assert int(checked.keep.sum()) + len(dropped) == piece.draft.rows
        for why in checked.refused.values():
            assert why.reason


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_no_damage_to_the_bytes_raises(data):
    name, number = data.draw(st.sampled_from(EXAMPLES))
    line = bytearray(line_format(name).examples[number])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(line) - 1))
        line[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=5))
    piece = read(name, bytes(line))
    assert piece.lines >= len(piece.rejected)


def at(value, path):
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_no_reason_quotes_the_line(name, number):
    """A canary in the place of every value, one after another, is in no reason."""
    value = json.loads(line_format(name).examples[number])
    for path in places_in(value):
        piece = read(name, json.dumps(replaced(value, path, CANARY)).encode())
        reasons = list(dict(piece.rejected).values())
        if piece.draft is not None:
            reasons += check(piece.draft, "", NOW).refused.values()
        assert not any(CANARY in why.reason + why.remedy for why in reasons)


@pytest.mark.parametrize("each", LINE_FORMATS, ids=lambda each: each.name)
def test_only_what_is_read_is_decoded(each):
    """Fields nobody has heard of change nothing."""
    for example in each.examples:
        more = [
            record | {"a_field_of_tomorrow": {"deep": [1, {"x": "y" * 100}]}} for record in records(example)
        ]
        draft, plain = read(each.name, json.dumps(more).encode()).draft, read(each.name, example).draft
        assert draft.text == plain.text
        assert msgspec.to_builtins(draft.refused) == {}
        assert draft.columns["ts"] == plain.columns["ts"]
