"""Calibration: what detection says about worlds in which there is no campaign, over many of them.

    python benchmarks/quality_calibration.py [--seeds 1-200] [--scale 0.6] [--minutes 60] [--fresh]

Each world is the scenario `calm`: honest people, prompt collectors who repeat one to thirty public prompts
(the over-dispersed users), and all honest fleets. For each the whole detection runs, and then a live watch:
sets of shared keys are watched over the accounts, the background is fitted on one half of them, and the
running mixture e-process of each account of the other half is followed day by day. Told are the mean placebo
e-value, the standard deviation of the empirical null, what is reported (all of it is wrong), and the share of
accounts that ever alarm.

Results are kept world by world in build/bench/quality_calibration_details.jsonl; a later call goes on from
there unless `--fresh` is given, and stops after `--minutes`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow.parquet as pq

import harness
from peers.log import Log, read_log
from quality_demo import parse_seeds
from scan_truth import strangers
from stillwatch.app.world_columns import make_columns
from stillwatch.detect.background import Carriage, fit_background
from stillwatch.detect.book import Volumes
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.pipeline import detect
from stillwatch.detect.tables import Tables
from stillwatch.stats.overdispersion import TYPICAL_DISPERSION
from stillwatch.stats.sequential import running_mixture_log_e
from stillwatch.store import open_store
from stillwatch.worlds import named
from stillwatch.worlds.score_seeds import at_most

if TYPE_CHECKING:
    from harness import Row
    from stillwatch.model.findings import Detection

DETAILS = harness.RESULTS / "quality_calibration_details.jsonl"
LEVELS = (0.01, 0.001)
WATCHED_SETS = 6
KEYS_OF_A_SET = 20
_LEAST_USERS = 8
_DAY = 86_400
_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_DRAWS = 4_001


def run_one(seed: int, scale: float) -> dict[str, Any]:
    """Make one calm world, judge it, and watch it live; nothing of it stays on disk."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        store = make_columns(named("calm"), seed, scale, out)
        with open_store(store) as reader:
            tables = Tables(reader.exchanges(), reader.accounts(), reader.enforcement())
            found = detect(tables, DetectConfig(), _NOW)
        alarms = live_alarms(read_log(store), seed)
        told = said(found, out / "truth.parquet")
    return {"seed": seed, "scale": scale, **told, **alarms, "seconds": time.perf_counter() - start}


def said(found: Detection, truth: Path) -> dict[str, Any]:
    """What detection said of a world without campaigns."""
    groups = msgspec.to_builtins(found.groups)
    level = found.fdr_level
    known = [one for one in groups if one["error_rate"]["coordination_fdr"] <= level]
    table = pq.read_table(truth, columns=["account_id", "fleet", "campaign", "population"])
    wrong = sum(strangers(table, known))
    return {
        "accounts": found.accounts,
        "exchanges": found.exchanges,
        "mean_e": found.audit.mean_e,
        "sigma": found.audit.sigma,
        "sound": found.audit.sound,
        "campaigns": len(found.campaigns),
        "named": sum(len(one.members) for one in found.campaigns),
        "groups": len(known),
        "stranger_groups": wrong,
        "level": level,
    }


def live_alarms(log: Log, seed: int) -> dict[str, Any]:
    """Watch sets of shared keys over half of the accounts and count who ever alarms, for each level.

    Sets are drawn among the keys that at least eight accounts use, so they hold prompts that honest people
    repeat.
    """
    rng = np.random.default_rng([seed, _DRAWS])
    row, key = log.uses()
    pair = np.unique(np.column_stack([key, log.account[row]]), axis=0)
    shared, users = np.unique(pair[:, 0], return_counts=True)
    shared = shared[users >= _LEAST_USERS]
    watched, crossed = 0, dict.fromkeys(LEVELS, 0)
    for _ in range(WATCHED_SETS if shared.size >= KEYS_OF_A_SET else 0):
        chosen = rng.choice(shared, KEYS_OF_A_SET, replace=False)
        peak = peaks(log, np.unique(row[np.isin(key, chosen)]), rng)
        watched += peak.size
        for level in LEVELS:
            crossed[level] += int((peak >= np.log(1.0 / level)).sum())
    return {"watched": watched, **{f"alarms_{level:g}": number for level, number in crossed.items()}}


