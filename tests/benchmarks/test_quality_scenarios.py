"""Rows of scenarios and of the ablation follow from the runs; what is patched is put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import judging
import quality_ablation
import quality_scenarios
from stillwatch.detect import discovery, evidence, profiles
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.profiles import STATISTICS
from stillwatch.worlds.score_claims import Claim

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

TRUTH = pa.table(
    {
        "account_id": ["a", "a", "b", "h", "s", "t"],
        "population": ["campaign"] * 3 + ["hobbyist", "student", "student"],
        "fleet": pa.array([None] * 4 + ["university_class-1", "university_class-1"], pa.string()),
        "campaign": pa.array(["X"] * 3 + [None] * 3, pa.string()),
        "is_strand": [True] * 3 + [False] * 3,
        "ts": pa.array(range(6), pa.timestamp("us", tz="UTC")),
    }
)


def figures(**changed: Any) -> dict[str, Any]:
    return judging.figures(TRUTH, [Claim(("a", "b"), error_rate=0.02)]) | changed


def run(seed: int, **changed: Any) -> dict[str, Any]:
    return {"scenario": "demo", "seed": seed, "scale": 1.0, "seconds": 1.0, "stillwatch": figures(**changed)}


def test_figures_are_plain_and_name_kinds_of_fleets():
    got = judging.figures(TRUTH, [Claim(("s", "h"))])
    assert got["named_by_kind"] == {"university_class": 0.5}
    assert (got["false_reports"], got["honest_named"], got["stated_fdr"]) == (1, 2, None)
    assert figures()["purity"] == 1.0


@pytest.mark.parametrize("from_share", [0.002, 0.01, 0.5, 1.0])
def test_the_first_report_is_found_by_bisection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, from_share: float
):
    sent = 1_000
    truth = pa.table(
        {
            "account_id": ["a"] * sent,
            "population": ["campaign"] * sent,
            "fleet": pa.nulls(sent, pa.string()),
            "campaign": ["X"] * sent,
            "is_strand": [True] * sent,
            "ts": pa.array(range(sent), pa.timestamp("us", tz="UTC")),
        }
    )
    asked = []

    def run(_store: Path, _config: DetectConfig, until: datetime) -> list[Claim]:
        asked.append(until)
        return [Claim(("a",))] if until.microsecond + 1 >= from_share * sent else []

    monkeypatch.setattr(judging, "run", run)
    monkeypatch.setattr(judging, "claims_of", lambda found: found)
    place = judging.Place(tmp_path, truth)
    assert judging.first_reports(place, DetectConfig(), {"X"}) == {"X": from_share}
    assert len(asked) <= 4
    assert judging.first_reports(place, DetectConfig(), set()) == {"X": None}


def test_every_scenario_has_one_id():
    ids = [one.id for one in judging.SCENARIOS]
    assert len(set(ids)) == len(ids)
    assert judging.scenario_of("demo").id == "demo"
    with pytest.raises(KeyError):
        judging.scenario_of("no such world")


def test_ours_has_bars_and_peers_have_none():
    both = [one | {"peers": {"prada": figures()}} for one in (run(1), run(2, found=0.5))]
    rows = {row.id: row for row in quality_scenarios.rows_of("demo", both)}
    assert rows["demo/stillwatch/found"].bar == ">= 0.99"
    assert rows["demo/prada/found"].bar is None
    assert rows["demo/stillwatch/honest-named"].value == 0.0
    assert rows["demo/stillwatch/false-reports"].note.startswith("stated 0.0200")
    assert rows["demo/stillwatch/found"].seeds == (1, 2)


def test_a_campaign_that_is_never_reported_has_taken_all():
    one = run(1, taken_at_first_report={"X": None})
    rows = {row.id: row for row in quality_scenarios.rows_of("demo", [one])}
    assert rows["demo/stillwatch/taken-at-first-report/X"].value == 1.0


def test_calm_worlds_are_asked_for_nothing():
    rows = quality_scenarios.rows_of("calm", [run(1, campaigns=0)])
    assert not [row for row in rows if row.id.endswith("/found")]


def test_a_constant_statistic_is_put_back():
    before = profiles.statistics_of
    with quality_ablation.without_statistic("births"):
        assert evidence.statistics_of is not before
    assert profiles.statistics_of is evidence.statistics_of is before


def test_a_silenced_function_is_put_back_even_after_an_error():
    before = discovery.bipartite_communities
    patch = quality_ablation.silenced(*quality_ablation.SILENCED["bipartite"])
    with pytest.raises(RuntimeError, match="within"):
        _raise_within(patch)
    assert discovery.bipartite_communities is before


def _raise_within(patch: AbstractContextManager[None]) -> None:
    with patch:
        assert not any(discovery.bipartite_communities(None))
        raise RuntimeError("within")


def test_ablation_rows_tell_what_is_lost():
    one = {
        "full": {"found": 1.0, "false": 0, "margin": 6.0},
        "rule/schedule": {"found": 0.5, "false": 1, "margin": 2.0},
    }
    rows = {row.id: row for row in quality_ablation.rows_of([one], [1])}
    assert rows["ablation/rule/schedule"].value == 0.5
    assert "+4.0 nats" in rows["ablation/rule/schedule"].note
    assert "schedules of their own" in rows["ablation/rule/schedule"].note


def test_what_is_to_be_removed_exists():
    known = {*quality_ablation.FEATURES, *STATISTICS, *quality_ablation.SWITCHES, *quality_ablation.SILENCED}
    assert set(quality_ablation.TO_REMOVE) <= known


def test_without_groups_there_is_no_margin():
    assert np.isnan(quality_ablation.margin([], np.ones(len(quality_ablation.FEATURES))))
