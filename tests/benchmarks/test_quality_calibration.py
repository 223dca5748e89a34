"""Calibration: the live watch alarms as seldom as stated, and its rows follow from the runs."""

from __future__ import annotations

import numpy as np
import pytest

import quality_calibration
from peers.log import Log

DAY = 86_400


def log_of(accounts: int, days: int, each: int) -> Log:
    account = np.repeat(np.arange(accounts), days * each)
    second = np.tile(np.repeat(np.arange(days), each) * DAY + 100.0, accounts)
    number = account.size
    return Log(
        names=np.array([f"a{n:05d}" for n in range(accounts)]),
        account=account,
        second=second,
        offsets=np.arange(number + 1),
        keys=np.arange(number) * 16 + 1,
        address=np.full(number, -1),
        tokens=np.zeros(number, np.int64),
    )


def test_over_dispersed_accounts_alarm_no_more_often_than_stated():
    """Each account has its own rate of a watched key, as people who like one prompt have."""
    rng = np.random.default_rng(3)
    log = log_of(4_000, 10, 6)
    rate = rng.beta(0.5, 49.5, log.size)
    rows = np.flatnonzero(rng.random(log.account.size) < rate[log.account])
    peak = quality_calibration.peaks(log, rows, np.random.default_rng(1))
    assert (peak >= np.log(100)).mean() <= 0.012
    assert (peak >= np.log(1000)).mean() <= 0.003


def test_members_of_a_campaign_do_alarm():
    rng = np.random.default_rng(4)
    log = log_of(2_000, 10, 6)
    rate = np.where(np.arange(log.size) < 40, 0.5, 0.002)
    rows = np.flatnonzero(rng.random(log.account.size) < rate[log.account])
    peak = quality_calibration.peaks(log, rows, np.random.default_rng(1))
    assert (peak >= np.log(1000)).sum() >= 12


def test_a_log_with_few_shared_keys_is_not_watched():
    got = quality_calibration.live_alarms(log_of(30, 2, 2), 1)
    assert got["watched"] == 0


def run(seed: int, **changed: float) -> dict[str, float]:
    return {"seed": seed, "scale": 0.6, "accounts": 3_000, "exchanges": 40_000, "mean_e": 0.8, "sigma": 1.0, "sound": True,
            "campaigns": 0, "named": 0, "groups": 4, "stranger_groups": 0, "level": 0.01, "watched": 8_000,
            "alarms_0.01": 20, "alarms_0.001": 2, "seconds": 1.0} | changed  # fmt: skip


def test_rows_follow_from_the_runs():
    rows = {
        row.id: row for row in quality_calibration.rows_of([run(1), run(2, campaigns=1, named=9, sigma=1.3)])
    }
    assert rows["calibration/worlds"].holds is False
    assert rows["calibration/worlds-with-a-report"].value == 0.5
    assert rows["calibration/null-sd/outside"].value == 1
    assert rows["calibration/honest-accounts-named"].value == pytest.approx(9 / 6_000 * 1e5)
    assert rows["calibration/live-alarms/0.01"].value == pytest.approx(40 / 16_000)
    assert rows["calibration/live-alarms/0.01"].holds is True
