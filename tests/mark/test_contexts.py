"""Repeated contexts against a plain search, for every scope and history."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark.contexts import Deduplication, current_contexts

ROWS = st.lists(st.integers(0, 3), min_size=1, max_size=24)


def plain(row: list[int], start: int, width: int, scope: str, most: int | None) -> bool:
    """The rule in words: does the context stand before one of the last places of the sequence looked through?"""
    answer = row[start:]
    context = ([-1] * width + answer)[-width:]
    if scope == "none":
        return False
    if scope == "all" and len(answer) < width:
        return True
    sequence = row if scope == "all" else answer
    padded = [-1] * width + sequence
    places = range(len(sequence)) if most is None else range(max(0, len(sequence) - most), len(sequence))
    return any(padded[place : place + width] == context for place in places)


@given(
    ROWS,
    st.data(),
    st.integers(1, 5),
    st.sampled_from(["none", "single_turn", "all"]),
    st.none() | st.integers(1, 30),
)
def test_repeats_are_found_as_by_a_plain_search(row, data, width, scope, most):
    start = data.draw(st.integers(0, len(row)))
    padding = data.draw(st.integers(0, 4))
    tokens = np.array([row + [3] * padding])
    starts, ends = np.array([start]), np.array([len(row)])
    contexts = current_contexts(tokens, starts, ends, width)
    assert contexts[0].tolist() == ([-1] * width + row[start:])[-width:]
    found = Deduplication(scope, most).repeated(tokens, starts, ends, contexts)
    assert bool(found[0]) == plain(row, start, width, scope, most)


def test_rows_are_judged_alone():
    tokens = np.array([[1, 2, 1, 2], [1, 2, 3, 4]])
    starts, ends = np.array([0, 0]), np.array([4, 4])
    contexts = current_contexts(tokens, starts, ends, 1)
    assert Deduplication().repeated(tokens, starts, ends, contexts).tolist() == [True, False]


def test_a_history_of_no_places_is_refused():
    with pytest.raises(ValueError, match="most"):
        Deduplication(most=0)
