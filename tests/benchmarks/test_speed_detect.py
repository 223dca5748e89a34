"""What is timed against what, and the rows that follow."""

import re
from pathlib import Path
from typing import Any

import pytest

import column_world as cw
import detect_child
import speed_detect
from stillwatch import detect
from stillwatch.model.columns import EXCHANGE_SCHEMA
from stillwatch.store import open_store

MILLION = speed_detect.MILLION


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("columns") / "world"
    cw.build_store(out, 20_000, 3)
    return out


def test_the_baseline_sums_every_column_that_detect_reads() -> None:
    assert set(detect_child.READ) <= set(EXCHANGE_SCHEMA.names)
    query = detect_child.scan_query(strings=True)
    for name in detect_child.READ:
        assert query.count(f"({name})") == 1, name
    numbers = detect_child.scan_query(strings=False)
    assert not any(f"({name})" in numbers for name in detect_child.STRINGS)


def test_every_column_of_the_baseline_is_named_in_the_code_of_detect() -> None:
    source = "".join(path.read_text() for path in Path(detect.__path__[0]).glob("*.py"))
    for name in detect_child.READ:
        assert re.search(rf"\b{name}\b", source), f"detect does not read {name}; the baseline is too slow"


def test_the_baseline_sums_what_is_stored(world: Path) -> None:
    with open_store(world / "store") as store:
        exchanges = store.exchanges()
        got = store.backend.con.execute(detect_child.scan_query(strings=True)).fetchall()[0]
        rows = exchanges.to_pyarrow()
    assert got[detect_child.NUMBERS.index("output_tokens")] == sum(rows["output_tokens"].to_pylist())
    keys = sum(sum(keys) for keys in rows["keys"].to_pylist())
    assert got[len(detect_child.NUMBERS) + 1] == keys
    assert got[-1] == sum(len(text) for text in rows["source_ref"].to_pylist())


def test_detect_is_timed_on_these_columns_alone_and_set_beside_the_truth(world: Path) -> None:
    got = detect_child.run_detect(world)
    quality = got["quality"]
    assert quality["campaign_accounts"] > 0
    assert quality["campaign_accounts_named"] <= quality["campaign_accounts"]
    assert quality["campaign_accounts"] + quality["honest_accounts"] == 333
    assert got["phases"]
    assert 0 < got["peak_bytes"] < 2**34
    assert sum(phase["seconds"] for phase in got["phases"]) <= got["seconds"] * 1.01


def fabricated(seconds: float) -> dict[str, Any]:
    quality = {
        "campaign_accounts": 100,
        "campaign_accounts_named": 90,
        "campaign_accounts_grouped": 95,
        "honest_accounts_named": 10,
        "campaigns_planted": 3,
        "campaigns_reported": 2,
        "honest_groups_reported": 0,
    }
    ratios = {(clock, columns): seconds for clock in ("seconds", "cpu") for columns in ("all", "numbers")}
    return {
        "seconds": seconds,
        "spread": (seconds, seconds),
        "scan": 1.0,
        "ratio": ratios,
        "peak": 9 * 2**30,
        "phases": [{"phase": "discover", "seconds": 2.0, "peak_bytes": 2**30}] * 2,
        "quality": quality,
    }


def test_the_bar_of_time_stands_at_ten_million_and_that_of_memory_at_a_hundred() -> None:
    ten = {row.id: row for row in speed_detect.size_rows(10 * MILLION, fabricated(16.0))}
    assert ten["detect/10m/ratio"].holds is False
    assert ten["detect/10m/peak"].bar is None
    assert ten["detect/10m/found"].value == 0.9
    assert ten["detect/10m/precision"].value == 0.9
    assert ten["detect/10m/phase/discover"].value == 4.0
    hundred = {row.id: row for row in speed_detect.size_rows(100 * MILLION, fabricated(16.0))}
    assert hundred["detect/100m/ratio"].bar is None
    assert hundred["detect/100m/peak"].holds is False


def test_the_ratio_is_the_median_over_turns_against_the_scans_around() -> None:
    scans = [{"seconds": {"all": s}} for s in (1.0, 3.0, 1.0, 1.0)]
    runs = [{"seconds": s} for s in (20.0, 8.0, 9.0)]
    assert speed_detect.ratio(runs, scans, "seconds", "all") == 9.0


def test_growth_is_cost_against_cost_and_unknown_without_both() -> None:
    cost = {MILLION: 1e-6, 10 * MILLION: 1.3e-6}
    grown = speed_detect.growth_row(MILLION, 10 * MILLION, cost, "")
    assert grown.value == pytest.approx(1.3)
    assert grown.holds is False
    unknown = speed_detect.growth_row(10 * MILLION, 100 * MILLION, cost, "only with --full")
    assert unknown.holds is None
    assert unknown.note == "only with --full"