def peaks(log: Log, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the largest log e-value that each account of the watched half ever reaches.

    Args:
        log: All exchanges.
        rows: Exchanges that carry a watched key.
        rng: Divides the accounts.
    """
    day = ((log.second - log.second.min()) // _DAY).astype(np.int64)
    shape = (log.size, int(day.max()) + 1)
    trials, hits = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(trials, (log.account, day), 1)
    np.add.at(hits, (log.account[rows], day[rows]), 1)
    fitted = rng.random(log.size) < 0.5
    total, sent = hits.sum(axis=1), trials.sum(axis=1)
    carrying = fitted & (total > 0)
    carriage = Carriage.of(total[carrying], sent[carrying], Volumes.of(sent[fitted]))
    null = fit_background(carriage, TYPICAL_DISPERSION)
    running = running_mixture_log_e(hits[~fitted], trials[~fitted], null.mean, null.dispersion)
    return running.max(axis=1)


def rows_of(runs: list[dict[str, Any]]) -> list[Row]:
    """The rows with their bars."""
    seeds = [run["seed"] for run in runs]
    count = len(runs)
    mean_e = [run["mean_e"] for run in runs]
    error = float(np.std(mean_e) / np.sqrt(count))
    sigma = [run["sigma"] for run in runs]
    outside = sum(not 0.8 <= value <= 1.2 for value in sigma)
    any_report = sum(run["campaigns"] > 0 for run in runs)
    false = fmean(run["stranger_groups"] / max(run["groups"], 1) for run in runs)
    named, accounts = sum(run["named"] for run in runs), sum(run["accounts"] for run in runs)
    rows = [
        harness.row("calibration/worlds", count, "worlds", ">= 200", seeds=seeds),
        harness.row(
            "calibration/placebo-e/mean", fmean(mean_e), "mean e-value", f"<= {1 + 2 * error:.4g}",
            seeds=seeds, note=f"bar 1 and two standard errors ({error:.3f})",
        ),
        harness.row("calibration/null-sd/median", float(np.median(sigma)), "sd of z", ">= 0.8", seeds=seeds),
        harness.row("calibration/null-sd/outside", outside, "worlds outside 0.8 to 1.2", "<= 0", seeds=seeds,
                    note=f"from {min(sigma):.3f} to {max(sigma):.3f}"),
        harness.row("calibration/worlds-with-a-report", any_report / count, "share of worlds", "<= 0.01",
                    seeds=seeds, note=f"{any_report} of {count}; at most {at_most(any_report, count):.3f}"),
        harness.row("calibration/groups-of-strangers", false, "mean proportion", f"<= {runs[0]['level']:g}",
                    seeds=seeds, note=f"of {sum(run['groups'] for run in runs)} groups called coordinated"),
        harness.row("calibration/honest-accounts-named", named / accounts * 1e5, "per 100,000", "<= 1",
                    seeds=seeds, note=f"{named} of {accounts:,}"),
    ]  # fmt: skip
    watched = sum(run["watched"] for run in runs)
    for level in LEVELS:
        alarms = sum(run[f"alarms_{level:g}"] for run in runs)
        rows.append(
            harness.row(
                f"calibration/live-alarms/{level:g}",
                alarms / max(watched, 1),
                "share of watches",
                f"<= {level:g}",
                seeds=seeds,
                note=f"{alarms:,} of {watched:,} watches of an account over the window",
            )
        )
    return rows


def main() -> int:
    """Run what is missing, print, write."""
    options = harness.parser(__doc__)
    options.add_argument("--seeds", type=parse_seeds, default="1-200", help="such as 1-200 (default)")
    options.add_argument("--scale", type=float, default=0.6, help="factor on `calm` (default 0.6)")
    options.add_argument("--minutes", type=float, default=60.0, help="stop after (default 60)")
    options.add_argument("--fresh", action="store_true", help="forget earlier worlds")
    given = options.parse_args()
    harness.RESULTS.mkdir(parents=True, exist_ok=True)
    if given.fresh:
        DETAILS.unlink(missing_ok=True)
    runs = kept(given.scale)
    end = time.monotonic() + 60.0 * given.minutes
    for seed in given.seeds:
        if seed in runs or time.monotonic() > end:
            continue
        runs[seed] = run_one(seed, given.scale)
        with DETAILS.open("a") as file:
            file.write(json.dumps(runs[seed]) + "\n")
        print(told(runs[seed]), file=sys.stderr, flush=True)
    if not runs:
        print("no world was judged: give more --minutes", file=sys.stderr)
        return 2
    wanted = [runs[seed] for seed in given.seeds if seed in runs]
    return harness.finish("quality_calibration", rows_of(wanted), strict=given.strict)


def kept(scale: float) -> dict[int, dict[str, Any]]:
    """Results of earlier calls at this scale, by seed."""
    lines = DETAILS.read_text().splitlines() if DETAILS.exists() else []
    return {run["seed"]: run for run in map(json.loads, lines) if run["scale"] == scale}


def told(run: dict[str, Any]) -> str:
    """One line about one world."""
    return (
        f"calm seed {run['seed']}: mean e {run['mean_e']:.2f}, sd {run['sigma']:.2f}, "
        f"{run['campaigns']} campaigns, {run['stranger_groups']} of {run['groups']} groups of strangers, "
        f"{run['alarms_0.01']} of {run['watched']:,} watches alarmed at 0.01, {run['seconds']:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
