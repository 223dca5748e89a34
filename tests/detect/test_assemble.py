"""The wire form: counts that add up, links that point at members, names that stay."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.assemble import Judged, group_of, identifier, links_of, moment, timeline_of
from stillwatch.detect.evidence import NOTHING
from stillwatch.detect.pairs import Pairs
from stillwatch.detect.verdict import hypotheses
from stillwatch.model.findings import Verdict, decode_group, encode_line

DAY = 86_400_000_000
NOW = datetime(2026, 10, 20, tzinfo=UTC)


@st.composite
def days_of_members(draw):
    """For each of a few members the days of its strand with the exchanges of each."""
    one = st.dictionaries(st.integers(20_000, 20_030), st.integers(1, 50), min_size=1, max_size=8)
    return draw(st.lists(one, min_size=1, max_size=6))


def membership(made, sent):
    """Members 0, 2, 4 ... whose strands have these days."""
    accounts = [2 * n for n in range(len(sent))]
    days = [
        (a, day, count) for a, mine in zip(accounts, sent, strict=True) for day, count in sorted(mine.items())
    ]
    totals = [sum(mine.values()) for mine in sent]
    strands = made.strands(
        accounts,
        [[n - n // 3 - n // 4, n // 3, n // 4] for n in totals],
        first=[min(mine) * DAY + 5 for mine in sent],
        last=[max(mine) * DAY + 7 for mine in sent],
        days=days,
    )
    return made.membership(strands)


@given(days_of_members())
def test_the_timeline_adds_up(made, sent):
    group = membership(made, sent)
    banned = np.full(12, np.nan)
    banned[0] = (min(sent[0]) + 0.5) * 86_400
    banned[2] = 30_000 * 86_400.0
    line = timeline_of(group, made.book(np.ones((12, 3)), banned=banned))
    first, last = min(map(min, sent)), max(map(max, sent))
    assert line.start == moment(first * DAY)
    assert line.start.hour == 0
    assert (
        len(line.exchanges)
        == len(line.accounts)
        == len(line.new_accounts)
        == len(line.bans)
        == last - first + 1
    )
    for at, day in enumerate(range(first, last + 1)):
        assert line.exchanges[at] == sum(mine.get(day, 0) for mine in sent)
        assert line.accounts[at] == sum(day in mine for mine in sent)
        assert line.new_accounts[at] == sum(min(mine) == day for mine in sent)
    assert sum(line.bans) == 1, "a ban after the strand's last day has no place in it"


@given(st.permutations(range(9)), st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40))
def test_links_point_at_the_members_they_join(order, edges):
    edges = sorted((a, b) for a, b in edges if a < b)
    a, b = (np.array([edge[n] for edge in edges], np.int64) for n in (0, 1))
    accounts = np.array(order, np.int64)
    links = links_of(accounts, Pairs(a, b, a + b))
    got = {(frozenset(accounts[[link.a, link.b]].tolist()), link.shared) for link in links}
    assert got == {(frozenset(edge), sum(edge)) for edge in edges if max(edge) < 9}
    assert [link.shared for link in links] == sorted((link.shared for link in links), reverse=True)


def test_of_very_many_links_the_strongest_are_shown():
    accounts = np.arange(300)
    a, b = np.triu_indices(300, 1)
    links = links_of(accounts, Pairs(a, b, a + 2))
    assert 0 < len(links) <= 400
    assert max(max(link.a, link.b) for link in links) < 300


KEYS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9, unique=True)


@given(KEYS, KEYS, st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_a_group_is_named_by_what_it_is_and_not_by_the_order_of_it(one, other, members):
    named = identifier(np.array(one), np.array(members))
    assert named == identifier(np.array(one[::-1]), np.array(members[::-1]))
    assert (named == identifier(np.array(other), np.array(members))) == (set(one) == set(other))
    assert named.startswith("g-")
    assert len(named) == 14


def test_the_name_of_a_group_is_the_same_in_every_version():
    assert identifier(np.array([3, -7]), np.array([11, 5])) == "g-9b6d46b08a2c"


def test_a_group_has_one_line_of_json_and_numbers_that_fit(made):
    sent = [{20_000: 5, 20_003: 40}, {20_001: 20}, {20_000: 1, 20_009: 2}]
    group = membership(made, sent)
    book = made.book(np.tile([40, 10, 10], (6, 1)))
    rows = made.behaviour(np.repeat([0, 2, 4], 5), model=np.array([0, 1, 1] * 5), models=("old", "new"))
    ranked = hypotheses({"extraction_share": 0.9})
    judged = Judged(
        np.array([1]), np.array([77]), group, NOTHING, {}, rows, ranked, Verdict.UNDECIDED, 5000.0
    )
    names = {int(fp): f"account {at}" for at, fp in enumerate(book.fingerprint.tolist())}
    pairs = Pairs(np.array([0, 1]), np.array([4, 2]), np.array([3, 9]))
    got = group_of(judged, book, names, pairs, [], 0.01, NOW)
    assert decode_group(encode_line(got)) == got
    assert [member.account_id for member in got.members] == ["account 0", "account 2", "account 4"]
    assert [member.strand_exchanges for member in got.members] == [45, 20, 3]
    assert [member.share for member in got.members] == pytest.approx([45 / 60, 20 / 60, 3 / 60])
    assert got.exchanges == 68 == sum(got.timeline.exchanges)
    assert got.account_count == 3
    assert (got.first_seen, got.last_seen) == (moment(20_000 * DAY + 5), moment(20_009 * DAY + 7))
    assert got.models == ("new", "old")
    assert [(link.a, link.b, link.shared) for link in got.links] == [(0, 2, 3)]
    assert got.detected_at == NOW
    assert got.e_value < float("inf")
    assert got.error_rate.verdict_error == pytest.approx(1 - ranked[0].probability)
    assert got.error_rate.total <= 1
    assert (got.hypothesis, *got.alternatives) == ranked
