from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.cards.operation import Craft, Schedule, Wording, expected_wanted
from stillwatch.worlds.ladder import (
    BASE,
    BEHAVIOUR_INDEPENDENT,
    BEHAVIOUR_ONLY,
    EVASIONS,
    RUNGS,
    cumulative,
    evaded,
    evasion_named,
    one_at_a_time,
)
from stillwatch.worlds.prices import cost_per_thousand


def test_ids_are_unique():
    names = [rung.operation.id for rung in RUNGS]
    assert len(set(names)) == len(names)
    assert len({each.id for each in EVASIONS}) == len(EVASIONS)


@pytest.mark.parametrize("evasion", EVASIONS, ids=lambda each: each.id)
def test_each_switch_changes_fields_that_exist(evasion):
    assert {name for name, _ in evasion.changes} <= {field.name for field in msgspec.structs.fields(Craft)}
    assert evasion.applied(BASE.craft) != BASE.craft


def test_the_ladder_adds_one_switch_a_rung():
    rungs = cumulative()
    assert rungs[0].operation == BASE
    assert [len(rung.evasions) for rung in rungs] == list(range(len(EVASIONS) + 1))
    assert len(one_at_a_time()) == len(EVASIONS)


def test_the_cumulative_ladder_gets_dearer():
    costs = [cost_per_thousand(rung.operation).total.mid for rung in cumulative()]
    # a step may save the writing of templates that it does without
    assert all(later >= 0.95 * earlier for earlier, later in pairwise(costs))
    assert costs[-1] > 10 * costs[0]


@given(st.sets(st.sampled_from(EVASIONS)))
def test_any_set_of_switches_gives_a_campaign_with_a_price(chosen):
    operation = evaded(BASE, [each for each in EVASIONS if each in chosen], "any")
    assert operation.accounts == BASE.accounts
    assert cost_per_thousand(operation).total.low > 0


def test_slowing_down_keeps_the_loot():
    slow = evaded(BASE, [evasion_named("slower")], "slow")
    assert expected_wanted(slow) == pytest.approx(expected_wanted(BASE))
    assert slow.rate == BASE.rate / 4


def test_the_behaviour_scenarios_hide_what_they_say():
    plain, floor = BEHAVIOUR_ONLY.operation.craft, BEHAVIOUR_INDEPENDENT.operation.craft
    for craft in (plain, floor):
        assert craft.wording is Wording.EVERY
        assert craft.accounts_per_exit == craft.accounts_per_payment == 1
        assert craft.jitter_hours == 72
    assert plain.wanted_share >= 0.3
    assert floor.wanted_share == 0.1
    assert floor.schedule is Schedule.INDEPENDENT


def test_an_unknown_switch_is_refused():
    with pytest.raises(KeyError, match="own-address"):
        evasion_named("nothing")
