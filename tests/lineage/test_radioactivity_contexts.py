"""Filters and groups against plain Python."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stillwatch.lineage.radioactivity_contexts import (
    counts_of,
    grouped,
    not_copied,
    occurs,
    places_of,
    summed,
)

ROWS = arrays.arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(3, 9)), elements=st.integers(0, 3))
CONTEXTS = arrays.arrays(np.int64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.integers(-1, 3))


def split(tokens, start):
    answered = np.broadcast_to(np.arange(tokens.shape[1]) >= start, tokens.shape)
    return answered, ~answered


@given(ROWS, st.integers(0, 2), st.integers(1, 3))
def test_every_answer_place_has_the_answer_tokens_before_it(tokens, start, width):
    answered, _ = split(tokens, start)
    places = places_of(tokens, answered, width)
    assert len(places) == answered.sum()
    for context, token, row, column in zip(
        places.contexts, places.tokens, places.rows, places.columns, strict=True
    ):
        before = [int(tokens[row, at]) if at >= start else -1 for at in range(column - width, column)]
        assert context.tolist() == before
        assert token == tokens[row, column]


@given(CONTEXTS, CONTEXTS)
def test_occurrence_and_counts(contexts, among):
    counts = Counter(map(tuple, among.tolist()))
    expected = [counts[tuple(one)] for one in contexts.tolist()]
    assert counts_of(contexts, among).tolist() == expected
    assert occurs(contexts, among).tolist() == [count > 0 for count in expected]


@given(CONTEXTS)
def test_groups_are_distinct_and_lead_back(contexts):
    distinct, groups = grouped(contexts)
    assert len({tuple(one) for one in distinct.tolist()}) == len(distinct)
    assert (distinct[groups] == contexts).all()


@given(ROWS)
def test_a_context_of_the_own_prompt_is_dropped_whatever_follows(tokens):
    start = tokens.shape[1] // 2
    answered, prompted = split(tokens, start)
    places = places_of(tokens, answered, 1)
    kept = not_copied(places, tokens, prompted)
    for context, row, stays in zip(places.contexts, places.rows, kept, strict=True):
        # The last prompt token is followed by the answer, not by the prompt.
        assert stays == (int(context[0]) not in tokens[row, : start - 1].tolist())


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0.1, 5)), min_size=1))
def test_sums_over_equal_pairs(entries):
    groups, tokens, masses = (np.array(column) for column in zip(*entries, strict=True))
    found = summed(np.zeros((3, 1), np.int64), groups, tokens, masses)
    expected = Counter()
    for group, token, mass in entries:
        expected[group, token] += mass
    got = dict(zip(zip(found.groups.tolist(), found.tokens.tolist(), strict=True), found.masses, strict=True))
    assert got.keys() == expected.keys()
    assert all(np.isclose(got[pair], expected[pair]) for pair in expected)
    np.testing.assert_allclose(found.totals().sum(), masses.sum())
