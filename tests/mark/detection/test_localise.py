import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark.detection.localise import localise
from stillwatch.mark.schemes import Null

GUMBEL = Null("exponential")
DUAL = Null("hypoexponential", weights=(0.9, 0.1))
GREEN = Null("bernoulli", probability=0.25)


def innocent(null, rng, size):
    if null is GREEN:
        return (rng.random(size) < 0.25).astype(float)
    return sum(weight * rng.exponential(size=size) for weight in null.weights or (1.0,))


@pytest.mark.parametrize(
    ("null", "tries"), [(GUMBEL, 1000), (DUAL, 100), (GREEN, 1000)], ids=["gumbel", "dual", "green"]
)
def test_false_finds_stay_below_the_level(null, tries):
    """As TextSeal's property test (8 of 200 at 0.01), with a bound that fits the number of tries."""
    rng = np.random.default_rng(31)
    false = sum(bool(localise(null, innocent(null, rng, 600), level=0.01)) for _ in range(tries))
    assert false <= 0.01 * tries + 3 * math.sqrt(0.01 * tries)


@pytest.mark.parametrize("start", [0, 150, 530])
def test_a_marked_stretch_is_found_where_it_stands(start):
    rng = np.random.default_rng(start)
    hits, borders = 0, []
    for _ in range(40):
        scores = rng.exponential(size=600)
        scores[start : start + 70] = rng.exponential(2.2, 70)
        found = localise(GUMBEL, scores, level=0.01)
        hits += len(found) == 1
        borders += [(one.start - start, one.end - start - 70) for one in found]
    assert hits >= 34
    assert np.median(np.abs(borders), axis=0).max() <= 10


def test_two_stretches_stay_apart_and_more_tests_need_more():
    rng = np.random.default_rng(33)
    scores = rng.exponential(size=1200)
    scores[100:220] = rng.exponential(2.5, 120)
    scores[800:900] = rng.exponential(2.5, 100)
    found = localise(GUMBEL, scores, level=0.01)
    assert [(round(one.start, -2), round(one.end, -2)) for one in found] == [(100, 200), (800, 900)]
    assert all(one.log_p <= math.log(0.01) for one in found)
    assert localise(GUMBEL, scores, level=0.01, tests=10**30) == ()


@given(st.integers(0, 200), st.integers(0, 2**32), st.integers(1, 30), st.floats(0.1, 0.9))
def test_segments_lie_inside_and_apart(size, seed, shortest, level):
    scores = np.random.default_rng(seed).exponential(1.3, size)
    end = -1
    for one in localise(GUMBEL, scores, level=level, shortest=shortest):
        assert end < one.start < one.end <= size
        end = one.end


@pytest.mark.parametrize(
    "bad", [{"level": 0.0}, {"level": 1.0}, {"level": 0.1, "shortest": 0}, {"level": 0.1, "tests": 0}]
)
def test_bad_arguments_are_refused(bad):
    with pytest.raises(ValueError, match="level must lie"):
        localise(GUMBEL, [1.0], **bad)
