"""Judgement: from candidates to groups with evidence, features and a verdict."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detect import behaviour, evidence, features, membership, strands, verdict
from stillwatch.detect.assemble import Judged
from stillwatch.detect.behaviour import Excerpts
from stillwatch.detect.candidates import Candidate, refined
from stillwatch.detect.carriers import CLASS_BITS, Marks
from stillwatch.detect.declared import Confirmed, declared_parts
from stillwatch.detect.keyindex import KeyIndex
from stillwatch.detect.likeness import without_refused
from stillwatch.detect.mixture import purified
from stillwatch.detect.nested import merged, without_hosts
from stillwatch.detect.placebo import Placebos, draw_pool
from stillwatch.detect.profiles import Frame, make_profiles, newest_model
from stillwatch.detect.representatives import independent
from stillwatch.detect.tables import Span, confirmation_blocks
from stillwatch.model.findings import Verdict
from stillwatch.model.views import KIND_MASK, View
from stillwatch.stats.fdr import e_bh, e_bh_levels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stillwatch.detect.behaviour import Behaviour
    from stillwatch.detect.book import Book
    from stillwatch.detect.config import DetectConfig
    from stillwatch.detect.discovery import Discovered
    from stillwatch.detect.strands import HitReader

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SECOND_VIEW_LOG_E = float(np.log(20.0))
"""A second view counts from e = 20 on: what a single test at 5 % would ask (`docs/method.md`)."""
_LEAST_RHYTHM = 1e-9


def confirm_all(
    exchanges: ir.Table, discovered: Discovered, book: Book, config: DetectConfig
) -> list[Confirmed]:
    """Confirm the candidates on held-out exchanges, refine their keys, and leave out repeats.

    Args:
        exchanges: Exchanges of all slices.
        discovered: Candidates.
        book: All accounts.
        config: Settings.
    """
    reader = strands.HitReader(exchanges, KeyIndex.of(book.fingerprint))
    groups = _distinct(_confirm(reader, discovered, discovered.found, book, config))
    for share in config.refinements:
        groups = _refined(reader, discovered, groups, share, book, config)
        if thin := [group for group in groups if group.membership.sparse]:  # few keys are found at first
            again = _refined(reader, discovered, thin, share, book, config)
            groups = _distinct([*(group for group in groups if not group.membership.sparse), *again])
    named = [group for group in groups if group.membership.strands.account.size >= config.least_accounts]
    parts = [part for group in named for part in declared_parts(group, book, config.least_accounts)]
    return [Confirmed(part.keys, without_refused(part.membership, book)) for part in parts]


def _refined(
    reader: HitReader,
    discovered: Discovered,
    groups: Sequence[Confirmed],
    share: float,
    book: Book,
    config: DetectConfig,
) -> list[Confirmed]:
    """Choose the keys of the groups anew and confirm them; a group that no key marks any more is left out."""
    again = refined(
        discovered.keys,
        discovered.sample,
        discovered.speech,
        [group.membership.alike for group in groups],
        [group.keys for group in groups],
        share,
    )
    marked = [(one, group) for one, group in zip(again, groups, strict=True) if one]
    changed = [not np.array_equal(one.keys, group.keys) for one, group in marked]
    fresh = [one for (one, _), new in zip(marked, changed, strict=True) if new]
    better = iter(_confirm(reader, discovered, fresh, book, config))
    return _distinct(
        [
            _better(group, next(better) if new else None)
            for (_, group), new in zip(marked, changed, strict=True)
        ]
    )


def _better(group: Confirmed, again: Confirmed | None) -> Confirmed:
    """Choose between a group and what it is by its new keys.

    Keys that are added make nobody less of a member: where some would be lost, since they send one of the
    present keys and nothing of the new ones, the present keys stand. Keys that are taken away may lose some.
    """
    if again is None:
        return group
    fewer = again.membership.strands.account.size < group.membership.strands.account.size
    return group if fewer and np.isin(group.keys, again.keys).all() else again


def _confirm(
    reader: HitReader, discovered: Discovered, found: Sequence[Candidate], book: Book, config: DetectConfig
) -> list[Confirmed | None]:
    """Confirm each candidate; None where the sharing is not proven or too few accounts are left.

    Of a sparse group those count who are alike: when its keys are chosen anew from them, more are named.
    """
    if not found:
        return []
    marks = marks_of(discovered, [one.keys for one in found])
    carriers = strands.split_strands(reader.hits(marks), len(found))
    sizes = [one.keys.size for one in found]
    confirmed = membership.confirm_all(carriers, book, config.member_fdr, sizes)
    real = e_bh(np.array([one.group_log_e for one in confirmed]), config.fdr)
    return [
        Confirmed(one.keys, group) if sure and group.circle.size >= config.least_accounts else None
        for one, group, sure in zip(found, confirmed, real, strict=True)
    ]


def _distinct(groups: Sequence[Confirmed | None]) -> list[Confirmed]:
    known = [group for group in groups if group]
    return [known[at] for at in membership.distinct([group.membership for group in known])]


def marks_of(discovered: Discovered, chosen: Sequence[Ints]) -> Marks:
    """Look up the raw keys of each group."""
    owner = np.repeat(np.arange(len(chosen)), [keys.size for keys in chosen])
    classes = np.concatenate([np.arange(keys.size) for keys in chosen]) % CLASS_BITS
    raw, place = discovered.classes.members_of(discovered.keys.key[np.concatenate(list(chosen))])
    return Marks.of(raw, owner[place], np.int64(1) << classes[place], len(chosen))


@dataclass(frozen=True)
class Pool:
    """The placebo pool: its exchanges, its null distributions and its reference values."""

    rows: Behaviour
    placebos: Placebos
    reference: features.Reference
    frame: Frame


@dataclass(frozen=True)
class Observed:
    """What is judged: the members' exchanges and the pool that they are compared with."""

    rows: Excerpts
    pool: Pool


