"""The public campaigns as cards: what was said, by whom, how sure, and what had to be assumed.

Account counts and rates of an account are the published ones, or their quotient. They never shrink with the
part of a campaign that a world shows (`Operation.shown`); `scaled` takes accounts away, never rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stillwatch.worlds.cards.february import DEEPSEEK, GEMINI, MINIMAX, MOONSHOT
from stillwatch.worlds.cards.hydra import hydra
from stillwatch.worlds.cards.later import ALIBABA, ALIBABA_SPRING, MOONSHOT_RELAY, XIAOMI, ZAI

if TYPE_CHECKING:
    from stillwatch.worlds.cards.card import Card

CARDS: tuple[Card, ...] = (
    GEMINI,
    DEEPSEEK,
    MINIMAX,
    MOONSHOT,
    MOONSHOT_RELAY,
    ALIBABA,
    ALIBABA_SPRING,
    ZAI,
    XIAOMI,
    hydra(1, 0.80),
    hydra(5, 0.95),
    hydra(10),
    hydra(50),
)
"""All cards. Bought transcripts and shell-company proxies (SenseTime, MiniMax in September) leave no exchange
in a provider's log, so there is nothing to play."""


def card_named(card_id: str) -> Card:
    """Find a card by its permanent id.

    Raises:
        KeyError: There is none of that name.
    """
    for card in CARDS:
        if card.id == card_id:
            return card
    raise KeyError(f"no card {card_id!r}; there are {', '.join(card.id for card in CARDS)}")
