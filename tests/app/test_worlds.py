import pytest

from stillwatch.app import worlds
from stillwatch.model.errors import InputError


def test_unknown_scenario_is_told(tmp_path):
    with pytest.raises(InputError, match="the scenarios are demo"):
        worlds.find_scenario("atlantis", tmp_path)


def test_out_that_is_a_file_is_told(tmp_path):
    (tmp_path / "taken").write_text("x")
    tiny = worlds.find_scenario("tiny", tmp_path)
    with pytest.raises(InputError, match="taken"):
        worlds.run_world(tiny, 1, 0.02, "ndjson", tmp_path / "taken" / "world")


def test_score_without_truth(tmp_path):
    with pytest.raises(InputError, match="not a truth table"):
        worlds.score_world(tmp_path, tmp_path)


def test_scenarios_have_names_of_their_own():
    names = [scenario.id for scenario in worlds.scenarios()]
    assert len(names) == len(set(names))
    assert "demo" in names
