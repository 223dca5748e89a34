import numpy as np
import pytest

from stillwatch.lineage.imitation import distinguisher_advantage, imitation
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.scorers import WORDS, Affinities, affinities

INNOCENT = tuple(f"innocent-{number}" for number in range(12))


def made(rng, level, references=10, prompts=80):
    """Scores with a floor of 1 and a ceiling of 3 in expectation, over prompts and references."""
    names = ("s", "r", *(f"n{number}" for number in range(references)))
    own = rng.normal(scale=0.1, size=references)
    means = np.concatenate([[1.0 + 2.0 * level, 3.0], 1.0 + own])
    values = rng.normal(size=(prompts, references + 2, 1)) + means[:, None]
    return Affinities("w/1", tuple(f"q{p}" for p in range(prompts)), names, ("t",), values), names[2:]


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_the_interval_covers_the_true_level(level):
    rng = np.random.default_rng(11)
    inside = []
    for _ in range(120):
        found, null = made(rng, level)
        result = imitation(found, "s", "t", "r", null, rng=rng, resamples=200, confidence=0.9)
        inside.append(result.low <= level <= result.high)
    assert np.mean(inside) >= 0.9 - 3 * np.sqrt(0.09 / 120) - 0.03


def test_more_of_the_teacher_is_a_higher_level_between_floor_and_ceiling():
    rng = np.random.default_rng(2)
    levels = []
    for dose in (0.0, 0.3, 0.9):
        population = Population(dose=dose, vendors=1, bases=1, innocents=12, students=1, prompts=80)
        found = affinities(WORDS, simulated(population, np.random.default_rng(4)).grid, ["teacher-0"])
        result = imitation(found, "student-0", "teacher-0", "teacher-0@run1", INNOCENT, rng=rng)
        levels.append(result.level)
        assert f"{result.level:.0%}" in result.sentence
    assert levels[0] < levels[1] < levels[2] <= 1.1
    assert levels[0] < 0.2


def test_without_room_between_floor_and_ceiling_there_is_no_level():
    rng = np.random.default_rng(0)
    found, null = made(rng, 0.5)
    flat = Affinities(
        found.scorer, found.prompts, found.models, found.teachers, rng.normal(size=found.values.shape)
    )
    result = imitation(flat, "s", "t", "r", null, rng=rng)
    assert (result.level, result.low, result.high) == (None, None, None)
    assert result.sentence.startswith("No level")
    for references, confidence in ((null[:1], 0.95), (null, 1.0)):
        with pytest.raises(ValueError, match="two references"):
            imitation(found, "s", "t", "r", references, rng=rng, confidence=confidence)


def test_an_own_rerun_is_hard_to_tell_apart_and_a_stranger_is_easy():
    population = Population(prompts=100, vendors=2, bases=1, innocents=2, students=1)
    grid = simulated(population, np.random.default_rng(5)).grid
    same = distinguisher_advantage(grid, "teacher-0@run1", "teacher-0")
    other = distinguisher_advantage(grid, "innocent-0", "teacher-0")
    assert abs(same) < 0.3 < other <= 1.0
    with pytest.raises(ValueError, match="as many prompts"):
        distinguisher_advantage(grid.restricted([0, 1]), "teacher-0", "teacher-1")
