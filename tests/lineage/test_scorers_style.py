import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.lineage.scorers_style import WIDTH, RidgeFolds, character_habits, fold_of_prompts


@pytest.mark.parametrize("width", [7, 90])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_ridge_without_a_part_is_the_fit_on_the_rest(width, seed):
    rng = np.random.default_rng(seed)
    cube = rng.normal(size=(12, 3, width)).astype(np.float32)
    held = np.arange(12) % 4 == 0
    test = cube[held].reshape(-1, width)
    x = cube[~held].reshape(-1, width).astype(float)
    y = np.tile(np.eye(3), (int((~held).sum()), 1))
    centred = x - x.mean(axis=0)
    weights = np.linalg.solve(centred.T @ centred + 2.0 * np.eye(width), centred.T @ (y - 1 / 3))
    expected = (test - x.mean(axis=0)) @ weights + 1 / 3
    np.testing.assert_allclose(RidgeFolds(cube, 2.0).without(held, test), expected, atol=2e-4)
    assert RidgeFolds(cube, 2.0).without(np.ones(12, bool), test) is None


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_habits_are_directions_and_equal_for_equal_texts(texts):
    rows = character_habits([*texts, texts[0]], (2, 3), 700)
    assert rows.shape == (len(texts) + 1, WIDTH)
    lengths = np.linalg.norm(rows, axis=1)
    assert all(abs(length - 1) < 1e-5 or length == 0 for length in lengths)
    np.testing.assert_array_equal(rows[0], rows[-1])


@given(st.lists(st.text(max_size=5), min_size=1, max_size=30, unique=True), st.integers(2, 5))
def test_folds_are_even_and_come_from_the_names_alone(prompts, folds):
    fold = fold_of_prompts(prompts, folds)
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1
    back = fold_of_prompts(prompts[::-1], folds)[::-1]
    np.testing.assert_array_equal(fold, back)
