"""First reports: how much a public campaign has taken of what it finally takes when it is first reported.

    python benchmarks/quality_early.py [--scenarios card-gemini ...] [--seeds 207-217] [--minutes 60]
                                       [--fresh]

Only seeds of which the baseline says that the whole log was judged and every campaign found are run: the
moment is then searched for among the shares of `judging.TAKEN`. Eleven seeds of twenty below a bar put the
median of the twenty below it, whatever the others give.

Results are kept world by world in build/bench/quality_early_details.jsonl; a later call goes on from there
unless `--fresh` is given.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from typing import TYPE_CHECKING, Any

import baseline
import harness
from judging import first_reports, world
from quality_demo import parse_seeds
from quality_scenarios import bars_of, early_rows
from stillwatch.detect.config import DetectConfig
from stillwatch.worlds.cards.public import CARDS

if TYPE_CHECKING:
    from collections.abc import Iterable

DETAILS = harness.RESULTS / "quality_early_details.jsonl"
_CARDS = [f"card-{card.id}" for card in CARDS]


def reported(scenario: str, seed: int) -> list[str]:
    """Campaigns of which the baseline says that they are reported from the whole log.

    Raises:
        ValueError: The baseline lacks the world, or not all campaigns were reported there.
    """
    stored = baseline.read(scenario)
    figures = stored["detectors"]["stillwatch"]["by_seed"].get(str(seed)) if stored else None
    if figures is None or figures["campaigns_reported"] < figures["campaigns"]:
        raise ValueError(f"{scenario} seed {seed}: judge it whole first (quality_scenarios.py --store)")
    return [scenario.removeprefix("card-")]


def measure(scenario: str, seed: int) -> dict[str, Any]:
    """Search for the first report in one world."""
    names = reported(scenario, seed)
    with world(scenario, seed, 1.0) as place:
        return {"scenario": scenario, "seed": seed, "early": first_reports(place, DetectConfig(), names)}


def kept() -> dict[tuple[str, int], dict[str, Any]]:
    """Results of earlier calls, by scenario and seed."""
    lines = DETAILS.read_text().splitlines() if DETAILS.exists() else []
    return {(one["scenario"], one["seed"]): one for one in map(json.loads, lines)}


def rows_of(runs: Iterable[dict[str, Any]]) -> list[harness.Row]:
    """The rows of each scenario, in the order of the runs."""
    by_scenario: dict[str, list[dict[str, Any]]] = {}
    for one in runs:
        run = {"seed": one["seed"], "stillwatch": {"taken_at_first_report": one["early"]}}
        by_scenario.setdefault(one["scenario"], []).append(run)
    return [
        row for name, mine in by_scenario.items() for row in early_rows(name, mine, bars_of(name)["early"])
    ]


def main() -> int:
    """Run what is missing, print, write."""
    options = harness.parser(__doc__)
    options.add_argument("--scenarios", nargs="+", default=_CARDS, choices=_CARDS, metavar="ID")
    options.add_argument("--seeds", type=parse_seeds, default=parse_seeds("207-217"))
    options.add_argument("--minutes", type=float, default=60.0, help="start no world after (default 60)")
    options.add_argument("--fresh", action="store_true", help="forget earlier worlds")
    given = options.parse_args()
    harness.RESULTS.mkdir(parents=True, exist_ok=True)
    if given.fresh:
        DETAILS.unlink(missing_ok=True)
    known, end = kept(), time.monotonic() + 60.0 * given.minutes
    for seed, scenario in product(given.seeds, given.scenarios):
        if (scenario, seed) in known or time.monotonic() > end:
            continue
        known[scenario, seed] = measure(scenario, seed)
        with DETAILS.open("a") as details:
            details.write(json.dumps(known[scenario, seed]) + "\n")
        print(known[scenario, seed], file=sys.stderr, flush=True)
    runs = [known[at] for at in product(given.scenarios, given.seeds) if at in known]
    return harness.finish("quality_early", rows_of(runs), strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
