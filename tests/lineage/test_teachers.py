import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.scorers import Affinities
from stillwatch.lineage.teachers import closest_set, possible_teachers, ranked

NAMES = ("t0", "t1", "t2", "t3")


def noisy(rng, centre, prompts=60, models=("s",)):
    values = rng.normal(size=(prompts, len(models), len(NAMES))) + np.asarray(centre)
    return Affinities("noise/1", tuple(f"q{p}" for p in range(prompts)), models, NAMES, values)


def test_ranking_is_by_mean_and_leaves_the_suspect_out():
    values = np.array([[[1.0, 3.0, np.nan, 2.0]]])
    found = Affinities("hand/1", ("q",), ("t2",), NAMES, values)
    assert ranked(found, "t2") == (("t1", 3.0), ("t3", 2.0), ("t0", 1.0))


def test_the_nearest_teacher_is_covered_at_the_level():
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(150):
        found = noisy(rng, [0.3, 0.1, 0.0, -0.5])
        covered.append("t0" in closest_set(found, "s", level=0.1, rng=rng, resamples=200).members)
    assert np.mean(covered) >= 0.9 - 3 * np.sqrt(0.09 / 150)


def test_far_teachers_are_excluded_and_equal_ones_kept():
    rng = np.random.default_rng(1)
    far = closest_set(noisy(rng, [5.0, 0.0, 0.0, 0.0]), "s", level=0.05, rng=rng)
    assert (far.members, far.p[0], set(far.excluded)) == (("t0",), 1.0, {"t1", "t2", "t3"})
    kept = [
        len(closest_set(noisy(rng, [0.0] * 4), "s", level=0.05, rng=rng, resamples=200).members)
        for _ in range(60)
    ]
    assert np.mean([size == 4 for size in kept]) >= 0.8


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_sets_divide_the_teachers_and_p_values_fit(seed, prompts):
    rng = np.random.default_rng(seed)
    result = closest_set(noisy(rng, rng.normal(size=4), prompts), "s", level=0.2, rng=rng, resamples=50)
    assert sorted((*result.members, *result.excluded)) == sorted(NAMES)
    assert all(p <= 0.2 for p in result.p[len(result.members) :])
    assert result.p[0] > 0.2 or len(result.members) == 1


def students_world(rng, count):
    names = (*(f"k{number}" for number in range(count)), "s")
    truth = {name: NAMES[int(rng.integers(4))] for name in names}
    values = rng.normal(size=(1, count + 1, 4))
    for row, name in enumerate(names):
        values[0, row, NAMES.index(truth[name])] += 1.5
    return Affinities("w/1", ("q",), names, NAMES, values), truth


@pytest.mark.parametrize("level", [0.1, 0.3])
def test_the_true_teacher_is_possible_with_the_stated_probability(level):
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(800):
        found, truth = students_world(rng, 19)
        inside.append(truth["s"] in possible_teachers(found, "s", truth, level=level).members)
    spread = np.sqrt(level * (1 - level) / 800)
    assert abs(np.mean(inside) - (1 - level)) <= 4 * spread + 1 / 20


def test_with_too_few_students_nothing_is_excluded_and_the_number_needed_is_said():
    found, truth = students_world(np.random.default_rng(0), 5)
    few = possible_teachers(found, "s", truth, level=0.05)
    assert (few.excluded, few.needed, few.calibrated_on) == ((), 19, 5)
    found, truth = students_world(np.random.default_rng(0), 19)
    assert possible_teachers(found, "s", truth, level=0.05).needed == 0


def test_what_cannot_be_computed_is_refused():
    rng = np.random.default_rng(0)
    found = noisy(rng, [0.0] * 4)
    with pytest.raises(ValueError, match="known student"):
        possible_teachers(found, "s", {"s": "t0"}, level=0.1)
    with pytest.raises(ValueError, match="level"):
        possible_teachers(found, "s", {"k": "t0"}, level=1.0)
    with pytest.raises(ValueError, match="level"):
        closest_set(found, "s", level=0.0, rng=rng)
    with pytest.raises(ValueError, match="two prompts"):
        closest_set(found.on([0]), "s", level=0.1, rng=rng)
    single = Affinities("w/1", ("q",), ("s", "k"), ("t0",), np.ones((1, 2, 1)))
    with pytest.raises(ValueError, match="margin"):
        possible_teachers(single, "s", {"k": "t0"}, level=0.1)
