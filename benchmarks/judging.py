"""One scenario, one seed: make the world, run a detector, set what it says beside the truth.

Shared by the `quality_*` benchmarks and by the test of the stored baseline. Worlds are made as columns in a
temporary folder; the detector under test is given the store only.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from peers import read_log
from stillwatch.app.world_columns import make_columns
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.pipeline import detect
from stillwatch.detect.tables import Tables
from stillwatch.model.findings import Verdict
from stillwatch.store import open_store
from stillwatch.worlds import SCENARIOS as CATALOGUE
from stillwatch.worlds import cards, ladder
from stillwatch.worlds.score import score_claims
from stillwatch.worlds.score_claims import Claim

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from peers.log import Log
    from peers.training import Trained
    from stillwatch.model.findings import Detection
    from stillwatch.store import StoreReader
    from stillwatch.worlds import Scenario

SCENARIOS = tuple({one.id: one for one in (*CATALOGUE, *cards.SCENARIOS, *ladder.SCENARIOS)}.values())
"""All scenarios with an id, those of cards and ladder included."""
NOW = datetime(2026, 11, 1, tzinfo=UTC)
TAKEN = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.7, 1.0)
"""Shares of a campaign's final exchanges at which it is asked whether it has been reported."""
_TRUTH = ("account_id", "population", "fleet", "campaign", "is_strand", "ts")


@dataclass(frozen=True)
class Place:
    """A world on disk: its store and its truth, one row an exchange."""

    store: Path
    truth: pa.Table


def scenario_of(name: str) -> Scenario:
    """Find a scenario by its permanent id.

    Raises:
        KeyError: There is none of that name.
    """
    return {one.id: one for one in SCENARIOS}[name]


