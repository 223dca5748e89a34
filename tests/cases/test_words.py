import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.cases import words
from stillwatch.model.views import View


@given(st.text(st.characters(exclude_categories=[])))
def test_plain_text_is_printable_and_encodable(text):
    shown = words.plain(text)
    shown.encode()
    assert all(character.isprintable() or character.isspace() for character in shown)
    assert not any(character in shown for character in "\n\r\t\u2028\u202e\u200b\x00")


@given(st.text())
def test_printable_text_stays_as_it_is(text):
    if text.isprintable():
        assert words.plain(text) == text


@given(st.floats())
def test_every_float_has_words(value):
    for say in (
        words.figure,
        words.evidence,
        words.percent,
        words.odds,
        words.whole,
        words.rough,
        words.signed,
    ):
        assert say(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0 %"), (0.0004, "under 0.1 %"), (0.014, "1.4 %"), (0.9996, "over 99.9 %"), (1.0, "100 %")],
)
def test_percent_does_not_round_a_doubt_away(value, said):
    assert words.percent(value) == said


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0.014, "about 1 in 71"), (0.0001, "about 1 in 10,000"), (0.6, "as likely wrong as right")],
)
def test_odds(probability, said):
    assert words.odds(probability) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "describes only"),
        (840.0, "840"),
        (3.2e7, "3.2 \N{MULTIPLICATION SIGN} 10⁷"),
        (math.inf, "over 1.0 \N{MULTIPLICATION SIGN} 10⁹⁹"),
    ],
)
def test_e_values(value, said):
    assert words.evidence(value) == said


def test_ladder_is_monotone():
    order = ["weak", "enough for a review", "strong", "very strong"]
    said = [order.index(words.strength(10.0**power)) for power in range(9)]
    assert said == sorted(said)
    assert set(said) == {0, 1, 2, 3}


def test_views_are_those_with_evidence(campaign):
    assert words.views(campaign) == (View.TEXT, View.IDENTITY)


@pytest.mark.parametrize(
    ("name", "said"),
    [("signal-18", "fixed prompt or template over many accounts"), ("signal-999", ""), ("x", ""), ("", "")],
)
def test_indicator_names(name, said):
    assert words.indicator_name(name) == said


def test_span_is_never_negative():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert words.span(now, now - timedelta(days=3)) == "0 hours"
    assert words.span(now, now + timedelta(days=46)) == "46 days"


def test_sentence():
    assert words.sentence("many payers") == "Many payers."
    assert words.sentence("Done.") == "Done."
    assert words.sentence("") == ""
