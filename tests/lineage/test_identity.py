import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.lineage.identity import (
    IdentityTest,
    Route,
    hamming_kernel,
    rank_uniformity,
    routed,
    same_source,
    text_kernel,
)

WORDS = [f"word{number}" for number in range(40)]


def answers(rng, prompts, ours, theirs, shift=0.0):
    """Answers by a source over words, and by another one that prefers others by `shift`."""
    weight = rng.dirichlet(np.full(40, 0.5), size=prompts)
    other = (1 - shift) * weight + shift * np.roll(weight, 7, axis=1)
    rows = []
    for p in range(prompts):
        own = [" ".join(rng.choice(WORDS, 12, p=weight[p])) for _ in range(ours)]
        rows.append(own + [" ".join(rng.choice(WORDS, 12, p=other[p])) for _ in range(theirs)])
    return rows


def test_the_same_source_is_rejected_no_more_often_than_the_level():
    rng = np.random.default_rng(0)
    p = np.array(
        [same_source(text_kernel(answers(rng, 6, 3, 1)), 3, rng=rng, permutations=39).p for _ in range(200)]
    )
    for level in (0.05, 0.1, 0.5):
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level * (1 - level) / 200)


@pytest.mark.parametrize(("kernel", "prompts"), [(text_kernel, 40), (hamming_kernel, 250)])
def test_another_source_is_noticed(kernel, prompts):
    rng = np.random.default_rng(1)
    p = [
        same_source(kernel(answers(rng, prompts, 4, 3, shift=0.9)), 4, rng=rng, permutations=99).p
        for _ in range(5)
    ]
    assert max(p) <= 0.05


def test_equal_answers_are_no_evidence_at_all():
    rng = np.random.default_rng(2)
    test = same_source(text_kernel([["same"] * 4] * 5), 2, rng=rng, permutations=99)
    assert test.p == 1.0


def test_ranks_are_uniform_for_the_same_source_and_not_for_another():
    rng = np.random.default_rng(3)
    p = np.array(
        [
            rank_uniformity(rng.integers(0, 4, (20, 5)), rng.integers(0, 4, 20), rng=rng, simulations=99).p
            for _ in range(300)
        ]
    )
    for level in (0.05, 0.1, 0.5):
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level * (1 - level) / 300)
    for shift in (2.0, -2.0):
        shifted = rank_uniformity(rng.normal(size=(40, 5)), rng.normal(size=40) + shift, rng=rng)
        assert shifted.p <= 0.01


@settings(max_examples=15)
@given(st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), min_size=1, max_size=5))
def test_kernels_are_symmetric_and_at_most_one(rows):
    for kernel in (text_kernel(rows), hamming_kernel(rows, limit=20)):
        np.testing.assert_allclose(kernel, np.swapaxes(kernel, 1, 2), atol=1e-12)
        np.testing.assert_allclose(np.einsum("pii->pi", kernel), 1.0)
        assert kernel.min() >= 0.0
        assert kernel.max() <= 1.0 + 1e-9


def test_not_telling_apart_is_identity_only_where_decoys_were_told_apart():
    def result(p):
        return IdentityTest("mmd", 0.0, p, 10, 2, 1)

    assert routed(result(0.01), [], level=0.05) is Route.DIFFERENT
    assert routed(result(0.5), [result(0.01)], level=0.05) is Route.INDISTINGUISHABLE
    assert routed(result(0.5), [result(0.01), result(0.2)], level=0.05) is Route.UNDECIDED
    assert routed(result(0.5), [], level=0.05) is Route.UNDECIDED
    with pytest.raises(ValueError, match="level"):
        routed(result(0.5), [], level=0.0)


def test_shapes_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    for shape, ours in (((2, 3), 2), ((2, 3, 3), 3), ((2, 3, 3), 1), ((2, 3, 4), 2)):
        with pytest.raises(ValueError, match="kernel"):
            same_source(np.ones(shape), ours, rng=rng)
    for ours, theirs in (([[1.0]], [1.0, 2.0]), ([[np.nan]], [1.0]), ([1.0], [1.0])):
        with pytest.raises(ValueError, match="scores"):
            rank_uniformity(ours, theirs, rng=rng)
    with pytest.raises(ValueError, match="same number"):
        text_kernel([["a"], ["a", "b"]])
