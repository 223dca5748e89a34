"""Detection as a whole: reads as the four stages, keys, groups, evidence, verdict."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from stillwatch.detect import judgement, skeletons
from stillwatch.detect.assemble import Judged, group_of
from stillwatch.detect.audit import audit_null
from stillwatch.detect.behaviour import COLUMNS as BEHAVIOUR_COLUMNS
from stillwatch.detect.behaviour import Sample, strand_rows
from stillwatch.detect.book import Book, account_totals, coded, make_book
from stillwatch.detect.crowd import find_crowds
from stillwatch.detect.crowd_judgement import Scene, judge_crowds, with_crowds
from stillwatch.detect.discovery import Discovered, discover
from stillwatch.detect.keyindex import KeyIndex
from stillwatch.detect.leiden import Partitioner, partitions
from stillwatch.detect.pairs import Pairs
from stillwatch.detect.profiles import COVARIANCE
from stillwatch.detect.tables import DISCOVERY, Span, Tables, measure_span, slice_of
from stillwatch.model.findings import Detection, Group, NullAudit, Skeleton, Verdict
from stillwatch.model.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from stillwatch.detect.config import DetectConfig
    from stillwatch.detect.evidence import Evidence

_READ = ("keys", "system_fp", "input_tokens", "output_tokens", "source_ref", "language")
_LEAST_ACCOUNTS = 50
_ACCUSED = (Verdict.CAMPAIGN, Verdict.UNDECIDED)
_NO_LINKS = Pairs(*(np.empty(0, np.int64) for _ in range(3)))


def detect(
    tables: Tables,
    config: DetectConfig,
    now: datetime,
    progress: Progress | None = None,
    partitioner: Partitioner = partitions,
) -> Detection:
    """Find the campaigns in the exchanges.

    Args:
        tables: Exchanges, accounts and enforcement events; the last two may be empty.
        config: Settings.
        now: Time of the run, written into the result.
        progress: Told about each stage.
        partitioner: Runs Leiden, which takes one core for a while (`stillwatch.detect.leiden`).
    """
    shown = progress or Silent()
    shown.start("detect", 6)
    span = measure_span(tables.exchanges)
    if span is None:
        shown.finish()
        return _nothing(config, "There are no exchanges in the store.")
    exchanges = _prepared(tables.exchanges, span)
    book = _read_book(exchanges, tables)
    shown.advance()
    if book.size < _LEAST_ACCOUNTS:
        shown.finish()
        note = (
            f"Only {book.size} accounts: below {_LEAST_ACCOUNTS} nothing can be calibrated, "
            "and nothing is said."
        )
        return _nothing(config, note, span, book.size)
    discovered = discover(exchanges.filter(exchanges.slice == DISCOVERY), span, book, config, partitioner)
    shown.advance()
    confirmed = judgement.confirm_all(exchanges, discovered, book, config)
    shown.advance()
    crowds = find_crowds(book, config)
    observed = judgement.observe(exchanges, discovered, confirmed, crowds.members(), book, span, config)
    shown.advance()
    judged = judgement.judge(confirmed, observed, discovered, book, config) if confirmed else []
    scene = Scene(exchanges, observed.pool, span, book, config, len(discovered.found))
    judged = with_crowds(judged, judge_crowds(scene, crowds, judged))
    shown.advance()
    audit = audit_null(observed.pool.placebos, _covariance_p([one.evidence for one in judged]), config.seed)
    groups = _assembled(exchanges, tables, judged, discovered, book, config, now)
    shown.finish()
    return Detection(
        groups=tuple(groups),
        audit=audit,
        accounts=book.size,
        exchanges=span.exchanges,
        candidates=len(discovered.found) + len(crowds.cohorts),
        first_ts=span.first,
        last_ts=span.last,
        fdr_level=config.fdr,
    )


def _prepared(exchanges: ir.Table, span: Span) -> ir.Table:
    """Keep the columns that detection reads, and deal the time blocks to the slices."""
    dealt = exchanges.mutate(slice=slice_of(exchanges.ts, span.block_seconds))
    return dealt.select(*dict.fromkeys((*BEHAVIOUR_COLUMNS, *_READ, "account_id")))


def _read_book(exchanges: ir.Table, tables: Tables) -> Book:
    with ThreadPoolExecutor(1) as other:  # compiled code is loaded while the engine counts
        other.submit(KeyIndex.of, np.empty(0, np.int64))
        accounts = other.submit(coded, tables.accounts.to_pyarrow())
        totals = account_totals(exchanges).to_pyarrow()
        return make_book(totals, accounts.result(), tables.enforcement.to_pyarrow())


def _nothing(config: DetectConfig, note: str, span: Span | None = None, accounts: int = 0) -> Detection:
    audit = NullAudit(0, 1.0, 1.0, 1.0, sound=True, sentence="No null was needed: nothing was judged.")
    return Detection(
        groups=(),
        audit=audit,
        accounts=accounts,
        exchanges=span.exchanges if span else 0,
        candidates=0,
        first_ts=span.first if span else None,
        last_ts=span.last if span else None,
        fdr_level=config.fdr,
        notes=(note,),
    )


def _covariance_p(evidence: Sequence[Evidence]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = [one.p_value for found in evidence for one in found.measured if one.name == COVARIANCE]
    return np.array(values, dtype=np.float64)


def _assembled(
    exchanges: ir.Table,
    tables: Tables,
    judged: Sequence[Judged],
    discovered: Discovered,
    book: Book,
    config: DetectConfig,
    now: datetime,
) -> list[Group]:
    if not judged:
        return []
    names = _names(tables, judged, book)
    accused = [one.verdict in _ACCUSED and one.keys.size > 0 for one in judged]
    with ThreadPoolExecutor(1) as other:  # groups without skeletons are written meanwhile
        shown = [one for one, so in zip(judged, accused, strict=True) if so]
        read = other.submit(_skeletons, exchanges, shown, discovered, book, config)

        def written(one: Judged, links: Pairs, described: list[Skeleton]) -> Group:
            # a group that was not discovered at the level says at which level it would have been
            return group_of(one, book, names, links, described, max(config.fdr, one.level), now)

        plain = [None if so else written(one, _NO_LINKS, []) for one, so in zip(judged, accused, strict=True)]
        described = iter(read.result())
    return [
        group or written(one, discovered.links, next(described))
        for one, group in zip(judged, plain, strict=True)
    ]


def _names(tables: Tables, judged: Sequence[Judged], book: Book) -> dict[int, str]:
    """Read the account ids of all members: from the operator's records, from the log where there is none."""
    members = np.unique(np.concatenate([one.membership.strands.account for one in judged]))
    wanted = book.fingerprint[members]
    names = _ids(tables.accounts, wanted)
    missing = wanted[~book.known[members]]
    return names | _ids(tables.exchanges, missing) if missing.size else names


