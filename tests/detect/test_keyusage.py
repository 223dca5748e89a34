"""How keys are used: who is like the members, and who may be named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.keyusage import usage_of

CORE = 1


def drawn(rng, exchanges, keys):
    """Bits of an account each of whose exchanges uses one of `keys`, likely as listed."""
    kinds, weights = np.array(list(keys)), np.array(list(keys.values()))
    used = np.unique(rng.choice(kinds, exchanges, p=weights / weights.sum()))
    return int((np.int64(1) << used).sum())


def usage(made, hits, bits):
    hits = np.asarray(hits, np.int64)
    strands = made.strands(np.arange(hits.size), np.column_stack([hits, 0 * hits, 0 * hits]), bits)
    return usage_of(strands, hits, np.ones(hits.size, bool))


def test_whoever_sends_the_fixed_prompt_and_nothing_else_is_like_the_members(made):
    rng = np.random.default_rng(1)
    around = dict.fromkeys(range(1, 14), 0.004)
    hits = rng.integers(5, 170, 370)
    bits = np.array([CORE | drawn(rng, n, {40: 1.0, **around}) & ~(1 << 40) for n in hits])
    alone = bits == CORE
    assert alone.sum() > 20
    found = usage(made, hits, bits)
    assert found.nameable.all()
    assert found.various[alone].mean() > 0.9


def test_a_customer_that_sends_one_template_of_a_pool_is_not_like_the_members(made):
    rng = np.random.default_rng(2)
    pool = dict.fromkeys(range(60), 1.0)
    hits = np.concatenate([rng.integers(20, 100, 60), rng.integers(20, 400, 90)])
    bits = np.array([drawn(rng, n, pool) for n in hits[:60]] + [1 << (n % 60) for n in range(90)])
    found = usage(made, hits, bits)
    assert found.various[:60].all()
    assert not found.various[60:].any()
    assert not found.nameable[60:].any()


def test_whoever_lacks_the_fixed_prompt_is_not_named(made):
    bits = np.full(50, CORE)
    bits[-1] = 2
    found = usage(made, np.full(50, 20), bits)
    assert found.nameable.tolist() == [True] * 49 + [False]


def test_whoever_shows_one_of_many_common_keys_is_not_named(made):
    bits = np.full(50, 0b111111)
    bits[-3:] = [0b1, 0b11, 0b111]
    found = usage(made, np.full(50, 20), bits)
    assert found.nameable.tolist() == [True] * 47 + [False, False, True]


def test_a_common_format_is_no_fixed_prompt_where_every_exchange_carries_more(made):
    rng = np.random.default_rng(3)
    pool = dict.fromkeys(range(1, 50), 1.0)
    hits = np.full(80, 10)
    bits = np.array([CORE | drawn(rng, 10, pool) for _ in range(70)] + [CORE] * 10)
    found = usage(made, hits, bits)
    assert found.nameable.tolist() == [True] * 70 + [False] * 10


def test_nobody_chosen_is_nobody_named(made):
    strands = made.strands(np.arange(3), np.ones((3, 3)))
    found = usage_of(strands, np.full(3, 3), np.zeros(3, bool))
    assert not found.various.any()
    assert not found.nameable.any()


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 2**20)), min_size=1, max_size=30), st.randoms())
def test_order_of_the_accounts_does_not_matter(made, accounts, random):
    mixed = random.sample(range(len(accounts)), len(accounts))
    hits, bits = np.array(accounts).T
    one, other = usage(made, hits, bits), usage(made, hits[mixed], bits[mixed])
    assert other.nameable == pytest.approx(one.nameable[mixed])
    assert other.various == pytest.approx(one.various[mixed])


def test_quiet_users_of_one_key_do_not_decide_what_is_common(made):
    """A prompt in four variants: some members never send the first, which is all that 80 customers send."""
    members = np.full(400, 0b1111)
    members[:15] = 0b1110
    customers = np.full(80, 0b0001)
    hits = np.concatenate([np.full(400, 30), np.full(80, 6)])
    found = usage(made, hits, np.concatenate([members, customers]))
    assert found.nameable[:400].all()
    assert not found.nameable[400:].any()
