"""Detection, and its peers, over the scenarios of the catalogue; the permanent baseline is stored from here.

    python benchmarks/quality_scenarios.py [--scenarios tiny demo ...] [--seeds 21-40] [--scale 1] [--peers]
                                           [--early] [--store] [--minutes 120]

For each scenario and seed the world is made as columns and judged (`judging`). With `--peers` the other
detectors of `peers/` run on the same stores, at settings chosen on the training worlds (`demo`,
seeds 1001 and 1002); with `--early` it is found how much each campaign had taken at its
first report. `--store` writes benchmarks/baseline/SCENARIO.json, which later runs, and a test in CI, are
compared with.

Results are kept world by world in build/bench/quality_scenarios_details.jsonl while one call runs.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import baseline
import harness
from judging import SCENARIOS, guilty_of, judge, world
from peers import PEERS, read_log
from peers.training import Trained, train
from quality_demo import parse_seeds
from stillwatch.worlds.cards.operation import expected_wanted
from stillwatch.worlds.cards.public import CARDS
from stillwatch.worlds.score_seeds import at_most, over_seeds

if TYPE_CHECKING:
    from harness import Row

TRAINING = (("demo", 1001), ("demo", 1002))
"""Worlds on which the peers' settings are chosen; no seed of them is ever judged."""
DEFAULT = ("tiny", "demo", "calm")
_CARDS = {f"card-{card.id}": card for card in CARDS}


def trained() -> list[Trained]:
    """Choose the settings of every peer on the training worlds."""
    worlds = []
    for scenario, seed in TRAINING:
        with world(scenario, seed, 1.0) as place:
            log = read_log(place.store)
            worlds.append((log, guilty_of(log, place.truth)))
    chosen = [train(peer, worlds) for peer in PEERS]
    for one in chosen:
        print(f"{one.peer.name}: {dict(one.settings)}, training F1 {one.f1:.3f}", file=sys.stderr, flush=True)
    return chosen


def bars_of(scenario: str) -> dict[str, str | None]:
    """The bars of a scenario; cards carry their own."""
    card = _CARDS.get(scenario)
    seeking = any(one.id == scenario and one.campaigns for one in SCENARIOS)
    found = None if not seeking or scenario in {"framing-only", "concentrated"} else 0.99
    if card is not None:
        found = card.found_share
    return {
        "found": None if found is None else f">= {found:g}",
        "early": None if card is None else f"<= {card.early_share:g}",
    }


def rows_of(scenario: str, runs: list[dict[str, Any]]) -> list[Row]:
    """The rows of one scenario: stillwatch with bars, peers without."""
    seeds = [run["seed"] for run in runs]
    bars = bars_of(scenario)
    rows = detector_rows(f"{scenario}/stillwatch", [run["stillwatch"] for run in runs], seeds, bars["found"])
    rows += early_rows(scenario, runs, bars["early"])
    for name in runs[0].get("peers", {}):
        rows += detector_rows(f"{scenario}/{name}", [run["peers"][name] for run in runs], seeds, None)
    return rows


def detector_rows(name: str, runs: list[dict[str, Any]], seeds: list[int], bar: str | None) -> list[Row]:
    """Found, purity, false discoveries and harm to honest customers, of one detector; bars for ours only."""
    ours = name.endswith("/stillwatch")
    rows = benefit_rows(name, runs, seeds, bar) if runs[0]["campaigns"] else []
    named, honest = sum(run["honest_named"] for run in runs), sum(run["honest_accounts"] for run in runs)
    fleets = sum(run["honest_fleets_reported"] for run in runs)
    stood = sum(run["honest_fleets"] for run in runs)
    which = sorted({kind.split("-")[0] for run in runs for kind in run["which_fleets"]})
    false, said = sum(run["false_reports"] for run in runs), sum(run["reports"] for run in runs)
    stated = [run["stated_fdr"] for run in runs if run["stated_fdr"] is not None]
    told_rate = f"stated {fmean(stated):.4f}; " if stated else ""
    figures = (
        ("false-reports", fmean(run["realised_fdr"] for run in runs), "mean proportion", "<= 0.01",
         f"{told_rate}{false} of {said:,} reports"),
        ("honest-named", named / honest * 1e5, "per 100,000", "<= 1",
         f"{named:,} of {honest:,}; at most {at_most(named, honest) * 1e5:.2g}"),
        ("honest-fleets", fleets, f"of {stood:,}", "<= 0", ", ".join(which)),
    )  # fmt: skip
    if "concentrated" in runs[0]["named_by_kind"]:
        share = fmean(run["named_by_kind"]["concentrated"] for run in runs)
        told_of = "accounts with 1 to 30 templates each"
        rows.append(
            harness.row(f"{name}/concentrated-named", share, "share named", seeds=seeds, note=told_of)
        )
    return rows + [
        harness.row(f"{name}/{what}", value, unit, limit if ours else None, seeds=seeds, note=note)
        for what, value, unit, limit, note in figures
    ]


