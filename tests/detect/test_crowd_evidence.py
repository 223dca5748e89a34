"""Evidence of cohorts: at most one on average where nothing is going on, much where they work together."""

import numpy as np
import pytest

from stillwatch.detect.crowd_evidence import SCHEDULE, allowed, weigh_cohort
from stillwatch.detect.evidence import NOTHING
from stillwatch.detect.placebo import Placebos
from stillwatch.detect.profiles import COVARIANCE, MATCHES, STATISTICS, Profiles
from stillwatch.detect.schedules import Schedules
from stillwatch.model.views import View

DAYS, BLOCKS = 8, 32


def columns(rng, number):
    """Accounts that share nothing: codes from a few values, counts of their own, exchanges at all hours."""
    codes = {name: rng.integers(0, 12, number) for name in MATCHES}
    return codes, rng.poisson(2.0, (number, BLOCKS)).astype(float)


def exchanges(made, rng, number):
    hour = rng.integers(0, DAYS * 24, number * 40)
    return made.behaviour(np.repeat(np.arange(number), 40), second=hour * 3600.0)


@pytest.fixture(scope="module")
def pool(made):
    rng = np.random.default_rng(1)
    codes, counts = columns(rng, 500)
    profiles = Profiles(np.arange(500), codes, counts)
    placebos = Placebos(profiles, np.full(500, 40), counts.sum(axis=0) + 1.0, 300, 5)
    return placebos, np.arange(500), Schedules.of(exchanges(made, rng, 500), placebos, 0, DAYS)


def weighed(made, pool, rng, *, settled=True, together=(), size=24):
    codes, counts = columns(rng, size)
    codes |= {name: np.zeros(size, int) for name in together}
    profiles = Profiles(np.arange(size), codes, counts)
    rows = exchanges(made, rng, size)
    return weigh_cohort(rows, profiles, np.full(size, 40), *pool, rng, settled=settled)


def test_the_sign_ups_that_propose_a_cohort_never_speak():
    assert "births" not in allowed(settled=True)
    assert set(allowed(settled=True)) == {*STATISTICS, SCHEDULE} - {"births"}
    assert set(allowed(settled=True)) - set(allowed(settled=False)) == {COVARIANCE, "pivot"}


def test_cohorts_that_share_nothing_average_at_most_one(made, pool):
    rng = np.random.default_rng(2)
    e = np.exp([min(weighed(made, pool, rng, together=("births",)).log_e, np.log(100.0)) for _ in range(120)])
    assert e.mean() <= 1.0 + 4.0 * e.std() / np.sqrt(e.size)


def test_a_cohort_that_works_together_has_much(made, pool):
    found = weighed(made, pool, np.random.default_rng(3), together=("sampling_uniformity",))
    assert found.log_e > 6.0
    assert found.view_log_e[View.SAMPLING] > found.log_e
    assert found.accounts == 24
    (sampling,) = (one for one in found.measured if one.name == "sampling_uniformity")
    assert sampling.value == 1.0
    assert sampling.reference < 0.2
    assert sampling.p_value < 0.01


def test_a_young_cohort_is_not_judged_by_what_its_age_explains(made, pool):
    found = weighed(made, pool, np.random.default_rng(4), settled=False, together=("pivot",))
    assert found.log_e < 3.0
    assert "pivot" not in {one.name for one in found.measured}


def test_too_few_days_leave_the_schedule_out(made, pool):
    rng = np.random.default_rng(5)
    found = weighed(made, (*pool[:2], None), rng)
    assert SCHEDULE not in {one.name for one in found.measured}


def test_seven_accounts_say_nothing(made, pool):
    assert weighed(made, pool, np.random.default_rng(6), size=7) == NOTHING
