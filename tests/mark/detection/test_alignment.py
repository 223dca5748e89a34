from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark.detection.alignment import align, aligned_positions, outside, shared_tokens

CUTS = st.sets(st.integers(1, 29), max_size=20)


def spans(cuts):
    edges = [0, *sorted(cuts), 30]
    return np.array(list(pairwise(edges)))


@given(CUTS, CUTS)
def test_shared_tokens_have_both_ends_in_common(ours, theirs):
    both = {0, 30} | theirs
    expected = [start in both and end in both for start, end in spans(ours)]
    assert shared_tokens(spans(ours), spans(theirs)).tolist() == expected


@given(CUTS, CUTS, st.integers(1, 6))
def test_aligned_positions_have_shared_contexts(ours, theirs, width):
    shared = shared_tokens(spans(ours), spans(theirs))
    expected = [all(shared[max(0, i - width) : i + 1]) for i in range(shared.size)]
    assert aligned_positions(spans(ours), spans(theirs), width).tolist() == expected


@given(CUTS)
def test_the_same_cuts_are_aligned(cuts):
    result = align(spans(cuts), spans(cuts), 4)
    assert (result.tokens, result.shared, result.whole) == (len(cuts) + 1, 1.0, 1.0)


@given(CUTS, st.lists(st.tuples(st.integers(0, 29), st.integers(0, 30)), max_size=4))
def test_outside_touches_nothing_excluded(cuts, excluded):
    stretches = [(a, b) for a, b in excluded if a < b]
    characters = {i for a, b in stretches for i in range(a, b)}
    expected = [not characters & set(range(a, b)) for a, b in spans(cuts).tolist()]
    assert outside(spans(cuts), stretches).tolist() == expected


def test_no_text_has_no_alignment():
    assert align([], [], 4).tokens == 0


def test_offsets_that_run_backwards_are_refused():
    with pytest.raises(ValueError, match="offsets need"):
        shared_tokens([(3, 1)], [(0, 1)])
