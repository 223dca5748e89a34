"""Judgement of crowds: evidence for each cohort, one e-BH over all of them, a verdict for each crowd."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detect import behaviour, crowd, features, habits, verdict
from stillwatch.detect.assemble import Judged
from stillwatch.detect.crowd_evidence import SCHEDULE, weigh_cohort
from stillwatch.detect.crowd_exits import Exits, candidates
from stillwatch.detect.crowd_strands import (
    hourly_counts,
    modal_addresses,
    modal_settings,
    whole_strands,
)
from stillwatch.detect.membership import Membership
from stillwatch.detect.profiles import COVARIANCE, make_profiles
from stillwatch.detect.schedules import LEAST_DAYS, Schedules
from stillwatch.model.findings import Verdict
from stillwatch.model.views import View
from stillwatch.stats.evalues import log_mean_e
from stillwatch.stats.fdr import e_bh, e_bh_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from stillwatch.detect.behaviour import Behaviour
    from stillwatch.detect.book import Book
    from stillwatch.detect.cohorts import Cohort
    from stillwatch.detect.config import DetectConfig
    from stillwatch.detect.evidence import Evidence
    from stillwatch.detect.judgement import Pool
    from stillwatch.detect.strands import Strands
    from stillwatch.detect.tables import Span

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_DAY = 86_400.0
_SETTLED_DAYS = 2.0
"""Days after its sign-up in which an account tries things out, as all new accounts do."""
_SECOND_VIEW_LOG_E = float(np.log(20.0))
_EXPLAINED = 0.6
"""A cohort of which so much belongs to a campaign that its text has shown says nothing new."""


@dataclass(frozen=True)
class Scene:
    """What the judgement of a run needs.

    Attributes:
        exchanges: Exchanges of all slices.
        pool: Placebo pool, without the accounts of the cohorts.
        span: What the exchanges cover.
        book: All accounts.
        config: Settings.
        others: Candidates of other kinds in this run.
    """

    exchanges: ir.Table
    pool: Pool
    span: Span
    book: Book
    config: DetectConfig
    others: int

    @cached_property
    def begin(self) -> float:
        """Day of the first exchange."""
        return self.span.first.timestamp() / _DAY


def judge_crowds(scene: Scene, crowds: crowd.Crowds, judged: Sequence[Judged]) -> list[Judged]:
    """Weigh every cohort and give each crowd of coordinated ones a verdict.

    A cohort has two nulls, that the burst of sign-ups is chance and that its accounts act as anybody else;
    its e-value is the smaller of the two. e-BH runs over the cohorts and all other candidates of the run,
    these with e = 0.

    Args:
        scene: What the judgement needs.
        crowds: All cohorts.
        judged: Groups that share text, already judged.
    """
    cohorts = _unexplained(crowds, judged)
    if not cohorts:
        return []
    crowds = replace(crowds, cohorts=cohorts)
    rows, weighed = weigh_cohorts(scene, crowds)
    log_e = np.array([min(c.log_e, e.log_e) for c, e in zip(cohorts, weighed, strict=True)])
    everything = np.concatenate([log_e, np.full(scene.others, -np.inf)])
    sure = e_bh(everything, scene.config.fdr)[: log_e.size]
    if not sure.any():
        return []
    levels = e_bh_levels(everything)
    exits = _exits(scene)
    crowds = crowd.with_unknown(crowd.thinned(crowds), _of_unknown_birth(scene, crowds, exits))
    ways = _ways(scene, crowds)
    found = [
        crowd.named(crowds, numbers, ways, exits, scene.config)
        for numbers in crowd.linked(crowds, sure, ways)
    ]
    found = [one for one in found if one.rows.size >= scene.config.least_accounts]
    strands = whole_strands(scene.exchanges, [crowds.account[one.rows] for one in found], scene.book)
    text = [one.membership.strands.account for one in judged]
    return [
        _judged(
            scene,
            _membership(one, mine, [crowds.cohorts[n] for n in one.cohorts]),
            rows.rows(np.isin(rows.account, mine.account)),
            [weighed[n] for n in one.cohorts],
            {
                "sign_up_batches": float(one.batches),
                "shared_text": _shared(mine.account, text),
                "crowd_exits": one.at_exits,
            },
            (float(log_mean_e(log_e[one.cohorts])), float(levels[one.cohorts].min())),
        )
        for one, mine in zip(found, strands, strict=True)
    ]


def _exits(scene: Scene) -> Exits:
    """Where the accounts without a declared relation come from."""
    address = modal_addresses(scene.exchanges, scene.book)
    account = np.flatnonzero(crowd.unrelated(scene.book) & (address >= 0))
    return Exits(account, address[account], scene.book.created[account])


def _of_unknown_birth(scene: Scene, crowds: crowd.Crowds, exits: Exits) -> Ints:
    """Accounts without a birth that stand at exits of the cohorts and send enough to have habits."""
    found = candidates(exits, crowd.hours_of(crowds.cohorts))
    return found[scene.book.exchanges[found] >= habits.LEAST_EXCHANGES]


def with_crowds(judged: Sequence[Judged], crowds: Sequence[Judged]) -> list[Judged]:
    """Put crowds beside the groups that share text, campaigns first.

    A crowd with an honest explanation is left out where most of it stands in one group of text: that group
    tells the same in more detail.
    """
    text = [one.membership.strands.account for one in judged]
    kept = [
        one
        for one in crowds
        if one.ranked[0].kind is Verdict.CAMPAIGN
        or _shared(one.membership.strands.account, text) < _EXPLAINED
    ]
    order = {Verdict.CAMPAIGN: 0, Verdict.UNDECIDED: 1}
    return sorted([*judged, *kept], key=lambda one: order.get(one.verdict, 2))


def _unexplained(crowds: crowd.Crowds, judged: Sequence[Judged]) -> list[Cohort]:
    campaigns = [one.membership.strands.account for one in judged if one.verdict is Verdict.CAMPAIGN]
    return [
        cohort for cohort in crowds.cohorts if _shared(crowds.account[cohort.members], campaigns) < _EXPLAINED
    ]


def _shared(accounts: Ints, groups: Sequence[Ints]) -> float:
    """Largest share of the accounts that one of the groups holds."""
    return max((float(np.isin(accounts, group).mean()) for group in groups), default=0.0)


def _ways(scene: Scene, crowds: crowd.Crowds) -> crowd.Ways:
    asked = (scene.exchanges, crowds.account, scene.book)
    shown = habits.habits_of(habits.hourly(*asked), *asked[1:])
    return crowd.Ways(shown, hourly_counts(*asked, scene.span), modal_settings(*asked))


def _read(scene: Scene, crowds: crowd.Crowds) -> Behaviour:
    """Read all exchanges of a sample of each cohort."""
    sampled = [accounts[-scene.config.behaviour_accounts :] for accounts in crowds.members()]
    owner = np.repeat(np.arange(len(sampled)), [accounts.size for accounts in sampled]).astype(np.int64)
    fingerprint = scene.book.fingerprint
    chosen = pa.table({"account_fp": fingerprint[np.concatenate(sampled)], "group": owner})
    sent = scene.exchanges.select(*behaviour.COLUMNS).join(ibis.memtable(chosen), "account_fp")
    return behaviour.read_behaviour(sent.to_pyarrow(), fingerprint)


def _of_group(rows: Behaviour, number: int) -> Behaviour:
    low, high = np.searchsorted(rows.group, [number, number + 1])
    return rows.rows(slice(int(low), int(high)))


def weigh_cohorts(scene: Scene, crowds: crowd.Crowds) -> tuple[Behaviour, list[Evidence]]:
    """Read a sample of each cohort, group after group, and weigh it."""
    rows = _read(scene, crowds)
    known: dict[int, Schedules | None] = {}
    placebos = scene.pool.placebos
    pool = (placebos, np.flatnonzero(crowd.sought(scene.book)[placebos.profiles.account]))
    weighed = []
    for number, cohort in enumerate(crowds.cohorts):
        mine = _of_group(rows, number)
        settled = cohort.start + cohort.days + _SETTLED_DAYS
        first = int(np.ceil(max(settled, scene.begin) * 24.0))
        if first not in known:
            known[first] = _schedules(scene, first)
        profiles = make_profiles(mine, scene.book, scene.pool.frame)
        rng = np.random.default_rng([scene.config.seed, 5, int(profiles.account[0])])
        sample = (mine, profiles, scene.book.exchanges[profiles.account])
        weighed.append(weigh_cohort(*sample, *pool, known[first], rng, settled=settled <= scene.begin))
    return rows, weighed


def _schedules(scene: Scene, first_hour: int) -> Schedules | None:
    days = int((scene.span.last.timestamp() / 3600.0 - first_hour) // 24)
    if days < LEAST_DAYS:
        return None
    return Schedules.of(scene.pool.rows, scene.pool.placebos, first_hour, days)


def _membership(found: crowd.Named, strands: Strands, cohorts: Sequence[Cohort]) -> Membership:
    """Members with e-values calibrated from their p-values, 1 / (2 sqrt p) (Vovk and Wang 2021)."""
    return Membership(
        strands=strands,
        log_e=-np.log(2.0) - 0.5 * np.log(found.p_value),
        group_log_e=float(log_mean_e([cohort.log_e for cohort in cohorts])),
        background=found.strangers,
        dispersion=0.0,
        held_out=0,
        sent=int(strands.hits.sum()),
    )


def _judged(
    scene: Scene,
    membership: Membership,
    rows: Behaviour,
    weighed: Sequence[Evidence],
    told: dict[str, float],
    evidence: tuple[float, float],
) -> Judged:
    """Give a crowd its verdict; `told` are features that only crowds have, `evidence` log e and level."""
    strongest = max(weighed, key=lambda one: one.log_e)
    strands, nothing = membership.strands, np.empty(0, np.int64)
    known = features.features_of(strands, rows, scene.book, scene.pool.reference, frozenset())
    known |= {**told, "software_keys": float("nan"), "schedule": _spreads(weighed)}
    orgs = scene.book.codes["org_id"]
    if (orgs >= 0).any() and (orgs[strands.account] < 0).all():
        known["same_organisation"] = 0.0  # the operator keeps organisations, and none of these has one
    ranked = verdict.hypotheses(known)
    second = any(
        value >= _SECOND_VIEW_LOG_E
        for one in weighed
        for view, value in one.view_log_e.items()
        if view is not View.IDENTITY
    )
    said = verdict.decide(
        ranked, coordinated=True, second_view=second, verdict_error=scene.config.verdict_error
    )
    return Judged(nothing, nothing, membership, strongest, known, rows, ranked, said, *evidence)


def _spreads(weighed: Sequence[Evidence]) -> float:
    """Spreads by which the joint schedule stands out, the largest over the cohorts; NaN where unknown."""
    told = [
        (one.value - one.reference) / one.spread
        for found in weighed
        for one in found.measured
        if one.name in (SCHEDULE, COVARIANCE) and one.spread > 0
    ]
    return max(told, default=float("nan"))
