"""False discoveries among all groups that a scan called coordinated."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import quality_demo
import scan_truth

ROWS = [
    # account, population, fleet, campaign, exchanges of the campaign
    *((f"h{i}", "hobbyist", None, None, 0) for i in range(10)),
    *((f"s{i}", "student", "university_class-1", None, 0) for i in range(10)),
    *((f"n{i}", "hobbyist", "carrier_nat-1", None, 0) for i in range(10)),
    *((f"c{i}", "campaign", None, "A", 5) for i in range(10)),
]


def truth() -> pa.Table:
    sent = [(*row[:4], number < max(row[4], 1) and row[4] > 0) for row in ROWS for number in range(5)]
    account, population, fleet, campaign, strand = (list(column) for column in zip(*sent, strict=True))
    return pa.table(
        {
            "exchange_id": [str(i) for i in range(len(sent))],
            "account_id": account,
            "population": population,
            "fleet": pa.array(fleet, pa.string()),
            "campaign": pa.array(campaign, pa.string()),
            "is_strand": strand,
        }
    )


def group(verdict: str, *names: str) -> dict[str, Any]:
    members = [{"account_id": name} for name in names]
    return {"verdict": verdict, "members": members, "error_rate": {"coordination_fdr": 0.01, "total": 0.04}}


def write(out: Path, campaigns: list[dict[str, Any]], others: list[dict[str, Any]]) -> Path:
    out.mkdir()
    for name, groups in (("campaigns", campaigns), ("groups", others)):
        (out / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in groups))
    (out / "detection.json").write_text(json.dumps({"fdr_level": 0.01, "audit": {}, "notes": []}))
    pq.write_table(truth(), out / "truth.parquet")
    return out


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("h0", "h1", "h2"), True),
        (("h0", "h1", "s0"), True),
        (("h0", "s0"), False),
        (("n0", "n1", "n2"), False),
        (("c0", "c1", "h0"), False),
    ],
)
def test_a_group_is_false_when_most_of_it_are_strangers(names: tuple[str, ...], expected: bool) -> None:
    assert scan_truth.strangers(truth(), [group("campaign", *names)]) == [expected]


def test_a_scan_is_set_beside_the_truth(tmp_path: Path) -> None:
    campaigns = [
        group("campaign", *(f"c{i}" for i in range(9)), "h0"),
        group("campaign", *(f"s{i}" for i in range(8))),
    ]
    others = [group("class", *(f"s{i}" for i in range(10))), group("application", "h1", "h2", "h3")]
    out = write(tmp_path / "out", campaigns, others)
    got = scan_truth.compare(out / "truth.parquet", out)
    assert (got["campaign_accounts"], got["campaign_accounts_named"]) == (10, 9)
    assert (got["honest_accounts"], got["honest_accounts_named"]) == (30, 9)
    assert got["honest_groups_reported"] == 1
    assert got["honest_fleets_reported"] == ["university_class-1"]
    assert got["honest_fleets_planted"] == 2
    assert got["false_campaigns"] == 0.5
    assert got["stated_campaigns"] == pytest.approx(0.04)
    assert got["false_groups"] == 0.25
    assert got["false_members"] == pytest.approx(0.1)


def test_a_scan_that_says_nothing_is_not_wrong(tmp_path: Path) -> None:
    out = write(tmp_path / "out", [], [])
    got = scan_truth.compare(out / "truth.parquet", out)
    assert got["campaign_accounts_named"] == 0
    assert (got["false_groups"], got["false_campaigns"], got["false_members"]) == (0.0, 0.0, 0.0)


def test_the_rows_follow_from_the_runs(tmp_path: Path) -> None:
    out = write(tmp_path / "out", [group("campaign", *(f"c{i}" for i in range(10)))], [])
    run = scan_truth.compare(out / "truth.parquet", out) | {"scan_seconds": 1.0}
    worse = run | {"seed": 2, "campaign_accounts_named": 9, "honest_accounts_named": 1}
    rows = {row.id: row for row in quality_demo.demo_rows([run | {"seed": 1}, worse])}
    assert rows["demo/found/median"].holds is False
    assert rows["demo/found/worst"].value == 0.9
    assert rows["demo/found/worst"].note == "seed 2"
    assert rows["demo/honest-fleets-reported"].holds is True
    assert rows["demo/honest-accounts-named"].value == pytest.approx(1 / 60 * 100_000)
    assert rows["demo/honest-accounts-named"].holds is False
    assert rows["demo/false-discovery/campaigns"].bar == "<= 0.04"
    assert rows["demo/found/median"].seeds == (1, 2)


@pytest.mark.parametrize(("text", "seeds"), [("1-3", [1, 2, 3]), ("7", [7]), ("1-2,9", [1, 2, 9])])
def test_seeds_are_read(text: str, seeds: list[int]) -> None:
    assert quality_demo.parse_seeds(text) == seeds


def test_a_failed_scan_is_counted_and_left_out(tmp_path: Path) -> None:
    out = write(tmp_path / "out", [], [])
    calm = scan_truth.compare(out / "truth.parquet", out) | {"scenario": "calm", "seed": 1}
    failed = {"scenario": "calm", "seed": 2, "failed": "status 1"}
    rows = {row.id: row for row in quality_demo.all_rows([calm, failed])}
    assert rows["scans-failed"].holds is False
    assert rows["scans-failed"].note == "calm 2"
    assert rows["calm/campaigns-reported"].seeds == (1,)
