import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.cards import timing
from stillwatch.worlds.cards.operation import Craft, Rhythm, Schedule
from stillwatch.worlds.stage import DAY, HOUR, Window

WINDOW = Window(1_791_158_400_000_000, 6, 2.0)
HOURS = 6 * 24


def laid_out(craft, accounts=20, each=60, seed=1):
    rng = np.random.default_rng(seed)
    job = timing.job_rate(HOURS, craft.idle_share, rng)
    begin = WINDOW.start + rng.integers(0, DAY, accounts)
    stop = WINDOW.end - rng.integers(0, DAY, accounts)
    rate = timing.hourly_rate(craft, job, rng.integers(-8, 11, accounts), rng)
    rate = timing.inside(rate, begin, stop, WINDOW)
    account, ts = timing.moments(np.full(accounts, each), rate, craft, WINDOW, rng)
    return account, ts, begin, stop


def ratio_of_variances(account, ts, hours=6):
    """Variance of the sum over accounts against the sum of their variances, in bins of some hours."""
    bins = np.zeros((account.max() + 1, HOURS // hours))
    np.add.at(bins, (account, (ts - WINDOW.start) // (hours * HOUR)), 1)
    inner = bins[:, 5:-5]
    return inner.sum(axis=0).var() / inner.var(axis=1).sum()


@given(
    schedule=st.sampled_from(Schedule),
    rhythm=st.sampled_from(Rhythm),
    idle=st.floats(0, 0.9),
    seed=st.integers(0, 99),
)
def test_everything_lies_in_an_hour_of_work(schedule, rhythm, idle, seed):
    craft = Craft(schedule=schedule, rhythm=rhythm, idle_share=idle)
    account, ts, begin, stop = laid_out(craft, seed=seed)
    assert np.bincount(account).tolist() == [60] * 20
    assert (ts // HOUR >= begin[account] // HOUR).all()
    assert (ts // HOUR <= stop[account] // HOUR).all()


def test_a_shared_queue_moves_all_accounts_together_and_own_queues_do_not():
    shared = ratio_of_variances(*laid_out(Craft(idle_share=0.4))[:2])
    alone = ratio_of_variances(*laid_out(Craft(idle_share=0.4, schedule=Schedule.INDEPENDENT))[:2])
    assert shared > 4
    assert alone < 2


def test_a_load_balancer_is_smoother_than_chance():
    craft = Craft(idle_share=0.0, schedule=Schedule.BALANCED)
    account, ts, _, _ = laid_out(craft, accounts=40, each=30)
    gaps = np.diff(np.sort(ts[account == 3]))
    assert gaps.std() / gaps.mean() < 0.7


def test_people_sleep():
    account, ts, _, _ = laid_out(Craft(idle_share=0.0, schedule=Schedule.USERS), accounts=50)
    hour = ((ts // HOUR) + timing.USERS_ZONE) % 24
    night, day = np.isin(hour, [2, 3, 4]).mean(), np.isin(hour, [10, 11, 15]).mean()
    assert night < day / 4
    assert account.size == ts.size


@given(hours=st.floats(0.1, 200), seed=st.integers(0, 50))
def test_a_lag_keeps_everything_inside_the_time_of_work(hours, seed):
    account, ts, begin, stop = laid_out(Craft(), accounts=8, each=20)
    ts = np.clip(ts, begin[account], stop[account] - 1)
    moved = timing.shifted(account, ts, begin, stop, hours, np.random.default_rng(seed))
    assert (moved >= begin[account]).all()
    assert (moved < stop[account]).all()


def test_hours_outside_have_no_rate():
    rate = np.ones((2, HOURS))
    begin = np.array([WINDOW.start + HOUR // 2, WINDOW.start])
    stop = np.array([WINDOW.start + 2 * HOUR, WINDOW.start])
    kept = timing.inside(rate, begin, stop, WINDOW)
    assert kept[0, :4].tolist() == pytest.approx([0.5, 1, 0, 0])
    assert kept[1].sum() == 0
