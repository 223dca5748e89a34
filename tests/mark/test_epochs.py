"""Rotation only goes forward, and every moment has at most one epoch."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.mark.epochs import EpochPlan
from stillwatch.model.errors import InputError

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.integers(-10, 9000))
def test_the_newest_epoch_that_has_started_marks(gaps, hour):
    plan, starts = EpochPlan(), []
    moment = START
    for number, gap in enumerate(gaps):
        moment += timedelta(hours=gap)
        starts.append(moment)
        plan = plan.rotated(f"e{number}", moment)
    at = START + timedelta(hours=hour)
    begun = [number for number, start in enumerate(starts) if start <= at]
    found = plan.at(at)
    assert (found.name if found else None) == (f"e{begun[-1]}" if begun else None)


def test_a_plan_survives_its_file(tmp_path):
    plan = EpochPlan().rotated("2026-11", START).rotated("2026-12", START + timedelta(days=30))
    plan.save(tmp_path / "epochs.json")
    assert EpochPlan.load(tmp_path / "epochs.json") == plan
    assert [one.name for one in tmp_path.iterdir()] == ["epochs.json"]


@pytest.mark.parametrize(
    ("name", "starts", "says"),
    [
        ("a", START + timedelta(days=1), "taken"),
        ("", START + timedelta(days=1), "empty"),
        ("b:c", START + timedelta(days=1), "colon"),
        ("b", START, "does not start after"),
        ("b", datetime(2027, 1, 1), "time zone"),  # noqa: DTZ001 - the missing zone is the point
    ],
)
def test_a_rotation_that_would_rewrite_history_is_refused(name, starts, says):
    with pytest.raises(InputError, match=says):
        EpochPlan().rotated("a", START).rotated(name, starts)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"epochs": 3}'], ids=["empty", "list", "number"])
def test_what_is_no_plan_is_refused(tmp_path, content):
    (tmp_path / "plan").write_bytes(content)
    with pytest.raises(InputError, match="no epoch plan"):
        EpochPlan.load(tmp_path / "plan")


def test_a_plan_of_another_format_or_none_is_refused(tmp_path):
    (tmp_path / "plan").write_bytes(b'{"epochs": [], "format": 9}')
    with pytest.raises(InputError, match="format 9"):
        EpochPlan.load(tmp_path / "plan")
    with pytest.raises(InputError, match="cannot be read"):
        EpochPlan.load(tmp_path / "none")
