"""Schemes against vLLM's published scores and against the laws they state.

Values: vLLM project, `tests/watermarking/watermarking_goldens.json`, schema 3 (Apache-2.0).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.mark import prf
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax, Null, Scheme, SynthId

GUMBEL_KEY42_CW4 = [
    46, 24, 45, 80, 14, 26, 22, 124, 21, 45, 16, 30, 5, 89, 0, 10, 27, 70, 80, 62, 1, 11, 117, 53, 10, 45, 94, 37, 43,
    22, 78, 49, 119, 9, 22, 118, 82, 75, 32, 24, 84, 27, 122, 66, 78, 64, 124, 17, 91, 12, 51, 15, 75, 64, 127, 45,
    112, 15, 83, 114, 121, 109, 24, 77,
]  # fmt: skip
SCHEMES = [
    GumbelMax(),
    DualKeyGumbel(),
    DualKeyGumbel(alpha=0.0),
    GreenList(),
    GreenList(gamma=0.5, context_width=4),
    GreenList(seeding="lefthash", vocabulary_size=50),
    SynthId(),
]
KEYS = np.random.default_rng(3).integers(0, 2**63, 400).astype(np.uint64)


def pairs_of(tokens: list[int], width: int) -> tuple[np.ndarray, np.ndarray]:
    padded = np.array([prf.MISSING] * width + tokens)
    return np.lib.stride_tricks.sliding_window_view(padded, width)[:-1], np.array(tokens)


def test_scores_are_those_of_vllm():
    contexts, tokens = pairs_of(GUMBEL_KEY42_CW4, 4)
    words = prf.words(contexts, tokens, np.array([42, 43], np.uint64))
    single = -np.log1p(-prf.uniform_single(words).astype(np.float64)).sum(axis=1)
    assert single == pytest.approx([296.27295787856264, 63.25096716585621], rel=1e-13)
    ours = GumbelMax().scores(contexts, tokens, np.array([42, 43], np.uint64)).sum(axis=1)
    assert ours == pytest.approx([296.27295787856264, 63.25096716585621], rel=1e-7)


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_every_scheme_keeps_the_contract_and_its_null_law(scheme):
    assert isinstance(scheme, Scheme)
    rng = np.random.default_rng(11)
    contexts = rng.integers(1, 50, (300, scheme.context_width))
    tokens = rng.integers(0, 50, 300)
    _, first = np.unique(scheme.inputs(contexts, tokens), axis=0, return_index=True)
    scores = scheme.scores(contexts[first], tokens[first], KEYS)
    assert scores.shape == (400, len(first))
    assert scores.dtype == np.float64
    means = scores.mean(axis=1)
    error = np.sqrt(scheme.null.variance / scores.size)
    assert abs(scores.mean() - scheme.null.mean) < 5 * error
    assert means.var() * len(first) == pytest.approx(scheme.null.variance, rel=0.4)
    assert scheme.keyed(contexts).all()


def test_the_score_of_gumbel_is_exponential():
    contexts = np.random.default_rng(5).integers(0, 9999, (2000, 4))
    scores = GumbelMax().scores(contexts, contexts[:, 0], KEYS[:5]).ravel()
    assert stats.kstest(scores, "expon").pvalue > 1e-4


@given(st.data())
def test_equal_inputs_mean_equal_scores(data):
    scheme = data.draw(st.sampled_from(SCHEMES))
    token = st.integers(0, 49)
    rows = data.draw(st.lists(st.lists(token, min_size=5, max_size=5), min_size=2, max_size=12))
    pairs = np.array(rows)
    contexts, tokens = pairs[:, 4 - scheme.context_width : 4], pairs[:, 4]
    scores = scheme.scores(contexts, tokens, KEYS[:3])
    _, where = np.unique(scheme.inputs(contexts, tokens), axis=0, return_inverse=True)
    for group in range(where.max() + 1):
        same = scores[:, where.ravel() == group]
        assert (same == same[:, :1]).all()


def test_synthid_draws_repeat_where_hashes_agree_modulo_the_table():
    rng = np.random.default_rng(1)
    contexts, tokens = rng.integers(0, 50_000, (3000, 4)), rng.integers(0, 50_000, 3000)
    inputs = SynthId().inputs(contexts, tokens)[:, 0]
    order = np.argsort(inputs)
    twin = np.flatnonzero(np.diff(inputs[order]) == 0)[0]
    pair = order[[twin, twin + 1]]
    scores = SynthId().scores(contexts[pair], tokens[pair], KEYS[:50])
    assert (contexts[pair[0]] != contexts[pair[1]]).any()
    assert (scores[:, 0] == scores[:, 1]).all()


def test_a_list_behind_token_zero_does_not_depend_on_the_key():
    scheme = GreenList(seeding="lefthash", vocabulary_size=50)
    contexts, tokens = np.zeros((20, 1), np.int64), np.arange(20)
    assert not scheme.keyed(contexts).any()
    scores = scheme.scores(contexts, tokens, KEYS[:5])
    assert (scores == scores[0]).all()


def test_dual_key_score_weighs_both_keys():
    contexts, tokens = pairs_of(GUMBEL_KEY42_CW4, 4)
    key = np.array([0], np.uint64)
    first, second = prf.dual_keys(key)
    a, b = (GumbelMax().scores(contexts, tokens, one) for one in (first, second))
    assert DualKeyGumbel(alpha=0.2).scores(contexts, tokens, key) == pytest.approx(0.8 * a + 0.2 * b)
    assert DualKeyGumbel(alpha=0.2).null == Null("hypoexponential", weights=(0.8, 0.2))
    assert DualKeyGumbel(alpha=1.0).null == Null("exponential")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: GumbelMax(0), "context_width"),
        (lambda: DualKeyGumbel(alpha=1.5), "alpha"),
        (lambda: GreenList(gamma=1.0), "gamma"),
        (lambda: GreenList(seeding="lefthash"), "vocabulary_size"),
        (lambda: SynthId(depth=0), "depth"),
    ],
)
def test_parameters_that_name_no_scheme_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
