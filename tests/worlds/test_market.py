"""What the populations and fleets of later worlds have in common, and what not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.worlds import Scenario
from stillwatch.worlds.fleets import FLEETS, LATER_FLEETS
from stillwatch.worlds.pen import TextPen
from stillwatch.worlds.play import BASE, COMPANY_SIZES, build_stage, company_sizes, play
from stillwatch.worlds.sources import Sources
from stillwatch.worlds.streams import Streams

QUIET = Scenario("quiet", scale=0.3, fleet_numbers=(("fallback_router", 4), ("campus_nat", 4), ("remote_firm", 4)),
                 accounts=(("resellers", 12), ("programmes", 40), ("seats", 200)))  # fmt: skip


@pytest.fixture(scope="module")
def parts():
    stage = build_stage(QUIET, 2, 1.0, Sources(), TextPen())
    found: dict[str, list] = {}
    for part, _ in play(QUIET, stage):
        name = part.accounts["fleet"][0].as_py() or part.accounts["population"][0].as_py()
        found.setdefault(name.rpartition("-")[0] or name, []).append(part)
    return found


def test_only_what_is_asked_for_plays(parts):
    assert set(parts) == {"reseller", "programme", "seats", "fallback_router", "campus_nat", "remote_firm"}


def test_resellers_serve_many_and_mostly_say_so(parts):
    [part] = parts["reseller"]
    told = part.accounts["declared_use"].is_valid().to_numpy(zero_copy_only=False)
    assert 0 < told.sum() <= len(told)
    ends = part.exchanges.select(["account", "end_user"]).filter(part.exchanges["end_user"].is_valid())
    users = ends.group_by("account").aggregate([("end_user", "count_distinct")])
    assert np.median(users["end_user_count_distinct"].to_numpy()) > 5
    hours = part.exchanges["ts"].to_numpy() // 3_600_000_000 % 24
    assert np.bincount(hours, minlength=24).min() > 0


def test_programmes_are_declared(parts):
    [part] = parts["programme"]
    assert part.accounts["programme"].null_count == 0
    assert part.accounts["org_id"].unique().to_pylist() != [None]


def test_a_router_brings_all_its_users_at_once_from_few_places(parts):
    for part in parts["fallback_router"]:
        hour = part.exchanges["ts"].to_numpy() // 3_600_000_000
        busiest = np.sort(np.bincount(hour - hour.min()))[-15:].sum()
        assert busiest > 0.4 * len(hour)
        assert len(part.exchanges["user_agent"].unique()) == 1
        assert len(part.exchanges["ip"].unique()) <= 4
        assert len(part.accounts["payment_fp"].unique()) == part.accounts.num_rows


def test_a_campus_shares_its_exits_and_nothing_else(parts):
    for part in parts["campus_nat"]:
        share = part.exchanges["ip"].value_counts()
        top = sorted((one["counts"] for one in share.to_pylist()), reverse=True)[:3]
        assert sum(top) > 0.5 * part.exchanges.num_rows
        ages = np.ptp(part.accounts["created_at"].to_numpy())
        assert ages > 30 * 86_400_000_000


def test_a_remote_firm_is_one_organisation_with_many_payers(parts):
    for part in parts["remote_firm"]:
        assert len(part.accounts["org_id"].unique()) == 1
        assert len(part.accounts["payment_fp"].unique()) == part.accounts.num_rows


@pytest.mark.parametrize("seats", [1, 10, 243, 3000])
def test_companies_have_about_the_seats_asked_for(seats):
    sizes = company_sizes(seats, Streams(3, exact=True).named("companies"))
    assert all(2 <= size <= COMPANY_SIZES[-1] for size in sizes)
    assert sum(sizes) <= max(seats, *sizes) + 2


def test_every_kind_of_fleet_has_a_name_of_its_own():
    kinds = [kind for kind, *_ in (*FLEETS, *LATER_FLEETS)]
    assert len(kinds) == len(set(kinds)) >= 18


def test_a_larger_population_is_more_blocks_of_the_same_size():
    most = {name: limit for name, _, _, limit in BASE}
    scenario = Scenario("crowd", fleets=False, population=3.0, accounts=(("developers", 2_000),), days=2)
    stage = build_stage(scenario, 1, 1.0, Sources(), TextPen())
    sizes = [part.accounts.num_rows for part, _ in play(scenario, stage)]
    assert sizes == [most["developers"], 2_000]


def test_people_differ_by_far_more_than_a_lognormal_lets_them(later_columns):
    rows = pa.table({"who": later_columns.truth["account_id"], "kind": later_columns.truth["population"]})
    counts = rows.group_by(["who", "kind"]).aggregate([([], "count_all")])
    people = counts.filter(pa.compute.equal(counts["kind"], "hobbyist"))["count_all"].to_numpy()
    assert people.max() > 12 * np.median(people)
