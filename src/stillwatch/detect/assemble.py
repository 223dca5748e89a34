"""Put a judged group into its wire form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect import sentences
from stillwatch.detect.features import asked_for
from stillwatch.model.findings import (
    ErrorRate,
    Group,
    Hypothesis,
    Link,
    Member,
    Skeleton,
    Timeline,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.behaviour import Behaviour
    from stillwatch.detect.book import Book
    from stillwatch.detect.evidence import Evidence
    from stillwatch.detect.membership import Membership
    from stillwatch.detect.pairs import Pairs

Ints = npt.NDArray[np.int64]

_DAY_US = 86_400 * 1_000_000
_MOST_LINKED = 150
_MOST_LINKS = 400


@dataclass(frozen=True)
class Judged:
    """A group with all that was found out about it; `keys` are positions, `raw` the keys themselves."""

    keys: Ints
    raw: Ints
    membership: Membership
    evidence: Evidence
    features: dict[str, float]
    rows: Behaviour
    ranked: tuple[Hypothesis, ...]
    verdict: Verdict
    log_e: float
    level: float = 0.0


def moment(microseconds: int) -> datetime:
    """Return the UTC time of `microseconds` since the epoch."""
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC)


def group_of(
    judged: Judged,
    book: Book,
    names: dict[int, str],
    pairs: Pairs,
    skeletons: Sequence[Skeleton],
    fdr: float,
    now: datetime,
) -> Group:
    """Build the wire form.

    Args:
        judged: The group.
        book: All accounts.
        names: Account ids by account fingerprint.
        pairs: Validated pairs, for the graph.
        skeletons: Shared parts of its prompts.
        fdr: Level at which coordination was discovered.
        now: Time of the run.
    """
    strands = judged.membership.strands
    order = np.argsort(-strands.hits.sum(axis=1), kind="stable")
    error = 1.0 - judged.ranked[0].probability
    return Group(
        id=identifier(judged.raw, book.fingerprint[strands.account]),
        verdict=judged.verdict,
        error_rate=ErrorRate(fdr, error, min(1.0, fdr + error)),
        e_value=sentences.to_e(judged.log_e),
        hypothesis=judged.ranked[0],
        alternatives=judged.ranked[1:],
        first_seen=moment(int(strands.first.min())),
        last_seen=moment(int(strands.last.max())),
        detected_at=now,
        account_count=int(strands.account.size),
        members=tuple(members_of(judged.membership, order, book, names)),
        exchanges=int(strands.hits.sum()),
        input_tokens=int(strands.tokens[:, 0].sum()),
        output_tokens=int(strands.tokens[:, 1].sum()),
        capabilities=asked_for(judged.rows),
        models=_models(judged.rows),
        skeletons=tuple(skeletons),
        evidence=sentences.findings_of(judged.membership, judged.evidence, int(judged.keys.size)),
        timeline=timeline_of(judged.membership, book),
        links=tuple(links_of(strands.account[order], pairs)),
        atlas_ids=sentences.atlas_ids(judged.features, judged.verdict),
        advisory_ids=sentences.advisory_ids(judged.features, judged.evidence),
        would_settle=sentences.would_settle(judged.features),
    )


def identifier(keys: Ints, members: Ints) -> str:
    """Name a group by its keys and its first member, so that a second run over the same data says the same.

    Args:
        keys: Raw keys of the group.
        members: Fingerprints of its members; parts of a divided group have the same keys.
    """
    named = np.append(np.sort(keys), members.min()).astype("<i8")
    digest = hashlib.blake2b(named.tobytes(), digest_size=6)
    return f"g-{digest.hexdigest()}"


def members_of(membership: Membership, order: Ints, book: Book, names: dict[int, str]) -> list[Member]:
    """Return the members in the given order."""
    strands = membership.strands
    mine, total = strands.hits.sum(axis=1), book.exchanges[strands.account]
    fingerprint = book.fingerprint[strands.account]
    columns = (fingerprint, mine, total, mine / total, membership.log_e, strands.first, strands.last)
    return [
        Member(
            account_id=names[who],
            strand_exchanges=sent,
            exchanges=whole,
            share=share,
            e_value=sentences.to_e(log_e),
            first_seen=moment(first),
            last_seen=moment(last),
        )
        for who, sent, whole, share, log_e, first, last in zip(
            *(column[order].tolist() for column in columns), strict=True
        )
    ]


def timeline_of(membership: Membership, book: Book) -> Timeline:
    """Count exchanges, accounts, new accounts and bans for each day of the strand."""
    strands = membership.strands
    start, end = int(strands.first.min()) // _DAY_US, int(strands.last.max()) // _DAY_US
    length = end - start + 1
    day = strands.days[:, 1] - start
    seconds = book.banned[strands.account]
    banned = (seconds[np.isfinite(seconds)] // 86_400).astype(np.int64) - start
    banned = banned[(banned >= 0) & (banned < length)]
    return Timeline(
        start=moment(start * _DAY_US),
        exchanges=_tuple(np.bincount(day, strands.days[:, 2], length)),
        accounts=_tuple(np.bincount(day, minlength=length)),
        new_accounts=_tuple(np.bincount(strands.first // _DAY_US - start, minlength=length)),
        bans=_tuple(np.bincount(banned, minlength=length)),
    )


def _tuple(counts: npt.NDArray[np.float64] | Ints) -> tuple[int, ...]:
    return tuple(int(count) for count in counts)


def links_of(accounts: Ints, pairs: Pairs) -> list[Link]:
    """Return the strongest validated pairs among the best connected members, as indexes of `accounts`."""
    if pairs.a.size == 0:
        return []
    inside = np.zeros(max(int(pairs.b.max()), int(accounts.max())) + 1, np.bool_)
    inside[accounts] = True
    both = np.flatnonzero(inside[pairs.a] & inside[pairs.b])
    member, degree = np.unique(np.concatenate([pairs.a[both], pairs.b[both]]), return_counts=True)
    linked = member[np.argsort(-degree, kind="stable")][:_MOST_LINKED]
    shown = both[np.isin(pairs.a[both], linked) & np.isin(pairs.b[both], linked)]
    strongest = shown[np.argsort(-pairs.shared[shown], kind="stable")][:_MOST_LINKS]
    place = np.empty(int(accounts.max()) + 1, np.int64)
    place[accounts] = np.arange(accounts.size)
    return [
        Link(int(place[pairs.a[at]]), int(place[pairs.b[at]]), int(pairs.shared[at]))
        for at in strongest.tolist()
    ]


def _models(rows: Behaviour) -> tuple[str, ...]:
    known = rows.model[rows.model >= 0]
    counts = np.bincount(known, minlength=len(rows.models))
    ranked = np.argsort(-counts, kind="stable")
    return tuple(rows.models[at] for at in ranked.tolist() if counts[at] > 0)[:10]