@contextmanager
def world(scenario: str, seed: int, scale: float) -> Iterator[Place]:
    """Make the world, and remove it when the block is left."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        store = make_columns(scenario_of(scenario), seed, scale, out)
        yield Place(store, pq.read_table(out / "truth.parquet", columns=list(_TRUTH)))


def judge(
    scenario: str,
    seed: int,
    scale: float = 1.0,
    *,
    config: DetectConfig | None = None,
    peers: Sequence[Trained] = (),
    early: bool = False,
) -> dict[str, Any]:
    """Judge stillwatch, and the trained `peers`, on one world.

    Args:
        scenario: Id in the catalogue.
        seed: Seed of the world.
        scale: Factor on numbers of accounts.
        config: Settings of detection.
        peers: Peers with the settings that training chose.
        early: Also find how much each campaign had taken when it was first reported.

    Returns:
        `scenario`, `seed`, `scale`, and for each detector its figures.
    """
    used = config or DetectConfig()
    with world(scenario, seed, scale) as place:
        start = time.perf_counter()
        found = run(place.store, used)
        seconds = time.perf_counter() - start
        ours = figures(place.truth, claims_of(found))
        result = {"scenario": scenario, "seed": seed, "scale": scale, "seconds": seconds, "stillwatch": ours}
        ours["sigma"], ours["mean_e"] = found.audit.sigma, found.audit.mean_e
        if early:
            ours["taken_at_first_report"] = first_reports(place, used, _reported(place.truth, found))
        if peers:
            log = read_log(place.store)
            result["peers"] = {one.peer.name: _peer(one, log, place.truth) for one in peers}
    return result


def _peer(trained: Trained, log: Log, truth: pa.Table) -> dict[str, Any]:
    claims = [Claim(tuple(log.names[members].tolist())) for members in trained.claims(log)]
    return figures(truth, claims)


def run(store: Path, config: DetectConfig, until: datetime | None = None) -> Detection:
    """Run stillwatch on what a store held at `until`."""
    with open_store(store) as reader:
        return detect(tables_of(reader, until), config, NOW)


def tables_of(reader: StoreReader, until: datetime | None = None) -> Tables:
    """The tables of a store, without what came after `until`."""
    exchanges, enforcement = reader.exchanges(), reader.enforcement()
    if until is not None:
        exchanges, enforcement = (
            exchanges.filter(exchanges.ts <= until),
            enforcement.filter(enforcement.ts <= until),
        )
    return Tables(exchanges, reader.accounts(), enforcement)


def claims_of(found: Detection, verdicts: Collection[Verdict] = (Verdict.CAMPAIGN,)) -> list[Claim]:
    """What stillwatch claims: the groups with such a verdict."""
    return [
        Claim(tuple(m.account_id for m in group.members), group.id, None, group.error_rate.total)
        for group in found.groups
        if group.verdict in verdicts
    ]


def figures(truth: pa.Table, claims: Sequence[Claim]) -> dict[str, Any]:
    """The figures of one detector on one world, as plain numbers."""
    score = score_claims(truth, claims)
    fleets = pc.count_distinct(truth["fleet"]).as_py()
    return {
        "found": score.found_share,
        "found_by_campaign": {one.campaign: one.recall for one in score.campaigns},
        "campaigns": len(score.campaigns),
        "campaigns_reported": sum(one.reports > 0 for one in score.campaigns),
        "purity": score.purity,
        "reports": score.reports,
        "false_reports": score.false_reports,
        "honest_accounts": score.honest_accounts,
        "honest_named": score.honest_named,
        "honest_named_per_100k": score.honest_named_per_100k,
        "honest_fleets": fleets,
        "honest_fleets_reported": len(set(score.honest_fleets)),
        "which_fleets": sorted(set(score.honest_fleets)),
        "named_by_kind": named_by_kind(truth, claims),
        "stated_fdr": score.stated_fdr,
        "realised_fdr": score.realised_fdr,
    }


def named_by_kind(truth: pa.Table, claims: Sequence[Claim]) -> dict[str, float]:
    """Share of the accounts of each kind of honest fleet that stand in any claim."""
    named = pa.array(sorted({account for one in claims for account in one.accounts}), pa.string())
    rows = truth.filter(truth["fleet"].is_valid()).group_by(["account_id", "fleet"]).aggregate([])
    kind = pc.list_element(pc.split_pattern(rows["fleet"], "-"), 0)
    told = pa.table({"kind": kind, "named": pc.is_in(rows["account_id"], named).cast(pa.float64())})
    shares = told.group_by("kind").aggregate([("named", "mean")])
    return dict(sorted(zip(shares["kind"].to_pylist(), shares["named_mean"].to_pylist(), strict=True)))


def first_reports(place: Place, config: DetectConfig, reported: Collection[str]) -> dict[str, float | None]:
    """Return for each campaign the share that it had taken when it was first reported; None if it never was.

    Detection is asked at the moments at which the campaign has taken the shares of `TAKEN`, and the first
    moment with a true report is found by bisection: a campaign that is reported once is taken to be reported
    ever after.

    Args:
        place: The world.
        config: Settings of detection.
        reported: Campaigns that are reported from the whole log.
    """
    names = pc.unique(place.truth["campaign"]).drop_null().to_pylist()
    return {name: _first_report(place, name, config) if name in reported else None for name in sorted(names)}


def _first_report(place: Place, campaign: str, config: DetectConfig) -> float:
    theirs = pc.and_kleene(pc.equal(place.truth["campaign"], campaign), place.truth["is_strand"])
    sent = place.truth["ts"].filter(theirs).cast(pa.int64()).sort().to_numpy()
    low, high = 0, len(TAKEN) - 1
    while low < high:
        middle = (low + high) // 2
        last = sent[max(int(np.ceil(TAKEN[middle] * sent.size)) - 1, 0)]
        found = run(place.store, config, datetime.fromtimestamp(last / 1e6, tz=UTC))
        low, high = (low, middle) if campaign in _reported(place.truth, found) else (middle + 1, high)
    return TAKEN[low]


def _reported(truth: pa.Table, found: Detection) -> set[str]:
    """Campaigns of which a report consists for more than half."""
    score = score_claims(truth, claims_of(found))
    return {one.campaign for one in score.campaigns if one.reports > 0}


def guilty_of(log: Log, truth: pa.Table) -> np.ndarray:
    """Tell which accounts of a log belong to a campaign, for training."""
    names = pc.unique(truth["account_id"].filter(truth["campaign"].is_valid()))
    return np.isin(log.names, np.asarray(names.to_pylist(), dtype=np.str_))


def flat(result: Mapping[str, Any]) -> dict[str, float]:
    """The figures of stillwatch that the stored baseline compares."""
    ours = result["stillwatch"]
    return {
        name: float(ours[name])
        for name in ("found", "purity", "reports", "false_reports", "honest_named", "honest_fleets_reported")
    }
