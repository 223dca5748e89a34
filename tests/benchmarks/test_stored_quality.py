"""The whole table is made from what is stored, and each row can be measured anew."""

import json
import shlex

import pytest

import harness
import stored_quality

SEEDS = {
    "1": {"campaigns": 1, "found": 0.9, "purity": 1.0, "honest_named": 0, "honest_accounts": 100, "realised_fdr": 0.0,
          "honest_fleets_reported": 0},
    "3": {"campaigns": 1, "found": 1.0, "purity": 1.0, "honest_named": 2, "honest_accounts": 100, "realised_fdr": 0.5,
          "honest_fleets_reported": 1},
}  # fmt: skip


def scenario(name="demo", scale=1.0):
    return {"scenario": name, "scale": scale, "detectors": {"stillwatch": {"by_seed": SEEDS}}}


def test_a_scenario_is_told_by_its_seeds():
    rows = {row.id.rsplit("/", 1)[1]: row for row in stored_quality.scenario_rows(scenario())}
    assert {name: row.value for name, row in rows.items()} == pytest.approx(
        {"false-reports": 0.25, "honest-named": 1_000.0, "honest-fleets": 1.0, "found": 0.95, "purity": 1.0}
    )
    assert {name for name, row in rows.items() if row.holds} == {"purity"}
    assert all(row.seeds == (1, 3) for row in rows.values())


def test_small_worlds_say_so():
    (row, *_) = stored_quality.scenario_rows(scenario(scale=0.3))
    assert row.id.startswith("demo@0.3/")
    assert row.command.endswith("--scale 0.3")


def test_every_stored_bar_is_in_the_table():
    rows = stored_quality.stored_rows()
    shown = {row.id for row in rows}
    stored = [json.loads(path.read_text()) for path in (stored_quality.ROWS).glob("*.json")]
    assert {one["id"] for each in stored for one in each["rows"] if one["bar"]} <= shown
    assert {f"{card}/stillwatch/found" for card in ("card-gemini", "card-hydra-01")} <= shown
    for row in rows:
        assert (harness.ROOT / shlex.split(row.command)[1]).is_file()
