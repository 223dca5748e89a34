"""The scenarios in which the cards are played, and two in which honest customers could be wronged."""

from __future__ import annotations

from stillwatch.worlds.cards.concentrated import Concentrated
from stillwatch.worlds.cards.framing import Framing
from stillwatch.worlds.cards.operation import Capability, Craft, Operation, Pool, Schedule, Wording, cut
from stillwatch.worlds.cards.play import Harvest
from stillwatch.worlds.cards.public import CARDS, card_named
from stillwatch.worlds.scenario import Scenario

CROWD = 11.0
"""Factor on the honest population: about 55,000 accounts."""


def sprayers(name: str, wanted_share: float) -> Operation:
    """A campaign of 300 accounts; what is not wanted of its traffic is other people's prompts."""
    return Operation(
        id=name,
        pools=(Pool(300),),
        days=12.0,
        per_day=16.0,
        craft=Craft(
            wording=Wording.POOL,
            templates=40,
            network="home",
            accounts_per_exit=2,
            accounts_per_payment=3,
            schedule=Schedule.QUEUE,
            wanted_share=wanted_share,
        ),
        wants=(Capability.REASONING, Capability.GRADING),
    )


CARD_SCENARIOS = tuple(
    Scenario(
        f"card-{card.id}",
        campaigns=(Harvest(card.operation),),
        population=CROWD,
        title=f"{card.title}; {card.operation.accounts:,} accounts among about 55,000 honest ones",
    )
    for card in CARDS
)

ALIBABA_START = Scenario(
    "card-alibaba-start",
    campaigns=(Harvest(cut(card_named("alibaba").operation, 0.0, 3.0)),),
    population=CROWD,
    title="the first three days of the Alibaba card: 5,000 accounts, for the time of the first report",
)
FRAMING = Scenario(
    "framing",
    campaigns=(Framing(sprayers("framing", 0.5)),),
    population=CROWD,
    title="a campaign sends two honest customers' prompts in half of its traffic",
)
FRAMING_ONLY = Scenario(
    "framing-only",
    campaigns=(Framing(sprayers("framing-only", 0.02)),),
    population=CROWD,
    title="accounts that send hardly anything but two honest customers' prompts",
)
CONCENTRATED = Scenario(
    "concentrated",
    campaigns=(Concentrated(),),
    population=CROWD,
    title="600 honest accounts with 1 to 30 public task templates each, no campaign: every report is wrong",
)

SCENARIOS = (*CARD_SCENARIOS, ALIBABA_START, FRAMING, FRAMING_ONLY, CONCENTRATED)
"""All scenarios of this package."""
