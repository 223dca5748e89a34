"""Groups small enough to reason about, and one tiny world taken through the whole path."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.model.findings import (
    Detection,
    ErrorRate,
    Group,
    Hypothesis,
    Member,
    NullAudit,
    Timeline,
    Verdict,
)

START = datetime(2026, 9, 1, tzinfo=UTC)


def group(
    identifier: str, accounts: list[str], verdict: Verdict = Verdict.CAMPAIGN, detected: datetime = START
) -> Group:
    return Group(
        id=identifier,
        verdict=verdict,
        error_rate=ErrorRate(0.01, 0.001, 0.011),
        e_value=1e9,
        hypothesis=Hypothesis(verdict, 3.0, 0.999, ()),
        alternatives=(),
        first_seen=START,
        last_seen=START + timedelta(days=9),
        detected_at=detected,
        account_count=len(accounts),
        members=tuple(
            Member(name, 10 + index, 40, (10 + index) / 40, 1e6, START, START + timedelta(days=index % 9))
            for index, name in enumerate(accounts)
        ),
        exchanges=100,
        input_tokens=1,
        output_tokens=2,
        capabilities=(),
        models=(),
        skeletons=(),
        evidence=(),
        timeline=Timeline(START, (1,), (1,), (1,), (0,)),
        links=(),
        atlas_ids=(),
        advisory_ids=(),
        would_settle=(),
    )


def detection(*groups: Group) -> Detection:
    audit = NullAudit(4000, 1.0, 1.0, 0.9, sound=True, sentence="the null fits")
    return Detection(groups, audit, 100, 1_000, 7, START, START + timedelta(days=9), 0.01)


@pytest.fixture
def make_group() -> Callable[..., Group]:
    return group


@pytest.fixture
def make_detection() -> Callable[..., Detection]:
    return detection
