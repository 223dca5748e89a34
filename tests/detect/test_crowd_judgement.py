"""Crowds from end to end: a campaign that shares no text is found in a simulated log, and nobody beside it."""

from datetime import UTC, datetime
from types import SimpleNamespace

import ibis
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from stillwatch.app.world_columns import TRUTH, make_columns
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.crowd_judgement import with_crowds
from stillwatch.detect.pipeline import detect
from stillwatch.detect.tables import Tables
from stillwatch.model.findings import Verdict
from stillwatch.store import open_store
from stillwatch.worlds.cards.operation import scaled
from stillwatch.worlds.cards.play import Harvest
from stillwatch.worlds.cards.public import card_named
from stillwatch.worlds.ladder import SCENARIOS

NOW = datetime(2026, 10, 20, tzinfo=UTC)
HIDDEN = next(one for one in SCENARIOS if one.id == "behaviour-only")


def without_text(exchanges):
    """What an operator has who logs no prompts."""
    hidden = {name: ibis.null(exchanges[name].type()) for name in ("keys", "system_fp")}
    return exchanges.mutate(**hidden)


def found_in(folder, *, guilty, campaigns=HIDDEN.campaigns):
    """Detect in a world of about 2,000 honest accounts, with or without a campaign of 180 accounts."""
    harvests = [
        msgspec.structs.replace(one, operation=scaled(one.operation, 180 / one.operation.accounts))
        for one in campaigns
    ]
    world = msgspec.structs.replace(HIDDEN, population=0.4, campaigns=tuple(harvests[: int(guilty)]))
    make_columns(world, 1011, 1.0, folder)
    with open_store(folder / "store") as reader:
        tables = Tables(without_text(reader.exchanges()), reader.accounts(), reader.enforcement())
        found = detect(tables, DetectConfig(placebos=600), NOW)
    truth = pq.read_table(folder / TRUTH, columns=["account_id", "campaign"]).drop_null()
    return found, set(truth["account_id"].to_pylist())


def crowds_of(found):
    return [group for group in found.groups if group.evidence[0].measure == "sign_up_cohorts"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return found_in(tmp_path_factory.mktemp("guilty"), guilty=True)


def test_a_campaign_without_text_is_reported_and_nobody_else_is_in_it(world):
    found, guilty = world
    (crowd,) = crowds_of(found)
    members = {member.account_id for member in crowd.members}
    assert crowd.verdict is Verdict.CAMPAIGN
    assert len(members & guilty) >= 0.7 * len(guilty)
    assert len(members - guilty) <= 1
    assert crowd.skeletons == ()
    assert crowd.error_rate.total < 0.1


def test_its_report_can_be_read(world):
    (crowd,) = crowds_of(world[0])
    assert {"sign_up_batches", "schedule"} <= {term.measure for term in crowd.hypothesis.terms}
    assert all("nan" not in finding.sentence for finding in crowd.evidence)
    assert {finding.measure for finding in crowd.evidence}.isdisjoint({"births", "shared_prompts"})
    assert all(member.share == 1.0 for member in crowd.members)
    assert sum(crowd.timeline.exchanges) == crowd.exchanges == sum(m.exchanges for m in crowd.members)
    assert msgspec.json.decode(msgspec.json.encode(crowd))["id"] == crowd.id


def test_a_campaign_with_exits_of_its_own_is_told_by_them(tmp_path):
    """Its accounts without a record are named as well: they stand at the same exits."""
    found, guilty = found_in(tmp_path, guilty=True, campaigns=[Harvest(card_named("xiaomi").operation)])
    (crowd,) = crowds_of(found)
    members = {member.account_id for member in crowd.members}
    terms = {term.measure: term for term in crowd.hypothesis.terms}
    assert crowd.verdict is Verdict.CAMPAIGN
    assert len(members & guilty) >= 0.95 * len(guilty)
    assert members <= guilty
    assert "addresses" in terms["crowd_exits"].sentence


def test_without_a_campaign_no_crowd_is_reported(tmp_path):
    found, guilty = found_in(tmp_path, guilty=False)
    assert not guilty
    assert all(group.verdict is not Verdict.CAMPAIGN for group in crowds_of(found))


def judged(kind, best, accounts):
    strands = SimpleNamespace(account=np.asarray(accounts))
    membership = SimpleNamespace(strands=strands)
    return SimpleNamespace(verdict=kind, ranked=[SimpleNamespace(kind=best)], membership=membership)


def test_an_honest_crowd_inside_a_group_of_text_is_not_told_twice():
    text = judged(Verdict.APPLICATION, Verdict.APPLICATION, range(100))
    inside = judged(Verdict.UNDECIDED, Verdict.APPLICATION, range(20))
    hidden = judged(Verdict.CAMPAIGN, Verdict.CAMPAIGN, range(20, 40))
    doubtful = judged(Verdict.UNDECIDED, Verdict.CAMPAIGN, range(40, 60))
    apart = judged(Verdict.CLASS, Verdict.CLASS, range(200, 220))
    assert with_crowds([text], [inside, hidden, doubtful, apart]) == [hidden, doubtful, text, apart]
