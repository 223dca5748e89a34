import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.mark.detection.contexts import context_test, drawn_pairs, read_pairs, weighted_totals
from stillwatch.mark.detection.decoys import decoy_keys
from stillwatch.mark.detection.saddlepoint import WeightedSum, log_saddle_tail
from stillwatch.mark.detection.weighted import weighted_tail
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax, Null

SCHEMES = [GumbelMax(2), DualKeyGumbel(2), GreenList(context_width=2)]
KEY = np.array([123456789], dtype=np.uint64)


def suspect(rng, draws=3000, contexts=150, vocabulary=40):
    """A model without our key: few contexts, drawn often, each with favourite tokens."""
    rows = rng.integers(0, 30, (contexts, 2))
    which = (contexts * rng.random(draws) ** 2).astype(int)
    favourite = rng.integers(0, vocabulary, (contexts, 3))
    tokens = np.where(
        rng.random(draws) < 0.7,
        favourite[which, rng.integers(0, 3, draws)],
        rng.integers(0, vocabulary, draws),
    )
    return rows[which], tokens


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: one.name)
def test_uniform_over_keys_with_many_repeats(scheme):
    contexts, tokens = suspect(np.random.default_rng(51))
    pairs = drawn_pairs(scheme, contexts, tokens)
    sums = weighted_totals(scheme, pairs, decoy_keys(52, 3000))
    p = np.exp(log_saddle_tail(WeightedSum.of(scheme.null, pairs.weights), sums[:600]))
    for level in (0.05, 0.2, 0.5):
        assert abs(np.mean(p <= level) - level) <= 3.5 * math.sqrt(level * (1 - level) / 600) + 0.005
    law = np.var(sums) / (scheme.null.variance * np.sum(pairs.weights**2))
    assert law == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: one.name)
def test_panel_and_rank_of_an_innocent_suspect(scheme):
    contexts, tokens = suspect(np.random.default_rng(53))
    result = context_test(scheme, drawn_pairs(scheme, contexts, tokens), KEY, decoy_keys(54, 300))
    assert result.panel.sound
    assert result.draws == 3000
    assert len(result.tails) == 1
    assert result.tails[0].log_p > math.log(1e-4)
    assert result.tails[0].log_bound >= result.tails[0].log_p


def test_a_student_that_prefers_high_scores_is_found():
    rng, scheme = np.random.default_rng(55), GumbelMax(2)
    contexts, _ = suspect(rng)
    offers = rng.integers(0, 40, (contexts.shape[0], 4))
    flat = scheme.scores(np.repeat(contexts, 4, axis=0), offers.ravel(), KEY).reshape(-1, 4)
    marked = rng.random(contexts.shape[0]) < 0.4
    choice = np.where(marked, flat.argmax(axis=1), rng.integers(0, 4, contexts.shape[0]))
    tokens = offers[np.arange(contexts.shape[0]), choice]
    result = context_test(scheme, drawn_pairs(scheme, contexts, tokens), KEY, decoy_keys(56, 200))
    assert result.tails[0].log_p < math.log(1e-6)
    assert result.rank_p == pytest.approx(1 / 201)


def test_draws_behind_one_context_are_taken_together():
    scheme = GumbelMax(1)
    pairs = drawn_pairs(scheme, np.array([[1], [1], [1], [1], [2]]), np.array([5, 5, 5, 6, 7]))
    of = {
        (c, t): w
        for c, t, w in zip(pairs.contexts[:, 0].tolist(), pairs.tokens.tolist(), pairs.weights, strict=True)
    }
    scale = 1 / (0.75**2 + 0.25**2)
    assert of == pytest.approx({(1, 5): 0.75 * scale, (1, 6): 0.25 * scale, (2, 7): 1.0})
    assert (pairs.distinct_contexts, pairs.draws) == (2, 5)


def test_stated_probabilities_weigh_like_draws():
    scheme, contexts = GumbelMax(1), np.array([[1], [1], [2]])
    read = read_pairs(scheme, contexts, np.array([5, 6, 7]), [0.75, 0.25, 1.0], gains=[2.0, 2.0, 1.0])
    assert sorted(read.weights) == pytest.approx([2 * 0.25 / 0.625, 1.0, 2 * 0.75 / 0.625])


def test_contexts_without_a_key_are_left_out():
    scheme = GreenList(seeding="lefthash", vocabulary_size=8)
    pairs = drawn_pairs(scheme, np.array([[0], [3]]), np.array([1, 1]))
    assert pairs.tokens.size == 1


def test_nothing_drawn_says_nothing():
    scheme = GumbelMax(2)
    pairs = drawn_pairs(scheme, np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64))
    result = context_test(scheme, pairs, KEY, decoy_keys(1, 10))
    assert result.tails[0].log_p == 0.0
    assert not result.panel.sound


def test_equal_weights_are_exact():
    gumbel = weighted_tail(Null("exponential"), np.full(30, 0.5), 33.0)
    assert gumbel.method == "exact"
    assert math.exp(gumbel.log_p) == pytest.approx(stats.gamma.sf(66.0, 30), rel=1e-9)
    green = weighted_tail(Null("bernoulli", probability=0.25), np.full(40, 2.0), 50.0)
    assert math.exp(green.log_p) == pytest.approx(stats.binom.sf(24, 40, 0.25), rel=1e-9)
    assert green.effective == pytest.approx(40.0)


def test_exact_and_saddle_point_agree_where_both_can_be_had():
    rng = np.random.default_rng(57)
    weights = rng.uniform(0.2, 2.0, 50)
    total = weights.sum() + 5 * math.sqrt((weights**2).sum())
    exact = weighted_tail(Null("exponential"), weights, total)
    near = weighted_tail(Null("exponential"), weights, total, exact=False)
    assert (exact.method, near.method) == ("exact", "saddle point")
    assert near.log_p == pytest.approx(exact.log_p, abs=0.03)
