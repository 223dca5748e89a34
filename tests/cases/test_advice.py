import msgspec
import pytest

from stillwatch.cases.advice import campaign_steps, report_steps, why_honest
from stillwatch.cases.sources import support_table
from stillwatch.model.coverage import REQUIREMENTS, SourceCoverage, card
from stillwatch.model.findings import Verdict


@pytest.mark.parametrize(
    ("e_value", "beginning"),
    [(5.0, "Put it into the review queue"), (1e4, "Mild, reversible steps"), (1e7, "Decide as a person")],
)
def test_steps_follow_the_ladder(campaign, e_value, beginning):
    assert campaign_steps(msgspec.structs.replace(campaign, e_value=e_value))[0].startswith(beginning)


def test_text_alone_never_leads_to_enforcement(campaign):
    text_only = msgspec.structs.replace(campaign, e_value=1e40, evidence=campaign.evidence[:1])
    assert campaign_steps(text_only)[0].startswith("Mild, reversible steps")


def test_mixed_accounts_are_pointed_out(campaign):
    assert any("act on the strand" in step for step in campaign_steps(campaign))


def test_blind_spots_lead_to_a_request_for_data(found):
    columns = {column.split(".")[1]: 1.0 for need in REQUIREMENTS for column in need.columns}
    full = card(SourceCoverage("a", "ndjson", 100, 0, columns), {"account": columns, "enforcement": columns})
    bare = card(SourceCoverage("b", "ndjson", 300, 0, {}), {})
    assert report_steps(found, support_table([full])) == ()
    assert "could not be measured" in report_steps(found, support_table([full, bare]))[0]


def test_support_is_weighed_by_exchanges():
    columns = {"keys": 1.0}
    cards = [
        card(SourceCoverage("a", "x", 100, 0, columns), {}),
        card(SourceCoverage("b", "x", 300, 0, {}), {}),
    ]
    rows = {row.measure: row.share for row in support_table(cards)}
    assert rows["shared_prompts"] == pytest.approx(0.25)
    assert rows["births"] == 0.0


def test_honest_reason_is_the_strongest_term(make_group):
    group = make_group("g", Verdict.ORGANISATION)
    assert why_honest(group) == "nothing was asked twice"
    bare = msgspec.structs.replace(group, hypothesis=msgspec.structs.replace(group.hypothesis, terms=()))
    assert "declared organisation" in why_honest(bare)
