"""One measurement of `speed_detect` in a process of its own; prints one JSON object.

    python benchmarks/detect_child.py scan|detect WORLD

For both, imports come before the clock starts and opening the store after it. Compiled code that `detect`
loads from its cache counts as time of `detect`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.app import process
from stillwatch.app.aside import partitions
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.pipeline import detect
from stillwatch.detect.tables import Tables
from stillwatch.model.findings import Detection, Group, Verdict
from stillwatch.store import open_store

if TYPE_CHECKING:
    import pyarrow as pa

    from stillwatch.store import StoreReader

NUMBERS = (
    "account_fp",
    "system_fp",
    "tools_fp",
    "sampling_fp",
    "client_fp",
    "item_fp",
    "cell",
    "elicitation",
    "turn",
    "input_tokens",
    "output_tokens",
)
STRINGS = ("account_id", "model", "ip", "language", "source_ref")
READ = (*NUMBERS, "ts", "keys", *STRINGS)
"""The columns of exchanges that `detect` reads; here it is given these and no others."""

NOW = datetime(2026, 10, 19, tzinfo=UTC)


def scan_query(strings: bool) -> str:
    """The baseline: one query that reads all columns of `READ` of all rows and sums their values.

    Numbers are summed, times as microseconds, lists by the sum of their elements, strings by their length in
    bytes; with `strings` false the strings are left out, which `detect` reads for a part of the rows only.
    """
    sums = [f"sum({name})" for name in NUMBERS] + ["sum(epoch_us(ts))", "sum(list_sum(keys))"]
    if strings:
        sums += [f"sum(strlen({name}))" for name in STRINGS]
    return f"SELECT {', '.join(sums)} FROM exchanges"  # noqa: S608 - names are constants


class Phases:
    """Notes when each step of each task was done and what memory had been taken by then."""

    def __init__(self) -> None:
        self._task = ""
        self._step = 0
        self._last = time.perf_counter()
        self.done: list[dict[str, Any]] = []

    def start(self, task: str, total: int | None = None) -> None:
        """Begin a task; the time before it counts as its own."""
        del total
        self._close(f"before {task}")
        self._task, self._step = task, 0

    def advance(self, amount: int = 1) -> None:
        """A step is done."""
        self._step += amount
        self._close(f"{self._task} {self._step}")

    def finish(self) -> None:
        """The task is done."""
        self._close(f"{self._task} end")

    def _close(self, name: str) -> None:
        now = time.perf_counter()
        self.done.append({"phase": name, "seconds": now - self._last, "peak_bytes": peak_bytes()})
        self._last = now


def peak_bytes() -> int:
    """Most resident memory of this process so far.

    `ru_maxrss` starts at the parent's value after a fork; the kernel's VmHWM does not.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("the kernel does not report VmHWM")


def cpu_time() -> float:
    """Processor time of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def warm(world: Path) -> None:
    """Let the query engine load what it loads at the first connection of a process."""
    with open_store(world / "store") as store:
        store.exchanges().count().to_pyarrow()


def run_scan(world: Path) -> dict[str, Any]:
    """Time the baseline, with strings and without."""
    seconds, busy = {}, {}
    for name, strings in (("numbers", False), ("all", True)):
        start, work = time.perf_counter(), time.process_time()
        with open_store(world / "store") as store:
            store.exchanges()
            store.backend.con.execute(scan_query(strings)).fetchall()
        seconds[name], busy[name] = time.perf_counter() - start, time.process_time() - work
    return {"seconds": seconds, "cpu": busy, "peak_bytes": peak_bytes()}


def run_detect(world: Path) -> dict[str, Any]:
    """Time `detect` and compare what it says with the truth (outside the clock)."""
    phases = Phases()
    start, work = time.perf_counter(), cpu_time()
    with open_store(world / "store") as store:
        found = detect(_tables(store), DetectConfig(), NOW, phases, partitions)
    end, busy = time.perf_counter(), cpu_time() - work
    peak = peak_bytes()
    return {
        "seconds": end - start,
        "cpu": busy,
        "peak_bytes": peak,
        "phases": phases.done,
        "quality": compare(found, pq.read_table(world / "truth.parquet")),
    }


def _tables(store: StoreReader) -> Tables:
    return Tables(store.exchanges().select(*READ), store.accounts(), store.enforcement())


def compare(found: Detection, truth: pa.Table) -> dict[str, float]:
    """Set what was found beside the planted groups: counts of accounts and groups."""
    names = truth["account_id"].to_numpy(zero_copy_only=False)
    campaign = set(names[truth["kind"].to_numpy(zero_copy_only=False) == "campaign"].tolist())
    reported = _members(found.campaigns)
    grouped = _members(found.groups)
    sound = [g for g in found.campaigns if _share(g, campaign) > 0.5]
    verdicts = np.array([group.verdict.value for group in found.groups])
    return {
        "campaign_accounts": len(campaign),
        "campaign_accounts_named": len(campaign & reported),
        "campaign_accounts_grouped": len(campaign & grouped),
        "honest_accounts": len(names) - len(campaign),
        "honest_accounts_named": len(reported - campaign),
        "campaigns_planted": len(set(truth["group"].filter(_is_campaign(truth)).to_pylist())),
        "campaigns_reported": len(found.campaigns),
        "honest_groups_reported": len(found.campaigns) - len(sound),
        **{f"verdict_{kind.value}": int((verdicts == kind.value).sum()) for kind in Verdict},
    }


def _is_campaign(truth: pa.Table) -> pa.Array:
    return pc.equal(truth["kind"], "campaign")


def _members(groups: tuple[Group, ...]) -> set[str]:
    return {member.account_id for group in groups for member in group.members}


def _share(group: Group, accounts: set[str]) -> float:
    return sum(member.account_id in accounts for member in group.members) / max(len(group.members), 1)


def main() -> None:
    """Run one measurement."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("what", choices=("scan", "detect"))
    options.add_argument("world", type=Path)
    given = options.parse_args()
    process.settle()  # as the command line does
    warm(given.world)
    result = run_scan(given.world) if given.what == "scan" else run_detect(given.world)
    print(json.dumps(result | {"load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
