import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.planning import (
    Spread,
    chosen_prompts,
    contrast_by_prompt,
    contrast_power,
    measured_spread,
    planned,
    posterior,
)
from stillwatch.lineage.scorers import Affinities
from stillwatch.stats.conformal import conformal_p

spreads = st.builds(Spread, st.floats(0.1, 2), st.floats(0, 5), st.floats(0.1, 6))


@pytest.mark.parametrize(("references", "level"), [(19, 0.05), (45, 0.05), (30, 0.1)])
def test_power_is_that_of_the_simulated_test(references, level):
    spread = Spread(between=0.5, within=2.0, separation=1.5)
    rng = np.random.default_rng(0)
    deviation = np.hypot(0.5, 2.0 / np.sqrt(25))
    null = rng.normal(scale=deviation, size=(20000, references))
    suspect = rng.normal(1.5, deviation, size=20000)
    simulated = np.mean(conformal_p(suspect, null) <= level + 1e-12)
    exact = contrast_power(spread, references=references, queries=25, level=level)
    assert exact == pytest.approx(simulated, abs=0.015)


@given(spreads, st.integers(1, 300), st.integers(1, 500), st.sampled_from([0.01, 0.05, 0.2]))
def test_under_the_floor_nothing_is_ever_found_and_more_queries_help(spread, references, queries, level):
    power = contrast_power(spread, references=references, queries=queries, level=level)
    assert 0.0 <= power <= 1.0
    assert (power == 0.0) or references + 1 >= 1 / level - 1e-6
    more = contrast_power(spread, references=references, queries=2 * queries, level=level)
    assert more >= power - 1e-9


@given(st.sampled_from([0.01, 0.05, 0.1]), st.integers(1, 3), st.floats(0.5, 0.95))
def test_plans_reach_their_power_with_no_fewer_references_than_the_level_needs(level, hypotheses, power):
    spread = Spread(between=0.4, within=3.0, separation=2.0)
    plans = planned(spread, level=level, power=power, hypotheses=hypotheses, most_references=800)
    assert plans
    for plan in plans:
        assert plan.power >= power
        assert plan.references >= max(19, hypotheses / level - 1 - 1e-6)
        assert plan.least_p * hypotheses <= level + 1e-12
        assert str(plan.references) in plan.sentence
    counts = [plan.references for plan in plans]
    assert counts == sorted(counts, reverse=True), "more queries never need more references"


def test_what_cannot_be_reached_has_no_plan():
    far = Spread(between=1.0, within=1.0, separation=0.05)
    assert planned(far, level=0.01, power=0.9, most_references=300) == ()


def test_spread_is_divided_into_models_and_prompts():
    rng = np.random.default_rng(1)
    true = rng.normal(scale=0.5, size=(1500, 1))
    innocent = true + rng.normal(scale=2.0, size=(1500, 50))
    students = 1.7 + rng.normal(scale=2.0, size=(40, 50))
    spread = measured_spread(innocent, students)
    assert spread.between == pytest.approx(0.5, abs=0.06)
    assert spread.within == pytest.approx(2.0, abs=0.05)
    assert spread.separation == pytest.approx(1.7, abs=0.15)
    assert measured_spread(innocent, separation=3.0).separation == 3.0
    with pytest.raises(ValueError, match="nothing says"):
        measured_spread(innocent)
    with pytest.raises(ValueError, match="at least two"):
        measured_spread([[1.0, 2.0]], separation=1.0)


def made(values):
    return Affinities(
        "w/1", tuple(f"q{p}" for p in range(values.shape[0])), ("i", "j", "s"), ("t", "u"), values
    )


def test_prompts_are_chosen_where_students_differ_from_innocents():
    rng = np.random.default_rng(0)
    values = rng.normal(scale=0.1, size=(10, 3, 2))
    values[[2, 7], 2, 0] += 5.0
    chosen = chosen_prompts(made(values), ["t"], ["u"], ["i", "j"], ["s"], 2)
    assert set(chosen) == {"q2", "q7"}
    by_prompt = contrast_by_prompt(made(values), ["s"], ["t"], ["u"])
    np.testing.assert_allclose(by_prompt[0], values[:, 2, 0] - values[:, 2, 1])
    with pytest.raises(ValueError, match="choosing"):
        chosen_prompts(made(values), ["t"], ["u"], [], ["s"], 2)


def test_choosing_on_the_same_references_would_bias_and_so_others_are_used():
    """The reason for the rule: the choice pushes the contrasts of the references that it was made on down."""
    rng = np.random.default_rng(5)
    above = []
    for _ in range(60):
        values = rng.normal(size=(40, 22, 2))
        names = tuple(f"m{number}" for number in range(22))
        found = Affinities("w/1", tuple(f"q{p}" for p in range(40)), names, ("t", "u"), values)
        chosen = chosen_prompts(found, ["t"], ["u"], names[:3], names[20:21], 10)
        kept = found.on([found.prompts.index(name) for name in chosen])
        score = contrast_by_prompt(kept, names, ["t"], ["u"]).mean(axis=1)
        above.append((np.mean(score[21] > score[:3]), np.mean(score[21] > score[10:20])))
    used, fresh = np.mean(above, axis=0)
    assert used > 0.6
    assert 0.4 < fresh < 0.6


@pytest.mark.parametrize(
    ("prior", "rate", "share"), [(0.01, 0.05, 0.15), (0.1, 0.01, 0.91), (0.5, 0.001, 0.999)]
)
def test_base_rates_are_those_of_the_reference_text(prior, rate, share):
    assert posterior(prior, 0.9, rate) == pytest.approx(share, abs=0.005)


def test_numbers_outside_their_range_are_refused():
    spread = Spread(1.0, 1.0, 1.0)
    for call in (
        lambda: contrast_power(spread, references=0, queries=1, level=0.05),
        lambda: contrast_power(spread, references=1, queries=1, level=1.0),
        lambda: contrast_power(Spread(-1.0, 1.0, 1.0), references=1, queries=1, level=0.5),
        lambda: planned(spread, level=0.05, power=1.0),
        lambda: posterior(1.5, 0.5, 0.5),
        lambda: posterior(0.0, 0.5, 0.0),
    ):
        with pytest.raises(ValueError, match=r"must|needs|nothing"):
            call()
