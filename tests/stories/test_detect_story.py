"""From a store to campaigns: what an operator sees when detection runs."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import small_world as sw

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.pipeline import detect
from stillwatch.detect.tables import Tables
from stillwatch.model.findings import Verdict, decode_group, encode_line
from stillwatch.store import StoreWriter, open_store

CONFIG = DetectConfig(placebos=1000)
SECOND = sw.Cohort(
    "second",
    24,
    60,
    queue=True,
    extracts=True,
    single_turn=True,
    payers=3,
    throwaway=True,
    burst=True,
    uniform=True,
)
FRAMER = sw.Cohort(
    "framer", 40, 60, 0.6, queue=True, extracts=True, single_turn=True, payers=5, throwaway=True, burst=True,
    uniform=True, copies="firm", copied=0.4,
)  # fmt: skip


def run(path):
    with open_store(path, "duckdb", memory_limit=1 << 30, threads=1) as store:
        return detect(Tables(store.exchanges(), store.accounts(), store.enforcement()), CONFIG, sw.NOW)


def members(group):
    return frozenset(member.account_id for member in group.members)


def said(detection):
    """What is said about whom, without the numbers."""
    return {(group.id, group.verdict, members(group)) for group in detection.groups}


@pytest.fixture(scope="module")
def world():
    return sw.make_world()


@pytest.fixture(scope="module")
def store(world, tmp_path_factory):
    return sw.write_store(tmp_path_factory.mktemp("base") / "store", world.exchanges, accounts=world.accounts)


@pytest.fixture(scope="module")
def found(store):
    return run(store)


def test_the_campaign_is_found_with_its_members_and_nobody_else(world, found):
    assert [members(campaign) for campaign in found.campaigns] == [world.who["campaign"]]


def test_honest_groups_are_seen_and_called_what_they_are(world, found):
    verdicts = {members(group): group.verdict for group in found.groups}
    assert verdicts[world.who["firm"]] is Verdict.ORGANISATION
    assert verdicts[world.who["application"]] is Verdict.APPLICATION
    assert len(verdicts) == len(found.groups) == 3


def test_the_run_says_what_it_looked_at(world, found):
    assert found.accounts == world.accounts.num_rows
    assert found.exchanges == world.exchanges.num_rows
    assert found.first_ts == pc.min(world.exchanges["ts"]).as_py()
    assert found.last_ts == pc.max(world.exchanges["ts"]).as_py()
    assert found.candidates >= len(found.groups)
    assert found.audit.sound
    assert found.notes == ()


def test_the_campaign_comes_with_numbers_that_fit_together(world, found):
    campaign = found.campaigns[0]
    sent = world.exchanges.filter(
        pc.is_in(world.exchanges["account_id"], pa.array(sorted(members(campaign))))
    )
    assert campaign.exchanges == sent.num_rows == sum(member.strand_exchanges for member in campaign.members)
    assert campaign.input_tokens == pc.sum(sent["input_tokens"]).as_py()
    assert campaign.output_tokens == pc.sum(sent["output_tokens"]).as_py()
    assert campaign.first_seen == pc.min(sent["ts"]).as_py()
    assert campaign.last_seen == pc.max(sent["ts"]).as_py()
    assert sum(campaign.timeline.exchanges) == campaign.exchanges
    assert sum(campaign.timeline.new_accounts) == campaign.account_count == len(campaign.members)
    assert campaign.capabilities == ("reasoning",)
    assert all(0 <= link.a < len(campaign.members) > link.b >= 0 for link in campaign.links)
    assert campaign.skeletons
    assert campaign.atlas_ids
    assert decode_group(encode_line(campaign)) == campaign


def test_a_campaign_has_evidence_from_two_sides(found):
    campaign = found.campaigns[0]
    strong = {finding.view for finding in campaign.evidence if (finding.e_value or 0) > 20}
    assert len(strong) >= 2
    assert campaign.e_value > 100
    assert campaign.error_rate.total <= 0.06


def test_a_calm_world_has_no_campaign(tmp_path):
    calm = sw.make_world((sw.FIRM, sw.APPLICATION))
    found = run(sw.write_store(tmp_path / "store", calm.exchanges, accounts=calm.accounts))
    assert found.campaigns == ()
    assert {group.verdict for group in found.groups} <= {
        Verdict.ORGANISATION,
        Verdict.APPLICATION,
        Verdict.UNDECIDED,
    }


def test_an_empty_store_says_that_it_is_empty(tmp_path):
    with StoreWriter(tmp_path / "store"):
        pass
    found = run(tmp_path / "store")
    assert found.groups == ()
    assert found.exchanges == 0
    assert found.first_ts is None
    assert found.notes == ("There are no exchanges in the store.",)


def test_a_store_with_few_accounts_says_that_nothing_can_be_calibrated(tmp_path, world):
    few = world.exchanges.filter(
        pc.is_in(world.exchanges["account_id"], pa.array(sw.account_name(range(49))))
    )
    found = run(sw.write_store(tmp_path / "store", few))
    assert found.groups == ()
    assert found.accounts == 49
    assert found.exchanges == few.num_rows
    assert len(found.notes) == 1
    assert "49 accounts" in found.notes[0]


def test_without_records_of_accounts_the_campaign_is_still_found(tmp_path, world):
    found = run(sw.write_store(tmp_path / "store", world.exchanges))
    grouped = {members(group): group for group in found.groups}
    assert set(grouped) == {world.who[name] for name in ("campaign", "firm", "application")}
    assert grouped[world.who["campaign"]].verdict in (Verdict.CAMPAIGN, Verdict.UNDECIDED)
    assert all(members(campaign) == world.who["campaign"] for campaign in found.campaigns)
    assert any("payment" in missing for missing in grouped[world.who["campaign"]].would_settle)


def test_neither_the_order_of_rows_nor_their_division_into_sources_matters(tmp_path, world, found):
    rows = world.exchanges
    parts = [rows.take(pa.array(range(start, rows.num_rows, 3))) for start in (2, 0, 1)]
    parts = [part.sort_by([("item_fp", "ascending")]) for part in parts]
    accounts = world.accounts.sort_by([("account_id", "descending")])
    again = run(sw.write_store(tmp_path / "store", *parts, accounts=accounts))
    assert said(again) == said(found)
    assert again == found


def test_a_second_source_changes_only_what_it_brings(tmp_path, world, found):
    grown = sw.make_world((sw.CAMPAIGN, sw.FIRM, sw.APPLICATION, SECOND))
    path = sw.write_store(tmp_path / "store", world.exchanges, accounts=grown.accounts)
    assert {campaign[1:] for campaign in said(run(path))} == {campaign[1:] for campaign in said(found)}
    fresh = grown.exchanges.filter(
        pc.is_in(grown.exchanges["account_id"], pa.array(sorted(grown.who["second"])))
    )
    names = pa.array([f"y{n}" for n in range(fresh.num_rows)])
    fresh = fresh.set_column(fresh.schema.get_field_index("exchange_id"), "exchange_id", names)
    with StoreWriter(path) as writer:
        sw.add_sources(writer, [fresh], first=1)
    both = run(path)
    before, after = ({group[1:] for group in said(one)} for one in (found, both))
    assert after - before == {(Verdict.CAMPAIGN, grown.who["second"])}
    assert before <= after


def test_a_log_of_one_application_accuses_nobody(tmp_path):
    everybody = sw.make_world((sw.Cohort("application", 80, 20, 1.0, software=True),), independents=0)
    found = run(sw.write_store(tmp_path / "store", everybody.exchanges, accounts=everybody.accounts))
    assert found.campaigns == ()
    assert found.accounts == 80


def test_spraying_a_customers_template_does_not_make_the_customer_a_campaign(tmp_path):
    """Attackers copy the system prompt and the prompts of an honest firm in two fifths of their traffic."""
    framed = sw.make_world((FRAMER, sw.FIRM, sw.APPLICATION))
    found = run(sw.write_store(tmp_path / "store", framed.exchanges, accounts=framed.accounts))
    accused = frozenset().union(*map(members, found.campaigns))
    assert not accused & framed.who["firm"]
    assert not accused - framed.who["framer"]
