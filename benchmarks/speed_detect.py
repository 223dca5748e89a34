"""How long `detect` takes, against reading the same columns, and how that grows.

    python benchmarks/speed_detect.py [--full]

* `detect/10m/ratio`: seconds of `detect` over 10 million stored exchanges divided by the seconds in which
  DuckDB merely reads and sums the same columns of the same Parquet files (`detect_child.scan_query`; all
  rows, with the strings that `detect` reads for a part of the rows only). Every run is a fresh process that
  opens the store itself, with the same threads and settings; scan and detect take turns, and the ratio is the
  median over turns of detect over the mean of the scans before and after it. The ratio to a scan without
  strings is printed beside it.
* `ratio-cpu` is the same in CPU time of the processes: what is left of it when the machine is shared.
* `detect/growth/...`: seconds for each exchange at 10 million against 1 million, and at 100 against 10.
* `detect/100m/peak`: most resident memory of that process.

100 million takes about 12 GB of disk and only runs with `--full`; its store is removed afterwards unless
`--keep` is given. Worlds are those of `column_world`. Recall and precision are a check that the work was
done, not the measure of quality: that is `quality_demo`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import harness

if TYPE_CHECKING:
    from harness import Row

HERE = Path(__file__).resolve().parent
MILLION = 1_000_000
NAMES = {MILLION: "1m", 10 * MILLION: "10m", 100 * MILLION: "100m"}
SEED = 1
NEEDED_DISK = 20e9


def child(*arguments: str) -> str:
    """Run one of the scripts beside this one in a fresh process and return what it printed last."""
    command = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().splitlines()[-1]


def place(exchanges: int) -> Path:
    """Where the world of `exchanges` exchanges is kept."""
    return harness.ROOT / "build" / "bench" / f"columns-{NAMES.get(exchanges, exchanges)}"


def world(exchanges: int) -> Path:
    """Make the world of `exchanges` exchanges where it is not there and bring it into the page cache."""
    out = place(exchanges)
    child("column_world.py", "--exchanges", str(exchanges), "--seed", str(SEED), "--out", str(out))
    child("detect_child.py", "scan", str(out))
    return out


def measure(out: Path, turns: int) -> dict[str, Any]:
    """Let scan and detect take turns and return medians."""
    scans = [json.loads(child("detect_child.py", "scan", str(out)))]
    runs = []
    for _ in range(turns):
        runs.append(json.loads(child("detect_child.py", "detect", str(out))))
        scans.append(json.loads(child("detect_child.py", "scan", str(out))))
    seconds = [run["seconds"] for run in runs]
    return {
        "seconds": median(seconds),
        "spread": (min(seconds), max(seconds)),
        "scan": median(scan["seconds"]["all"] for scan in scans),
        "ratio": {
            (clock, columns): ratio(runs, scans, clock, columns)
            for clock in ("seconds", "cpu")
            for columns in ("all", "numbers")
        },
        "peak": max(run["peak_bytes"] for run in runs),
        "phases": runs[-1]["phases"],
        "quality": runs[-1]["quality"],
    }


def ratio(runs: list[dict[str, Any]], scans: list[dict[str, Any]], clock: str, columns: str) -> float:
    """Median over turns of one run over the mean of the scans before and after it."""
    around = [(before[clock][columns] + after[clock][columns]) / 2 for before, after in pairwise(scans)]
    return median(run[clock] / scan for run, scan in zip(runs, around, strict=True))


def size_rows(exchanges: int, got: dict[str, Any]) -> list[Row]:
    """The rows of one size."""
    name = f"detect/{NAMES.get(exchanges, exchanges)}"
    low, high = got["spread"]
    small = f"{low:.1f} to {high:.1f} s"
    bar = "<= 15" if exchanges == 10 * MILLION else None
    memory = "< 8" if exchanges == 100 * MILLION else None
    quality = got["quality"]
    named, planted = quality["campaign_accounts_named"], quality["campaign_accounts"]
    wrong = quality["honest_accounts_named"]
    counts = (
        f"{quality['campaigns_planted']} planted, {quality['campaigns_reported']} reported, "
        f"{quality['honest_groups_reported']} of them honest; "
        f"{quality['campaign_accounts_grouped'] / planted:.3f} in a group of any verdict"
    )
    seeds = (SEED,)
    return [
        harness.row(f"{name}/seconds", got["seconds"], "s", seeds=seeds, note=small),
        harness.row(f"{name}/scan", got["scan"], "s", seeds=seeds, note="DuckDB sums the same columns"),
        harness.row(f"{name}/ratio", got["ratio"]["seconds", "all"], "times the scan", bar, seeds=seeds),
        harness.row(f"{name}/ratio-cpu", got["ratio"]["cpu", "all"], "times its CPU time", seeds=seeds),
        harness.row(
            f"{name}/ratio-numbers",
            got["ratio"]["seconds", "numbers"],
            "times a scan without strings",
            seeds=seeds,
        ),
        harness.row(f"{name}/cost", got["seconds"] / exchanges * 1e6, "µs per exchange", seeds=seeds),
        harness.row(f"{name}/peak", got["peak"] / 2**30, "GiB", memory, seeds=seeds),
        harness.row(f"{name}/found", named / planted, "share of campaign accounts", seeds=seeds, note=counts),
        harness.row(
            f"{name}/precision", named / max(named + wrong, 1), "share of named accounts", seeds=seeds
        ),
        *phase_rows(name, got["phases"]),
    ]


def phase_rows(name: str, phases: list[dict[str, Any]]) -> list[Row]:
    """Seconds of each phase, with the peak of memory at its end."""
    totals: dict[str, tuple[float, int]] = {}
    for phase in phases:
        before = totals.get(phase["phase"], (0.0, 0))
        totals[phase["phase"]] = (before[0] + phase["seconds"], phase["peak_bytes"])
    return [
        harness.row(
            f"{name}/phase/{task.replace(' ', '-')}",
            seconds,
            "s",
            seeds=(SEED,),
            note=f"peak so far {peak / 2**30:.2f} GiB",
        )
        for task, (seconds, peak) in totals.items()
    ]


def growth_row(less: int, more: int, cost: dict[int, float], why: str) -> Row:
    """How the cost of one exchange grows from one size to the next."""
    known = less in cost and more in cost
    value = cost[more] / cost[less] if known else None
    note = "" if known else why
    return harness.row(
        f"detect/growth/{NAMES[less]}-{NAMES[more]}", value, "times", "<= 1.2", seeds=(SEED,), note=note
    )


def skipped(full: bool) -> str:
    """Why 100 million are not measured, or an empty string if they are."""
    if not full:
        return "only with --full"
    room = place(100 * MILLION).exists() or shutil.disk_usage(harness.ROOT).free >= NEEDED_DISK
    return "" if room else f"needs {NEEDED_DISK / 1e9:.0f} GB of free disk"


def main() -> int:
    """Measure, print, write."""
    options = harness.parser(__doc__)
    options.add_argument("--full", action="store_true", help="also 100 million exchanges (12 GB of disk)")
    options.add_argument("--keep", action="store_true", help="keep the store of 100 million")
    options.add_argument("--turns", type=int, default=3, help="runs at 1 and 10 million (default 3)")
    given = options.parse_args()
    why = skipped(given.full)
    rows: list[Row] = []
    cost: dict[int, float] = {}
    for exchanges in NAMES:
        if why and exchanges == 100 * MILLION:
            rows.append(harness.row("detect/100m/peak", None, "GiB", "< 8", seeds=(SEED,), note=why))
            continue
        print(f"{exchanges:,} exchanges ...", file=sys.stderr, flush=True)
        out = world(exchanges)
        got = measure(out, 1 if exchanges == 100 * MILLION else given.turns)
        cost[exchanges] = got["seconds"] / exchanges
        rows += size_rows(exchanges, got)
        if exchanges == 100 * MILLION and not given.keep:
            shutil.rmtree(out)
    sizes = list(NAMES)
    rows += [growth_row(less, more, cost, why) for less, more in pairwise(sizes)]
    return harness.finish("speed_detect", rows, strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
