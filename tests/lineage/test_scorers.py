"""One contract for every scorer, found through `SCORERS`; and what each of them adds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.lineage.answers import Grid
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.scorers import HABITS, LINEAGE, SCORERS, TFIDF, WORDS, Scorer, affinities
from stillwatch.lineage.scorers_form import form_features
from stillwatch.lineage.scorers_grams import byte_units, gram_hashes, word_units
from stillwatch.lineage.scorers_style import RidgeFolds, fold_of_prompts

MODELS, PROMPTS = 4, 6
said = st.text(st.sampled_from("ab cd.\n1-\u00e9\U0001f600") | st.characters(codec="utf-8"), max_size=25)
grids = st.lists(said, min_size=MODELS * PROMPTS, max_size=MODELS * PROMPTS).map(
    lambda texts: Grid(tuple(f"q{p}" for p in range(PROMPTS)), tuple("wxyz"), tuple(texts))
)
each = pytest.mark.parametrize("scorer", SCORERS, ids=lambda scorer: scorer.name)


def shuffled(grid, prompts, models):
    width = len(grid.models)
    texts = tuple(grid.texts[p * width + m] for p in prompts for m in models)
    return Grid(tuple(grid.prompts[p] for p in prompts), tuple(grid.models[m] for m in models), texts)


def test_names_are_permanent_and_distinct():
    assert len({scorer.name for scorer in SCORERS}) == len(SCORERS)
    assert all(isinstance(scorer, Scorer) and scorer.version >= 1 for scorer in SCORERS)


@each
@settings(max_examples=15)
@given(grid=grids)
def test_any_text_gives_finite_scores_and_none_of_a_model_with_itself(scorer, grid):
    found = affinities(scorer, grid, ["w", "y"])
    assert found.values.shape == (PROMPTS, MODELS, 2)
    own = np.isnan(found.values)
    assert own[:, 0, 0].all()
    assert own[:, 2, 1].all()
    assert own.sum() == 2 * PROMPTS


@each
@settings(max_examples=15)
@given(grid=grids, data=st.data())
def test_nobody_knows_which_model_is_the_suspect(scorer, grid, data):
    prompts = data.draw(st.permutations(range(PROMPTS)))
    models = data.draw(st.permutations(range(MODELS)))
    one = affinities(scorer, grid, ["w", "y"]).values
    other = affinities(scorer, shuffled(grid, prompts, models), ["w", "y"]).values
    np.testing.assert_allclose(other, one[np.ix_(prompts, models)], atol=1e-6)


@each
def test_a_student_is_nearer_to_its_teacher_than_to_others(scorer):
    world = simulated(Population(dose=0.9, vendors=2, students=6, innocents=6), np.random.default_rng(4))
    mean = affinities(scorer, world.grid, ["teacher-0", "teacher-1"]).mean()
    rows = dict(zip(world.grid.models, mean, strict=True))
    gaps = [
        rows[c.name][int(c.teachers[0][-1])] - rows[c.name][1 - int(c.teachers[0][-1])]
        for c in world.references.cards
        if c.teachers
    ]
    assert np.mean(gaps) > 0.0


@given(grids, st.integers(0, 3))
def test_what_everybody_says_weighs_nothing(grid, prompt):
    width = len(grid.models)
    texts = list(grid.texts)
    texts[prompt * width : (prompt + 1) * width] = ["the very same words to all"] * width
    scores = WORDS.scores(Grid(grid.prompts, grid.models, tuple(texts)), [0, 1])
    np.testing.assert_array_equal(scores[prompt], 0.0)


def test_the_baseline_is_the_cosine_of_the_reference_text_by_hand():
    grid = Grid(("q",), ("a", "b", "c"), ("red fox", "red dog", "cat"))
    # unigrams: red in 2 of 3 models, the rest and both bigrams in 1
    red, rare = np.log(3 / 2), np.log(3)
    expected = red**2 / (red**2 + 2 * rare**2)
    assert TFIDF.scores(grid, [1])[0, 0, 0] == pytest.approx(expected)


@given(st.lists(st.text(st.sampled_from("abc "), max_size=12), min_size=1, max_size=6), st.integers(1, 4))
def test_grams_are_equal_exactly_when_their_units_are(texts, size):
    for cut, parts in ((word_units, [t.split() for t in texts]), (byte_units, [list(t) for t in texts])):
        hashes, rows = gram_hashes(cut(texts, 100), size)
        expected = [
            (row, tuple(part[i : i + size]))
            for row, part in enumerate(parts)
            for i in range(len(part) - size + 1)
        ]
        assert rows.tolist() == [row for row, _ in expected]
        pairs = {(int(h), gram) for h, (_, gram) in zip(hashes, expected, strict=True)}
        assert len(pairs) == len({h for h, _ in pairs}) == len({g for _, g in pairs})


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


def test_habits_never_learn_from_the_prompt_they_judge():
    world = simulated(Population(prompts=20, vendors=2), np.random.default_rng(0))
    columns = world.grid.positions(["teacher-0", "teacher-1"])
    before = HABITS.scores(world.grid, columns)
    width, texts = len(world.grid.models), list(world.grid.texts)
    texts[0], texts[1] = "quite another answer", "and one more"  # of both teachers, to the first prompt
    after = HABITS.scores(Grid(world.grid.prompts, world.grid.models, tuple(texts)), columns)
    fold = fold_of_prompts(world.grid.prompts, HABITS.folds)
    same = np.flatnonzero(fold == fold[0])
    np.testing.assert_allclose(before[same][:, 2:], after[same][:, 2:], atol=1e-6)
    assert not np.allclose(before[fold != fold[0]], after[fold != fold[0]])
    assert width == len(world.grid.models)


@each
def test_reading_in_pieces_changes_nothing(scorer, monkeypatch):
    world = simulated(Population(prompts=7, vendors=2, innocents=2, students=2), np.random.default_rng(1))
    whole = scorer.scores(world.grid, [0, 1])
    monkeypatch.setattr("stillwatch.lineage.scorers._TEXTS_AT_ONCE", 20)
    np.testing.assert_allclose(scorer.scores(world.grid, [0, 1]), whole, atol=1e-9)


def test_a_single_teacher_says_nothing_through_a_sum_of_standardised_scores():
    world = simulated(Population(prompts=5, vendors=1, innocents=2, students=1), np.random.default_rng(0))
    np.testing.assert_array_equal(LINEAGE.scores(world.grid, [0]), 0.0)


def test_a_scorer_that_breaks_its_contract_is_told():
    class Broken:
        name, version = "broken", 1

        def scores(self, _grid, _teachers):
            return np.full((1, 1, 1), np.nan)

    grid = Grid(("q",), ("a",), ("x",))
    with pytest.raises(ValueError, match="broken must return finite"):
        affinities(Broken(), grid, ["a"])
    found = affinities(WORDS, grid, ["a"])
    for call in (lambda: found.columns(["b"]), lambda: found.row("b")):
        with pytest.raises(ValueError, match="not among"):
            call()


def test_form_counts_what_is_seen():
    rows = form_features(["", "One. Two!\n- a\n- b", "I can't, sorry."])
    assert rows.shape == (3, 18)
    assert rows[0].sum() == 0.0
    assert rows[1][3] > 0.0, "lists"
    assert rows[2][-1] > 0.0, "refusal"