def observe(
    exchanges: ir.Table,
    discovered: Discovered,
    groups: Sequence[Confirmed],
    apart: Sequence[Ints],
    book: Book,
    span: Span,
    config: DetectConfig,
) -> Observed:
    """Read the exchanges of the members and those of the placebo pool.

    Args:
        exchanges: Exchanges of all slices.
        discovered: Candidates.
        groups: Confirmed groups; their members are kept out of the pool.
        apart: Account numbers of other candidates, kept out of the pool as well.
        book: All accounts.
        span: What the exchanges cover.
        config: Settings.
    """
    outside = [*apart, *(group.membership.strands.account for group in groups)]
    sent = _read_pool(exchanges, book, outside, config)
    with ThreadPoolExecutor(1) as other:  # the pool is numbered while the engine reads the members
        pool = other.submit(_make_pool, sent, book, span, config)
        rows = _read_members(exchanges, discovered, groups, book, config.behaviour_accounts)
        return Observed(rows, pool.result())


def _read_pool(exchanges: ir.Table, book: Book, groups: Sequence[Ints], config: DetectConfig) -> pa.Table:
    inside = np.full(book.size, -1)
    for number, accounts in enumerate(groups):
        inside[accounts] = number
    chosen = draw_pool(book, inside, config.placebo_accounts, np.random.default_rng([config.seed, 1]))
    table = ibis.memtable(pa.table({"account_fp": book.fingerprint[chosen]}))
    sent = exchanges.semi_join(table, "account_fp").select(*behaviour.COLUMNS)
    return sent.mutate(group=ibis.literal(-1, type="int64")).to_pyarrow()


def _make_pool(sent: pa.Table, book: Book, span: Span, config: DetectConfig) -> Pool:
    rows = behaviour.read_behaviour(sent, book.fingerprint)
    frame = Frame(confirmation_blocks(span), span.block_seconds, newest_model(rows))
    profiles = make_profiles(rows, book, frame)
    rhythm = profiles.counts.sum(axis=0) + _LEAST_RHYTHM
    placebos = Placebos(profiles, book.exchanges[profiles.account], rhythm, config.placebos, config.seed)
    return Pool(rows, placebos, features.reference_of(rows, book), frame)


def _read_members(
    exchanges: ir.Table, discovered: Discovered, groups: Sequence[Confirmed], book: Book, most: int
) -> Excerpts:
    """Read the strand exchanges of at most `most` members of each group."""
    accounts = KeyIndex.of(book.fingerprint)
    if not groups:
        return Excerpts([], np.empty(0, np.int64))
    sampled = [group.membership.strands.account[-most:] for group in groups]
    owner = np.repeat(np.arange(len(groups)), [sample.size for sample in sampled]).astype(np.int64)
    sample = behaviour.Sample(book.fingerprint[np.concatenate(sampled)], owner)
    marks = marks_of(discovered, [group.keys for group in groups])
    return Excerpts.of(behaviour.strand_rows(exchanges, marks, sample), accounts)


def judge(
    groups: Sequence[Confirmed],
    observed: Observed,
    discovered: Discovered,
    book: Book,
    config: DetectConfig,
) -> list[Judged]:
    """Weigh every group and give its verdict.

    The claim "campaign" has two nulls, that the sharing is chance and that the accounts otherwise act
    independently; a group's e-value is the smaller of the two, which is an e-value for their union. e-BH runs
    over all candidates, those that were dropped included (with e = 0).
    """
    studied = _studied(dict(enumerate(groups)), observed, discovered, book, config.seed)
    candidates = max(len(discovered.found), len(groups))
    judged = _judged(groups, studied, np.zeros(len(groups)), candidates, config)
    groups, price = _purified(groups, judged, book, observed.pool.reference, config.least_accounts)
    again = {number: groups[number] for number in np.flatnonzero(price).tolist()}
    if again:
        studied |= _studied(again, observed, discovered, book, config.seed)
        judged = _judged(groups, studied, price, candidates, config)
    return merged(without_hosts(judged, book, observed.pool.reference))