def benefit_rows(name: str, runs: list[dict[str, Any]], seeds: list[int], bar: str | None) -> list[Row]:
    """Share of campaign accounts found, with the interval of its median, and purity of true reports."""
    ours = name.endswith("/stillwatch")
    found, purity = (over_seeds([run[key] for run in runs]) for key in ("found", "purity"))
    spread = f"interval {found.low:.3f} to {found.high:.3f}, worst {found.least:.3f}"
    worst = f"worst {purity.least:.4f}"
    limit = ">= 0.99" if ours else None
    return [
        harness.row(f"{name}/found", found.median, "share, median", bar, seeds=seeds, note=spread),
        harness.row(f"{name}/purity", purity.median, "share, median", limit, seeds=seeds, note=worst),
    ]


def early_rows(scenario: str, runs: list[dict[str, Any]], bar: str | None) -> list[Row]:
    """How much each campaign had taken when it was first reported; never reported counts as all of it."""
    known = [
        run["stillwatch"]["taken_at_first_report"]
        for run in runs
        if "taken_at_first_report" in run["stillwatch"]
    ]
    if not known:
        return []
    seeds = [run["seed"] for run in runs]
    rows = []
    for campaign in sorted(known[0]):
        shares = [1.0 if one[campaign] is None else one[campaign] for one in known]
        never = sum(one[campaign] is None for one in known)
        rows.append(
            harness.row(
                f"{scenario}/stillwatch/taken-at-first-report/{campaign}",
                median(shares) * shown_share(scenario),
                "of what it finally takes, median",
                bar,
                seeds=seeds,
                note=f"never reported in {never} of {len(known)}; {median(shares):.3g} of what is shown",
            )
        )
    return rows


def shown_share(scenario: str) -> float:
    """Share of a card's whole loot that its world shows; 1 for scenarios that show all."""
    card = _CARDS.get(scenario)
    if card is None:
        return 1.0
    return expected_wanted(card.operation, card.operation.window) / expected_wanted(card.operation)


def main() -> int:
    """Run, store, print, write."""
    options = harness.parser(__doc__)
    known = [one.id for one in SCENARIOS]
    options.add_argument("--scenarios", nargs="+", default=list(DEFAULT), choices=known, metavar="ID")
    options.add_argument("--seeds", type=parse_seeds, default="21-25", help="such as 21-40 (default 21-25)")
    options.add_argument("--scale", type=float, default=1.0, help="factor on numbers of accounts (default 1)")
    options.add_argument("--minutes", type=float, default=120.0, help="start no world after (default 120)")
    options.add_argument("--peers", action="store_true", help="judge the other detectors too")
    options.add_argument("--early", action="store_true", help="find the time of the first report too")
    options.add_argument("--store", action="store_true", help="write benchmarks/baseline/")
    given = options.parse_args()
    others = trained() if given.peers else []
    harness.RESULTS.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60.0 * given.minutes
    runs: dict[str, list[dict[str, Any]]] = {}
    with (harness.RESULTS / "quality_scenarios_details.jsonl").open("w") as details:
        for scenario, seed in product(given.scenarios, given.seeds):
            if time.monotonic() > end:
                break
            one = judge(scenario, seed, given.scale, peers=others, early=given.early)
            runs.setdefault(scenario, []).append(one)
            details.write(json.dumps(one) + "\n")
            details.flush()
            print(told(one), file=sys.stderr, flush=True)
    if given.store:
        for scenario, mine in runs.items():
            print(f"stored {baseline.store(scenario, mine)}", file=sys.stderr)
    rows = [row for scenario, mine in runs.items() for row in rows_of(scenario, mine)]
    return harness.finish("quality_scenarios", rows, strict=given.strict)


def told(one: dict[str, Any]) -> str:
    """One line about one world."""
    ours = one["stillwatch"]
    return (
        f"{one['scenario']} seed {one['seed']}: found {ours['found']:.3f}, {ours['reports']} reports "
        f"({ours['false_reports']} false), {ours['honest_named']} honest named, {one['seconds']:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
