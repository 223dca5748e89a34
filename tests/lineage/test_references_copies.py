import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.answers import Grid
from stillwatch.lineage.references_copies import answer_similarity, copies, without_copies
from stillwatch.lineage.references_simulated import Population, simulated

SMALL = Population(prompts=20, vendors=2, bases=1, innocents=4, students=2)


def with_copy(grid, source, name, change=lambda text: text):
    width = len(grid.models)
    texts = [
        text
        for p in range(len(grid.prompts))
        for text in (*grid.texts[p * width : (p + 1) * width], change(grid.texts[p * width + source]))
    ]
    return Grid(grid.prompts, (*grid.models, name), tuple(texts))


@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_a_copy_is_found_and_an_independent_run_is_not(seed, source):
    grid = simulated(SMALL, np.random.default_rng(seed)).grid
    assert copies(grid) == ()
    found = copies(with_copy(grid, source, "copy"))
    assert [group.models for group in found] == [(grid.models[source], "copy")]
    assert found[0].similarity == pytest.approx(1.0)


def test_trifles_do_not_hide_a_copy_and_chains_are_followed():
    grid = simulated(SMALL, np.random.default_rng(1)).grid
    first = with_copy(grid, 3, "b", lambda text: text + " ")
    second = with_copy(first, len(grid.models), "c", lambda text: text.capitalize())
    assert [group.models for group in copies(second)] == [(grid.models[3], "b", "c")]
    assert without_copies(second) == grid.models


def test_silent_models_that_say_the_same_nothing_are_copies():
    grid = Grid(("p",), ("a", "b", "c"), ("", "", "something else"))
    assert [group.models for group in copies(grid)] == [("a", "b")]
    np.testing.assert_allclose(np.diag(answer_similarity(grid)), 1.0)
    with pytest.raises(ValueError, match="threshold"):
        copies(grid, 0.0)
