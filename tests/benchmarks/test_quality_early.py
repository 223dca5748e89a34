"""First reports are asked for where the baseline judged the whole log, and told against the whole operation."""

from __future__ import annotations

import pytest

import baseline
import quality_early


def test_only_worlds_that_were_judged_whole_are_asked():
    stored = baseline.read("card-gemini")
    assert stored is not None
    seed = int(min(stored["detectors"]["stillwatch"]["by_seed"]))
    assert quality_early.reported("card-gemini", seed) == ["gemini"]
    with pytest.raises(ValueError, match="judge it whole first"):
        quality_early.reported("card-gemini", 3)


def test_shares_are_of_all_that_the_operation_takes():
    runs = [{"scenario": "card-gemini", "seed": seed, "early": {"gemini": 0.01}} for seed in (1, 2)]
    (row,) = quality_early.rows_of(runs)
    assert row.value == pytest.approx(0.01 * 12 / 21)
    assert (row.bar, row.holds) == ("<= 0.01", True)
