import pytest

from stillwatch.lineage.twins_power import needed_items, simulate_power, win_chance


@pytest.mark.parametrize(("effect", "exposure", "twins"), [(0.6, 1.0, 1), (0.8, 0.5, 1), (0.6, 1.0, 4)])
def test_the_formula_gives_the_power_that_it_promises(effect, exposure, twins):
    items = needed_items(effect, exposure, twins=twins, alpha=0.01, power=0.8)
    measured = simulate_power(items, effect, exposure, twins=twins, alpha=0.01, runs=150)
    assert 0.65 < measured.by_sum < 0.93


def test_the_level_holds_without_an_effect():
    measured = simulate_power(120, 0.0, 1.0, alpha=0.05, runs=300)
    assert max(measured.by_sum, measured.by_rank) < 0.10
    assert measured.by_betting < 0.08


def test_half_the_exposure_costs_four_times_the_items():
    assert needed_items(0.2, 0.25) == pytest.approx(4 * needed_items(0.2, 0.5), rel=0.01)
    assert needed_items(9.0, 1.0, alpha=0.001) == 10  # never fewer than a p-value of that size takes


def test_more_exposure_wins_more():
    assert win_chance(0.5, 0.0) == 0.5
    assert win_chance(0.5, 0.5) < win_chance(0.5, 1.0) < win_chance(1.0, 1.0)


@pytest.mark.parametrize("wrong", [(0.0, 0.5), (0.3, 0.0), (0.3, 1.5)])
def test_an_impossible_question_is_refused(wrong):
    with pytest.raises(ValueError, match="range"):
        needed_items(*wrong)
