"""Every number that is reported has a sentence, and every sentence can be read."""

import math

import numpy as np
import pytest

from stillwatch.detect.crowd_evidence import SCHEDULE
from stillwatch.detect.evidence import NOTHING, Evidence, Measured
from stillwatch.detect.profiles import STATISTICS
from stillwatch.detect.sentences import SENTENCES, advisory_ids, atlas_ids, findings_of, to_e, would_settle
from stillwatch.model.findings import Verdict
from stillwatch.model.views import View


def measured(name, log_e, value=0.5):
    return Measured(name, STATISTICS[name], value, 0.01, 0.02, log_e, 0.001)


def evidence(*found):
    return Evidence(found, 1.0, {}, 24)


@pytest.fixture(scope="module")
def members(made):
    return made.membership(made.strands(range(12), np.full((12, 3), 9)))


def test_every_statistic_has_a_sentence():
    assert set(SENTENCES) == {*STATISTICS, SCHEDULE}
    for sentence in SENTENCES.values():
        assert "nan" not in sentence.format(value=0.25, reference=0.01)


def test_findings_begin_with_the_text_and_go_on_by_strength(members):
    names = list(STATISTICS)
    found = findings_of(members, evidence(*(measured(name, at) for at, name in enumerate(names))), 7)
    assert found[0].measure == "shared_prompts"
    assert found[0].view is View.TEXT
    assert "12 accounts" in found[0].sentence
    assert "324" in found[0].sentence
    assert [one.measure for one in found[1:]] == names[::-1]
    assert [one.view for one in found[1:]] == [STATISTICS[name] for name in names[::-1]]
    assert all(one.e_value is not None and one.e_value >= 0 for one in found)
    assert all("24 accounts" in one.computed_from for one in found[1:])


def test_a_group_without_statistics_has_the_text_alone(members):
    assert [one.measure for one in findings_of(members, NOTHING, 7)] == ["shared_prompts"]


def test_a_group_without_text_begins_with_its_sign_ups(members):
    (found,) = findings_of(members, NOTHING, 0)
    assert found.measure == "sign_up_cohorts"
    assert found.view is View.IDENTITY
    assert "12 accounts" in found.sentence
    assert "key" not in found.sentence


def test_e_values_stay_numbers_of_json():
    assert to_e(0.0) == 1.0
    assert to_e(-math.inf) == 0.0
    assert 1e299 < to_e(1e9) < math.inf


def test_only_a_campaign_shows_techniques_of_attackers():
    for kind in Verdict:
        assert bool(atlas_ids({}, kind)) == (kind is Verdict.CAMPAIGN)
    mixed, pure = (set(atlas_ids({"strand_share": share}, Verdict.CAMPAIGN)) for share in (0.3, 1.0))
    assert pure < mixed


def test_public_indicators_are_those_that_were_measured():
    nothing = set(advisory_ids({}, NOTHING))
    weak = set(advisory_ids({"extraction_share": math.nan}, evidence(measured("births", 1.0))))
    strong = set(advisory_ids({"extraction_share": 0.9}, evidence(measured("births", 9.0))))
    assert nothing == weak < strong
    assert all(name.startswith("signal-") for name in strong)


def test_what_is_unknown_would_settle_the_doubt():
    known = dict.fromkeys(
        (
            "same_payer",
            "same_organisation",
            "repeat_share",
            "birth_burst",
            "fail_over",
            "extraction_share",
            "verified_share",
        ),
        0.5,
    )
    assert len(would_settle(known)) == 1
    without = would_settle(known | {"same_payer": math.nan})
    assert len(without) == 2
    assert "payment" in without[0]
    assert len(would_settle({})) == 8
