import numpy as np
import pytest

from stillwatch.lineage.references import Role
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.scorers import WORDS, affinities


def test_a_seed_gives_the_same_population_and_another_gives_another():
    one, again, other = (simulated(Population(), np.random.default_rng(s)) for s in (1, 1, 2))
    assert one.grid == again.grid
    assert one.references == again.references
    assert one.grid != other.grid


def test_truth_and_answers_fit():
    population = Population(prompts=5, vendors=3, bases=2, innocents=7, students=6)
    world = simulated(population, np.random.default_rng(0))
    assert len(world.grid.models) == 2 * 3 + 7 + 6
    assert set(world.references.names()) <= set(world.grid.models)
    assert {c.teachers for c in world.references.cards if c.role is Role.STUDENT} == {
        (f"vendor-{number}/teacher-{number}",) for number in range(3)
    }


def test_a_teacher_is_most_like_its_own_rerun_and_a_full_student_comes_next():
    world = simulated(Population(dose=0.8), np.random.default_rng(3))
    mean = affinities(WORDS, world.grid, ["teacher-0"]).mean()[:, 0]
    by_name = dict(zip(world.grid.models, mean, strict=True))
    innocent = max(value for name, value in by_name.items() if name.startswith("innocent"))
    assert by_name["teacher-0@run1"] > by_name["student-0"] > innocent


@pytest.mark.parametrize("dose", [0.0, 0.3])
def test_without_a_dose_students_are_like_innocents(dose):
    rng = np.random.default_rng(5)
    world = simulated(Population(dose=dose, innocents=30, students=30, vendors=1, bases=1), rng)
    mean = affinities(WORDS, world.grid, ["teacher-0"]).mean()[:, 0]
    names = world.grid.models
    students = np.array([v for n, v in zip(names, mean, strict=True) if n.startswith("student")])
    innocent = np.array([v for n, v in zip(names, mean, strict=True) if n.startswith("innocent")])
    above = float(np.mean(students[:, None] > innocent[None]))
    assert (above > 0.95) if dose else (0.25 < above < 0.75)
