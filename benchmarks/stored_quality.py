"""The whole table: every bar of quality, and what the stored results say of it. Nothing is measured here.

    python benchmarks/stored_quality.py

Results of scenarios are those of benchmarks/baseline/, others those of benchmarks/baseline/rows/; each row
names the command that measures it anew. `make bench-quality` prints this table first, since measuring all of
it takes hours.
"""

from __future__ import annotations

import json
import sys
from statistics import fmean
from typing import TYPE_CHECKING, Any

import baseline
import harness
from quality_scenarios import bars_of
from stillwatch.worlds.score_seeds import at_most, over_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness import Row

ROWS = baseline.FOLDER / "rows"


def stored_rows(folder: Path = baseline.FOLDER) -> list[Row]:
    """All rows with a bar, those of scenarios first."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        rows += scenario_rows(json.loads(path.read_text()))
    for path in sorted((folder / "rows").glob("*.json")):
        rows += [
            harness.row(one["id"], one["value"], one["unit"], one["bar"], seeds=one["seeds"],
                        note=one["note"], command=one["command"])
            for one in json.loads(path.read_text())["rows"]
            if one["bar"]
        ]  # fmt: skip
    return rows


def scenario_rows(stored: Mapping[str, Any]) -> list[Row]:
    """The bars of one scenario: found, purity, false reports, honest accounts and fleets named."""
    by_seed = stored["detectors"]["stillwatch"]["by_seed"]
    runs, seeds = list(by_seed.values()), sorted(map(int, by_seed))
    scenario, scale = stored["scenario"], stored["scale"]
    name = f"{scenario}/stillwatch" if scale == 1.0 else f"{scenario}@{scale:g}/stillwatch"
    named, honest = (int(sum(run[key] for run in runs)) for key in ("honest_named", "honest_accounts"))
    fleets = sum(run["honest_fleets_reported"] for run in runs)
    figures = [
        ("false-reports", fmean(run["realised_fdr"] for run in runs), "mean proportion", "<= 0.01", ""),
        ("honest-named", named / honest * 1e5, "per 100,000", "<= 1",
         f"{named:,} of {honest:,}; at most {at_most(named, honest) * 1e5:.2g}"),
        ("honest-fleets", fleets, "reported", "<= 0", ""),
    ]  # fmt: skip
    if runs[0]["campaigns"]:
        found, purity = (over_seeds([run[key] for run in runs]) for key in ("found", "purity"))
        figures += [
            ("found", found.median, "share, median", bars_of(scenario)["found"], f"worst {found.least:.3f}"),
            ("purity", purity.median, "share, median", ">= 0.99", f"worst {purity.least:.4f}"),
        ]
    whole = seeds[-1] - seeds[0] == len(seeds) - 1
    asked = f"{seeds[0]}-{seeds[-1]}" if whole else ",".join(map(str, seeds))
    command = f"python benchmarks/quality_scenarios.py --scenarios {scenario} --seeds {asked}"
    command += "" if scale == 1.0 else f" --scale {scale:g}"
    return [
        harness.row(f"{name}/{what}", value, unit, bar, seeds=seeds, note=note, command=command)
        for what, value, unit, bar, note in figures
    ]


def main() -> int:
    """Print, write."""
    given = harness.parser(__doc__).parse_args()
    return harness.finish("stored_quality", stored_rows(), strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
