"""One account stands for an organisation, and firms that only use one format do not look like one hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.evidence import halved, weigh
from stillwatch.detect.placebo import Placebos
from stillwatch.detect.profiles import Frame, make_profiles
from stillwatch.detect.representatives import independent, representatives

ACCOUNTS, BLOCKS = 900, 12
FIRMS, STAFF = 12, 8
MEMBERS = FIRMS * STAFF


def chosen_of(org, seed=0):
    return representatives(np.array(org, np.int64), np.random.default_rng(seed))


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=60), st.integers(0, 100))
def test_each_organisation_has_one_and_accounts_without_one_speak_for_themselves(org, seed):
    org = np.array(org)
    chosen = chosen_of(org, seed)
    names, count = np.unique(org[org >= 0], return_counts=True)
    assert chosen[org < 0].all()
    if count.max(initial=0) < 0.8 * org.size:
        assert sorted(org[chosen & (org >= 0)]) == names.tolist()
    else:
        assert chosen.all()


def test_which_account_stands_for_the_others_is_drawn():
    org = [0] * 6 + [1] * 6
    drawn = {tuple(np.flatnonzero(chosen_of(org, seed))) for seed in range(60)}
    assert len(drawn) > 20


def firms(made, rng):
    """Twelve firms of eight accounts, each with one office, one card and one habit; then a population."""
    firm = np.where(np.arange(ACCOUNTS) < MEMBERS, np.arange(ACCOUNTS) // STAFF, np.arange(ACCOUNTS))
    book = made.book(np.full((ACCOUNTS, 3), 4), org_id=firm, payment_fp=firm, device_fp=np.arange(ACCOUNTS))
    account = np.repeat(np.arange(ACCOUNTS), BLOCKS)
    second = np.tile(np.arange(BLOCKS) * 3600.0, ACCOUNTS) + rng.integers(0, 3600, account.size)
    return book, made.behaviour(
        account, second=second, address=firm[account], sampling=firm[account], slice=np.ones(account.size)
    )


@pytest.mark.parametrize("colleagues", [True, False])
def test_firms_that_use_one_format_do_not_act_together(made, colleagues):
    """Counted pair by pair, colleagues are overwhelming evidence of one hand; their firms are none."""
    rng = np.random.default_rng(3)
    book, rows = firms(made, rng)
    frame = Frame(np.arange(BLOCKS), 3600, None)
    pool = make_profiles(rows.rows(rows.account >= MEMBERS), book, frame)
    placebos = Placebos(pool, book.exchanges[pool.account], pool.counts.sum(axis=0), 400, 1)
    mine = rows.rows(rows.account < MEMBERS)
    if not colleagues:
        mine = independent(mine, book.codes["org_id"], rng)
    profiles = make_profiles(mine, book, frame)
    found = weigh(
        halved(profiles, book.exchanges[profiles.account], placebos.rhythm, rng),
        placebos,
    )
    assert (found.log_e > np.log(1000.0)) == colleagues