def _purified(
    groups: Sequence[Confirmed], judged: Sequence[Judged], book: Book, ref: features.Reference, least: int
) -> tuple[list[Confirmed], Floats]:
    """Leave out parts of campaigns that are none, and then organisations beside what is left.

    With the groups comes the log of the parts among which was chosen.
    """
    left, price = list(groups), np.zeros(len(groups))
    for number, one in enumerate(judged):
        pure = purified(one, book, ref) if one.verdict is Verdict.CAMPAIGN else None
        if pure:
            rest = Confirmed(one.keys, without_refused(one.membership.only(pure.kept), book))
            left[number] = declared_parts(rest, book, least)[-1]
            price[number] = np.log(pure.parts)
    return left, price


def _judged(
    groups: Sequence[Confirmed],
    studied: Mapping[int, _Studied],
    price: Floats,
    candidates: int,
    config: DetectConfig,
) -> list[Judged]:
    """Give each group its verdict; the log e-values are less what was paid for a choice among parts."""
    found = [
        min(group.membership.group_log_e, studied[at].evidence.log_e) - price[at]
        for at, group in enumerate(groups)
    ]
    log_e = np.array([*found, *[-np.inf] * (candidates - len(groups))])
    levels, coordinated = e_bh_levels(log_e), e_bh(log_e, config.fdr)
    judged = []
    for at, group in enumerate(groups):
        one = studied[at]
        ranked = verdict.hypotheses(one.features)
        second = any(
            value >= _SECOND_VIEW_LOG_E
            for view, value in one.evidence.view_log_e.items()
            if view is not View.TEXT
        )
        said = verdict.decide(
            ranked, coordinated=bool(coordinated[at]), second_view=second, verdict_error=config.verdict_error
        )
        judged.append(
            Judged(
                keys=group.keys,
                raw=one.raw,
                membership=group.membership,
                evidence=one.evidence,
                features=one.features,
                rows=one.rows,
                ranked=ranked,
                verdict=said,
                log_e=float(log_e[at]),
                level=float(levels[at]),
            )
        )
    return judged


@dataclass(frozen=True)
class _Studied:
    """What is known of a group before its verdict."""

    raw: Ints
    rows: Behaviour
    evidence: evidence.Evidence
    features: dict[str, float]


def _studied(
    groups: Mapping[int, Confirmed], observed: Observed, discovered: Discovered, book: Book, seed: int
) -> dict[int, _Studied]:
    pool = observed.pool
    mine = {number: _sent(observed.rows.of_group(number), group) for number, group in groups.items()}
    raw = {number: discovered.keys.key[group.keys] for number, group in groups.items()}
    with ThreadPoolExecutor(os.cpu_count()) as cores:  # null distributions are made meanwhile
        halves = {}
        for number, group in groups.items():
            half = halves[number] = _halved(group, mine[number], pool, book, seed)
            pool.placebos.prepare(half.placebos if half else (), cores)
        known = {
            number: features.features_of(
                group.membership.strands,
                mine[number],
                book,
                pool.reference,
                _kinds(raw[number]),
                group.membership.circle,
            )
            for number, group in groups.items()
        }
    studied = {}
    for number, half in halves.items():
        found = evidence.weigh(half, pool.placebos)
        keys = features.effective_keys(discovered.keys.accounts[groups[number].keys])
        whole = known[number] | keys | features.schedule(found)
        studied[number] = _Studied(raw[number], mine[number], found, whole)
    return studied


def _kinds(raw: Ints) -> frozenset[int]:
    return frozenset((raw & KIND_MASK).tolist())


def _sent(rows: Behaviour, group: Confirmed) -> Behaviour:
    """Keep the exchanges of the accounts that are members still."""
    still = np.isin(rows.account, group.membership.strands.account)
    return rows if still.all() else rows.rows(still)


def _halved(group: Confirmed, mine: Behaviour, pool: Pool, book: Book, seed: int) -> evidence.Halves | None:
    rng = np.random.default_rng([seed, 2, int(group.keys[0])])
    mine = independent(mine, book.codes["org_id"], np.random.default_rng([seed, 6, int(group.keys[0])]))
    profiles = make_profiles(mine, book, pool.frame)
    place = np.searchsorted(group.membership.strands.account, profiles.account)
    volume = group.membership.strands.hits.sum(axis=1)[place]
    return evidence.halved(profiles, volume, pool.placebos.rhythm, rng)
