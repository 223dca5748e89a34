import math

import numpy as np

from stillwatch.mark.detection.spoofing import check_spoofing, context_frequencies, probability_strata


def genuine(rng, size=400):
    """Scores depend on the token's probability alone; frequent contexts are followed by likelier tokens."""
    probability = rng.uniform(0.05, 0.95, size)
    scores = -np.log(1.0 - rng.random(size) ** probability)
    frequency = rng.poisson(20 * probability)
    return scores, frequency, probability


def forged(rng, size=400):
    """A forger knows the rule only behind contexts that were frequent in what it learned from."""
    frequency = rng.poisson(2.0, size)
    known = rng.random(size) < np.minimum(frequency / 4.0, 1.0)
    return np.where(known, rng.exponential(2.5, size), rng.exponential(1.0, size)), frequency


def test_genuine_marks_are_seldom_called_forged():
    rng = np.random.default_rng(41)
    alarms = 0
    for _ in range(300):
        scores, frequency, probability = genuine(rng, 200)
        result = check_spoofing(
            scores, frequency, rng, strata=probability_strata(probability), permutations=99
        )
        alarms += result.p <= 0.05
    assert alarms <= 15 + 3.5 * math.sqrt(15)


def test_forged_marks_are_found():
    rng = np.random.default_rng(42)
    found = [check_spoofing(*forged(rng), rng, permutations=199) for _ in range(20)]
    assert sum(one.p <= 0.01 for one in found) >= 18
    assert "as in forged text" in found[0].sentence
    assert not found[0].controlled
    assert "entropy" in found[0].sentence


def test_without_strata_entropy_hides_what_happens():
    """Likely tokens score lower behind frequent contexts: the correlation of genuine text is then negative."""
    rng = np.random.default_rng(43)
    scores, frequency, _ = genuine(rng, 4000)
    assert check_spoofing(scores, frequency, rng, permutations=99).correlation < -0.1


def test_too_little_says_nothing():
    rng = np.random.default_rng(44)
    assert check_spoofing(np.ones(10), np.arange(10), rng).p is None
    assert check_spoofing(rng.random(100), np.zeros(100), rng).p is None


def test_long_texts_are_sampled():
    rng = np.random.default_rng(45)
    result = check_spoofing(*forged(rng, 30_000), rng, permutations=19)
    assert result.scores == 20_000
    assert result.p == 0.05


def test_frequencies_are_counts():
    reference = np.array([[1, 2], [1, 2], [3, 4]])
    assert context_frequencies(np.array([[1, 2], [2, 1], [3, 4], [1, 2]]), reference).tolist() == [2, 0, 1, 2]


def test_strata_have_equal_size():
    counts = np.bincount(probability_strata(np.random.default_rng(1).random(1000), groups=20))
    assert counts.tolist() == [50] * 20
