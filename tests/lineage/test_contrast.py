import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.lineage.contrast import (
    capped_log_lr,
    contrast_test,
    contrasts,
    least_favourable,
    rank_log_e,
)
from stillwatch.lineage.references import ModelCard, ReferenceSet, Role
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.scorers import WORDS, Affinities, affinities

tied = st.integers(0, 4).map(float)
TEACHERS = tuple(f"teacher-{number}" for number in range(4))


def table(rows, teachers=("t", "u", "v"), models=None):
    values = np.asarray(rows, dtype=float)[None]
    names = models or tuple(f"m{number}" for number in range(values.shape[1]))
    return Affinities("hand/1", ("q",), names, teachers, values)


def humans(*names, **fields):
    return ReferenceSet(tuple(ModelCard(name, Role.HUMAN, **fields) for name in names))


@given(st.lists(tied, min_size=2, max_size=7))
def test_the_e_value_has_mean_one_at_most_over_all_orders(values):
    e = [np.exp(rank_log_e(values[i], values[:i] + values[i + 1 :])) for i in range(len(values))]
    assert np.mean(e) <= 1.0 + 1e-9
    if len(set(values)) == len(values):
        assert np.mean(e) == pytest.approx(1.0)


@given(
    st.lists(st.floats(-9, 9), min_size=2, max_size=12), st.lists(st.floats(-9, 9), min_size=2, max_size=12)
)
def test_the_likelihood_ratio_never_exceeds_what_the_numbers_of_models_allow(innocent, students):
    for score in (-50.0, 0.0, 50.0):
        ratio = capped_log_lr(score, innocent, students)
        assert -np.log(len(students)) - 1e-9 <= ratio <= np.log(len(innocent)) + 1e-9


def test_the_likelihood_ratio_is_that_of_normal_kernels_between_its_bounds():
    innocent, students = [0.0, 1.0, 2.0, 1.5], [1.0, 3.0, 2.5]
    within = np.concatenate([np.array(innocent) - np.mean(innocent), np.array(students) - np.mean(students)])
    width = 1.06 * np.sqrt(np.sum(within**2) / 5) * 7 ** (-0.2)
    expected = np.log(
        stats.norm.pdf(1.8, students, width).mean() / stats.norm.pdf(1.8, innocent, width).mean()
    )
    assert capped_log_lr(1.8, innocent, students) == pytest.approx(expected)


def test_contrast_is_nearest_version_less_mean_of_others_without_itself():
    rows = [[3.0, 5.0, 1.0], [2.0, 2.0, np.nan], [0.0, 1.0, 7.0]]
    found = contrasts(table(rows, models=("a", "v", "b")), ["t", "u"], ["v"])
    np.testing.assert_allclose(found, [4.0, np.nan, -6.0])
    found = contrasts(table([[9.0, 1.0, np.nan]], models=("v",)), ["t"], ["u", "v"])
    np.testing.assert_allclose(found, [8.0])


@pytest.mark.parametrize(
    ("accused", "others"), [((), ("t",)), (("t",), ()), (("t",), ("t",)), (("x",), ("t",))]
)
def test_sides_must_be_named_and_apart(accused, others):
    with pytest.raises(ValueError, match=r"accused|not among"):
        contrasts(table([[1.0, 2.0, 3.0]]), accused, others)


def test_siblings_count_once_and_by_their_worst():
    rows = [[5.0, 0.0, 0.0], [4.0, 0.0, 0.0], [6.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    kin = ReferenceSet((*humans("m1", "m2", family="kin").cards, *humans("m3").cards))
    test = contrast_test(table(rows), "m0", ["t"], ["u", "v"], kin)
    assert test.families == ("kin", "m3")
    assert test.innocent == (6.0, 1.0)
    assert test.p == pytest.approx(2 / 3)
    assert test.least_p == pytest.approx(1 / 3)


def test_students_give_a_ratio_and_a_p_value_of_their_own():
    rows = [[5.0, 0, 0], [1.0, 0, 0], [1.2, 0, 0], [4.0, 0, 0], [4.5, 0, 0]]
    test = contrast_test(table(rows), "m0", ["t"], ["u", "v"], humans("m1", "m2"), humans("m3", "m4"))
    assert test.log_lr == pytest.approx(np.log(2))
    assert test.p_student == pytest.approx(1.0)
    below = contrast_test(table(rows), "m1", ["t"], ["u", "v"], humans("m2"), humans("m3", "m4"))
    assert below.p_student == pytest.approx(1 / 3)
    assert below.log_lr is None, "one innocent has no density"


def test_the_suspect_is_never_its_own_reference():
    for students in (None, humans("m0")):
        with pytest.raises(ValueError, match="its own references"):
            contrast_test(
                table([[1.0, 0, 0], [2.0, 0, 0]]),
                "m0",
                ["t"],
                ["u"],
                humans("m1" if students else "m0"),
                students,
            )


def test_the_least_favourable_of_several_matched_sets_is_reported():
    rows = [[5.0, 0, 0], [1.0, 0, 0], [6.0, 0, 0]]
    tests = [contrast_test(table(rows), "m0", ["t"], ["u"], humans(name)) for name in ("m1", "m2")]
    assert least_favourable(tests).families == ("m2",)
    with pytest.raises(ValueError, match="no test"):
        least_favourable([])


def all_innocents(world, scorer=WORDS):
    """Leave-one-out tests of every innocent against every teacher."""
    found = affinities(scorer, world.grid, TEACHERS)
    innocent = [card.name for card in world.references.cards if card.role is Role.HUMAN]
    for name, number in itertools.product(innocent, range(len(TEACHERS))):
        accused = TEACHERS[number]
        others = [teacher for teacher in TEACHERS if teacher != accused]
        null = ReferenceSet(tuple(c for c in world.references.without([name]).cards if c.role is Role.HUMAN))
        yield found, contrast_test(found, name, [accused], others, null)


def naive_p(found, test):
    """The control that fails: a t-test over prompts, as if prompts were models."""
    row = found.row(test.suspect)
    accused = found.columns(test.accused)[0]
    gap = row[:, accused] - row.mean(axis=1)
    return stats.ttest_1samp(gap, 0.0, alternative="greater").pvalue


@pytest.fixture(scope="module")
def worlds():
    population = Population(prompts=80, innocents=24, students=8, bases=1, contamination=0.1)
    return [simulated(population, np.random.default_rng(seed)) for seed in range(6)]


def test_models_as_the_unit_hold_the_level_and_prompts_as_the_unit_do_not(worlds):
    pairs = [pair for world in worlds for pair in all_innocents(world)]
    p = np.array([test.p for _, test in pairs])
    for level in (0.05, 0.1, 0.2, 0.5):
        assert np.mean(p <= level) <= level + 1e-12
    assert np.mean([np.exp(test.log_e) for _, test in pairs]) == pytest.approx(1.0)
    naive = np.mean([naive_p(found, test) <= 0.01 for found, test in pairs])
    assert naive > 0.1, "treating prompts as independent evidence rejects true nulls in droves"


def test_students_stand_above_matched_innocents(worlds):
    found = affinities(WORDS, worlds[0].grid, TEACHERS)
    for card in worlds[0].references.cards:
        if card.role is Role.STUDENT:
            number = int(card.teachers[0][-1])
            others = [teacher for teacher in TEACHERS if teacher != TEACHERS[number]]
            null = worlds[0].references.innocent_of(f"vendor-{number}")
            test = contrast_test(found, card.name, [TEACHERS[number]], others, null.without([card.name]))
            assert test.p <= 0.1
