"""Groups of customers and strangers are divided before they are judged; keys that are added lose nobody."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stillwatch.detect import judgement
from stillwatch.detect.judgement import Confirmed, _better, declared_parts
from stillwatch.detect.mixture import Purified
from stillwatch.model.findings import Verdict


def group(made, size):
    return Confirmed(np.arange(3), made.membership(made.strands(range(size), np.full((size, 3), 4))))


def parts(made, org):
    org = np.array(org)
    found = declared_parts(group(made, org.size), made.book(np.full((org.size, 3), 9), org_id=org), 8)
    return [part.membership.strands.account.tolist() for part in found]


def test_an_organisation_and_those_who_copy_it_are_two_groups(made):
    assert parts(made, [5] * 30 + [-1] * 40) == [list(range(30)), list(range(30, 70))]


def test_every_organisation_among_many_strangers_is_judged_by_itself(made):
    found = parts(made, [5] * 10 + [6] * 12 + [7] + [8] * 2 + [-1] * 40)
    assert found == [list(range(10)), list(range(10, 22)), [22, *range(25, 65)]]


def test_a_verified_customer_is_not_named_among_strangers(made):
    org, verified = np.array([5, 6] + [-1] * 40), np.array([1, 0] + [1] * 40)
    book = made.book(np.full((42, 3), 9), org_id=org, verified=verified)
    (strangers,) = declared_parts(group(made, 42), book, 8)
    assert strangers.membership.strands.account.tolist() == list(range(1, 42))


@pytest.mark.parametrize(
    "org",
    [
        pytest.param([-1] * 40, id="nobody is declared"),
        pytest.param([5] * 40, id="all are of one organisation"),
        pytest.param([5] * 40 + [-1] * 7, id="too few strangers"),
        pytest.param([5, 6, 7] + [-1] * 40, id="one account of each organisation"),
        pytest.param([5] * 10 + [6] * 10 + [7] * 10 + [-1] * 10, id="many organisations run one benchmark"),
    ],
)
def test_other_groups_are_left_whole(made, org):
    assert parts(made, org) == [list(range(len(org)))]


def test_parts_keep_their_own_numbers(made):
    book = made.book(np.full((70, 3), 9), org_id=np.array([5] * 30 + [-1] * 40))
    firm, strangers = declared_parts(group(made, 70), book, 8)
    for part, size in ((firm, 30), (strangers, 40)):
        assert part.membership.log_e.shape == (size,)
        assert part.membership.strands.hits.sum() == 12 * size
        assert part.membership.strands.days.shape == (size, 3)
        assert part.membership.sent == 60 * size


def test_keys_that_are_added_lose_no_members_and_keys_that_are_taken_away_may(made):
    many, few = group(made, 30), group(made, 20)
    wider, other = replace(few, keys=np.append(many.keys, 99)), replace(few, keys=many.keys + 100)
    assert _better(many, None) is many
    assert _better(many, wider) is many
    assert _better(many, other) is other
    assert _better(few, replace(many, keys=wider.keys)).membership is many.membership


@pytest.mark.parametrize("verdict", [Verdict.CAMPAIGN, Verdict.APPLICATION])
def test_parts_of_a_campaign_that_are_none_are_left_out_for_a_price(made, monkeypatch, verdict):
    kept = np.arange(40) < 25
    monkeypatch.setattr(judgement, "purified", lambda *_: Purified(kept, 4))
    whole = group(made, 40)
    told = SimpleNamespace(keys=whole.keys, membership=whole.membership, verdict=verdict)
    (left,), price = judgement._purified([whole], [told], made.book(np.full((40, 3), 9)), None)
    if verdict is Verdict.CAMPAIGN:
        assert left.membership.strands.account.tolist() == list(range(25))
        assert np.exp(price) == pytest.approx([4.0])
    else:
        assert left is whole
        assert price.tolist() == [0.0]


def test_exchanges_of_those_who_are_left_out_are_studied_no_more(made):
    rows = made.behaviour(np.repeat(np.arange(40), 2))
    assert np.unique(judgement._sent(rows, group(made, 25)).account).tolist() == list(range(25))
    assert judgement._sent(rows, group(made, 40)) is rows
