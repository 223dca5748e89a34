"""Prompts are chosen where a mark could show, and without the key."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.radioactivity_contexts import places_of
from stillwatch.lineage.radioactivity_queries import most_informative, prompt_information

TWINS = places_of(np.array([[1, 1, 1], [2, 3, 2], [4, 5, 6]]), np.ones((3, 3), np.bool_), 1)


def test_certain_places_inform_nobody():
    assert prompt_information(3, TWINS, np.ones(9)).tolist() == [0.0, 0.0, 0.0]


def test_common_contexts_inform_more_than_rare_ones():
    logged = np.array([[1]] * 50 + [[4]])
    information = prompt_information(3, TWINS, np.full(9, 0.3), logged)
    assert information[0] > information[2] > information[1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 40))
def test_the_best_come_first(values, budget):
    information = np.array(values)
    chosen = most_informative(information, budget)
    assert len(chosen) == min(budget, len(values))
    assert sorted(information[chosen], reverse=True) == sorted(values, reverse=True)[: len(chosen)]
