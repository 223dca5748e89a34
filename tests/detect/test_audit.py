"""The audit accepts a null that holds and refuses one that does not."""

import numpy as np
import pytest

from stillwatch.detect.audit import audit_null
from stillwatch.detect.placebo import Null, Placebos
from stillwatch.detect.profiles import MATCHES, Profiles

NONE = np.empty(0)


def placebos(rng, *, spread=1.0):
    """A pool of independent accounts; what they have in common is chance."""
    size = 800
    codes = {name: rng.integers(0, 60, size) for name in MATCHES}
    counts = rng.poisson(rng.gamma(2.0, spread, (size, 1)) * np.ones(48)).astype(float)
    return Placebos(Profiles(np.arange(size), codes, counts), np.full(size, 60), np.ones(48), 600, 1)


@pytest.mark.parametrize("seed", range(4))
def test_a_pool_of_independent_accounts_is_sound(seed):
    audit = audit_null(placebos(np.random.default_rng(seed)), NONE, seed=1)
    assert audit.sound
    assert audit.placebos == 600
    assert audit.sigma == pytest.approx(1.0, abs=0.2)
    assert audit.mean_e < 2
    assert audit.pi0 == 1.0
    assert "is sound" in audit.sentence


def broken(pool, change):
    """Replace the distributions that groups are compared with; the groups themselves stay as they are."""
    made = {half: Null.of(change(pool.distribution(12, 60.0, half).values)) for half in (0, 1)}
    pool.distribution = lambda *wanted: made[wanted[-1]]
    return pool


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda values: 0.2 * values + 0.8 * np.median(values, axis=0), id="too narrow"),
        pytest.param(lambda values: 6.0 * values - 5.0 * np.median(values, axis=0), id="too wide"),
    ],
)
def test_a_null_that_is_not_that_of_the_accounts_is_not_sound(change):
    audit = audit_null(broken(placebos(np.random.default_rng(1)), change), NONE, seed=1)
    assert not audit.sound
    assert "NOT sound" in audit.sentence


def test_a_null_that_lies_too_low_makes_e_values_too_large():
    pool = broken(placebos(np.random.default_rng(1)), lambda values: values - 6 * values.std(axis=0) - 0.1)
    audit = audit_null(pool, NONE, seed=1)
    assert audit.mean_e > 3
    assert not audit.sound


@pytest.mark.parametrize(("null", "groups"), [(400, 0), (300, 100), (100, 300)])
def test_the_share_of_null_groups_is_estimated_from_their_p_values(null, groups):
    rng = np.random.default_rng(2)
    p_values = np.concatenate([rng.uniform(size=null), np.full(groups, 1e-4)])
    audit = audit_null(placebos(rng), p_values, seed=1)
    assert audit.pi0 == pytest.approx(null / (null + groups), abs=0.1)


def test_the_audit_is_a_function_of_the_seed():
    one, same, other = (audit_null(placebos(np.random.default_rng(1)), NONE, seed=n) for n in (1, 1, 2))
    assert one == same
    assert one != other