def _ids(table: ir.Table, accounts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[int, str]:
    """Read the account ids that belong to some fingerprints."""
    wanted = ibis.memtable(pa.table({"account_fp": accounts}))
    sent = table.semi_join(wanted, "account_fp").select("account_fp", "account_id")
    rows = sent.group_by("account_fp").aggregate(account_id=sent.account_id.min()).to_pyarrow()
    return dict(zip(rows["account_fp"].to_pylist(), rows["account_id"].to_pylist(), strict=True))


def _skeletons(
    exchanges: ir.Table, judged: Sequence[Judged], discovered: Discovered, book: Book, config: DetectConfig
) -> list[list[Skeleton]]:
    """Describe what each group's prompts share; one numbered mark for each skeleton of each group."""
    if not judged:
        return []
    shown = [skeletons.strongest(discovered.keys, one.keys) for one in judged]
    flat = [np.array([position]) for positions in shown for position in positions]
    sampled = [one.membership.strands.account[-config.behaviour_accounts :] for one in judged]
    owner = np.repeat(np.arange(len(judged)), [positions.size for positions in shown])
    chosen = _sampled_marks(sampled, owner, book)
    rows = strand_rows(exchanges, judgement.marks_of(discovered, flat), chosen, skeletons.COLUMNS)
    raw = [discovered.classes.members_of(discovered.keys.key[position])[0] for position in flat]
    described = []
    for number, accounts in enumerate(sampled):
        mine = np.flatnonzero(owner == number)
        described.append(skeletons.describe(rows, [raw[at] for at in mine], accounts.size, int(mine[0])))
    return described


def _sampled_marks(sampled: Sequence[np.ndarray], owner: np.ndarray, book: Book) -> Sample:
    """Pair the sampled accounts of each group with the marks of that group."""
    accounts = np.concatenate([sampled[number] for number in owner.tolist()])
    marks = np.repeat(np.arange(owner.size), [sampled[number].size for number in owner.tolist()])
    return Sample(book.fingerprint[accounts], marks)
