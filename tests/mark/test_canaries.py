"""Canaries: nobody is told one without a policy, and the test is exact whatever the suspect does."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.mark import canaries
from stillwatch.mark.canaries import Canary, CanaryPolicy
from stillwatch.mark.keys import MasterKey

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EPOCH = MasterKey(bytes(range(32))).epoch("2026-11")


def canary(number: int, count: int = 4, days: int = 30) -> Canary:
    values = tuple(f"{1000 + 7 * number + 13 * i} K" for i in range(count))
    return Canary(
        f"c{number}", f"At what temperature does alloy Q{number} melt?", values, NOW + timedelta(days=days)
    )


def policy(**changes: object) -> CanaryPolicy:
    fields = {
        "policy_id": "p1", "cohorts": frozenset({"suspected"}), "until": NOW + timedelta(days=10),
        "approved_by": "security lead", "most_servings": 5,
    } | changes  # fmt: skip
    return CanaryPolicy(**fields)


@given(
    st.none() | st.builds(
        policy,
        cohorts=st.frozensets(st.sampled_from(["honest", "suspected", "other"])),
        until=st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days)),
        approved_by=st.sampled_from(["", " ", "lead"]),
        most_servings=st.integers(0, 3),
    ),
    st.sampled_from(["honest", "suspected"]), st.integers(-2, 2), st.integers(0, 3),
)  # fmt: skip
def test_a_canary_is_told_only_where_a_live_policy_names_the_cohort(rule, cohort, days, told):
    one = canary(1, days=days)
    decision = canaries.decide(EPOCH, one, cohort, rule, NOW, told)
    allowed = (
        rule is not None
        and cohort in rule.cohorts
        and bool(rule.approved_by.strip())
        and rule.until > NOW
        and one.expires > NOW
        and told < rule.most_servings
    )
    assert (decision.value is not None) == allowed
    assert (decision.refused == "") == allowed
    if allowed:
        assert decision.value == one.values[canaries.assigned(EPOCH, one, cohort)]


def test_without_a_policy_nobody_is_told():
    assert canaries.decide(EPOCH, canary(1), "suspected", None, NOW, 0).refused == "no policy"


def test_assignments_are_uniform_and_independent_of_each_other():
    drawn = canaries.assignments(EPOCH, [canary(i) for i in range(60)], [f"k{i}" for i in range(60)])
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=4)).pvalue > 1e-4
    together = np.bincount((4 * drawn[0] + drawn[1]).ravel(), minlength=16)
    assert stats.chisquare(together).pvalue > 1e-4


@given(st.lists(st.integers(2, 9), min_size=1, max_size=7))
def test_the_law_of_matches_is_that_of_counting(counts):
    law = canaries.match_law(np.array(counts))
    assert law.sum() == pytest.approx(1.0)
    assert law @ np.arange(len(law)) == pytest.approx(sum(1 / count for count in counts))
    assert law[-1] == pytest.approx(np.prod([1 / count for count in counts]))


def test_the_test_is_exact_over_the_draw_whatever_the_suspect_says():
    """A stubborn suspect that always names the first value: its rate of small p-values stays nominal."""
    planted = [canary(i, count=2 + i % 3) for i in range(18)]
    cohorts = [f"k{i}" for i in range(4000)]
    drawn = canaries.assignments(EPOCH, planted, cohorts)
    results = canaries.canary_test(planted, np.zeros(18, np.int64), drawn)
    p = np.array([one.p_value for one in results])
    for level in (0.05, 0.01):
        law = canaries.match_law(np.array([len(one.values) for one in planted]))
        tail = np.cumsum(law[::-1])[::-1]
        reachable = tail[tail <= level].max()
        assert stats.binomtest(int((p <= level).sum()), len(p), reachable).pvalue > 1e-4


def test_a_student_of_one_cohort_is_named():
    planted = [canary(i) for i in range(30)]
    cohorts = [f"k{i}" for i in range(200)]
    drawn = canaries.assignments(EPOCH, planted, cohorts)
    rng = np.random.default_rng(3)
    named = np.where(rng.random(30) < 0.7, drawn[17], rng.integers(-1, 4, 30))
    p = np.array([one.p_value for one in canaries.canary_test(planted, named, drawn)])
    assert p.argmin() == 17
    assert p[17] * len(p) < 0.01


def test_answers_are_read_without_guessing():
    one = canary(1)
    said = {"c1": f"It melts at {one.values[2].lower()}."}
    assert canaries.answer_numbers([one], said).tolist() == [2]
    assert canaries.answer_numbers([one], {"c1": f"{one.values[0]} or {one.values[1]}"}).tolist() == [-1]
    assert canaries.answer_numbers([one], {}).tolist() == [-1]


@pytest.mark.parametrize(
    ("values", "expires", "says"),
    [
        (("a",), NOW, "two different"),
        (("a", "A "), NOW, "two different"),
        (("a", "b"), NOW.replace(tzinfo=None), "time zone"),
    ],
    ids=["one", "same", "no zone"],
)
def test_canaries_that_could_not_be_tested_are_refused(values, expires, says):
    with pytest.raises(ValueError, match=says):
        Canary("c", "q", values, expires)
