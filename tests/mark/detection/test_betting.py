import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark.detection.betting import StoppingRule, run, running_log_e, tilts, total_log_e
from stillwatch.mark.schemes import Null

NULLS = {
    "gumbel": Null("exponential"),
    "dual": Null("hypoexponential", weights=(0.9, 0.1)),
    "green": Null("bernoulli", probability=0.25),
    "bits": Null("fair bits", bits=30),
}


def draw(null, rng, shape):
    if null.kind == "exponential":
        return rng.exponential(size=shape)
    if null.kind == "hypoexponential":
        return sum(weight * rng.exponential(size=shape) for weight in null.weights)
    return rng.binomial(null.bits, null.probability, shape).astype(float)


@pytest.mark.parametrize("name", NULLS)
def test_looking_after_every_score_keeps_the_level(name):
    null = NULLS[name]
    path = running_log_e(null, draw(null, np.random.default_rng(21), (4000, 150)))
    for alpha in (0.05, 0.01):
        crossed = np.mean(path.max(axis=1) >= -math.log(alpha))
        assert crossed <= alpha + 3 * math.sqrt(alpha / 4000)


@pytest.mark.parametrize("name", NULLS)
def test_one_bet_is_fair(name):
    """E[e] = 1 exactly for each tilt: exp(t s - k(t)) integrates to 1 under the null."""
    null = NULLS[name]
    small = draw(null, np.random.default_rng(22), (400_000, 1))
    value = np.exp(running_log_e(null, small, shifts=(0.2,)))
    assert value.mean() == pytest.approx(1.0, abs=4 * value.std() / math.sqrt(value.size))


def test_gumbel_bet_is_the_likelihood_ratio_of_exponentials():
    """A tilt by t turns Exp(1) into an exponential law of mean 1 / (1 - t)."""
    scores, mean = np.array([0.3, 2.0, 1.1]), 1.4
    expected = np.cumsum(scores * (1.0 - 1.0 / mean) - math.log(mean))
    assert running_log_e(NULLS["gumbel"], scores, shifts=(0.4,)) == pytest.approx(expected)


def test_green_bet_is_the_likelihood_ratio_of_shares():
    hits, share = np.array([1.0, 0.0, 0.0, 1.0]), 0.25 + 0.2 * math.sqrt(0.1875)
    expected = np.cumsum(np.where(hits == 1.0, math.log(share / 0.25), math.log((1 - share) / 0.75)))
    assert running_log_e(NULLS["green"], hits, shifts=(0.2,)) == pytest.approx(expected)


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=60))
def test_total_is_the_end_of_the_path(scores):
    null = NULLS["gumbel"]
    assert total_log_e(null, sum(scores), len(scores)) == pytest.approx(running_log_e(null, scores)[-1])


def test_marked_scores_are_found_and_the_plan_is_kept():
    rng = np.random.default_rng(23)
    rule = StoppingRule(alpha=1e-5, most_scores=400)
    marked = rng.exponential(1.67, 400)
    stopped = run(rule, NULLS["gumbel"], marked)
    assert stopped.found
    assert stopped.finished
    assert stopped.scores < 400
    assert stopped.log_e >= -math.log(1e-5)
    before = run(rule, NULLS["gumbel"], marked[: stopped.scores - 1])
    assert (before.found, before.finished) == (False, False)
    innocent = run(rule, NULLS["gumbel"], rng.exponential(1.0, 1000))
    assert (innocent.found, innocent.finished, innocent.scores) == (False, True, 400)
    assert run(rule, NULLS["gumbel"], []).scores == 0


def test_shifts_beyond_the_largest_score_are_left_out():
    assert tilts(Null("bernoulli", probability=0.9), (0.1, 5.0)).size == 1


@pytest.mark.parametrize("rule", [StoppingRule(0.0, 5), StoppingRule(1.0, 5), StoppingRule(0.1, 0)])
def test_rules_that_cannot_be_kept_are_refused(rule):
    with pytest.raises(ValueError, match="the level"):
        run(rule, NULLS["gumbel"], [1.0])
