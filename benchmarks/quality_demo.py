"""How well the demo-sized world is judged, over many seeds, through the command that users run.

    python benchmarks/quality_demo.py [--seeds 151-170] [--processes 2]

For each seed the world `demo` is written as LiteLLM logs and `stillwatch scan` runs on these files in a
process of its own; then the truth is set beside what it wrote (`scan_truth`). The world `calm`, in which
there is no campaign, is run likewise. Details of each run go to build/bench/quality_demo_details.jsonl.

Settings were tuned on seeds from 1000 on. Seeds 1 to 6 were looked at once before the last change of method;
the seeds here never were.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import harness
from scan_truth import compare
from stillwatch.worlds import build_world, named, write_world
from stillwatch.worlds.score import LEAST_WANTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import Row

CAMPAIGNS_FOUND = 3
NOTHING_FOUND = 0
WORK = harness.ROOT / "build" / "bench" / "worlds"


class ScanError(Exception):
    """The command under test failed."""


def run_one(scenario: str, seed: int) -> dict[str, Any]:
    """Simulate, scan and judge one world; nothing of it stays on disk."""
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK, prefix=f"{scenario}-{seed}-") as folder:
        place = Path(folder)
        start = time.perf_counter()
        files = write_world(build_world(named(scenario), seed), place / "world", "litellm")
        made = time.perf_counter()
        status = scan(place, files.accounts, files.enforcement)
        done = time.perf_counter()
        result = compare(files.truth, place / "out")
    times = {"world_seconds": made - start, "scan_seconds": done - made}
    return {"scenario": scenario, "seed": seed, "exit_status": status, **result, **times}


def scan(place: Path, accounts: Path, enforcement: Path) -> int:
    """Run `stillwatch scan` on the logs in `place` and return its exit status.

    Raises:
        ScanError: It failed; the text is what it said.
    """
    command = [sys.executable, "-m", "stillwatch.cli", "scan", str(place / "world" / "logs")]
    command += ["--accounts", str(accounts), "--enforcement", str(enforcement), "--out", str(place / "out")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode not in {NOTHING_FOUND, CAMPAIGNS_FOUND}:
        raise ScanError(f"stillwatch scan ended with status {done.returncode}: {done.stderr.strip()}")
    return done.returncode


def run_all(worlds: Sequence[tuple[str, int]], processes: int) -> list[dict[str, Any]]:
    """Run all worlds, tell about each, and return the results in the order of `worlds`."""
    results: dict[tuple[str, int], dict[str, Any]] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting = {pool.submit(run_one, *world): world for world in worlds}
        for future in as_completed(waiting):
            world = waiting[future]
            try:
                results[world] = future.result()
            except ScanError as error:
                results[world] = {"scenario": world[0], "seed": world[1], "failed": str(error)}
            print(f"{world[0]} seed {world[1]}: {told(results[world])}", file=sys.stderr, flush=True)
    return [results[world] for world in worlds]


def told(one: dict[str, Any]) -> str:
    """One line about one run."""
    if "failed" in one:
        return str(one["failed"])
    return (
        f"{one['campaign_accounts_named']} of {one['campaign_accounts']} campaign accounts, "
        f"{one['campaigns_reported']} reported ({one['honest_groups_reported']} honest), "
        f"{one['honest_accounts_named']} honest accounts named, "
        f"{one['world_seconds']:.0f} + {one['scan_seconds']:.0f} s"
    )


def demo_rows(runs: list[dict[str, Any]]) -> list[Row]:
    """What the world with two campaigns says."""
    seeds = [run["seed"] for run in runs]
    found = [run["campaign_accounts_named"] / run["campaign_accounts"] for run in runs]
    worst = min(zip(found, seeds, strict=True))
    honest = sum(run["honest_accounts"] for run in runs)
    wrong = sum(run["honest_accounts_named"] for run in runs)
    fleets = sum(run["honest_groups_reported"] for run in runs)
    stood = sum(run["honest_fleets_planted"] for run in runs)
    reported = sorted({name for run in runs for name in run["honest_fleets_reported"]})
    every = fmean(run["all_campaign_accounts_named"] / run["all_campaign_accounts"] for run in runs)
    return [
        harness.row("demo/found/median", median(found), "share of campaign accounts", ">= 0.99", seeds=seeds),
        harness.row(
            "demo/found/worst",
            worst[0],
            "share of campaign accounts",
            ">= 0.99",
            seeds=seeds,
            note=f"seed {worst[1]}",
        ),
        harness.row("demo/found/mean", fmean(found), "share of campaign accounts", seeds=seeds),
        harness.row(
            "demo/found/any-traffic",
            every,
            "share, mean",
            seeds=seeds,
            note=f"with accounts that sent fewer than {LEAST_WANTED} of its exchanges; above without",
        ),
        harness.row(
            "demo/honest-fleets-reported",
            fleets,
            "reports, all seeds",
            "<= 0",
            seeds=seeds,
            note=", ".join(reported) or f"{stood:,} fleets stood there",
        ),
        harness.row(
            "demo/honest-accounts-named",
            wrong / honest * 100_000,
            "per 100,000",
            "<= 1",
            seeds=seeds,
            note=f"{wrong} of {honest:,} honest accounts",
        ),
        *discovery_rows(runs),
        harness.row(
            "demo/scan-seconds", median(run["scan_seconds"] for run in runs), "s, median", seeds=seeds
        ),
    ]


def discovery_rows(runs: list[dict[str, Any]]) -> list[Row]:
    """Observed false-discovery proportions against the rates that the reports state, means over seeds."""
    seeds = [run["seed"] for run in runs]
    rows = []
    for name in ("groups", "campaigns", "members"):
        observed = fmean(run[f"false_{name}"] for run in runs)
        stated = fmean(run[f"stated_{name}"] for run in runs)
        rows.append(
            harness.row(
                f"demo/false-discovery/{name}",
                observed,
                "mean proportion",
                f"<= {stated:.6g}",
                seeds=seeds,
                note=f"stated {stated:.3g}; {sum(run[f'{name}_said'] for run in runs):,} {name} said",
            )
        )
    return rows


def calm_rows(runs: list[dict[str, Any]]) -> list[Row]:
    """What the world without campaigns says."""
    seeds = [run["seed"] for run in runs]
    reported = sum(run["campaigns_reported"] for run in runs)
    named_wrongly = sum(run["honest_accounts_named"] for run in runs)
    honest = sum(run["honest_accounts"] for run in runs)
    note = f"{named_wrongly} of {honest:,} honest accounts named"
    return [harness.row("calm/campaigns-reported", reported, "all seeds", "<= 0", seeds=seeds, note=note)]


def all_rows(runs: list[dict[str, Any]]) -> list[Row]:
    """The rows of all scenarios; a failed scan is counted and left out of every other row."""
    failed = [run for run in runs if "failed" in run]
    names = [f"{run['scenario']} {run['seed']}" for run in failed]
    seeds = sorted({run["seed"] for run in runs})
    rows = [harness.row("scans-failed", len(failed), "scans", "<= 0", seeds=seeds, note=", ".join(names))]
    for scenario, make in (("demo", demo_rows), ("calm", calm_rows)):
        done = [run for run in runs if run["scenario"] == scenario and "failed" not in run]
        rows += make(done) if done else []
    return rows


def parse_seeds(text: str) -> list[int]:
    """Read `1-3,7` as [1, 2, 3, 7]."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def main() -> int:
    """Run, print, write."""
    options = harness.parser(__doc__)
    options.add_argument(
        "--seeds", type=parse_seeds, default="151-170", help="such as 21-23 or 21,25 (default 151-170)"
    )
    options.add_argument("--processes", type=int, default=1, help="worlds at the same time (default 1)")
    options.add_argument("--scenarios", nargs="+", default=["demo", "calm"], choices=["demo", "calm"])
    given = options.parse_args()
    worlds = [(scenario, seed) for scenario in given.scenarios for seed in given.seeds]
    runs = run_all(worlds, given.processes)
    harness.RESULTS.mkdir(parents=True, exist_ok=True)
    details = harness.RESULTS / "quality_demo_details.jsonl"
    details.write_text("".join(json.dumps(run) + "\n" for run in runs))
    return harness.finish("quality_demo", all_rows(runs), strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
