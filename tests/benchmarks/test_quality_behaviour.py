"""The benchmark of groups without text: its points are worlds, and its rows say what was measured."""

import numpy as np
import pytest

import quality_behaviour as bench


def run(point, recall=None, *, named=0, log_e=()):
    return {
        "point": point,
        "seed": 1,
        "prompts": False,
        "recall": recall,
        "false_reports": 0,
        "honest_named": named,
        "honest_accounts": 5000,
        "random_log_e": list(log_e),
    }


@pytest.mark.parametrize("point", bench.POINTS)
def test_every_point_changes_the_campaign_as_it_says(point):
    (harvest,) = bench.world_of(point).campaigns
    craft = harvest.operation.craft
    assert all(getattr(craft, name) == value for name, value in bench.POINTS[point].items())
    assert craft.wording == "every"
    assert craft.accounts_per_payment == craft.accounts_per_exit == 1


def test_the_bar_is_the_scenario_of_the_issue_and_calm_has_no_campaign():
    assert bench.world_of("bar").campaigns == bench.scenario_of("behaviour-only").campaigns
    assert bench.world_of(bench.CALM).campaigns == ()


def test_a_campaign_is_found_when_half_of_its_accounts_are():
    rows = {one.id: one for one in bench.rows_of("bar", [run("bar", 0.9), run("bar", 0.4, named=1)])}
    assert rows["bar/campaigns-found"].value == 0.5
    assert rows["bar/campaigns-found"].holds is False
    assert rows["bar/accounts-found"].value == pytest.approx(0.65)
    assert rows["bar/honest-named"].value == pytest.approx(10.0)


def test_random_cohorts_count_up_to_a_bound():
    rows = {one.id: one for one in bench.rows_of(bench.CALM, [run(bench.CALM, log_e=[np.log(0.5), 50.0])])}
    assert rows["calm/random-cohorts/mean-e"].value == pytest.approx(50.25)
    assert rows["calm/random-cohorts/mean-e"].holds is False
