"""Customers without a record go with their organisation; records refuse only where members' are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.likeness import completed_organisations, refused_by_records, without_refused

FIRM, CAMPAIGN = 0b000111, 0b111100


def completed(org, bits, unknown, least=4):
    return completed_organisations(np.array(org), np.array(bits), np.array(unknown), least).tolist()


def test_an_account_without_a_record_goes_with_the_organisation_whose_keys_it_uses():
    org = [5] * 10 + [-1] * 42
    bits = [FIRM] * 10 + [FIRM, CAMPAIGN] + [CAMPAIGN] * 40
    unknown = [False] * 10 + [True] * 2 + [False] * 40
    assert completed(org, bits, unknown) == [5] * 11 + [-1] * 41


def test_of_several_organisations_the_likest_counts():
    org = [5] * 4 + [6] * 4 + [7] * 3 + [-1] * 21
    bits = [0b11] * 4 + [0b1100] * 4 + [0b111100] * 3 + [0b111100] + [1 << 60] * 20
    assert completed(org, bits, [False] * 11 + [True] + [False] * 20)[11] == 6


@pytest.mark.parametrize(
    ("org", "unknown"),
    [
        pytest.param([5] * 10 + [-1] * 41, [False] * 51, id="everybody has a record"),
        pytest.param([5] * 3 + [-1] * 48, [False] * 3 + [True] * 8 + [False] * 40, id="a small organisation"),
        pytest.param([5] * 10 + [-1] * 41, [False] * 10 + [True] * 41, id="no stranger is known"),
    ],
)
def test_otherwise_organisations_are_as_declared(org, unknown):
    assert completed(org, [FIRM] * 11 + [CAMPAIGN] * 40, unknown) == org


@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 60))
def test_nobody_who_has_a_record_changes(seed, accounts, organised):
    rng = np.random.default_rng(seed)
    org = np.where(rng.random(accounts) < organised / 60, rng.integers(0, 3, accounts), -1)
    unknown = rng.random(accounts) < 0.3
    bits = rng.integers(1, 1 << 61, accounts)
    found = completed_organisations(org, bits, unknown, 4)
    changed = found != org
    assert not (changed & (~unknown | (org >= 0))).any()
    assert np.isin(found[changed], org).all()


def records(made, created, throwaway=None, **known):
    """A thousand honest accounts of all ages, and the given ones behind them."""
    ages = np.random.default_rng(3).uniform(0, 500, 1000)
    created = np.concatenate([20_000 - ages, created])
    kinds = np.zeros(created.size, np.int64)
    if throwaway is not None:
        kinds[1000:] = throwaway
    return made.book(np.full((created.size, 3), 9), created=created, throwaway=kinds, **known)


def test_an_old_customer_among_many_new_accounts_is_refused(made):
    book = records(made, [*np.linspace(19_980, 19_984, 200), 19_600], [1] * 200 + [0])
    refused = refused_by_records(np.arange(1000, 1201), book)
    assert np.flatnonzero(refused).tolist() == [200]


@pytest.mark.parametrize(
    "created",
    [
        pytest.param([*np.linspace(19_980, 19_984, 60), 19_600], id="a small group"),
        pytest.param(
            [*np.linspace(19_980, 19_984, 200), *np.linspace(19_600, 19_800, 20)], id="aged members"
        ),
        pytest.param([*np.linspace(19_980, 19_984, 200), np.nan], id="nothing is known"),
    ],
)
def test_nobody_else_is_refused(made, created):
    book = records(made, np.array(created))
    assert not refused_by_records(np.arange(1000, 1000 + len(created)), book).any()


def test_who_shares_a_payment_with_a_member_is_not_refused(made):
    payment = np.concatenate([np.full(1000, -1), np.arange(200), [7]])
    book = records(made, [*np.linspace(19_980, 19_984, 200), 19_600], payment_fp=payment)
    assert not refused_by_records(np.arange(1000, 1201), book).any()


@pytest.mark.parametrize("aged", [0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0])
def test_at_most_one_member_in_a_hundred_is_refused(made, aged):
    rng = np.random.default_rng(17)
    refused, members = 0, 0
    for size in rng.integers(10, 600, 60).tolist():
        created = np.where(rng.random(size) < aged, rng.uniform(19_500, 20_000, size), 19_990.0)
        book = records(made, created, rng.integers(0, 2, size))
        refused += int(refused_by_records(np.arange(1000, 1000 + size), book).sum())
        members += size
    assert refused <= members / 100


def test_a_group_without_records_is_left_as_it_is(made):
    group = made.membership(made.strands(range(200), np.full((200, 3), 4)))
    assert without_refused(group, made.book(np.full((200, 3), 9))) is group


def test_the_refused_leave_the_group(made):
    book = records(made, [*np.linspace(19_980, 19_984, 200), 19_600])
    group = made.membership(made.strands(range(1000, 1201), np.full((201, 3), 4)))
    left = without_refused(group, book)
    assert left.strands.account.tolist() == list(range(1000, 1200))
    assert left.log_e.shape == (200,)
