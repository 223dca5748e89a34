"""A campaign inside the users of a common format is told, and the users of the format are not; repeats neither."""

from types import SimpleNamespace

import numpy as np
import pytest

from stillwatch.detect import nested
from stillwatch.detect.features import Reference
from stillwatch.model.findings import Verdict

SIZE = 400
REFERENCE = Reference(rhythm=0.5, cells=20.0, throwaway=0.04)


def judged(made, accounts, said=Verdict.CAMPAIGN):
    accounts = np.array(accounts)
    membership = made.membership(made.strands(accounts, np.full((accounts.size, 3), 20)))
    rows = made.behaviour(np.repeat(accounts, 3), elicitation=np.repeat(accounts < 120, 3).astype(np.int64))
    evidence = SimpleNamespace(measured=())
    return SimpleNamespace(
        membership=membership, rows=rows, raw=np.array([16 + 1]), evidence=evidence, verdict=said
    )


def left(made, groups):
    """Which of the groups are kept, where the first 120 accounts share cards that are thrown away."""
    payment = np.where(np.arange(SIZE) < 120, np.arange(SIZE) // 4, np.arange(SIZE))
    hostile = np.arange(SIZE) < 120
    book = made.book(
        np.full((SIZE, 3), 30),
        payment_fp=payment,
        throwaway=hostile.astype(np.int64),
        verified=(~hostile).astype(np.int64),
        created=np.where(hostile, 20_000.0, 19_000.0 + np.arange(SIZE)),
        known=np.ones(SIZE, bool),
    )
    found = nested.without_hosts(groups, book, REFERENCE)
    return [number for number, one in enumerate(groups) if any(one is other for other in found)]


def test_the_users_of_a_format_are_no_campaign_because_of_those_among_them(made):
    assert left(made, [judged(made, range(320)), judged(made, range(100))]) == [1]


def test_a_campaign_with_a_part_that_is_a_group_too_is_kept(made):
    assert left(made, [judged(made, range(120)), judged(made, range(40))]) == [0, 1]


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param(
            [(range(320), Verdict.APPLICATION), (range(100), Verdict.CAMPAIGN)], id="an application"
        ),
        pytest.param(
            [(range(320), Verdict.CAMPAIGN), (range(100), Verdict.UNDECIDED)], id="no campaign inside"
        ),
        pytest.param(
            [(range(100), Verdict.CAMPAIGN), (range(90, 300), Verdict.CAMPAIGN)], id="a small overlap"
        ),
        pytest.param(
            [(range(100), Verdict.CAMPAIGN), (range(100), Verdict.CAMPAIGN)], id="the same accounts"
        ),
        pytest.param([], id="nothing"),
    ],
)
def test_all_others_are_kept(made, groups):
    assert left(made, [judged(made, *one) for one in groups]) == list(range(len(groups)))


def told(made, accounts, verdict):
    strands = made.strands(accounts, np.ones((len(accounts), 3)))
    return SimpleNamespace(membership=made.membership(strands), verdict=verdict)


def test_part_of_a_larger_group_of_the_same_verdict_is_not_told_twice(made):
    one = told(made, list(range(50)), Verdict.APPLICATION)
    part = told(made, list(range(10)), Verdict.APPLICATION)
    inside = told(made, list(range(12)), Verdict.CAMPAIGN)
    apart = told(made, list(range(45, 75)), Verdict.APPLICATION)
    assert nested.merged([part, one, apart, inside]) == [inside, one, apart]


def test_what_is_nothing_but_several_groups_apart_is_told_as_these(made):
    one = told(made, list(range(60)), Verdict.CAMPAIGN)
    other = told(made, list(range(62, 100)), Verdict.CAMPAIGN)
    both = told(made, list(range(10, 100)), Verdict.CAMPAIGN)
    assert nested.merged([both, one, other]) == [one, other]
    assert nested.merged([both, one]) == [both]
    overlapping = told(made, list(range(20, 100)), Verdict.CAMPAIGN)
    assert nested.merged([both, one, overlapping]) == [both]
    honest = told(made, list(range(60, 100)), Verdict.BENCHMARK)
    assert nested.merged([both, one, honest]) == [both, honest]


def test_campaigns_stand_first_then_what_is_undecided(made):
    kinds = [Verdict.CLASS, Verdict.UNDECIDED, Verdict.CAMPAIGN, Verdict.BENCHMARK]
    groups = [told(made, list(range(100 * n, 100 * n + 10 + n)), kind) for n, kind in enumerate(kinds)]
    assert [one.verdict for one in nested.merged(groups)] == [kinds[2], kinds[1], kinds[3], kinds[0]]
