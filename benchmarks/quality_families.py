"""Leave one family out: what is lost where a kind of campaign, or of honest fleet, was never seen in tuning.

    python benchmarks/quality_families.py [--worlds demo:1101:0.3 demo:1102:0.3 ...] [--minutes 40]

The shipped table of the verdict was set by reasoning, not fitted. Here the weight of each rule is fitted,
once on all groups of the odd worlds (the full setting) and once for each family without that family's groups,
and both are judged on the even worlds. A family is a campaign card or a kind of honest fleet. The bar is on
the campaign accounts found of a family that was left out, against the full setting; honest families are told
by false reports.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

import harness
from judging import run, world
from stillwatch.detect.config import DetectConfig
from stillwatch.worlds.score import LEAST_WANTED
from verdict_terms import FEATURES, Known, fit, known_groups, outcome, reported

if TYPE_CHECKING:
    import pyarrow as pa

    from harness import Row

SEEDS = (1101, 1102)
PLAYED = (
    "demo:{}:0.3",
    *(f"card-{card}:{{}}:0.1" for card in ("gemini", "deepseek", "moonshot", "alibaba", "zai", "hydra-10")),
)
WORLDS = [text.format(seed) for text in PLAYED for seed in SEEDS]


def read(scenario: str, seed: int, scale: float) -> tuple[list[Known], dict[str, int]]:
    """Groups of one world, and how many accounts of each campaign are to be found."""
    with world(scenario, seed, scale) as place:
        found = run(place.store, DetectConfig())
        return known_groups(found, place.truth), sought(place.truth)


def sought(truth: pa.Table) -> dict[str, int]:
    """Count the accounts of each campaign that sent enough of it to be found."""
    wanted = (
        truth.filter(truth["is_strand"]).group_by(["campaign", "account_id"]).aggregate([([], "count_all")])
    )
    enough = wanted.filter(pc.greater_equal(wanted["count_all"], LEAST_WANTED))
    counts = enough.group_by("campaign").aggregate([([], "count_all")]).to_pylist()
    return {row["campaign"]: row["count_all"] for row in counts}


def judged_by(weight: np.ndarray, worlds: list[tuple[list[Known], dict[str, int]]]) -> dict[str, Any]:
    """Mean share found of each campaign, and all honest families reported, over some worlds."""
    results = [outcome(groups, reported(groups, weight), wanted) for groups, wanted in worlds]
    names = sorted({name for one in results for name in one["found"]})
    found = {name: fmean(one["found"][name] for one in results if name in one["found"]) for name in names}
    return {"found": found, "false": [family for one in results for family in one["false"]]}


def rows_of(worlds: list[tuple[list[Known], dict[str, int]]], seeds: list[int]) -> list[Row]:
    """Shipped, full and left-out settings side by side."""
    train, test = worlds[::2], worlds[1::2]
    seen = [one for groups, _ in train for one in groups]
    shipped = judged_by(np.ones(len(FEATURES)), test)
    full = judged_by(fit(seen), test)
    rows = [
        _row("shipped", fmean(shipped["found"].values()), shipped["false"], seeds),
        _row("fitted-on-all", fmean(full["found"].values()), full["false"], seeds),
    ]
    for family in sorted({one.family for one in seen}):
        rest = [one for one in seen if one.family != family]
        if not any(one.guilty for one in rest):
            continue
        without = judged_by(fit(rest), test)
        wrong = without["false"].count(family)
        if family in full["found"]:
            lost = full["found"][family] - without["found"].get(family, 0.0)
            rows.append(_row(f"without/{family}/points-lost", 100 * lost, without["false"], seeds, "<= 5"))
        else:
            rows.append(_row(f"without/{family}/false-reports", wrong, without["false"], seeds, "<= 0"))
    return rows


def _row(name: str, value: float, false: list[str], seeds: list[int], bar: str | None = None) -> Row:
    note = f"false reports: {', '.join(false) or 'none'}"
    unit = {"points-lost": "points", "false-reports": "reports"}.get(
        name.rsplit("/", 1)[-1], "share found, mean"
    )
    return harness.row(f"families/{name}", value, unit, bar, seeds=seeds, note=note)


def main() -> int:
    """Run, print, write."""
    options = harness.parser(__doc__)
    options.add_argument("--worlds", nargs="+", default=WORLDS, metavar="ID:SEED")
    options.add_argument(
        "--scale", type=float, default=0.3, help="factor on numbers of accounts (default 0.3)"
    )
    options.add_argument("--minutes", type=float, default=40.0, help="read no world after (default 40)")
    given = options.parse_args()
    end = time.monotonic() + 60 * given.minutes
    worlds, seeds = [], []
    for text in given.worlds:
        if time.monotonic() > end:
            break
        scenario, seed, scale = text.split(":")
        worlds.append(read(scenario, int(seed), float(scale)))
        seeds.append(int(seed))
        families = sorted({one.family for one in worlds[-1][0]})
        print(json.dumps({"world": text, "families": families}), file=sys.stderr, flush=True)
    if len(worlds) < 2:
        print("two worlds at least are needed: one to fit on, one to judge on", file=sys.stderr)
        return 2
    return harness.finish("quality_families", rows_of(worlds, seeds), strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
