"""The card of a proxy network that mixes distillation into resold traffic, at any mix."""

from __future__ import annotations

from stillwatch.worlds.cards.card import Card, Fact, Mark
from stillwatch.worlds.cards.operation import (
    Capability,
    Cover,
    Craft,
    Operation,
    Pool,
    Rhythm,
    Schedule,
    Verification,
    Wording,
)
from stillwatch.worlds.cards.sources import ADVISORY, EVERYDAY, assumed, february


def hydra(percent: int, found_share: float = 0.99) -> Card:
    """The proxy network of 20,000 accounts with `percent` of distillation in ordinary resold traffic.

    Args:
        percent: Share of each account's traffic that is distillation, in hundredths.
        found_share: Share of the accounts that has to be found, after issue 3.
    """
    name = f"hydra-{percent:02d}"
    return Card(
        id=name,
        title=f"A proxy network of 20,000 accounts, {percent} % distillation in resold traffic",
        seen="one moment before 23 February 2026",
        exchanges=None,
        early_share=0.05,
        found_share=found_share,
        operation=Operation(
            id=name,
            pools=(Pool(20_000),),
            days=60.0,
            per_day=26.0,
            craft=Craft(
                wording=Wording.POOL,
                templates=150,
                uniform_sampling=True,
                network="home",
                accounts_per_exit=3,
                exits_per_account=3,
                accounts_per_payment=5,
                payment_kind="card",
                disposable_mail=0.3,
                sign_up_bursts=40,
                aged_share=0.25,
                wanted_share=percent / 100.0,
                cover=Cover.RESALE,
                schedule=Schedule.QUEUE,
                idle_share=0.35,
                rhythm=Rhythm.MACHINE,
                jitter_hours=3.0,
                volume_spread=0.6,
                channels=3,
                clients=4,
                verification=Verification.PHONE,
            ),
            wants=(Capability.REASONING, Capability.GRADING, Capability.REWRITING),
            output_tokens=1000,
            shown=(0.0, 12.0),
        ),
        facts=(
            february("more than 20,000 accounts at one time in one proxy network", "accounts"),
            february(
                "load spread over the own API and clouds, distillation mixed with ordinary requests of "
                "customers, banned accounts replaced",
                "cover",
                "channels",
                "aged_share",
            ),
            Fact(
                ("network", "accounts_per_exit"),
                "proxies and transfer stations that carry several laboratories and ordinary users",
                ADVISORY,
                Mark.NOTES,
            ),
            assumed(
                f"{percent} % of each account's traffic; issue 3 asks for 1, 5, 10 and 50", "wanted_share"
            ),
            assumed(
                "26 exchanges a day as in the June letter, over 60 days; the first 12 are shown",
                "per_day",
                "days",
                "shown",
            ),
            assumed(
                "150 templates, three accounts to an exit, five to a card, three hours of jitter",
                "wording",
                "wants",
                "templates",
                "accounts_per_payment",
                "payment_kind",
                "disposable_mail",
                "schedule",
                "jitter_hours",
                "verification",
            ),
            *EVERYDAY,
        ),
    )
