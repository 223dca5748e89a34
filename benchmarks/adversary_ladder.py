"""How dear it must get to stay unseen: detection against the adversary's cost of a thousand exchanges.

    python benchmarks/adversary_ladder.py [--population 11] [--seeds 1-5] [--only cumulative|alone|behaviour]
                                          [--store]

Every rung of `stillwatch.worlds.ladder` is played among honest accounts (`--population 1` is about 5,000,
11 about 55,000), `detect` runs on the store, and its campaigns are set beside the truth. The cost is that of
`stillwatch.worlds.prices`, with the range of its prices. The figure goes to build/bench/adversary_ladder.svg,
what each world gave to build/bench/adversary_ladder_details.jsonl. There is no bar: the curve is the result.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.parquet as pq

import harness
from judging import claims_of, run
from quality_demo import parse_seeds
from stillwatch.app.world_columns import make_columns
from stillwatch.detect.config import DetectConfig
from stillwatch.model.findings import Verdict
from stillwatch.worlds.ladder import BEHAVIOUR_INDEPENDENT, BEHAVIOUR_ONLY, Rung, cumulative, one_at_a_time
from stillwatch.worlds.ladder import SCENARIOS as LADDER
from stillwatch.worlds.ladder_figure import Outcome, ladder_svg
from stillwatch.worlds.prices import Range, cost_per_thousand
from stillwatch.worlds.score import score_claims

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import Row

KINDS = {
    "cumulative": cumulative(),
    "alone": one_at_a_time(),
    "behaviour": (BEHAVIOUR_ONLY, BEHAVIOUR_INDEPENDENT),
}
_SCENARIOS = {scenario.id: scenario for scenario in LADDER}
_TITLE = "How dear it gets to stay unseen"
SHIPPED = harness.ROOT / "src" / "stillwatch" / "cases" / "templates" / "ladder.svg"


def play(rung_id: str, seed: int, population: float) -> dict[str, Any]:
    """Play one rung once, detect, and judge; nothing of it stays on disk."""
    scenario = msgspec.structs.replace(_SCENARIOS[rung_id], population=population)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        store = make_columns(scenario, seed, 1.0, out)
        found = run(store, DetectConfig())
        truth = pq.read_table(out / "truth.parquet")
    score = score_claims(truth, claims_of(found))
    seen = score_claims(truth, claims_of(found, (Verdict.CAMPAIGN, Verdict.UNDECIDED)))
    return {
        "rung": rung_id,
        "seed": seed,
        "population": population,
        "found": score.found_share,
        "seen": seen.found_share,
        "purity": score.purity,
        "honest_named": score.honest_named,
        "honest_accounts": score.honest_accounts,
        "exchanges": truth.num_rows,
    }


def _played(task: tuple[str, int, float]) -> dict[str, Any]:
    return play(*task)


def play_all(rungs: Sequence[Rung], seeds: Sequence[int], population: float, processes: int) -> list[dict]:
    """Play every rung with every seed, and tell about each."""
    todo = [(rung.operation.id, seed, population) for rung in rungs for seed in seeds]
    results = []
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=8) as pool:
        for one in pool.imap(_played, todo):
            results.append(one)
            print(
                f"{one['rung']} seed {one['seed']}: {one['found']:.3f} found, {one['seen']:.3f} with the "
                f"undecided, purity {one['purity']:.3f}, "
                f"{one['honest_named']} honest named",
                file=sys.stderr,
                flush=True,
            )
    return results


def rows_of(rungs: Sequence[Rung], results: Sequence[dict[str, Any]]) -> list[Row]:
    """What was found and what it cost, rung after rung."""
    rows = []
    for rung in rungs:
        mine = [one for one in results if one["rung"] == rung.operation.id]
        seeds = [one["seed"] for one in mine]
        shares = [one["found"] for one in mine]
        cost = cost_per_thousand(rung.operation)
        seen = median(one["seen"] for one in mine)
        note = f"{min(shares):.3f} to {max(shares):.3f}; {seen:.3f} with undecided groups"
        rows += [
            harness.row(
                f"{rung.operation.id}/found",
                median(shares),
                "share of accounts, median",
                seeds=seeds,
                note=note,
            ),
            harness.row(
                f"{rung.operation.id}/cost",
                cost.total.mid,
                "US dollars a thousand",
                note=f"{cost.total.low:,.0f} to {cost.total.high:,.0f}; evasion {cost.evasion.mid:,.0f}",
            ),
        ]
    return rows


def outcome_of(rung: Rung, results: Sequence[dict[str, Any]]) -> Outcome:
    """A rung as the figure shows it."""
    mine = [one for one in results if one["rung"] == rung.operation.id]
    shares = [one["found"] for one in mine]
    only = rung.operation.id.startswith("ladder-only-")
    behaviour = rung.operation.id.startswith("behaviour")
    last = rung.evasions[-1] if rung.evasions else "nothing"
    label = rung.operation.id if behaviour else last if only or last == "nothing" else f"+ {last}"
    return Outcome(
        label=label.replace("-", " "),
        cost=cost_per_thousand(rung.operation).total,
        found=Range(min(shares), median(shares), max(shares)),
        seen=median(one["seen"] for one in mine),
        alone=only or behaviour,
    )


def main() -> int:
    """Play, print, draw."""
    options = harness.parser(__doc__)
    options.add_argument("--seeds", type=parse_seeds, default="1-5", help="such as 1-3 or 1,4 (default 1-5)")
    options.add_argument(
        "--population", type=float, default=11.0, help="honest accounts / 5,000 (default 11)"
    )
    options.add_argument("--processes", type=int, default=1, help="worlds at the same time (default 1)")
    options.add_argument("--only", nargs="+", default=list(KINDS), choices=list(KINDS))
    options.add_argument("--store", action="store_true", help="ship the figure with the report")
    given = options.parse_args()
    if given.store and set(given.only) != set(KINDS):
        options.error("--store: the report draws all rungs; leave --only away")
    rungs = [rung for kind in given.only for rung in KINDS[kind]]
    results = play_all(rungs, given.seeds, given.population, given.processes)
    harness.RESULTS.mkdir(parents=True, exist_ok=True)
    details = harness.RESULTS / "adversary_ladder_details.jsonl"
    details.write_text("".join(json.dumps(one) + "\n" for one in results))
    drawn = ladder_svg([outcome_of(rung, results) for rung in rungs], _TITLE)
    (harness.RESULTS / "adversary_ladder.svg").write_text(drawn)
    if given.store:
        SHIPPED.write_text(drawn)
    return harness.finish("adversary_ladder", rows_of(rungs, results), strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
