"""Keys that are added lose nobody; what is left of a campaign is divided as every group is."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stillwatch.detect import judgement
from stillwatch.detect.declared import Confirmed
from stillwatch.detect.judgement import _better
from stillwatch.detect.mixture import Purified
from stillwatch.model.findings import Verdict


def group(made, size):
    return Confirmed(np.arange(3), made.membership(made.strands(range(size), np.full((size, 3), 4))))


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
    (left,), price = judgement._purified([whole], [told], made.book(np.full((40, 3), 9)), None, 8)
    if verdict is Verdict.CAMPAIGN:
        assert left.membership.strands.account.tolist() == list(range(25))
        assert np.exp(price) == pytest.approx([4.0])
    else:
        assert left is whole
        assert price.tolist() == [0.0]


def test_a_customer_among_what_is_left_of_a_campaign_is_left_out_as_well(made, monkeypatch):
    org = np.array([-1] * 15 + [5] * 10 + [6] * 15)
    monkeypatch.setattr(judgement, "purified", lambda *_: Purified(org != 6, 2))
    whole = group(made, 40)
    told = SimpleNamespace(keys=whole.keys, membership=whole.membership, verdict=Verdict.CAMPAIGN)
    (left,), _ = judgement._purified([whole], [told], made.book(np.full((40, 3), 9), org_id=org), None, 8)
    assert left.membership.strands.account.tolist() == list(range(15))


def test_exchanges_of_those_who_are_left_out_are_studied_no_more(made):
    rows = made.behaviour(np.repeat(np.arange(40), 2))
    assert np.unique(judgement._sent(rows, group(made, 25)).account).tolist() == list(range(25))
    assert judgement._sent(rows, group(made, 40)) is rows
