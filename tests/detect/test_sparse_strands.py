"""A campaign in one request of a hundred: members are told from strangers by which keys they carry."""

import numpy as np
import pytest

from stillwatch.detect.membership import confirm
from stillwatch.detect.sparse_strands import sparse_log_e

MEMBERS, OTHERS, VOLUME, RATE = 6000, 18_000, 300, 0.008
TEMPLATES, PHRASES = 25, 4


def drawn(seed, rate=RATE, strangers=0.02):
    """Hits and key classes of accounts: members send templates of two keys, others a phrase now and then.

    Returns:
        Hits, exchanges, classes, and the classes that stood alone in an exchange.
    """
    rng = np.random.default_rng(seed)
    size = MEMBERS + OTHERS
    trials = np.where(np.arange(size) < MEMBERS, VOLUME, rng.integers(5, 60, size))
    hits = np.where(np.arange(size) < MEMBERS, rng.binomial(VOLUME, rate, size), 0)
    bits, alone = np.zeros((2, size), np.int64)
    account = np.repeat(np.arange(size), hits)
    template = rng.integers(0, TEMPLATES, account.size)
    first, both = np.int64(1) << (2 * template), rng.random(account.size) < 0.5
    np.bitwise_or.at(bits, account, first | np.where(both, first << 1, 0))
    np.bitwise_or.at(alone, account, np.where(both, 0, first))
    said = rng.poisson(strangers * trials / trials.mean())
    account = np.repeat(np.arange(size), said)
    phrase = rng.integers(2 * TEMPLATES, 2 * TEMPLATES + PHRASES, account.size)
    for classes in (bits, alone):
        np.bitwise_or.at(classes, account, np.int64(1) << phrase)
    return np.minimum(hits + said, trials), trials, bits, alone


def confirmed(made, hits, trials, bits, alone):
    carriers = np.flatnonzero(hits)
    rng = np.random.default_rng(7)
    sent = rng.multinomial(hits[carriers], [0.6, 0.2, 0.2])
    book = made.book(rng.multinomial(trials, [0.6, 0.2, 0.2]))
    return confirm(made.strands(carriers, sent, bits[carriers], alone=alone[carriers]), book, 0.01, 54)


def test_members_are_named_and_strangers_are_not(made):
    hits, trials, bits, alone = drawn(1)
    found = confirmed(made, hits, trials, bits, alone)
    named = found.strands.account
    assert found.sparse
    assert (named >= MEMBERS).sum() == 0
    assert (named < MEMBERS).sum() >= 0.7 * (hits[:MEMBERS] >= 3).sum()
    assert found.group_log_e > 20


def test_quiet_members_are_named_beside_strangers_who_write_phrases_often(made):
    """Their hits lie within the background of all carriers, their keys do not."""
    hits, trials, bits, alone = drawn(5, rate=0.02, strangers=0.1)
    found = confirmed(made, hits, trials, bits, alone)
    named = found.strands.account
    assert (named >= MEMBERS).sum() == 0
    assert (named < MEMBERS).sum() >= 0.95 * (hits[:MEMBERS] >= 3).sum()


def with_loud_strangers(made, seed, loud=3000, rate=0.002):
    """Three thousand honest accounts of 1,000 exchanges, each with some of four phrases."""
    hits, trials, bits, alone = drawn(seed)
    rng = np.random.default_rng([seed, 1])
    chosen = slice(MEMBERS, MEMBERS + loud)
    trials[chosen] = 1000
    said = rng.poisson(rate * 1000, (loud, PHRASES)) * (rng.random((loud, PHRASES)) < 0.25)
    phrases = ((said > 0) << np.arange(2 * TEMPLATES, 2 * TEMPLATES + PHRASES)).sum(axis=1)
    hits[chosen], bits[chosen], alone[chosen] = said.sum(axis=1), phrases, phrases
    return hits, trials, bits, alone


@pytest.mark.parametrize("seed", range(30, 34))
def test_loud_strangers_who_write_several_phrases_are_not_named(made, seed):
    """Some have five hits on three phrases: what a stranger of that volume writes."""
    hits, trials, bits, alone = with_loud_strangers(made, seed)
    assert ((hits >= 3) & (np.bitwise_count(bits) >= 2))[MEMBERS:].sum() > 100
    named = confirmed(made, hits, trials, bits, alone).strands.account
    assert (named >= MEMBERS).sum() == 0
    assert (named < MEMBERS).sum() >= 0.6 * (hits[:MEMBERS] >= 3).sum()


def test_strangers_have_a_mean_e_of_at_most_one(made):
    hits, trials, bits, alone = with_loud_strangers(made, 41)
    carriers = np.flatnonzero(hits)
    sent = np.column_stack([hits[carriers], *[np.zeros_like(carriers)] * 2])
    strands = made.strands(carriers, sent, bits[carriers], alone=alone[carriers])
    book = made.book(np.column_stack([trials, *[np.zeros_like(trials)] * 2]))
    told = sparse_log_e(strands, trials[carriers], book.volumes)
    e = np.exp(told.log_e[carriers >= MEMBERS])
    assert e.sum() / (trials.size - MEMBERS) <= 1
    assert told.alike[carriers < MEMBERS].mean() > 0.95


def test_nobody_is_named_where_there_are_strangers_only(made):
    hits, trials, bits, alone = drawn(2, rate=0.0, strangers=0.3)
    found = confirmed(made, hits, trials, bits, alone)
    assert found.strands.account.size == 0


def test_a_group_that_stands_out_is_judged_as_ever(made):
    hits, trials, bits, alone = drawn(3, rate=0.3)
    assert not confirmed(made, hits, trials, bits, alone).sparse


@pytest.mark.parametrize("least", ["strong", "single"])
def test_too_few_accounts_say_nothing_of_keys(made, least):
    bits = np.full(500, 0b11111 if least == "single" else 1)
    strands = made.strands(range(500), np.full((500, 3), 2), bits)
    book = made.book(np.full((500, 3), 50))
    assert sparse_log_e(strands, book.exchanges, book.volumes) is None


def test_keys_that_strangers_carry_too_speak_against_membership(made):
    hits, trials, bits, alone = drawn(4)
    carriers = np.flatnonzero(hits)
    strands = made.strands(
        carriers,
        np.column_stack([hits[carriers], *[np.zeros_like(carriers)] * 2]),
        bits[carriers],
        alone=alone[carriers],
    )
    book = made.book(np.column_stack([trials, *[np.zeros_like(trials)] * 2]))
    log_e = sparse_log_e(strands, trials[carriers], book.volumes).log_e
    single = strands.variety == 1
    phrase = single & (strands.bits >> (2 * TEMPLATES) > 0)
    once = hits[carriers] == 1
    assert np.median(log_e[phrase & once]) < np.median(log_e[single & ~phrase & once]) - 0.5
