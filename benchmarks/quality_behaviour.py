"""Groups found by behaviour alone: campaigns that share no text, over what they hide, and the null.

    python benchmarks/quality_behaviour.py [--seeds 91-100] [--points bar calm ...] [--prompts] [--minutes 60]

Each point is a world of about 5,000 honest accounts with one campaign of a thousand. The prompts are hidden
from detection (no text keys, no system prompts), so that nothing but crowds can be reported; with `--prompts`
they are shown. A campaign is found when a reported campaign, most of which belongs to it, names at least half
of its accounts. In worlds without a campaign cohorts are also drawn at random and weighed: their e-values
must average at most 1.

Points: `bar` is the scenario behaviour-only (every prompt reworded, own address and payment, 72 hours of
jitter, three of ten exchanges wanted); the others change one thing of it. `calm` has no campaign.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import ibis
import msgspec
import numpy as np
import pyarrow.parquet as pq

import harness
from judging import NOW, claims_of, scenario_of
from quality_demo import parse_seeds
from stillwatch.app.world_columns import TRUTH, make_columns
from stillwatch.detect import judgement
from stillwatch.detect.book import Book, account_totals, make_book
from stillwatch.detect.cohorts import Cohort
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.crowd import Crowds, find_crowds
from stillwatch.detect.crowd_judgement import Scene, weigh_cohorts
from stillwatch.detect.pipeline import detect
from stillwatch.detect.tables import Tables, measure_span, slice_of
from stillwatch.store import open_store
from stillwatch.worlds.cards.operation import Cover
from stillwatch.worlds.cards.play import Harvest
from stillwatch.worlds.ladder import evasion_named
from stillwatch.worlds.score import score_claims

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from harness import Row
    from stillwatch.store import StoreReader
    from stillwatch.worlds import Scenario

BASE = "behaviour-only"
POINTS: dict[str, dict[str, Any]] = {
    "bar": {},
    "wanted-100": {"wanted_share": 1.0, "cover": Cover.NONE},
    "wanted-50": {"wanted_share": 0.5},
    "wanted-10": {"wanted_share": 0.1},
    "independent": dict(evasion_named("independent").changes),
    "independent-wanted-10": {**dict(evasion_named("independent").changes), "wanted_share": 0.1},
    "late-pivot": {"pivot_share": 0.2, "models": 3},
    "one-batch": {"sign_up_bursts": 1},
    "aged": dict(evasion_named("aged").changes),
}
"""What each point changes of the campaign `behaviour-only`, from cheap to dear."""
CALM = "calm"
FOUND = 0.5
_DRAWN = 60
_MOST_E = 100.0
DETAILS = harness.RESULTS / "quality_behaviour_details.jsonl"


def world_of(point: str) -> Scenario:
    """The world of one point: population 1, the campaign as `POINTS` changes it, none for `CALM`."""
    base = scenario_of(BASE)
    if point == CALM:
        return msgspec.structs.replace(base, population=1.0, campaigns=())
    (harvest,) = (one for one in base.campaigns if isinstance(one, Harvest))
    craft = msgspec.structs.replace(harvest.operation.craft, **POINTS[point])
    operation = msgspec.structs.replace(harvest.operation, craft=craft)
    return msgspec.structs.replace(
        base, population=1.0, campaigns=(msgspec.structs.replace(harvest, operation=operation),)
    )


def tables_of(reader: StoreReader, *, prompts: bool) -> Tables:
    """The tables of a store, as an operator has them who logs prompts or does not."""
    exchanges = reader.exchanges()
    if not prompts:
        exchanges = exchanges.mutate(
            **{name: ibis.null(exchanges[name].type()) for name in ("keys", "system_fp")}
        )
    return Tables(exchanges, reader.accounts(), reader.enforcement())


def measure(point: str, seed: int, *, prompts: bool = False, scale: float = 1.0) -> dict[str, Any]:
    """Make the world of one point, detect, and set the reported campaigns beside the truth."""
    with tempfile.TemporaryDirectory() as folder:
        make_columns(world_of(point), seed, scale, Path(folder))
        with open_store(Path(folder) / "store") as reader:
            tables = tables_of(reader, prompts=prompts)
            start = time.process_time()
            found = detect(tables, DetectConfig(), NOW)
            spent = time.process_time() - start
            drawn = random_cohorts(tables, seed) if point == CALM else []
        truth = pq.read_table(
            Path(folder) / TRUTH, columns=["account_id", "population", "fleet", "campaign", "is_strand", "ts"]
        )
    score = score_claims(truth, claims_of(found))
    campaign = score.campaigns[0] if score.campaigns else None
    return {
        "point": point,
        "seed": seed,
        "prompts": prompts,
        "recall": campaign.recall if campaign else None,
        "purity": score.purity,
        "false_reports": score.false_reports,
        "honest_named": score.honest_named,
        "honest_accounts": score.honest_accounts,
        "random_log_e": drawn,
        "cpu": spent,
    }


def random_cohorts(tables: Tables, seed: int) -> list[float]:
    """Weigh cohorts of accounts drawn at random; return their log e-values."""
    span = measure_span(tables.exchanges)
    if span is None:
        raise ValueError("the world has no exchanges")
    exchanges = tables.exchanges.mutate(slice=slice_of(tables.exchanges.ts, span.block_seconds))
    book = _book(exchanges, tables)
    config = DetectConfig()
    known = find_crowds(book, config)
    rng = np.random.default_rng([seed, 91])
    crowds = Crowds(known.account, known.born, [_drawn(known, rng) for _ in range(_DRAWN)])
    pool = judgement.observe(exchanges, _NOTHING, [], [], book, span, config).pool
    return [one.log_e for one in weigh_cohorts(Scene(exchanges, pool, span, book, config, 0), crowds)[1]]


_NOTHING: Any = None
"""No candidates of text are looked up where there are no groups."""


def _book(exchanges: ir.Table, tables: Tables) -> Book:
    totals = account_totals(exchanges).to_pyarrow()
    return make_book(totals, tables.accounts.to_pyarrow(), tables.enforcement.to_pyarrow())


def _drawn(known: Crowds, rng: np.random.Generator) -> Cohort:
    """Draw a cohort of 16 to 160 accounts, said to be opened long ago."""
    members = np.sort(rng.choice(known.account.size, int(rng.integers(16, 161)), replace=False))
    return Cohort(members, float(known.born.min()), 0.25, 1.0, 0.0)


def rows_of(point: str, runs: list[dict[str, Any]]) -> list[Row]:
    """The rows of one point."""
    seeds = [run["seed"] for run in runs]
    shown = "prompts shown" if runs[0]["prompts"] else "prompts hidden"
    honest = sum(run["honest_accounts"] for run in runs)
    harm = (
        (f"{point}/false-reports", sum(run["false_reports"] for run in runs), "reports", "<= 0", shown),
        (
            f"{point}/honest-named",
            sum(run["honest_named"] for run in runs) / honest * 1e5,
            "per 100,000",
            "<= 1",
            f"{sum(run['honest_named'] for run in runs)} of {honest:,}",
        ),
    )
    rows = [harness.row(*one[:4], seeds=seeds, note=one[4]) for one in harm]
    return [*(_null_rows(runs, seeds) if point == CALM else _found_rows(point, runs, seeds)), *rows]


def _found_rows(point: str, runs: list[dict[str, Any]], seeds: list[int]) -> list[Row]:
    recalls = [run["recall"] for run in runs]
    found = fmean(recall >= FOUND for recall in recalls)
    return [
        harness.row(
            f"{point}/campaigns-found", found, "share", ">= 0.9" if point == "bar" else None, seeds=seeds
        ),
        harness.row(
            f"{point}/accounts-found",
            median(recalls),
            "median share",
            seeds=seeds,
            note=f"{min(recalls):.3f} to {max(recalls):.3f}",
        ),
    ]


def _null_rows(runs: list[dict[str, Any]], seeds: list[int]) -> list[Row]:
    log_e = np.concatenate([run["random_log_e"] for run in runs])
    capped = np.minimum(np.exp(log_e), _MOST_E)
    return [
        harness.row(
            f"{CALM}/random-cohorts/mean-e",
            float(capped.mean()),
            "e-value, counted up to 100",
            "<= 1",
            seeds=seeds,
            note=f"{log_e.size} cohorts; largest log e {log_e.max():.1f}",
        )
    ]


def main(argv: list[str] | None = None) -> int:
    """Run the points and report."""
    parser = harness.parser(__doc__)
    parser.add_argument("--seeds", type=parse_seeds, default=parse_seeds("91-100"))
    parser.add_argument("--points", nargs="+", choices=[*POINTS, CALM], default=["bar", CALM])
    parser.add_argument("--prompts", action="store_true", help="show the prompts to detection")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no world after so long")
    asked = parser.parse_args(argv)
    end = time.monotonic() + 60.0 * asked.minutes
    runs: dict[str, list[dict[str, Any]]] = {}
    DETAILS.parent.mkdir(parents=True, exist_ok=True)
    with DETAILS.open("w") as details:
        for seed, point in product(asked.seeds, asked.points):
            if time.monotonic() < end:
                run = measure(point, seed, prompts=asked.prompts)
                details.write(json.dumps(run) + "\n")
                details.flush()
                runs.setdefault(point, []).append(run)
    rows = [row for point in asked.points if point in runs for row in rows_of(point, runs[point])]
    return harness.finish("quality_behaviour", rows, strict=asked.strict)


if __name__ == "__main__":
    sys.exit(main())
