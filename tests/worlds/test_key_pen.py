from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.views import KIND_MASK, KeyKind
from stillwatch.worlds.grammar import language
from stillwatch.worlds.key_pen import KeyPen
from stillwatch.worlds.keys_kernel import text_columns
from stillwatch.worlds.pen import TextPen
from stillwatch.worlds.prose import LANGUAGES
from stillwatch.worlds.streams import Streams

TEXT = TextPen()
TEMPLATE = (
    "You are a careful examiner of written answers in many fields of study. Read the question and think "
    "about it step by step before you say anything. [[1]] Give your verdict as one line of JSON with the "
    "fields score and reason, and nothing else at all behind it."
)


@pytest.fixture
def pen(written) -> KeyPen:
    return KeyPen(written)


def keys_of(pen: KeyPen, wording) -> list[list[int]]:
    columns = text_columns(wording.form, wording.slot, wording.core, pen.forms)
    return columns["keys"].to_pylist()


def real(pen: KeyPen, texts: list[str]) -> dict[str, list]:
    nothing = pa.nulls(len(texts), pa.string())
    columns = {"system": nothing, "history": nothing, "prompt": pa.array(texts), "tools": nothing}
    batch = pa.RecordBatch.from_arrays([columns[name] for name in TEXT_SCHEMA.names], schema=TEXT_SCHEMA)
    return pen.forms.kernel.texts(batch).to_pydict()


def rng(seed: int = 0) -> np.random.Generator:
    return Streams(seed, exact=True).named("test")


def test_known_texts_have_the_keys_of_the_kernel(pen):
    texts = ["Name a river in Europe.", TEMPLATE, "x"]
    wording = pen.fixed(texts, np.array([0, 1, 2, 1]))
    expected = real(pen, texts)
    columns = text_columns(wording.form, wording.slot, wording.core, pen.forms)
    assert [sorted(keys) for keys in columns["keys"].to_pylist()] == [
        sorted(expected["keys"][i]) for i in (0, 1, 2, 1)
    ]
    assert columns["item_fp"].to_pylist() == [expected["item_fp"][i] for i in (0, 1, 2, 1)]
    assert columns["cell"].to_pylist() == [expected["cell"][i] or 0 for i in (0, 1, 2, 1)]


@given(st.integers(0, 2**32))
def test_what_a_template_always_brings_is_in_every_real_filling(written, seed):
    pen = KeyPen(written)
    filled = pen.fill(
        [TEMPLATE], np.zeros(3, dtype=np.int64), pen.turn(np.zeros(3, dtype=np.int64), Streams(seed))
    )
    always = set.intersection(*map(set, keys_of(pen, filled)))
    content = language("en").expand("opener", 3, rng(seed)).to_pylist()
    texts = [TEMPLATE.replace("[[1]]", one) for one in content]
    for keys in real(pen, texts)["keys"]:
        assert always <= set(keys)
    assert {KeyKind(key & KIND_MASK) for key in always} >= {
        KeyKind.PREFIX_SHORT,
        KeyKind.PREFIX_MEDIUM,
        KeyKind.SUFFIX,
    }


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(0, 2**32))
def test_the_same_slot_is_the_same_text_and_another_shares_only_the_form(written, slots, seed):
    pen = KeyPen(written)
    bank = pen.turn(np.zeros(7, dtype=np.int64), Streams(seed))
    which = np.array(slots)
    filled = pen.fill([TEMPLATE], np.zeros(len(slots), dtype=np.int64), pen.take(bank, which))
    columns = text_columns(filled.form, filled.slot, filled.core, pen.forms)
    items, keys = columns["item_fp"].to_pylist(), columns["keys"].to_pylist()
    for one in range(len(slots)):
        for other in range(one):
            same = bool(filled.slot[one] == filled.slot[other])
            assert (items[one] == items[other]) == same
            assert not same or keys[one] == keys[other]


@given(st.integers(0, 2**32))
def test_keys_are_distinct_in_a_row_and_of_text_kinds(written, seed):
    pen, streams = KeyPen(written), Streams(seed, exact=True)
    tongue = rng(seed).integers(0, len(LANGUAGES), 60)
    templates = [TEMPLATE, "Summarise: [[1]]", "[[1]]\n\nAnswer: [[2]] Explain."]
    which = rng(seed + 1).integers(0, 3, 60)
    turns = pen.turn(tongue, streams)
    filled = pen.fill(templates, which, turns, pen.spoken("answer", tongue, streams))
    for keys in (*keys_of(pen, turns), *keys_of(pen, filled)):
        assert len(keys) == len(set(keys)) <= 17
        assert {key & KIND_MASK for key in keys} <= set(range(KeyKind.PREFIX_SHORT, KeyKind.FORMAT + 1))


