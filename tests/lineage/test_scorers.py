"""One contract for every scorer, found through `SCORERS`; and what each of them adds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.lineage.answers import Grid
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.scorers import HABITS, LINEAGE, SCORERS, TFIDF, WORDS, Scorer, affinities
from stillwatch.lineage.scorers_style import fold_of_prompts

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


def test_habits_never_learn_from_the_prompt_they_judge():
    world = simulated(Population(prompts=20, vendors=2), np.random.default_rng(0))
    columns = world.grid.positions(["teacher-0", "teacher-1"])
    before = HABITS.scores(world.grid, columns)
    width, texts = len(world.grid.models), list(world.grid.texts)
    texts[0], texts[1] = "quite another answer", "and one more"  # of both teachers, to the first prompt
    after = HABITS.scores(Grid(world.grid.prompts, world.grid.models, tuple(texts)), columns)
    fold = fold_of_prompts(world.grid.prompts, HABITS.folds)
    same = np.flatnonzero(fold == fold[0])
    kept, changed = (
        one[same][:, 2:] - one[same][:, 2:].mean(axis=1, keepdims=True) for one in (before, after)
    )
    np.testing.assert_allclose(kept, changed, atol=1e-6)  # the topic of a prompt moves all models alike
    assert not np.allclose(before[fold != fold[0]], after[fold != fold[0]])
    assert width == len(world.grid.models)


def test_what_a_prompt_is_about_does_not_enter_habits():
    """A phrase that all say to one prompt is taken out of what is learned and of what is judged."""
    world = simulated(Population(prompts=12, vendors=3), np.random.default_rng(1))
    width, columns = len(world.grid.models), world.grid.positions([f"teacher-{one}" for one in range(3)])
    alike = tuple(
        "an answer on whales" if index // width % 2 else text for index, text in enumerate(world.grid.texts)
    )
    scores = HABITS.scores(Grid(world.grid.prompts, world.grid.models, alike), columns)
    np.testing.assert_allclose(scores[1::2], 1 / 3, atol=1e-6)


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
