"""A small Detection to render, and strategies for any Detection."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.model.findings import (
    Detection,
    ErrorRate,
    Finding,
    Group,
    Hypothesis,
    Link,
    Member,
    NullAudit,
    Skeleton,
    Term,
    Timeline,
    Verdict,
)
from stillwatch.model.views import View

START = datetime(2026, 9, 1, tzinfo=UTC)


def member(index: int, account_id: str | None = None) -> Member:
    return Member(
        account_id=account_id or f"acct-{index:04d}",
        strand_exchanges=100 - index % 50,
        exchanges=200,
        share=(100 - index % 50) / 200,
        e_value=1e9,
        first_seen=START + timedelta(days=index % 7),
        last_seen=START + timedelta(days=20),
    )


def group(identifier: str, verdict: Verdict, accounts: int = 12) -> Group:
    finding = Finding(
        measure="payment_sharing",
        method="conformal e-value",
        version=1,
        view=View.IDENTITY,
        value=0.61,
        reference=0.04,
        e_value=1150.0,
        computed_from="12 accounts",
        sentence="61 % of the account pairs share a payment instrument",
    )
    text = Finding(
        "shared_prompts", "mixture e-value", 1, View.TEXT, 12.0, None, 1e41, "12 accounts", "shared keys"
    )
    return Group(
        id=identifier,
        verdict=verdict,
        error_rate=ErrorRate(0.01, 0.004, 0.014),
        e_value=3e43,
        hypothesis=Hypothesis(verdict, 2.4, 0.996, (Term("repeat_share", 3.4, "nothing was asked twice"),)),
        alternatives=(
            Hypothesis(
                Verdict.APPLICATION if verdict is Verdict.CAMPAIGN else Verdict.CAMPAIGN,
                -3.0,
                0.004,
                (Term("same_payer", -2.0, "many payers"),),
            ),
        ),
        first_seen=START,
        last_seen=START + timedelta(days=20),
        detected_at=START + timedelta(days=21),
        account_count=accounts,
        members=tuple(member(index) for index in range(accounts)),
        exchanges=18_000,
        input_tokens=1_000_000,
        output_tokens=34_500_000,
        capabilities=("agentic_coding",),
        models=("orion-4",),
        skeletons=(
            Skeleton(("00ff00ff00ff00ff",), ("prefix_long",), 11, 12, 900, ("REASONING",), ("a.jsonl:7",)),
        ),
        evidence=(text, finding),
        timeline=Timeline(START, (5, 9, 3), (2, 3, 1), (2, 1, 0), (0, 0, 1)),
        links=tuple(Link(index, index + 1, 3 + index) for index in range(accounts - 1)),
        atlas_ids=("AML.T0024.002",),
        advisory_ids=("signal-18",),
        would_settle=("payment fingerprints of the accounts",),
    )


def detection(*groups: Group, sound: bool = True) -> Detection:
    return Detection(
        groups=groups,
        audit=NullAudit(4000, 0.97, 1.04, 0.8, sound, "the null fits" if sound else "the null does not fit"),
        accounts=4_000,
        exchanges=250_000,
        candidates=40,
        first_ts=START,
        last_ts=START + timedelta(days=21),
        fdr_level=0.01,
    )


@pytest.fixture
def campaign() -> Group:
    return group("g-campaign", Verdict.CAMPAIGN)


@pytest.fixture
def found(campaign: Group) -> Detection:
    return detection(campaign, group("g-app", Verdict.APPLICATION), group("g-open", Verdict.UNDECIDED))


@pytest.fixture
def make_group() -> Callable[..., Group]:
    return group


@pytest.fixture
def make_detection() -> Callable[..., Detection]:
    return detection
