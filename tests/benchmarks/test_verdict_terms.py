"""Groups weighed again from their shown terms."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import quality_families
from stillwatch.detect.terms import PRIORS, RULES
from stillwatch.detect.verdict import hypotheses
from verdict_terms import FEATURES, KINDS, Known, fit, outcome, owners, probabilities, reported

ONE = np.ones(len(FEATURES))
CAMPAIGN = [kind.value for kind in KINDS].index("campaign")


def terms(features: dict[str, float]) -> np.ndarray:
    """Terms as a report shows them."""
    points = np.zeros((len(FEATURES), len(KINDS)))
    for one in hypotheses(features):
        for term in one.terms:
            points[FEATURES.index(term.measure), KINDS.index(one.kind)] = term.points
    return points


def known(family: str, features: dict[str, float], *, guilty: bool) -> Known:
    return Known(family, guilty, frozenset({f"{family}-1", f"{family}-2"}), terms(features), could_be=True)


@given(st.dictionaries(st.sampled_from(FEATURES), st.floats(0.0, 1.0), max_size=8))
def test_weights_of_one_give_the_shipped_probability(features):
    shown = {one.kind: one.probability for one in hypotheses(features)}
    (got,) = probabilities(terms(features)[None], ONE)
    assert got == pytest.approx(shown[KINDS[CAMPAIGN]], abs=2e-2)


def test_without_rules_only_the_prior_speaks():
    (got,) = probabilities(terms({"extraction_share": 0.9})[None], 0 * ONE)
    odds = {kind: np.exp(prior) for kind, prior in PRIORS.items()}
    assert got == pytest.approx(odds[KINDS[CAMPAIGN]] / sum(odds.values()))


def test_fitting_moves_probabilities_towards_the_truth():
    bad = {rule.feature: 0.9 for rule in RULES if rule.feature in {"extraction_share", "shared_payments"}}
    good = {"software_keys": 1.0, "same_organisation": 1.0}
    groups = [known("A", bad, guilty=True), known("firm", good, guilty=False)]
    weight = fit(groups)
    assert (weight >= 0).all()
    stacked = np.stack([one.terms for one in groups])
    before, after = probabilities(stacked, ONE), probabilities(stacked, weight)
    assert after[0] >= before[0]
    assert after[1] <= before[1] + 1e-9


def test_outcomes_count_accounts_of_campaigns_and_honest_families():
    groups = [known("A", {}, guilty=True), known("class", {}, guilty=False), known("B", {}, guilty=True)]
    got = outcome(groups, np.array([True, True, False]), {"A": 4, "B": 2, "C": 0})
    assert got["found"] == {"A": 0.5, "B": 0.0}
    assert got["false"] == ["class"]


def test_no_groups_report_nothing():
    assert reported([], ONE).tolist() == []


def test_owners_are_campaign_then_fleet_then_population():
    truth = pa.table(
        {
            "account_id": ["a", "b", "c", "c"],
            "campaign": ["X", None, None, None],
            "fleet": pa.array([None, "university_class-3", None, None], pa.string()),
            "population": ["campaign", "student", "hobbyist", "hobbyist"],
        }
    )
    assert owners(truth) == {"a": ("X", True), "b": ("university_class", False), "c": ("hobbyist", False)}


def test_accounts_with_little_of_a_campaign_are_not_sought():
    truth = pa.table({"account_id": ["a"] * 3 + ["b"] * 2, "campaign": ["X"] * 5, "is_strand": [True] * 5})
    assert quality_families.sought(truth) == {"X": 1}
