"""The verdict: additive, monotone, each term shown, and never a campaign on one leg."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.terms import PRIORS, RULES, VERSION
from stillwatch.detect.verdict import decide, hypotheses
from stillwatch.model.findings import Hypothesis, Verdict

NAMES = [rule.feature for rule in RULES]
VALUES = st.floats(-5, 15) | st.just(math.nan)
FEATURES = st.dictionaries(st.sampled_from(NAMES), VALUES)


def scores(features):
    return {one.kind: one for one in hypotheses(features)}


@given(FEATURES)
def test_probabilities_sum_to_one_and_stand_in_order(features):
    ranked = hypotheses(features)
    assert {one.kind for one in ranked} == set(PRIORS)
    assert sum(one.probability for one in ranked) == pytest.approx(1.0)
    assert all(one.score >= other.score for one, other in itertools.pairwise(ranked))
    for one, other in itertools.combinations(ranked, 2):
        if min(one.probability, other.probability) > 1e-9:
            odds = math.log(one.probability / other.probability)
            assert odds == pytest.approx(one.score - other.score, abs=0.003)


@given(FEATURES)
def test_every_score_is_its_prior_and_its_terms(features):
    for one in hypotheses(features):
        assert one.score == pytest.approx(PRIORS[one.kind] + sum(term.points for term in one.terms), abs=1e-6)
        assert len({term.measure for term in one.terms}) == len(one.terms)
        assert one.table == VERSION  # which table gave a verdict must be told from the verdict
        sizes = [abs(term.points) for term in one.terms]
        assert sizes == sorted(sizes, reverse=True)


@given(FEATURES, st.sets(st.sampled_from(NAMES)))
def test_what_is_unknown_adds_nothing(features, unknown):
    known = {name: value for name, value in features.items() if name not in unknown}
    assert hypotheses(known | dict.fromkeys(unknown, math.nan)) == hypotheses(known)
    assert hypotheses(known | {"no such feature": 1.0}) == hypotheses(known)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_every_term_is_monotone_between_its_knots_and_constant_beyond(rule):
    assert list(rule.knots) == sorted(set(rule.knots))
    assert rule.sentence.format(value=rule.knots[0])
    low, high = rule.knots[0], rule.knots[-1]
    grid = np.linspace(low - 1, high + 1, 41)
    for kind, points in rule.points.items():
        assert len(points) == len(rule.knots)
        steps = np.diff(points)
        assert (steps >= 0).all() or (steps <= 0).all(), f"{kind} turns back"
        said = [scores({rule.feature: value})[kind].score for value in grid]
        # terms are shown with three digits, and not at all below 0.005
        moves = np.diff(said)
        assert (moves >= -0.006).all() or (moves <= 0.006).all()
        assert said[0] == pytest.approx(PRIORS[kind] + points[0], abs=0.006)
        assert said[-1] == pytest.approx(PRIORS[kind] + points[-1], abs=0.006)


def test_rules_are_about_different_features_and_known_kinds():
    assert len(set(NAMES)) == len(NAMES)
    assert {kind for rule in RULES for kind in rule.points} <= set(PRIORS)
    assert Verdict.UNDECIDED not in PRIORS


def ranked(kind, probability):
    other = Verdict.APPLICATION if kind is not Verdict.APPLICATION else Verdict.CLASS
    return (Hypothesis(kind, 1.0, probability, ()), Hypothesis(other, 0.0, 1 - probability, ()))


@given(
    st.sampled_from(sorted(PRIORS)), st.floats(0.15, 1.0), st.booleans(), st.booleans(), st.floats(0.001, 0.5)
)
def test_a_campaign_needs_coordination_a_second_view_and_a_low_error(
    kind, probability, coordinated, second, error
):
    said = decide(ranked(kind, probability), coordinated=coordinated, second_view=second, verdict_error=error)
    if said is Verdict.CAMPAIGN:
        assert kind is Verdict.CAMPAIGN
        assert coordinated
        assert second
        assert 1 - probability <= error
    elif kind is Verdict.CAMPAIGN:
        assert said is Verdict.UNDECIDED
    else:
        assert said is (kind if probability >= 0.5 else Verdict.UNDECIDED)


def test_a_sure_campaign_is_called_one():
    said = decide(ranked(Verdict.CAMPAIGN, 0.99), coordinated=True, second_view=True, verdict_error=0.05)
    assert said is Verdict.CAMPAIGN


ARCHETYPES = {
    Verdict.CAMPAIGN: {
        "extraction_share": 0.95, "repeat_share": 0.0, "same_organisation": 0.05, "same_payer": 0.1, "shared_payments": 0.8,
        "throwaway_excess": 0.7, "birth_burst": 0.8, "schedule": 12.0, "single_turn_share": 1.0, "rhythm": 0.1, "coverage": 0.7,
    },
    Verdict.ORGANISATION: {"same_organisation": 1.0, "same_payer": 1.0, "repeat_share": 0.0, "rhythm": 0.9, "verified_share": 1.0},
    Verdict.BENCHMARK: {"repeat_share": 0.9, "single_turn_share": 1.0, "rhythm": 0.1, "schedule": 9.0, "same_address": 0.05},
    Verdict.CLASS: {"repeat_share": 0.7, "same_address": 0.7, "rhythm": 1.2, "birth_burst": 0.6, "single_turn_share": 0.6},
    Verdict.APPLICATION: {
        "repeat_share": 0.01, "tool_share": 1.0, "software_keys": 1.0, "single_turn_share": 0.2, "same_payer": 0.03,
        "birth_burst": 0.05, "extraction_share": 0.02, "rhythm": 0.8,
    },
    Verdict.PROGRAMME: {"programme_share": 1.0},
    Verdict.RESELLER: {"reseller_share": 1.0},
}  # fmt: skip


@pytest.mark.parametrize("kind", list(ARCHETYPES), ids=str)
def test_the_archetype_of_every_kind_is_recognised(kind):
    best = hypotheses(ARCHETYPES[kind])[0]
    assert best.kind is kind
    assert best.probability > 0.9


def test_nothing_known_is_decided_by_the_priors_and_is_no_campaign():
    ranked_ = hypotheses({})
    assert ranked_[0].score == max(PRIORS.values())
    assert scores({})[Verdict.CAMPAIGN].probability < 0.05
