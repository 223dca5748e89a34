"""The generated world: its columns, its seed, and that what it plants can be seen in it."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import column_world as cw
from column_kernel import APPLICATION, BENCHMARK, CAMPAIGN, ORGANISATION
from stillwatch.model.columns import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch.model.views import KIND_MASK, KeyKind
from stillwatch.store import open_store

SIZE, SEED = 20_000, 3


@cache
def columns() -> cw.Columns:
    return cw.Columns(cw.plan_world(SIZE, SEED))


@cache
def exchanges() -> pa.Table:
    return pa.Table.from_batches(columns().batches(), EXCHANGE_SCHEMA)


@cache
def joined() -> pa.Table:
    """Exchanges beside the truth about their accounts, in the same order."""
    columns_known = exchanges().select(["account_id", "account_fp", "keys", "item_fp"])
    truth = columns().truth_table()
    place = pc.index_in(columns_known["account_id"], truth["account_id"].combine_chunks())
    known = truth.take(place)
    return columns_known.append_column("kind", known["kind"]).append_column("group", known["group"])


def incidence(kind: str | None = None) -> pa.Table:
    """Distinct (account, key, group) with the number of uses."""
    rows = joined() if kind is None else joined().filter(pc.field("kind") == kind)
    lists = rows["keys"].combine_chunks()
    at = pc.list_parent_indices(lists)
    flat = pa.table(
        {
            "account": rows["account_fp"].take(at),
            "group": rows["group"].take(at),
            "key": pc.list_flatten(lists),
        }
    )
    return flat.group_by(["account", "group", "key"]).aggregate([([], "count_all")])


def test_schemas_are_those_of_the_model() -> None:
    assert exchanges().schema.equals(EXCHANGE_SCHEMA)
    assert columns().account_table().schema.equals(ACCOUNT_SCHEMA)
    for field in EXCHANGE_SCHEMA:
        if not field.nullable:
            assert exchanges()[field.name].null_count == 0, field.name


def test_the_seed_decides_and_chunks_do_not() -> None:
    again = cw.Columns(cw.plan_world(SIZE, SEED))
    assert pa.Table.from_batches(again.batches(chunk=7_001), EXCHANGE_SCHEMA).equals(exchanges())
    other = cw.Columns(cw.plan_world(SIZE, SEED + 1))
    assert not other.batch(0, 100)["keys"].equals(exchanges()["keys"].combine_chunks()[:100])


def test_ids_are_distinct_and_time_goes_on_within_the_window() -> None:
    assert pc.count_distinct(exchanges()["exchange_id"]).as_py() == SIZE
    ts = exchanges()["ts"].cast(pa.int64()).to_numpy()
    assert (np.diff(ts) >= 0).all()
    assert ts[0] >= cw.START
    assert ts[-1] < cw.START + cw.SPAN


def test_every_exchange_has_five_to_seven_text_keys() -> None:
    lists = exchanges()["keys"].combine_chunks()
    lengths = pc.list_value_length(lists)
    assert pc.min_max(lengths).as_py() == {"min": 5, "max": 7}
    kinds = set(np.unique(lists.flatten().to_numpy() & KIND_MASK).tolist())
    assert kinds == {int(kind) for kind in KeyKind if kind <= KeyKind.FORMAT}


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("account_fp", KeyKind.ACCOUNT),
        ("system_fp", KeyKind.SYSTEM),
        ("tools_fp", KeyKind.TOOLS),
        ("sampling_fp", KeyKind.SAMPLING),
        ("client_fp", KeyKind.CLIENT),
    ],
)
def test_fingerprints_carry_their_kind(column: str, kind: KeyKind) -> None:
    values = exchanges()[column].drop_null().to_numpy()
    assert values.size
    assert set((values & KIND_MASK).tolist()) == {int(kind)}


def test_every_kind_of_group_is_planted() -> None:
    plan = columns().plan
    assert set(plan.group_kind.tolist()) == {APPLICATION, ORGANISATION, BENCHMARK, CAMPAIGN}
    members = np.bincount(plan.group[plan.group >= 0], minlength=plan.group_kind.size)
    assert (members >= 3).all()


def test_campaign_accounts_share_keys_that_no_honest_account_has() -> None:
    campaign = incidence("campaign")
    shared = campaign.group_by(["group", "key"]).aggregate([("account", "count_distinct")])
    wide = shared.filter(pc.field("account_count_distinct") >= 8)
    assert wide.num_rows
    everyone = incidence().filter(pc.is_in(pc.field("key"), wide["key"].combine_chunks()))
    groups = everyone.group_by("key").aggregate([("group", "count_distinct")])["group_count_distinct"]
    own = pc.sum(pc.equal(groups, 1)).as_py()
    assert own / wide.num_rows > 0.5  # the rest are public openings that anyone uses


def test_public_keys_have_a_heavy_tail_and_private_keys_belong_to_one_account() -> None:
    counts = incidence("independent").group_by("key").aggregate([("account", "count_distinct")])
    accounts = counts["account_count_distinct"].to_numpy()
    assert accounts.max() >= 12
    assert (accounts == 1).mean() > 0.6
    assert (accounts >= 3).sum() > 100


def test_cohorts_run_the_same_items_and_campaigns_never_repeat_one() -> None:
    rows = joined()
    repeats = {}
    for kind in ("benchmark", "campaign"):
        items = rows.filter(pc.field("kind") == kind)["item_fp"]
        repeats[kind] = 1 - pc.count_distinct(items).as_py() / len(items)
    assert repeats["campaign"] < 0.05 < repeats["benchmark"]


def test_volumes_follow_the_plan() -> None:
    plan = columns().plan
    seen = joined().group_by("kind").aggregate([([], "count_all")])
    counts = dict(zip(seen["kind"].to_pylist(), seen["count_all"].to_pylist(), strict=True))
    for number, name in enumerate(cw.KIND_NAMES):
        expected = plan.weight[plan.kind == number].sum()
        assert counts[name] == pytest.approx(expected, rel=0.4), name


def test_the_alias_table_keeps_the_weights() -> None:
    weight = np.random.default_rng(5).lognormal(0, 2, 500)
    share, other = cw.alias_table(weight)
    mass = share + np.bincount(other, 1 - share, minlength=weight.size)
    np.testing.assert_allclose(mass / weight.size, weight / weight.sum(), rtol=1e-9, atol=1e-12)


def test_a_written_world_is_a_store_and_is_not_written_twice(tmp_path: Path) -> None:
    path = cw.build_store(tmp_path / "world", 3_000, SEED)
    stamp = (tmp_path / "world" / "world.json").stat().st_mtime_ns
    with open_store(path) as store:
        assert store.exchanges().count().execute() == 3_000
        assert store.accounts().count().execute() == 300
    assert cw.build_store(tmp_path / "world", 3_000, SEED) == path
    assert (tmp_path / "world" / "world.json").stat().st_mtime_ns == stamp
    cw.build_store(tmp_path / "world", 3_000, SEED + 1)
    assert json.loads((tmp_path / "world" / "world.json").read_text())["seed"] == SEED + 1
