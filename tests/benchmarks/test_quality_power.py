"""The power surface: its worlds, its figure, and one small point through detection."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pyarrow.compute as pc

import power_figure
import quality_power
from power_world import Power, build

SMALL = Power(pool=5, share=0.5, accounts=60, per_account=120, honest=400)


def test_a_world_is_a_function_of_point_and_seed():
    first, second, other = build(SMALL, 1), build(SMALL, 1), build(SMALL, 2)
    assert first.exchanges.equals(second.exchanges)
    assert not first.exchanges.equals(other.exchanges)


def test_the_campaign_uses_as_many_templates_as_asked_for():
    made = build(Power(pool=7, share=1.0, accounts=30, per_account=50, honest=50), 1)
    theirs = np.isin(made.exchanges["account_fp"].to_numpy(), made.guilty)
    keys = pc.list_flatten(made.exchanges["keys"].filter(theirs).combine_chunks())
    assert pc.count_distinct(keys).as_py() == 7


def test_one_view_has_nothing_but_text_and_all_views_have_more():
    one, every = build(SMALL, 1), build(Power(**{**SMALL.__dict__, "every_view": True}), 1)
    assert one.exchanges["sampling_fp"].null_count == one.exchanges.num_rows
    assert every.exchanges["sampling_fp"].null_count == 0
    assert pc.count_distinct(one.accounts["payment_fp"]).as_py() == one.accounts.num_rows
    assert pc.count_distinct(every.accounts["payment_fp"]).as_py() < every.accounts.num_rows


def test_a_second_window_doubles_the_traffic_and_the_time():
    once, twice = build(SMALL, 1), build(Power(**{**SMALL.__dict__, "windows": 2}), 1)
    assert 1.7 < twice.exchanges.num_rows / once.exchanges.num_rows < 2.3
    span = pc.max(twice.exchanges["ts"]).as_py() - pc.min(twice.exchanges["ts"]).as_py()
    assert 26 <= span.days <= 28


def test_a_small_pool_is_found():
    got = quality_power.measure(SMALL, 1)
    assert got["found"] > 0.9
    assert got["purity"] > 0.9


def test_rows_carry_bars_where_bars_are():
    run = {
        "every_view": False,
        "pool": 20,
        "share": 0.2,
        "found": 0.9,
        "purity": 1.0,
        "campaign_groups": 1,
        "seed": 1,
    }
    frontier = run | {"pool": 100_000, "share": 1.0}
    rows = {row.id: row for row in quality_power.rows_of([run, frontier, frontier | {"every_view": True}])}
    assert rows["power/text/P=20/rho=0.2"].holds is False
    assert rows["power/text/P=100000/rho=1"].bar is None
    assert rows["power/all-views/P=100000/rho=1"].bar == ">= 0.95"


def test_the_figure_is_a_picture_with_every_point_as_text():
    runs = [
        {"every_view": every, "pool": pool, "share": share, "found": share}
        for every in (False, True)
        for pool in (20, 2000)
        for share in (0.1, 1.0)
    ]
    root = ET.fromstring(power_figure.draw(runs, 0.95))  # noqa: S314 - our own output
    said = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]
    assert said.count("1.00") == 4
    assert said.count("0.10") == 4
    assert "2,000" in said
