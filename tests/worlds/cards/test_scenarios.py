from stillwatch.worlds.cards import CARDS
from stillwatch.worlds.cards.scenarios import SCENARIOS


def test_ids_are_unique_and_every_card_is_played():
    names = [scenario.id for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert {f"card-{card.id}" for card in CARDS} <= set(names)
    assert all(scenario.title for scenario in SCENARIOS)


def test_there_are_fifty_thousand_honest_accounts():
    assert all(scenario.population >= 11 and scenario.scale == 1 for scenario in SCENARIOS)
