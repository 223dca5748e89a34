"""The smaller part of benchmarks/evidence_detection.py: false alarms, repeats and power, on every commit."""

import math

import numpy as np
import pytest
from scipy import stats

import evidence_detection as bench
from stillwatch.mark.detection.decoys import decoy_keys
from stillwatch.mark.detection.evidence import collect
from stillwatch.mark.detection.nulls import log_tail, z_scores
from stillwatch.mark.detection.scan import totals

TESTS = 10_000
TEXTS = {
    "single": lambda rng: [[one] for one in bench.prose(rng, 20, 120)],
    "wrong key": lambda rng: [[one] for one in bench.marked(rng, 4711, 10, 120, bench.ENTROPIES[0])],
    "pooled": lambda rng: [bench.prose(rng, 12, 112)],
    "templated": lambda rng: [bench.templated(rng, 20, 112)],
    "repetitive": lambda rng: [[one] for one in bench.repetitive(rng, 10, 300)],
    "pooled repetitive": lambda rng: [bench.repetitive(rng, 20, 112)],
}


@pytest.mark.parametrize("rule", ["pair", "context"])
@pytest.mark.parametrize("scheme", ["gumbel-4", "dual-4", "green-1"])
@pytest.mark.parametrize("texts", TEXTS)
def test_false_alarms_lie_within_binomial_bounds(texts, scheme, rule):
    rng = np.random.default_rng(91)
    p = bench.p_values(bench.SCHEMES[scheme], TEXTS[texts](rng), rng, TESTS, rule)
    assert p.size >= TESTS
    for level in (0.05, 1e-2, 1e-3):
        alarms = int(np.sum(p <= level))
        assert alarms <= stats.binom.isf(1e-6, p.size, level)
        if not scheme.startswith("green"):  # whole numbers of hits cannot use up the level
            assert alarms >= stats.binom.ppf(1e-6, p.size, level)


@pytest.mark.parametrize("texts", ["templated", "pooled repetitive"])
def test_without_deduplication_innocent_keys_look_guilty(texts):
    (documents,) = TEXTS[texts](np.random.default_rng(92))
    scheme, keys = bench.SCHEMES["gumbel-4"], decoy_keys(93, 1000)
    spreads, smallest = {}, {}
    for rule in ("none", "pair"):
        evidence = collect(documents, scheme, rule=rule)
        scores = totals(scheme, evidence.contexts, evidence.tokens, keys)
        spreads[rule] = z_scores(scheme.null, scores, len(evidence)).std()
        smallest[rule] = log_tail(scheme.null, scores, len(evidence)).min() / math.log(10)
    assert spreads["none"] > 1.8
    assert smallest["none"] < -9
    assert spreads["pair"] == pytest.approx(1.0, abs=0.1)
    assert smallest["pair"] > -6


def test_a_leaked_text_of_120_tokens_names_its_account_among_24_000():
    rng = np.random.default_rng(94)
    for entropy in bench.ENTROPIES[:2]:
        expected = bench.theory(rng, entropy, 120, draws=4000)
        seen = bench.found(bench._scores(rng, 99, 300, 120, entropy))
        assert np.all(np.abs(seen - expected) <= 4 * math.sqrt(0.25 / 300))
        assert expected[1] >= 0.48


def test_the_whole_command_names_nobody_else():
    rng = np.random.default_rng(95)
    accounts = rng.integers(0, 2**64, bench.ACCOUNTS, dtype=np.uint64)
    right, wrong = bench.named_whole(rng, accounts, 12)
    assert right.value >= 0.5
    assert wrong.value == 0


def test_expected_scores_are_harmonic_numbers():
    """f(p) of the reference: 1.50 at p = 0.5, 2.93 at p = 0.1."""
    assert bench.Entropy("", (2,), (1.0,)).evidence() == pytest.approx(0.5)
    assert bench.Entropy("", (10,), (1.0,)).evidence() == pytest.approx(1.93, abs=0.005)
