"""Coverage cards say what can be measured, and claim nothing that nothing measures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.coverage import REQUIREMENTS, UNJUDGED, SourceCoverage, card

EVERYTHING = {column for need in (*REQUIREMENTS, *UNJUDGED) for column in need.columns}


def card_of(columns):
    tables = {"exchange": {}, "account": {}, "enforcement": {}}
    for column in columns:
        table, name = column.split(".")
        tables[table][name] = 1.0
    return card(SourceCoverage("a", "ndjson", 10, 0, tables.pop("exchange")), tables)


@given(st.sets(st.sampled_from(sorted(EVERYTHING))))
def test_every_measure_is_supported_or_missing_with_what_it_needs(columns):
    made = card_of(columns)
    assert set(made.supported) | set(made.missing) == {need.measure for need in REQUIREMENTS}
    for need in REQUIREMENTS:
        assert (need.measure in made.supported) == (set(need.columns) <= columns)
        absent = set(need.columns) - columns
        assert all(column in made.missing[need.measure] for column in absent)


@pytest.mark.parametrize("kept", UNJUDGED, ids=lambda kept: kept.measure)
def test_what_nothing_judges_is_named_but_not_promised(kept):
    made = card_of(EVERYTHING)
    assert kept.measure in made.unjudged
    assert kept.measure not in made.supported
    assert made.missing == {}
    assert card_of(()).unjudged == ()


def test_a_column_that_is_hardly_filled_counts_as_absent():
    made = card(SourceCoverage("a", "ndjson", 100, 0, {"keys": 0.04, "ip": 0.06}), {})
    assert made.supported == ("address_spread",)
