from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds import read_campaigns, score_report
from stillwatch.worlds.score import score_claims
from stillwatch.worlds.score_claims import Claim


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


def timed(*, reported: str | None) -> float | None:
    """Campaign A sends its nine wanted exchanges at hours 0 to 8; the first report comes at `reported`."""
    rows = WORLD.filter(pc.and_(pc.equal(WORLD["campaign"], "A"), WORLD["is_strand"]))
    hours = [datetime(2026, 10, 5, hour, tzinfo=UTC) for hour in range(rows.num_rows)]
    when = pa.array(hours, pa.timestamp("us", tz="UTC"))
    claim = Claim(("a1", "a2"), first_alarm=None if reported is None else datetime.fromisoformat(reported))
    return score_claims(rows.append_column("ts", when), [claim]).campaigns[0].taken_at_first_report


def test_it_is_told_how_much_was_taken_at_the_first_report():
    assert timed(reported="2026-10-05T02:30:00+00:00") == pytest.approx(3 / 9)
    assert timed(reported="2026-10-01T00:00:00+00:00") == 0.0
    assert timed(reported="2026-11-01T00:00:00+00:00") == 1.0
    assert timed(reported=None) is None


def test_without_times_in_the_truth_nothing_is_said_of_time():
    score = score_claims(WORLD, [Claim(("a1",), first_alarm=datetime(2026, 10, 5, tzinfo=UTC))])
    assert score.campaigns[0].taken_at_first_report is None
    assert score.campaigns[0].first_report is not None


def test_the_earliest_true_report_counts():
    early, late = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 9, tzinfo=UTC)
    claims = [Claim(("a1",), first_alarm=late), Claim(("a2",), first_alarm=early)]
    claims.append(Claim(("h1",), first_alarm=datetime(2026, 1, 1, tzinfo=UTC)))
    assert score_claims(WORLD, claims).campaigns[0].first_report == early


def test_stated_and_realised_error_rates_stand_side_by_side():
    score = score_claims(WORLD, [Claim(("a1",), error_rate=0.02), Claim(("h1",), error_rate=0.04)])
    assert score.stated_fdr == pytest.approx(0.03)
    assert score.realised_fdr == 0.5
    assert score_claims(WORLD, [Claim(("a1",))]).stated_fdr is None


def test_honest_accounts_are_counted_per_hundred_thousand():
    assert score_claims(WORLD, [Claim(("h1",))]).honest_named_per_100k == pytest.approx(25_000)
