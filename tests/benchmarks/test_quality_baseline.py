"""The fast subset of the permanent quality baseline: a change that finds less, or harms more, fails here.

Where a change is meant to alter these figures, store them again and say so in the change:
`python benchmarks/quality_scenarios.py --scenarios demo calm --scale 0.3 --seeds 1-2 --store`.
"""

from __future__ import annotations

import pytest

import baseline
from judging import flat, judge

SUBSET = (("demo", 0.3, (1, 2)), ("calm", 0.3, (1,)))


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "scale", "seeds"), SUBSET, ids=[one[0] for one in SUBSET])
def test_quality_is_not_lost(scenario: str, scale: float, seeds: tuple[int, ...]) -> None:
    stored = baseline.read(scenario, scale)
    assert stored is not None, f"no baseline of {scenario} at scale {scale}"
    runs = [judge(scenario, seed, scale) for seed in seeds]
    assert baseline.losses(stored, runs) == []


@pytest.mark.slow
def test_what_is_judged_is_plain_numbers_and_a_blatant_campaign_is_found() -> None:
    one = judge("tiny", 3, 1.0)
    assert set(flat(one)) >= {*baseline.TOLERANCE, *baseline.HARM}
    assert one["stillwatch"]["found_by_campaign"]["A"] > 0.9
    assert one["stillwatch"]["honest_fleets"] >= 10
