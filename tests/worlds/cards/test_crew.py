import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.cards import card_named
from stillwatch.worlds.cards.crew import first_day, muster, records_of
from stillwatch.worlds.cards.operation import Craft, Operation, Pool, Verification, cut, scaled
from stillwatch.worlds.stage import DAY


def crew_of(stage_of, accounts=300, seed=5, **craft):
    return muster(stage_of(seed=seed), Operation("x", (Pool(accounts),), 12.0, 1.0, Craft(**craft)))


def test_own_exits_and_payments(stage_of):
    crew = crew_of(stage_of, accounts_per_exit=1, accounts_per_payment=1, network="home")
    assert len(set(crew.exits[:, 0].tolist())) >= 299
    assert len(set(crew.payment.tolist())) == 300


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))
def test_exits_and_payments_serve_as_many_as_they_say(stage_of, exits, payments, places):
    crew = crew_of(
        stage_of, 240, accounts_per_exit=exits, accounts_per_payment=payments, exits_per_account=places
    )
    _, used = np.unique(crew.exits, return_counts=True)
    assert np.median(used) in {exits, 240 * places % exits} or exits > 240 * places
    _, paid = np.unique(crew.payment.astype(str), return_counts=True)
    assert paid.max() == min(payments, 240)


def test_bursts_are_bursts_and_aged_accounts_are_old(stage_of, window):
    burst = np.sort(window.start - crew_of(stage_of, sign_up_bursts=3).born) / DAY
    assert (np.diff(burst) > 0.3).sum() <= 2
    aged = (crew_of(stage_of, aged_share=1.0).begin - crew_of(stage_of, aged_share=1.0).born) / DAY
    assert aged.min() >= 60


def test_the_second_pool_takes_over_after_the_ban(stage_of, window):
    operation = scaled(card_named("alibaba").operation, 0.03)
    crew = muster(stage_of(operation.id), operation)
    first = operation.pools[0].accounts
    banned = crew.ban < window.end
    assert banned[:first].mean() == pytest.approx(operation.pools[0].banned_share, abs=0.06)
    assert not banned[first:].any()
    ban = window.start + (first_day(operation, window) + operation.pools[0].ban_day) * DAY
    assert (crew.begin[first:] >= ban).all()
    assert (crew.begin[first:] <= ban + 0.6 * DAY).all()


def test_a_later_part_shows_accounts_that_are_at_work_already(stage_of, window):
    operation = Operation("x", (Pool(50),), 40.0, 1.0)
    late = muster(stage_of(), cut(operation, 20.0, 32.0))
    assert (late.begin == window.start).all()
    early = muster(stage_of(), cut(operation, 0.0, 10.0))
    assert (early.begin > window.start + DAY).all()


@pytest.mark.parametrize("verification", Verification)
def test_records_show_what_was_bought(stage_of, verification):
    craft = Craft(verification=verification, payment_kind="none", disposable_mail=0.0)
    operation = Operation("x", (Pool(200),), 12.0, 1.0, craft)
    records = records_of(stage_of(), operation, muster(stage_of(), operation))
    identity = (records.verified >> 4 & 1).mean()
    assert (identity > 0.8) == (verification is Verification.IDENTITY)
    assert not (records.verified >> 2 & 1).any()
    assert set(records.payment_fp.tolist()) == {None}
    assert set(records.campaign.tolist()) == {"x"}
