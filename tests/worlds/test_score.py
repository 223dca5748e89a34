from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds import read_campaigns, score_report


def truth(*accounts: tuple[str, str | None, str | None, int, int]) -> pa.Table:
    """Accounts as (id, campaign, fleet, wanted exchanges, other exchanges)."""
    rows = [
        {
            "exchange_id": f"{name}-{number}",
            "account_id": name,
            "campaign": campaign,
            "fleet": fleet,
            "is_strand": number < wanted,
        }
        for name, campaign, fleet, wanted, other in accounts
        for number in range(wanted + other)
    ]
    schema = pa.schema([("exchange_id", pa.string()), ("account_id", pa.string()), ("campaign", pa.string()),
                        ("fleet", pa.string()), ("is_strand", pa.bool_())])  # fmt: skip
    return pa.Table.from_pylist(rows, schema)


def report(*members: str, verdict: str = "campaign") -> dict[str, object]:
    return {"id": "c", "verdict": verdict, "members": [{"account_id": name} for name in members]}


WORLD = truth(
    ("a1", "A", None, 5, 0), ("a2", "A", None, 3, 4), ("a3", "A", None, 1, 0), ("b1", "B", None, 9, 9),
    ("h1", None, None, 0, 2), ("h2", None, None, 0, 1), ("s1", None, "class-1", 0, 3), ("s2", None, "class-1", 0, 3),
)  # fmt: skip


def test_a_perfect_report_scores_one():
    score = score_report(WORLD, [report("a1", "a2", "a3"), report("b1")])
    assert score.found_share == score.purity == 1.0
    assert (score.false_reports, score.honest_named, score.honest_fleets) == (0, 0, ())
    assert [(c.campaign, c.accounts, c.found, c.all_accounts, c.reports) for c in score.campaigns] == [
        ("A", 2, 2, 3, 1),
        ("B", 1, 1, 1, 1),
    ]


def test_no_report_finds_nothing_and_harms_nobody():
    score = score_report(WORLD, [])
    assert score.found_share == 0.0
    assert score.false_discovery_proportion == 0.0
    assert score.honest_named == 0


def test_an_account_with_two_wanted_exchanges_need_not_be_found():
    score = score_report(WORLD, [report("a1", "a2")])
    assert score.campaigns[0].recall == 1.0
    assert score.campaigns[0].all_found == 2
    assert score.campaigns[0].exchanges == 9
    assert score.campaigns[0].exchanges_found == 8


def test_a_reported_class_is_a_false_report_and_named():
    score = score_report(WORLD, [report("s1", "s2", "h1"), report("a1")])
    assert score.false_reports == 1
    assert score.false_discovery_proportion == 0.5
    assert score.honest_fleets == ("class-1",)
    assert score.honest_named == 3
    assert score.honest_named_rate == 0.75


def test_half_guilty_is_not_true():
    score = score_report(WORLD, [report("a1", "h1")])
    assert score.false_reports == 1
    assert score.campaigns[0].found == 0


def test_an_honest_bystander_lowers_purity():
    score = score_report(WORLD, [report("a1", "a2", "a3", "h1")])
    assert score.purity == 0.75
    assert score.honest_named == 1


def test_other_verdicts_are_no_reports():
    assert score_report(WORLD, [report("s1", "s2", verdict="class")]).reports == 0


def test_accounts_that_the_truth_does_not_know_are_counted():
    score = score_report(WORLD, [report("a1", "ghost")])
    assert score.unknown_accounts == 1
    assert score.purity == 1.0


def test_a_report_of_nobody_known_is_false():
    assert score_report(WORLD, [report("ghost")]).false_reports == 1


NAMES = WORLD["account_id"].unique().to_pylist()


@given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, unique=True), max_size=5))
def test_scores_are_shares_and_do_not_depend_on_order(groups):
    reports = [report(*group) for group in groups]
    score = score_report(WORLD, reports)
    assert score == score_report(WORLD, [report(*reversed(group)) for group in groups])
    for share in (score.found_share, score.purity, score.false_discovery_proportion, score.honest_named_rate):
        assert 0.0 <= share <= 1.0
    assert score.false_reports <= score.reports == len(groups)
    named = set().union(*groups) if groups else set()
    assert score.honest_named == len(named & {"h1", "h2", "s1", "s2"})


def test_reports_are_read_line_by_line():
    assert read_campaigns(b'{"members":[]}\n\n{"members":[{"account_id":"x"}]}\n')[1]["members"] == [
        {"account_id": "x"}
    ]


def test_a_calm_world_asks_for_nothing():
    score = score_report(truth(("h1", None, None, 0, 2)), [])
    assert score.campaigns == ()
    assert score.found_share == pytest.approx(1.0)
