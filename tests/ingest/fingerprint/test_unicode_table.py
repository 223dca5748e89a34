"""The shipped table follows the rules of the pinned Unicode version."""

# ruff: noqa: RUF001 - letters of other scripts are the point here

from __future__ import annotations

import importlib.util
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.fingerprint.generate_unicode import build
from stillwatch.ingest.fingerprint.unicode_table import (
    DIGIT,
    LETTER,
    SEPARATOR,
    SINGLE,
    folded,
    unicode_table,
)

TABLE = unicode_table()


def test_ascii():
    for code in range(128):
        character = chr(code)
        expected = LETTER if character.isalpha() else DIGIT if character.isdigit() else SEPARATOR
        (kind, text), *rest = folded(TABLE, character)
        assert kind == expected
        assert not rest
        assert kind == SEPARATOR or text == character.lower()


@given(st.characters())
def test_folding_twice_is_folding_once(character):
    for kind, text in folded(TABLE, character):
        if kind != SEPARATOR:
            assert folded(TABLE, text) == [(kind, text)]


@given(st.characters(categories=["Lu", "Ll", "Lo", "Nd", "Mn", "Cf"]))
def test_letters_numbers_and_marks_of_this_python_agree(character):
    """Old code points never change their class, so the older data of the interpreter must agree."""
    kinds = {kind for kind, _ in folded(TABLE, character)}
    category = unicodedata.category(character)
    if category in ("Mn", "Cf"):
        assert not kinds
    elif category == "Nd":
        assert kinds == {DIGIT}
        assert folded(TABLE, character)[0][1] == str(unicodedata.decimal(character))
    elif kinds:  # the fillers of Hangul are letters that nobody sees
        assert kinds & {LETTER, SINGLE}


def test_cases_of_each_rule():
    def text(character):
        return "".join(c for _, c in folded(TABLE, character))

    assert [text(c) for c in "ÉßﬁＡ９٣①ガｶſΣς"] == [
        "e",
        "ss",
        "fi",
        "a",
        "9",
        "3",
        "1",
        "カ",
        "カ",
        "s",
        "σ",
        "σ",
    ]
    assert [text(c) for c in "\u200b\u00ad\ufe0f\u0301\u3164\U000e0041"] == [""] * 6
    assert [folded(TABLE, c)[0][0] for c in "中かカไ한é"] == [SINGLE] * 4 + [LETTER] * 2


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("unicodedata2") is None, reason="unicodedata2 is not installed")
def test_the_generator_gives_the_shipped_table():
    built = build()
    for name, shipped in TABLE._asdict().items():
        assert np.array_equal(built[name], shipped), name
