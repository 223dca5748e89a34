"""Write the measured tables into docs/quality.md, so that no figure there is written by hand.

    python benchmarks/publish_quality.py [--take quality_power quality_calibration ...] [--commit HASH]

`--take` first copies the rows that these benchmarks left in build/bench into benchmarks/baseline/rows. Then
the part of docs/quality.md between the two markers is made anew from benchmarks/baseline. A test checks that
the page says what is stored.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import baseline
import harness

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PAGE = harness.ROOT / "docs" / "quality.md"
ROWS = baseline.FOLDER / "rows"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
_ORDER = (
    "quality_early",
    "quality_power_bars",
    "quality_power",
    "quality_calibration",
    "quality_behaviour",
    "quality_families",
    "quality_ablation",
    "adversary_ladder",
)
_FIGURES = ("found", "purity", "reports", "false_reports", "honest_named_per_100k", "honest_fleets_reported")
_COLUMNS = ("accounts found", "purity", "reports", "false", "honest named per 100,000", "honest fleets")


def take(names: Iterable[str], commit: str) -> list[Path]:
    """Copy the rows of benchmarks that were run, and note the commit of the detector that they judged."""
    ROWS.mkdir(parents=True, exist_ok=True)
    taken = []
    for name in names:
        rows = json.loads((harness.RESULTS / f"{name}.json").read_text())
        path = ROWS / f"{name}.json"
        path.write_text(json.dumps({"commit": commit, "rows": rows}, indent=1) + "\n")
        taken.append(path)
    return taken


def present() -> str:
    """The commit that is checked out, shortened."""
    command = ["git", "-C", str(harness.ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def page(text: str) -> str:
    """Return the page with its measured part made anew.

    Raises:
        ValueError: The page lacks a marker.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}: put them back")
    head, rest = text.split(BEGIN, 1)
    return f"{head}{BEGIN}\n{measured()}{END}{rest.split(END, 1)[1]}"


def measured() -> str:
    """All tables, from what is stored."""
    scenarios = [json.loads(path.read_text()) for path in sorted(baseline.FOLDER.glob("*.json"))]
    parts = [_scenario(one) for one in scenarios]
    for name in _ORDER:
        path = ROWS / f"{name}.json"
        if path.exists():
            parts.append(_rows(name, json.loads(path.read_text())))
    return "\n" + "\n".join(parts)


def _scenario(stored: dict[str, Any]) -> str:
    detectors = stored["detectors"]
    seeds = sorted(map(int, detectors["stillwatch"]["by_seed"]))
    scale = "" if stored["scale"] == 1.0 else f" at scale {stored['scale']:g}"
    lines = [
        f"### Scenario `{stored['scenario']}`{scale}",
        "",
        f"Medians over seeds {_seeds(seeds)}; in brackets the interval of the median (95 %; the",
        "whole range where there are fewer than six seeds).",
        "",
        f"| detector | {' | '.join(_COLUMNS)} |",
        f"|---|{'---:|' * len(_COLUMNS)}",
    ]
    for name in sorted(detectors, key=lambda each: (each != "stillwatch", each)):
        spreads = detectors[name]["over_seeds"]
        lines.append(f"| {name} | {' | '.join(_spread(spreads[figure]) for figure in _FIGURES)} |")
    return "\n".join([*lines, ""])


def _spread(one: dict[str, float]) -> str:
    if one["low"] == one["high"]:
        return _short(one["median"])
    return f"{_short(one['median'])} [{_short(one['low'])}, {_short(one['high'])}]"


def _rows(name: str, stored: dict[str, Any]) -> str:
    rows = stored["rows"]
    lines = [
        f"### {name.removeprefix('quality_').replace('_', ' ').capitalize()}",
        "",
        f"`{rows[0]['command']}`, detection of commit {stored['commit']}",
        "",
        "| measure | value | unit | bar | holds | note |",
        "|---|---:|---|---|---|---|",
    ]
    for one in rows:
        holds = {True: "yes", False: "**no**", None: ""}[one["holds"]]
        value = "" if one["value"] is None else _short(one["value"])
        bar = (one["bar"] or "").replace("<=", "≤").replace(">=", "≥")
        lines.append(f"| `{one['id']}` | {value} | {one['unit']} | {bar} | {holds} | {_plain(one['note'])} |")
    return "\n".join([*lines, ""])


def _seeds(seeds: list[int]) -> str:
    """Write runs of successive seeds short, such as 21 to 25."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(str(one[0]) if len(one) == 1 else f"{one[0]} to {one[-1]}" for one in runs)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _plain(note: str) -> str:
    return re.sub(r"\s+", " ", note.replace("|", "/"))


def main() -> int:
    """Take, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--take", nargs="*", default=[], metavar="NAME", help="benchmarks to take rows from")
    options.add_argument("--commit", help="commit whose detection was judged (default: the present one)")
    given = options.parse_args()
    for path in take(given.take, given.commit or present()):
        print(f"took {path.relative_to(harness.ROOT)}")
    PAGE.write_text(page(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
