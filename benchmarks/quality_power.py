"""Power surface: which campaigns are found, over the size P of their pool of templates and their share rho.

    python benchmarks/quality_power.py [--seeds 1-3] [--only one|all] [--grid bars|frontier|whole]
                                       [--minutes 240] [--fresh]

For each point a world of columns (`power_world`) goes through discovery and confirmation at a group
false-discovery rate of 5 %, and the accounts of the campaign that stand in confirmed groups are counted. A
group is the campaign's when more than half of its accounts are. With one text view nothing else is known of
an exchange; with all views sampling, client and payment are known too, and accounts are confirmed on four
weeks instead of two (sequential confirmation: the keys of the first two weeks are watched for two more). The
surface is drawn as build/bench/power.svg, from the points of the bars, those and the frontier, or the whole
grid.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

import harness
import power_figure
from power_world import DAY, DAYS, START, Power, PowerWorld, build
from quality_demo import parse_seeds
from stillwatch.detect import judgement
from stillwatch.detect.book import account_totals, make_book
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.discovery import discover
from stillwatch.detect.tables import DISCOVERY, measure_span, slice_of
from stillwatch.store.duck import DuckSession
from stillwatch.store.engine import epoch_us

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from harness import Row

POOLS = (20, 200, 2_000, 10_000, 30_000, 100_000)
SHARES = (0.05, 0.1, 0.2, 0.5, 1.0)
BARS = ((20, 0.2), (200, 0.2), (2_000, 0.2), (10_000, 0.5), (30_000, 1.0))
"""Points at which 95 % of the accounts must be found with one text view alone."""
FURTHEST = (100_000, 1.0)
"""The point at which that is asked with all views."""
FURTHER = (FURTHEST, (30_000, 0.5), (10_000, 0.2), (2_000, 0.1), (200, 0.1), (20, 0.05))
FOUND = 0.95
CONFIG = DetectConfig(fdr=0.05)
DETAILS = harness.RESULTS / "quality_power_details.jsonl"
_MEMORY = 6_000_000_000


def measure(point: Power, seed: int, config: DetectConfig = CONFIG) -> dict[str, Any]:
    """Run discovery and confirmation on the world of one point."""
    start = time.perf_counter()
    world = build(point, seed)
    made = time.perf_counter()
    found = groups_of(world, config)
    shares = [float(np.isin(members, world.guilty).mean()) for members in found["groups"]]
    true = [members for members, share in zip(found["groups"], shares, strict=True) if share > 0.5]
    named = np.unique(np.concatenate([*true, np.empty(0, np.int64)]))
    right = int(np.isin(named, world.guilty).sum())
    return {
        **asdict(point),
        "seed": seed,
        "found": right / world.guilty.size,
        "purity": right / max(named.size, 1),
        "campaign_groups": len(true),
        "other_groups": len(shares) - len(true),
        "candidates": found["candidates"],
        "world_seconds": made - start,
        "detect_seconds": time.perf_counter() - made,
    }


def groups_of(world: PowerWorld, config: DetectConfig) -> dict[str, Any]:
    """Return the account fingerprints of each confirmed group, and the number of candidates."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pq.write_table(world.exchanges, place / "exchanges.parquet")
        session = DuckSession(place, _MEMORY)
        try:
            table = session.parquet([place / "exchanges.parquet"], world.exchanges.schema, "exchanges")
            return confirmed_groups(table, world, config)
        finally:
            session.close()


def confirmed_groups(everything: ir.Table, world: PowerWorld, config: DetectConfig) -> dict[str, Any]:
    """Discover in the first window, confirm on all of them."""
    first = everything.filter(epoch_us(everything.ts) < START + DAYS * DAY)
    span = measure_span(first)
    if span is None:
        raise ValueError("a world without exchanges")
    dealt = everything.mutate(slice=slice_of(everything.ts, span.block_seconds))
    book = make_book(account_totals(dealt).to_pyarrow(), world.accounts, world.enforcement)
    known = dealt.filter((epoch_us(dealt.ts) < START + DAYS * DAY) & (dealt.slice == DISCOVERY))
    discovered = discover(known, span, book, config)
    confirmed = judgement.confirm_all(dealt, discovered, book, config)
    members = [book.fingerprint[one.membership.strands.account] for one in confirmed]
    return {"groups": members, "candidates": len(discovered.found)}


