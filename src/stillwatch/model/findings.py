"""What detection says: findings, verdicts and campaigns, in their wire form (JSON, one object a line)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of its classes
from enum import StrEnum

import msgspec

from stillwatch.model.views import View  # noqa: TC001 - as above

CAMPAIGN_VERSION = 1


class Verdict(StrEnum):
    """What kind of group it is. Coordinated is not malicious: all kinds but one are honest."""

    CAMPAIGN = "campaign"
    BENCHMARK = "benchmark"
    APPLICATION = "application"
    ORGANISATION = "organisation"
    RESELLER = "reseller"
    CLASS = "class"
    PROGRAMME = "programme"
    UNDECIDED = "undecided"


class Finding(msgspec.Struct, frozen=True):
    """One piece of evidence: a measure with the method that made it and a sentence that can be read.

    Attributes:
        measure: Name of the statistic, as in `docs/method.md`.
        method: How it was computed, with the source of the method.
        version: Version of the method; a change of meaning raises it.
        view: The side of the behaviour that it looks at.
        value: The statistic, in the unit that the sentence names.
        reference: The same statistic where nothing is going on (median over placebo groups), if there is one.
        e_value: Evidence against the null of `method`; expected value at most 1 where the null holds. None
            where the measure only describes.
        computed_from: What was read: number of accounts, exchanges, slice.
        sentence: The finding in words, for a reviewer.
    """

    measure: str
    method: str
    version: int
    view: View
    value: float
    reference: float | None
    e_value: float | None
    computed_from: str
    sentence: str


class Term(msgspec.Struct, frozen=True):
    """What one measure adds to one hypothesis, in nats of log odds."""

    measure: str
    points: float
    sentence: str


class Hypothesis(msgspec.Struct, frozen=True):
    """One explanation of a group with its score.

    Attributes:
        kind: What the group would be.
        score: The prior and the terms added up, in nats.
        probability: Probability beside the other explanations.
        terms: What speaks for it and against it, largest first.
        table: Version of the table of priors and terms.
    """

    kind: Verdict
    score: float
    probability: float
    terms: tuple[Term, ...]
    table: int = 1


class Member(msgspec.Struct, frozen=True):
    """One account of a group: its strand beside all its traffic.

    Attributes:
        account_id: The account.
        strand_exchanges: Exchanges of the account that carry the group's keys.
        exchanges: All exchanges of the account.
        share: strand_exchanges / exchanges.
        e_value: Evidence that the account belongs to the group, from all that it sent.
        first_seen: First exchange of the strand.
        last_seen: Last exchange of the strand.
    """

    account_id: str
    strand_exchanges: int
    exchanges: int
    share: float
    e_value: float
    first_seen: datetime
    last_seen: datetime


class Skeleton(msgspec.Struct, frozen=True):
    """A shared part of prompts, described without its words unless the operator asked for them.

    Attributes:
        keys: Keys that carry it, as 16 hexadecimal digits.
        kinds: Kinds of these keys, such as `prefix_long`.
        accounts: Sampled accounts of the group that use it.
        sampled_accounts: Accounts of the group that were sampled.
        exchanges: Exchanges of the sampled accounts that carry it.
        asks_for: Names of `Elicitation` bits seen in most of these exchanges.
        sample_refs: `source_ref` of a few exchanges, to read them again in the operator's own log.
        text: Words that nearly all sampled accounts share, the rest masked; None unless asked for.
    """

    keys: tuple[str, ...]
    kinds: tuple[str, ...]
    accounts: int
    sampled_accounts: int
    exchanges: int
    asks_for: tuple[str, ...]
    sample_refs: tuple[str, ...]
    text: str | None = None


class ErrorRate(msgspec.Struct, frozen=True):
    """How sure a report is, in two parts that are tested apart.

    Attributes:
        coordination_fdr: Level at which the false-discovery rate of *coordinated* groups is controlled
            (e-BH).
        verdict_error: Probability that the verdict is wrong, under the terms shown.
        total: Their sum, at most 1.
    """

    coordination_fdr: float
    verdict_error: float
    total: float


class Timeline(msgspec.Struct, frozen=True):
    """Counts for each day of the strand; all lists have one entry a day from `start` on (UTC)."""

    start: datetime
    exchanges: tuple[int, ...]
    accounts: tuple[int, ...]
    new_accounts: tuple[int, ...]
    bans: tuple[int, ...]


class Link(msgspec.Struct, frozen=True):
    """An edge of the account graph as drawn: indexes into `Group.members`, shared keys."""

    a: int
    b: int
    shared: int


class Group(msgspec.Struct, frozen=True):
    """Accounts that share what cannot be chance, with the verdict and everything that led to it."""

    id: str
    verdict: Verdict
    error_rate: ErrorRate
    e_value: float
    hypothesis: Hypothesis
    alternatives: tuple[Hypothesis, ...]
    first_seen: datetime
    last_seen: datetime
    detected_at: datetime
    account_count: int
    members: tuple[Member, ...]
    exchanges: int
    input_tokens: int
    output_tokens: int
    capabilities: tuple[str, ...]
    models: tuple[str, ...]
    skeletons: tuple[Skeleton, ...]
    evidence: tuple[Finding, ...]
    timeline: Timeline
    links: tuple[Link, ...]
    atlas_ids: tuple[str, ...]
    advisory_ids: tuple[str, ...]
    would_settle: tuple[str, ...]
    schema_version: int = CAMPAIGN_VERSION


class NullAudit(msgspec.Struct, frozen=True):
    """A check on ourselves: does the null that all error rates rest on fit the bulk of the groups?

    Attributes:
        placebos: Number of placebo groups.
        mean_e: Mean e-value over held-out placebo groups; at most 1 (within its standard error) if sound.
        sigma: Standard deviation of the placebo z-scores; 1 if sound, an alarm outside 0.8 to 1.2.
        pi0: Estimated share of the candidate groups for which the null holds.
        sound: Whether both are within bounds.
        sentence: The same in words.
    """

    placebos: int
    mean_e: float
    sigma: float
    pi0: float
    sound: bool
    sentence: str


class Detection(msgspec.Struct, frozen=True):
    """Everything that one run of `detect` says."""

    groups: tuple[Group, ...]
    audit: NullAudit
    accounts: int
    exchanges: int
    candidates: int
    first_ts: datetime | None
    last_ts: datetime | None
    fdr_level: float
    notes: tuple[str, ...] = ()

    @property
    def campaigns(self) -> tuple[Group, ...]:
        """The groups whose verdict is campaign."""
        return tuple(group for group in self.groups if group.verdict is Verdict.CAMPAIGN)


def encode_line(value: msgspec.Struct) -> bytes:
    """Return `value` as one line of JSON with sorted keys, newline included."""
    return msgspec.json.encode(value, order="sorted") + b"\n"


def decode_group(line: bytes) -> Group:
    """Read one line of `campaigns.jsonl`.

    Raises:
        msgspec.ValidationError: The line is not a group of a version that this code knows.
    """
    return msgspec.json.decode(line, type=Group)
