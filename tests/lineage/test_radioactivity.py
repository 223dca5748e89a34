"""The tests of a suspect on simulated suspects, of which everything is known."""

import math

import numpy as np
import pytest
from scipy import stats

from stillwatch.lineage.radioactivity import (
    Evidence,
    context_level,
    contrast,
    decoy_keys,
    key_totals,
    pair_level,
    strongest,
    weigh_key,
)
from stillwatch.lineage.radioactivity_contexts import summed
from stillwatch.mark.schemes import DualKeyGumbel, GreenList, GumbelMax

VOCABULARY, CONTEXTS, KEY = 40, 150, 77
SCHEME = GumbelMax(2)


def teacher(rng):
    """A distribution for each context, (contexts, vocabulary)."""
    return rng.dirichlet(np.full(VOCABULARY, 0.2), CONTEXTS)


def context_rows():
    return np.stack([np.arange(CONTEXTS), np.arange(CONTEXTS) + 1000], axis=1)


def winners(chances, key):
    every = np.repeat(context_rows(), VOCABULARY, axis=0)
    tokens = np.tile(np.arange(VOCABULARY), CONTEXTS)
    scores = SCHEME.scores(every, tokens, np.array([key], np.uint64)).reshape(CONTEXTS, VOCABULARY)
    uniforms = -np.expm1(-scores)
    return np.argmin(-np.log(uniforms) / np.maximum(chances, 1e-12), axis=1)


def student(chances, share, key=KEY):
    """What a model learns of which `share` of the training text was marked."""
    return (1 - share) * chances + share * np.eye(VOCABULARY)[winners(chances, key)]


def counts(chances, draws, rng):
    sampled = rng.multinomial(draws, chances)
    group, token = np.nonzero(sampled)
    return summed(context_rows(), group, token, sampled[group, token].astype(float))


def masses(chances, draws):
    group, token = np.nonzero(chances)
    return summed(context_rows(), group, token, chances[group, token] * draws)


def test_a_diluted_student_is_found_by_the_contrast_and_by_nothing_less():
    rng = np.random.default_rng(3)
    plain = teacher(rng)
    said = counts(student(plain, 0.15), 40, rng)
    decoys = decoy_keys(100, rng)
    found = {
        name: weigh_key(evidence, SCHEME, KEY, decoys)
        for name, evidence in (
            ("contrast", contrast(said, masses(plain, 40))),
            ("contexts", context_level(said)),
            ("pairs", pair_level(said)),
        )
    }
    assert found["contrast"].p < 1e-8
    assert found["contrast"].decoy_p == pytest.approx(1 / 101)
    assert found["contrast"].log_p < found["contexts"].log_p < 0
    assert found["contrast"].log_p <= found["contrast"].log_bound


@pytest.mark.parametrize("scheme", [SCHEME, DualKeyGumbel(2), GreenList(context_width=2)])
def test_p_values_are_uniform_over_keys_whatever_the_suspect(scheme):
    rng = np.random.default_rng(11)
    said = counts(
        student(teacher(rng), 1.0, key=123), 10, rng
    )  # very far from the teacher, under another key
    for evidence in (contrast(said, masses(teacher(rng), 10)), context_level(said), pair_level(said)):
        totals, law = key_totals(evidence, scheme, decoy_keys(300, rng))
        p = np.exp(law.log_tails(totals))
        assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_repeats_inflate_the_statistic_unless_each_pair_is_one_score():
    """The guard matters: counting each sampled token as its own trial makes random keys look like evidence."""
    rng = np.random.default_rng(2)
    said = counts(teacher(rng), 60, rng)
    keys = decoy_keys(200, rng)
    repeated = Evidence(said.contexts[said.groups], said.tokens, said.masses, CONTEXTS)
    totals, _ = key_totals(repeated, SCHEME, keys)
    naive = totals / math.sqrt(float(said.masses.sum()))
    totals, law = key_totals(repeated, SCHEME, keys)
    assert naive.std() > 2.0
    assert (totals / law.deviation).std() == pytest.approx(1.0, abs=0.2)


def test_a_suspect_that_equals_the_teacher_has_nothing_to_show():
    plain = teacher(np.random.default_rng(0))
    found = weigh_key(
        contrast(masses(plain, 5), masses(plain, 5)), SCHEME, KEY, decoy_keys(3, np.random.default_rng(0))
    )
    assert found.z == pytest.approx(0.0)
    assert found.pairs == 0


def test_contrast_refuses_other_contexts():
    plain = masses(teacher(np.random.default_rng(0)), 5)
    other = summed(context_rows()[::-1].copy(), plain.groups, plain.tokens, plain.masses)
    with pytest.raises(ValueError, match="same contexts"):
        contrast(plain, other)


def test_the_strongest_pairs_keep_the_null_and_most_of_the_signal():
    rng = np.random.default_rng(5)
    plain = teacher(rng)
    evidence = contrast(counts(student(plain, 0.5), 20, rng), masses(plain, 20))
    short = strongest(evidence, 300)
    assert len(short.weights) == 300
    assert np.abs(short.weights).min() >= np.sort(np.abs(evidence.weights))[-301]
    assert weigh_key(short, SCHEME, KEY, decoy_keys(2, rng)).p < 1e-8
    assert strongest(evidence, 10**9) is evidence


def test_the_guilty_accounts_stand_out_of_many():
    rng = np.random.default_rng(8)
    plain = teacher(rng)
    said = counts(student(plain, 0.3, key=4), 60, rng)
    totals, law = key_totals(contrast(said, masses(plain, 60)), SCHEME, np.arange(3000, dtype=np.uint64))
    z = totals / law.deviation
    assert z.argmax() == 4
    assert np.delete(z, 4).std() == pytest.approx(1.0, abs=0.1)
