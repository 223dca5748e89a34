"""The benchmark of worlds: what it makes of what its child processes say."""

import json

import pytest

import speed_worlds

MADE = {"exchanges": 20_000_000, "accounts": 5, "cpu": 200.0, "peak": 1.5}


@pytest.fixture
def child(monkeypatch, tmp_path):
    said = {"make": json.dumps(MADE), "digest": "abc"}

    def answer(task, *rest, environment=None):
        if task == "make":
            (tmp_path / "out").mkdir()
        return (
            said[task] if environment != speed_worlds.VARIANTS["time zone"] else said.get("elsewhere", "abc")
        )

    monkeypatch.setattr(speed_worlds, "child", answer)
    return said


def test_the_figures_are_those_of_ten_million(child, tmp_path):
    rows = {row.id: row for row in speed_worlds.speed_rows("x", 1.0, tmp_path / "out")}
    assert rows["worlds/columns/cpu"].value == pytest.approx(50.0)
    assert rows["worlds/columns/cost"].value == pytest.approx(10.0)
    assert rows["worlds/columns/seconds"].holds is True


@pytest.mark.parametrize(("elsewhere", "holds"), [("abc", True), ("abd", False)])
def test_one_machine_that_differs_breaks_the_bar(child, elsewhere, holds):
    child["elsewhere"] = elsewhere
    [row] = speed_worlds.same_rows("x")
    assert row.holds is holds
    assert ("time zone" in row.note) or holds


def test_a_small_world_has_a_digest():
    assert len(speed_worlds.digest_of("tiny", 0.02)) == 64