def points(grid: str, *, every_view: bool) -> list[Power]:
    """The points to run, cheap ones first."""
    wanted = {
        "bars": [FURTHEST] if every_view else BARS,
        "frontier": (*BARS, *FURTHER),
        "whole": product(POOLS, SHARES),
    }[grid]
    return [Power(pool, share, every_view=every_view, windows=1 + every_view) for pool, share in wanted]


def rows_of(runs: list[dict[str, Any]]) -> list[Row]:
    """One row a point: the median share of accounts found, with the bar where there is one."""
    rows = []
    for every_view, pool, share in dict.fromkeys((r["every_view"], r["pool"], r["share"]) for r in runs):
        mine = [r for r in runs if (r["every_view"], r["pool"], r["share"]) == (every_view, pool, share)]
        barred = (pool, share) in BARS or (every_view and (pool, share) == FURTHEST)
        rows.append(
            harness.row(
                f"power/{'all-views' if every_view else 'text'}/P={pool}/rho={share:g}",
                median(r["found"] for r in mine),
                "share of accounts found",
                f">= {FOUND}" if barred else None,
                seeds=[r["seed"] for r in mine],
                note=f"purity {min(r['purity'] for r in mine):.3f} at least; "
                f"{median(r['campaign_groups'] for r in mine):g} groups",
            )
        )
    return rows


def main() -> int:
    """Run what is missing, draw, print, write."""
    options = harness.parser(__doc__)
    options.add_argument("--seeds", type=parse_seeds, default="1-3", help="such as 1-3 (default)")
    options.add_argument("--only", choices=["one", "all"], help="one view, or all views")
    options.add_argument("--grid", choices=["bars", "frontier", "whole"], default="frontier")
    options.add_argument("--minutes", type=float, default=240.0, help="start no point after (default 240)")
    options.add_argument("--fresh", action="store_true", help="forget earlier points")
    given = options.parse_args()
    views = {"one": [False], "all": [True], None: [False, True]}[given.only]
    harness.RESULTS.mkdir(parents=True, exist_ok=True)
    if given.fresh:
        DETAILS.unlink(missing_ok=True)
    known, end = kept(), time.monotonic() + 60.0 * given.minutes
    wanted = [point for every_view in views for point in points(given.grid, every_view=every_view)]
    for seed, point in product(given.seeds, wanted):
        if (point, seed) in known or time.monotonic() > end:
            continue
        known[point, seed] = measure(point, seed)
        with DETAILS.open("a") as details:
            details.write(json.dumps(known[point, seed]) + "\n")
        print(told(known[point, seed]), file=sys.stderr, flush=True)
    runs = [known[at] for at in product(wanted, given.seeds) if at in known]
    if not runs:
        print("no point was measured: give more --minutes", file=sys.stderr)
        return 2
    (harness.RESULTS / "power.svg").write_text(power_figure.draw(runs, FOUND))
    name = "quality_power_bars" if given.grid == "bars" else "quality_power"
    return harness.finish(name, rows_of(runs), strict=given.strict)


def kept() -> dict[tuple[Power, int], dict[str, Any]]:
    """Results of earlier calls, by point and seed."""
    lines = DETAILS.read_text().splitlines() if DETAILS.exists() else []
    names = [field.name for field in fields(Power)]
    return {(Power(**{n: run[n] for n in names}), run["seed"]): run for run in map(json.loads, lines)}


def told(one: dict[str, Any]) -> str:
    """One line about one run."""
    views = "all views" if one["every_view"] else "text     "
    return (
        f"P {one['pool']:>7,} rho {one['share']:<4g} {views} seed {one['seed']}: found {one['found']:.3f}, "
        f"purity {one['purity']:.3f}, {one['campaign_groups']} groups, {one['other_groups']} others, "
        f"{one['world_seconds']:.0f} + {one['detect_seconds']:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
