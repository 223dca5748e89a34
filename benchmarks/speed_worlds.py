"""How fast a world becomes fingerprints in a store, and whether it is the same bytes everywhere.

    python benchmarks/speed_worlds.py [--scenario crowd-50k] [--scale 6]

* `worlds/columns/seconds`: seconds of a fresh process for at least 10 million exchanges: accounts, traffic,
  keys, truth, all written to a store. Scaled to exactly 10 million; wall clock of whatever else runs here.
* `worlds/columns/cpu`: the same in CPU time over two cores, what is left of it when the machine is shared.
* `worlds/columns/peak`: most resident memory.
* `worlds/columns/same-bytes`: share of runs of a small world that give the same digests, with another hash
  seed, another time zone, another locale, one thread, and without any of the processor's vector instructions
  that numpy and Arrow can be told to leave alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import harness

BAR_SECONDS = 180.0
TARGET = 10_000_000
CORES = 2
SEED = 1
VARIANTS: dict[str, dict[str, str]] = {
    "hash seed": {"PYTHONHASHSEED": "4242"},
    "time zone": {"TZ": "Pacific/Chatham", "LC_ALL": "C"},
    "one thread": {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
    "no vectors": {
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
        "ARROW_USER_SIMD_LEVEL": "NONE",
    },
}
CHILD = Path(__file__).resolve()


def digest_of(scenario: str, scale: float) -> str:
    """Digest of all columns of a world and its truth, in this process."""
    import pyarrow as pa  # noqa: PLC0415 - only the child needs it

    from stillwatch.app.world_columns import banks  # noqa: PLC0415
    from stillwatch.app.worlds import find_scenario  # noqa: PLC0415
    from stillwatch.worlds.columns import Chunk, play_columns  # noqa: PLC0415

    found = hashlib.sha256()
    for chunk in play_columns(find_scenario(scenario, Path()), SEED, scale, banks()):
        for name in Chunk.__struct_fields__:
            sink = pa.BufferOutputStream()
            table = getattr(chunk, name).combine_chunks()
            with pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
            found.update(sink.getvalue())
    return found.hexdigest()


def made(scenario: str, scale: float, out: Path) -> dict[str, float]:
    """Write a world in this process and measure it."""
    from stillwatch.app.worlds import COLUMNS, find_scenario, run_world  # noqa: PLC0415

    result = run_world(find_scenario(scenario, Path()), SEED, scale, COLUMNS, out)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "exchanges": result.exchanges,
        "accounts": result.accounts,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 2**20,
    }


def child(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run this script in a fresh process and return the last line it printed."""
    command = [sys.executable, str(CHILD), "--child", *arguments]
    variables = os.environ | (environment or {})
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables)
    return done.stdout.strip().splitlines()[-1]


def speed_rows(scenario: str, scale: float, out: Path) -> list[harness.Row]:
    """Time one large world, in a fresh process from its start to its end."""
    shutil.rmtree(out, ignore_errors=True)
    before = time.perf_counter()
    got = json.loads(child("make", scenario, str(scale), str(out)))
    seconds = time.perf_counter() - before
    shutil.rmtree(out)
    share = TARGET / got["exchanges"]
    note = f"{got['exchanges']:,.0f} exchanges of {got['accounts']:,.0f} accounts in {seconds:.0f} s"
    short = "" if got["exchanges"] >= TARGET else "; fewer than 10 million: scaled up"
    bar, seeds = f"<= {BAR_SECONDS:.0f}", (SEED,)
    return [
        harness.row("worlds/columns/seconds", seconds * share, "s", bar, seeds=seeds, note=note + short),
        harness.row("worlds/columns/cpu", got["cpu"] * share / CORES, "s of two cores", bar, seeds=seeds),
        harness.row(
            "worlds/columns/cost", got["cpu"] / got["exchanges"] * 1e6, "µs CPU an exchange", seeds=seeds
        ),
        harness.row("worlds/columns/peak", got["peak"], "GiB", seeds=seeds),
    ]


def same_rows(scenario: str) -> list[harness.Row]:
    """Compare the digests of a small world under other circumstances."""
    usual = child("digest", scenario, "0.02")
    others = {name: child("digest", scenario, "0.02", environment=given) for name, given in VARIANTS.items()}
    differ = [name for name, digest in others.items() if digest != usual]
    share = 1.0 - len(differ) / len(others)
    note = f"differs: {', '.join(differ)}" if differ else f"digest {usual[:16]}; {', '.join(others)}"
    return [
        harness.row("worlds/columns/same-bytes", share, "share of runs", ">= 1", seeds=(SEED,), note=note)
    ]


def main() -> int:
    """Measure, print, write."""
    options = harness.parser(__doc__)
    options.add_argument("--scenario", default="crowd-50k")
    options.add_argument("--scale", type=float, default=6.0, help="6 gives about 10 million exchanges")
    options.add_argument("--child", nargs="+", help="what a fresh process is told to do")
    given = options.parse_args()
    if given.child:
        task, scenario, scale, *rest = given.child
        answer = digest_of(scenario, float(scale)) if task == "digest" else None
        print(answer or json.dumps(made(scenario, float(scale), Path(rest[0]))))
        return 0
    rows = speed_rows(given.scenario, given.scale, harness.RESULTS / "speed-worlds")
    return harness.finish("speed_worlds", [*rows, *same_rows(given.scenario)], strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
