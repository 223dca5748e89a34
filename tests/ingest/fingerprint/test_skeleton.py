"""Format keys: same shape, same key; no shape, no key."""

from __future__ import annotations

import pytest
import reference
from fingerprint_cases import KEY_BYTES, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint
from stillwatch.model.views import KIND_MASK, KeyKind

KEY = FingerprintKey.from_bytes(KEY_BYTES)


def format_key(text: str) -> int | None:
    keys = fingerprint(rows_of([text]), KEY)["keys"].to_pylist()[0]
    found = [key for key in keys if key & KIND_MASK == KeyKind.FORMAT]
    return found[0] if found else None


def test_values_and_layout_do_not_matter():
    first = format_key('What of A? Answer: {"answer": "some text", "score": 5}')
    second = format_key("Rather long other question.\n{ 'Answer' : null,\n  \"score\":\n 17.5 } please")
    assert first is not None
    assert first == second


def test_field_names_order_and_nesting_matter():
    shapes = [
        '{"a": 1, "b": 2}',
        '{"b": 1, "a": 2}',
        '{"a": 1}',
        '{"a": {"b": 2}}',
        '{"a": [1, 2], "b": 2}',
        "<a>x</a>",
        "<b>x</b>",
        "<a>x<b>",
    ]
    found = [format_key("Answer as " + shape) for shape in shapes]
    assert None not in found
    assert len(set(found)) == len(shapes)


@pytest.mark.parametrize(
    "text",
    ["plain words", "an array a[i] > b", "if (x) { y }", "see [1] and [2]", "}}}", "<only>", "1 < 2 > 0"],
)
def test_prose_and_code_without_fields_have_none(text):
    assert format_key(text) is None


def test_the_last_block_counts():
    schema = '{"verdict": "a", "why": "b"}'
    assert format_key(f'Input: {{"x": 1}}. Answer as {schema}') == format_key(schema)
    assert format_key(f"Input [3] (a) {{}}. Answer as {schema} [1]") == format_key(schema)


def test_only_the_reach_before_the_last_sign_is_looked_at():
    schema = '{"verdict": "a"}'
    assert format_key(schema + " word" * 100_000) == format_key(schema)
    assert format_key(schema + " word" * 1000 + "]") is None


SECRET = reference.Secret(KEY_BYTES)
signs = st.text(alphabet="{}[]<>:,\"' \nabT/-_7é", max_size=60)
fillers = st.integers(0, 2100).map(lambda count: "word " * (count // 5) + " " * (count % 5))


@settings(max_examples=300, deadline=None)
@given(st.lists(signs, max_size=4), fillers)
def test_any_mixture_of_signs_equals_the_reference(parts, filler):
    text = filler.join(parts)
    shape, bits = reference.skeleton(SECRET, text.encode())
    expected = reference.text_key(SECRET, shape, KeyKind.FORMAT) if shape else None
    assert format_key(text) == expected
    assert fingerprint(rows_of([None, text]), KEY)["elicitation"].to_pylist()[1] & bits == bits
