"""Each feature on cases made by hand; what is unknown is NaN."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect import features
from stillwatch.detect.evidence import NOTHING, Evidence, Measured
from stillwatch.detect.features import Reference, features_of, reference_of
from stillwatch.model.views import Elicitation, KeyKind, View

DAY = 86_400
REFERENCE = Reference(rhythm=0.5, cells=20.0, throwaway=0.2)
nan = math.nan


def close(value):
    return pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("codes", "expected"), [([1, 1, 2, -1], 0.5), ([-1, -1], nan), ([], nan), ([0], 1.0), ([-1, 3], 0.5)]
)
def test_top_share_is_of_all_members(codes, expected):
    assert features.top_share(np.array(codes, np.int64)) == close(expected)


@pytest.mark.parametrize(
    ("flags", "expected"), [([1, 0, -1, -1], 0.5), ([-1], nan), ([], nan), ([1, 1], 1.0)]
)
def test_known_share_is_of_those_that_are_known(flags, expected):
    assert features.known_share(np.array(flags, np.int64)) == close(expected)


@pytest.mark.parametrize(
    ("payment", "org", "expected"),
    [
        ([-1, -1, -1], [-1, -1, -1], nan),
        ([1, 1, 2, 3, 4, 5], [-1] * 6, 2 / 6),
        ([1, 1, 2, 3, 4, 5], [7, 7, -1, -1, -1, -1], 0.0),
        ([1, 1, 2, 2, 3, -1], [-1] * 6, 4 / 6),
        ([1, 1, 1, 2], [-1] * 4, 0.0),
        ([1, 2, 3, 4], [-1] * 4, 0.0),
    ],
)
def test_shared_payments_are_those_of_strangers(made, payment, org, expected):
    book = made.book(np.ones((len(payment), 3)), payment_fp=np.array(payment), org_id=np.array(org))
    everybody = np.arange(len(payment))
    assert features.shared_payments(book, everybody, everybody) == close(expected)


def test_a_part_shares_payments_with_the_rest_of_the_whole(made):
    book = made.book(np.ones((8, 3)), payment_fp=np.array([1, 2, 3, 1, 2, 5, 6, 7]), org_id=np.full(8, -1))
    part, other = np.arange(3), np.arange(5, 8)
    assert features.shared_payments(book, part, part) == 0.0
    assert features.shared_payments(book, part, np.arange(8)) == close(2 / 3)
    assert features.shared_payments(book, other, np.arange(8)) == 0.0


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ([nan, nan], nan),
        ([], nan),
        ([1.0, 2.9, 9.0, 20.0], 0.5),
        ([1.0, nan, 1.5], 1.0),
        ([0.0, 2.1, 4.2], 1 / 3),
    ],
)
def test_birth_burst_is_the_densest_two_days(created, expected):
    assert features.birth_burst(np.array(created)) == close(expected)


@given(st.lists(st.floats(0, 30), min_size=1, max_size=25))
def test_birth_burst_is_the_largest_window_at_any_start(created):
    expected = max(sum(start <= day <= start + 2 for day in created) for start in created) / len(created)
    assert features.birth_burst(np.array(created)) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=25))
def test_repeat_share_counts_what_another_account_asked_too(made, sent):
    rows = made.behaviour([a for a, _ in sent], item=np.array([item for _, item in sent], np.int64))
    known = [(a, item) for a, item in sent if item]
    repeats = [any(item == other and a != b for b, other in known) for a, item in known]
    assert features.repeat_share(rows) == close(sum(repeats) / len(known) if known else nan)


def test_effective_cells(made):
    def cells(*values):
        return features.effective_cells(made.behaviour([0] * len(values), cell=np.array(values, np.int64)))

    assert cells() == close(nan)
    assert cells(3) == close(nan)
    assert cells(-1, -1, -1) == close(nan)
    assert cells(5, 5, 5) == 1.0
    assert cells(1, 1, 2, 2, -1) == pytest.approx(3.0)
    drawn = np.random.default_rng(1).integers(0, 50, 4000)
    assert cells(*drawn.tolist()) == pytest.approx(50, rel=0.05)
    assert cells(*range(10)) >= 10


def test_rhythm_is_zero_around_the_clock_one_at_one_moment_and_unbiased(made):
    rng = np.random.default_rng(1)
    at_noon = made.behaviour(np.repeat(np.arange(5), 6), second=12 * 3600.0 + DAY * np.arange(30))
    assert features.rhythm(at_noon) == pytest.approx(1.0)
    random = made.behaviour(np.repeat(np.arange(3000), 4), second=rng.uniform(0, DAY, 12_000))
    assert features.rhythm(random) == pytest.approx(0.0, abs=0.03)
    assert features.rhythm(made.behaviour([0, 0, 0])) == close(nan), "three exchanges have no rhythm"
    assert features.rhythm(made.behaviour([])) == close(nan)


def measured(value, reference, spread):
    return Evidence(
        (Measured("activity_covariance", View.TIMING, value, reference, spread, 0.0, 0.5),), 0.0, {}, 8
    )


def test_schedule_is_the_distance_in_spreads_on_either_side():
    assert features.schedule(measured(3.0, 1.0, 0.5))["schedule"] == pytest.approx(4.0)
    assert features.schedule(measured(-1.0, 1.0, 0.5))["schedule"] == pytest.approx(4.0)
    assert features.schedule(measured(1.0, 1.0, 0.0))["schedule"] == close(nan)
    assert features.schedule(NOTHING)["schedule"] == close(nan)


def fail_over(made, first_days, banned_days):
    size = len(first_days)
    banned = np.array(banned_days, float) * DAY
    first = (np.array(first_days) * DAY * 1e6).astype(np.int64)
    strands = made.strands(
        np.arange(size), np.ones((size, 3)), first=first, last=np.full(size, int(100 * DAY * 1e6))
    )
    return features.fail_over(strands, made.book(np.ones((size, 3)), banned=banned))


def test_fail_over_counts_who_began_after_a_wave_of_bans(made):
    assert fail_over(made, [0, 0, 0, 51, 51, 52], [50, 50, 50, nan, nan, nan]) == pytest.approx(0.5 - 3 / 100)
    assert fail_over(made, [0, 0, 0, 1, 1, 2], [50, 50, 50, nan, nan, nan]) == 0.0, "they were active before"
    assert fail_over(made, [0, 0, 0, 90, 90, 95], [50, 50, 50, nan, nan, nan]) == 0.0, "they began much later"
    assert fail_over(made, [0, 0, 51], [50, 50, nan]) == 0.0, "two bans are no wave"
    assert fail_over(made, [0, 0, 51], [nan] * 3) == close(nan), "the operator gave no bans at all"


def test_what_is_asked_for_is_named_most_first(made):
    bits = [int(Elicitation.REASONING)] * 6 + [int(Elicitation.GRADING | Elicitation.REASONING)] * 3 + [0]
    assert features.asked_for(made.behaviour([0] * 10, elicitation=np.array(bits))) == (
        "reasoning",
        "grading",
    )
    assert features.asked_for(made.behaviour([0] * 10)) == ()
    assert features.asked_for(made.behaviour([0] * 10, elicitation=np.full(10, -1))) == ()


def group(made, size=10, **known):
    """Ten accounts of six strand exchanges each among ten."""
    rows = np.repeat(np.arange(size), 6)
    columns = {
        name: known.pop(name)
        for name in list(known)
        if name in ("elicitation", "turn", "tools", "address", "item", "cell")
    }
    behaviour = made.behaviour(rows, second=np.tile(np.arange(6) * 4 * 3600.0, size), **columns)
    strands = made.strands(np.arange(size), np.tile([4, 1, 1], (size, 1)))
    return strands, behaviour, made.book(np.tile([6, 2, 2], (size + 5, 1)), **known)


def of(made, kinds=frozenset(), evidence=NOTHING, **known):
    strands, behaviour, book = group(made, **known)
    return features_of(strands, behaviour, book, REFERENCE, kinds) | features.schedule(evidence)


def test_all_features_of_a_group(made):
    rows = 60
    found = of(
        made,
        kinds=frozenset({int(KeyKind.SYSTEM), int(KeyKind.SHINGLE)}),
        evidence=measured(3.0, 1.0, 0.5),
        elicitation=np.where(np.arange(rows) < 45, int(Elicitation.GRADING), int(Elicitation.PERSONA)),
        turn=np.where(np.arange(rows) < 30, 1, 4),
        tools=(np.arange(rows) < 15).astype(int),
        address=np.repeat([0, 0, 0, 0, 1, 2, 3, 4, 5, -1], 6),
        item=np.arange(1, rows + 1),
        org_id=np.array([0] * 8 + [-1] * 7),
        payment_fp=np.arange(15),
        throwaway=np.array([1] * 5 + [0] * 5 + [0] * 5),
        verified=np.array([1] * 2 + [0] * 6 + [-1] * 7),
        programme=np.array([True] + [False] * 14),
        reseller=np.zeros(15, bool),
        known=np.ones(15, bool),
        created=np.full(15, 3.0),
    )
    expected = {
        "extraction_share": 0.75,
        "single_turn_share": 0.5,
        "tool_share": 0.25,
        "same_address": 0.4,
        "repeat_share": 0.0,
        "same_organisation": 0.8,
        "same_payer": 0.1,
        "shared_payments": 0.0,
        "throwaway_excess": 0.3,
        "verified_share": 0.25,
        "programme_share": 0.1,
        "reseller_share": 0.0,
        "birth_burst": 1.0,
        "schedule": 4.0,
        "strand_share": 0.6,
        "software_keys": 1.0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert abs(found["rhythm"]) < 0.5


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [([40], 1.0), ([9] * 25, 25.0), ([1000] + [1] * 10, 1.02), ([], nan), ([0], nan)],
)
def test_keys_count_as_far_as_they_are_used(accounts, expected):
    found = features.effective_keys(np.array(accounts, np.int64))
    assert found == {"effective_keys": pytest.approx(expected, nan_ok=True, rel=0.01)}


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
def test_effective_keys_are_at_most_the_keys(accounts):
    value = features.effective_keys(np.array(accounts))["effective_keys"]
    assert 1.0 - 1e-9 <= value <= len(accounts) + 1e-9


def test_what_the_source_does_not_tell_is_not_a_number(made):
    found = of(made, turn=np.full(60, -1), elicitation=np.full(60, -1))
    unknown = {
        "extraction_share",
        "repeat_share",
        "single_turn_share",
        "same_organisation",
        "same_payer",
        "shared_payments",
        "throwaway_excess",
        "verified_share",
        "programme_share",
        "reseller_share",
        "birth_burst",
        "same_address",
        "schedule",
        "coverage",
        "fail_over",
    }
    assert {name for name in unknown if not math.isnan(found[name])} == set()
    assert found["software_keys"] == 0.0


def test_a_population_without_rhythm_is_no_measure_of_rhythm(made):
    strands, behaviour, book = group(made)
    flat = Reference(0.0, 20.0, 0.2)
    assert math.isnan(features_of(strands, behaviour, book, flat, frozenset())["rhythm"])


def test_the_reference_is_measured_on_the_pool(made):
    rng = np.random.default_rng(1)
    pool = made.behaviour(
        np.repeat(np.arange(30), 20), second=np.full(600, 3600.0), cell=rng.integers(0, 10, 600)
    )
    found = reference_of(pool, made.book(np.ones((30, 3)), throwaway=np.repeat([0, 1, -1], 10)))
    assert found.rhythm == pytest.approx(1.0)
    assert found.cells == pytest.approx(10, rel=0.1)
    assert found.throwaway == 0.5
