"""Campaign cards: what is public about real campaigns, as data that a world can play."""

from stillwatch.worlds.cards.card import Card, Fact, Mark
from stillwatch.worlds.cards.operation import (
    Craft,
    Operation,
    Pool,
    cut,
    expected_exchanges,
    scaled,
    taken_share,
)
from stillwatch.worlds.cards.play import Harvest
from stillwatch.worlds.cards.public import CARDS, card_named
from stillwatch.worlds.cards.scenarios import SCENARIOS

__all__ = [
    "CARDS",
    "SCENARIOS",
    "Card",
    "Craft",
    "Fact",
    "Harvest",
    "Mark",
    "Operation",
    "Pool",
    "card_named",
    "cut",
    "expected_exchanges",
    "scaled",
    "taken_share",
]