def test_contents_keep_their_shingles_in_another_template(pen):
    long = pen.documents(np.full(8, 14), np.zeros(8, dtype=np.int64), Streams(1))
    first, second = (
        pen.fill([text], np.zeros(8, dtype=np.int64), long) for text in ("Sum up: [[1]]", "Rate [[1]] now.")
    )
    shared = [set(a) & set(b) for a, b in zip(keys_of(pen, first), keys_of(pen, second), strict=True)]
    assert all({key & KIND_MASK for key in keys} == {KeyKind.SHINGLE} for keys in shared)
    assert sum(map(len, shared)) > 8


def test_an_open_end_gives_the_suffix_to_the_content(pen):
    said = pen.turn(np.zeros(20, dtype=np.int64), Streams(2), context=(20,) * 11)
    none = np.zeros(20, dtype=np.int64)
    open_end, closed = pen.fill(["Please: [[1]]"], none, said), pen.fill([TEMPLATE], none, said)
    suffixes = [
        {key for keys in keys_of(pen, wording) for key in keys if key & KIND_MASK == KeyKind.SUFFIX}
        for wording in (open_end, closed)
    ]
    assert len(suffixes[0]) == 20
    assert len(suffixes[1]) == 1


def test_a_world_that_is_done_leaves_nothing_behind(written):
    pen = KeyPen(written)
    pen.fixed([f"text {number}" for number in range(50)], np.arange(50))
    assert pen.forms.count > written.count
    assert KeyPen(written).forms.count == written.count


def test_real_texts_are_dealt_without_end_and_keep_common_phrases(pen):
    texts = tuple(
        f"Write a long and friendly letter to my dear aunt about topic {chr(97 + n % 26)}{n}"
        for n in range(40)
    )
    dealt = pen.dealt(texts, 200, rng())
    prefixes = [
        next(key for key in keys if key & KIND_MASK == KeyKind.PREFIX_SHORT) for keys in keys_of(pen, dealt)
    ]
    assert len(set(prefixes)) == 1
    assert len(set(dealt.slot.tolist())) == 200


def test_choosing_putting_and_joining_keep_rows_together(pen):
    a, b = (pen.say("topic", 6, rng(seed)) for seed in (1, 2))
    mask = np.array([True, False, True, False, False, True])
    chosen = pen.choose(mask, a, b)
    assert (chosen.slot == np.where(mask, a.slot, b.slot)).all()
    put = pen.put(a, np.array([1, 4]), pen.take(b, np.array([0, 1])))
    assert put.slot.tolist() == [a.slot[0], b.slot[0], a.slot[2], a.slot[3], b.slot[1], a.slot[5]]
    assert len(pen.concat([a, b])) == 12
    longer = pen.append(a, np.array([2]), pen.take(b, np.array([3])), "\n")
    assert longer.size[2] == a.size[2] + b.size[3] + 1
    assert (longer.slot != a.slot).sum() == 1


@given(st.integers(0, 2**32))
def test_both_pens_draw_the_same_numbers_of_sentences(seed):
    context = (0, 0, 0, 0, 0, 1, 3, 9, 18, 40, 60)
    sizes = TEXT.sizes(TEXT.turn(np.zeros(40, dtype=np.int64), Streams(seed, exact=True), "follow", context))
    again = TEXT.sizes(TEXT.turn(np.zeros(40, dtype=np.int64), Streams(seed, exact=True), "follow", context))
    assert (sizes == again).all()


def test_lengths_are_near_those_of_the_texts(pen):
    tongue = np.arange(3000) % len(LANGUAGES)
    for rule in ("opener", "follow"):
        written, said = (one.sizes(one.turn(tongue, Streams(4, exact=True), rule)) for one in (TEXT, pen))
        assert np.median(said) == pytest.approx(np.median(written), rel=0.15)
        assert said.mean() == pytest.approx(written.mean(), rel=0.1)
