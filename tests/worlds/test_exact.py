from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.exact import ExactGenerator, negative_log, normal_quantile
from stillwatch.worlds.streams import Streams

MANY = 60_000
GOLDEN = [
    "0x1.e4d7980ff1a6fp-2",
    "0x1.1bce072328d44p-5",
    "0x1.0192bf81c6becp-3",
    "0x1.070546a6d6e0ap+2",
    "0x1.12d30814cdc87p+1",
]
GOLDEN_COUNTS = [0, 2, 87]


def generator(seed: int = 0) -> ExactGenerator:
    return ExactGenerator(np.random.Philox(seed))


@given(st.floats(1e-300, 1.0))
def test_the_logarithm_is_right_to_six_digits(value):
    assert float(negative_log(np.array([value]))[0]) == pytest.approx(-math.log(value), rel=1e-6, abs=2e-7)


@given(st.floats(0.001, 0.999))
def test_normal_quantiles_are_right_within_the_table(level):
    found = float(normal_quantile(np.array([level]))[0])
    assert 0.5 * math.erfc(-found / math.sqrt(2)) == pytest.approx(level, abs=1e-3)


@pytest.mark.parametrize("mean", [0.05, 0.5, 1.7, 6.0, 11.99, 12.01, 40.0, 900.0])
def test_counts_have_the_mean_and_variance_of_poisson(mean):
    drawn = generator(1).poisson(np.full(MANY, mean))
    slack = 6 * math.sqrt(mean / MANY)
    assert drawn.mean() == pytest.approx(mean, abs=slack + 0.002 * mean)
    assert drawn.var() == pytest.approx(mean, rel=0.06)
    assert drawn.min() >= 0


def test_few_counts_have_the_right_share_of_zeros():
    drawn = generator(2).poisson(np.full(MANY, 0.3))
    assert (drawn == 0).mean() == pytest.approx(math.exp(-0.3), abs=0.01)


@pytest.mark.parametrize("variation", [0.3, 0.9, 1.0, 1.6, 4.0])
def test_gaps_have_the_mean_and_variation_of_gamma(variation):
    shape = 1 / variation**2
    drawn = generator(3).standard_gamma(np.full(MANY * 4, shape))
    assert drawn.mean() == pytest.approx(shape, rel=0.05)
    assert drawn.std() / drawn.mean() == pytest.approx(variation, rel=0.08)
    assert drawn.min() >= 0


def test_waiting_times_are_exponential():
    drawn = np.sort(generator(4).standard_exponential(MANY))
    expected = -np.log1p(-(np.arange(MANY) + 0.5) / MANY)
    assert np.abs(drawn - expected)[: MANY * 99 // 100].max() < 0.12


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(0, 2**32))
def test_even_draws_stay_between_their_bounds(low, width, seed):
    drawn = generator(seed).uniform(low, low + width, 50)
    assert ((drawn >= low) & (drawn <= low + width)).all()


@pytest.mark.parametrize("size", [None, 3, (2, 4)])
def test_shapes_are_those_of_numpy(size):
    ours, theirs = generator(), np.random.default_rng(0)
    for name in ("uniform", "standard_exponential", "poisson"):
        assert np.shape(getattr(ours, name)(size=size)) == np.shape(getattr(theirs, name)(size=size)), name


def test_named_streams_of_later_worlds_repeat_and_differ():
    streams = Streams(7, exact=True)
    assert isinstance(streams.within("a").named("x"), ExactGenerator)
    assert (streams.named("x").random(5) == streams.named("x").random(5)).all()
    assert (streams.named("x").random(5) != streams.named("y").random(5)).all()
    assert (streams.named("x").random(5) != Streams(7).named("x").random(5)).all()


def test_the_numbers_are_these_on_every_machine():
    found = generator(9)
    numbers = [
        *found.standard_exponential(2),
        *found.standard_gamma(np.array([0.1, 4.0])),
        *found.uniform(2, 3, 1),
    ]
    assert [float(number).hex() for number in numbers] == GOLDEN
    assert found.poisson(np.array([0.5, 3.0, 80.0])).tolist() == GOLDEN_COUNTS
