"""Cards of the campaigns that were disclosed in June and September 2026."""

from __future__ import annotations

from stillwatch.worlds.cards.card import Card, Fact, Mark
from stillwatch.worlds.cards.operation import Capability, Craft, Operation, Pool, Schedule, Wording
from stillwatch.worlds.cards.sources import EVERYDAY, JUNE, assumed, inferred, september

MOONSHOT_RELAY = Card(
    id="moonshot-relay",
    title="Moonshot GTG-16002: the users of one product answered by another's model",
    seen="10 days of May to July 2026",
    exchanges=300_000,
    early_share=0.05,
    operation=Operation(
        id="moonshot-relay",
        pools=(Pool(5_380),),
        days=10.0,
        per_day=5.6,
        craft=Craft(
            wording=Wording.SESSIONS,
            templates=3,
            system_prompt=True,
            network="home",
            accounts_per_exit=2,
            accounts_per_payment=4,
            schedule=Schedule.USERS,
            idle_share=0.0,
            turns=2.0,
            replays_reasoning=True,
            volume_spread=0.5,
            clients=2,
            sign_up_bursts=12,
        ),
        wants=(Capability.CHAT, Capability.REASONING, Capability.CODING),
        languages=(0.15, 0.75, 0.04, 0.03, 0.03),
        output_tokens=900,
    ),
    facts=(
        september("about 300,000 exchanges in 10 days", "exchanges", "days"),
        september("5,380 accounts, mostly in Singapore and Japan", "accounts", "network"),
        inferred("about 6 exchanges of an account and day", "per_day"),
        september(
            "live substitution for the users of another product; the signed reasoning kept and replayed in a "
            "new session until the model writes it out",
            "wording",
            "schedule",
            "replays_reasoning",
            "wants",
        ),
        assumed(
            "one of three instructions in each replay (a third of the exchanges), the users' own words "
            "elsewhere; one system prompt of the relay",
            "templates",
            "system_prompt",
            "turns",
        ),
        assumed(
            "two accounts to an exit, four to a card",
            "accounts_per_exit",
            "accounts_per_payment",
            "payment_kind",
        ),
        *EVERYDAY,
    ),
)

ALIBABA = Card(
    id="alibaba",
    title="Alibaba GTG-16005: one fixed prompt, and a second pool after the ban",
    seen="May to July 2026",
    exchanges=151_000_000,
    operation=Operation(
        id="alibaba",
        pools=(
            Pool(5_000, ban_day=46.0, banned_share=0.97),
            Pool(3_500, first_day=46.0, replaced_hours=12.0),
        ),
        days=92.0,
        per_day=380.0,
        craft=Craft(
            wording=Wording.FIXED,
            templates=1,
            network="home",
            accounts_per_exit=1,
            exits_per_account=2,
            accounts_per_payment=4,
            payment_kind="virtual_card",
            disposable_mail=0.7,
            schedule=Schedule.QUEUE,
            idle_share=0.15,
            volume_spread=0.5,
            pivot_share=0.9,
            clients=3,
            sign_up_bursts=9,
        ),
        wants=(Capability.REASONING, Capability.KERNELS, Capability.AGENTS, Capability.CODING),
        output_tokens=2600,
        shown=(44.5, 47.5),
    ),
    facts=(
        september(
            "more than 151 million exchanges from May to July, about 3 million a day at the peak", "days"
        ),
        september(
            "3,500 accounts and more at the peak; a first pool of nearly 5,000, then a second", "accounts"
        ),
        inferred(
            "151 million over 92 days and the pools below are 380 of an account and day; at the peak it "
            "was 860, which is easier to see",
            "per_day",
        ),
        september(
            "one fixed prompt injected into every request, which forces the reasoning into inline tags",
            "wording",
            "templates",
            "wants",
        ),
        september(
            "residential proxies, disposable mail, virtual cards",
            "network",
            "disposable_mail",
            "payment_kind",
        ),
        september("swift fail-over to a second pool after a ban", "replaced_hours"),
        assumed(
            "ban half way, 97 in 100 caught, second pool of 3,500 at work within 12 hours",
            "ban_day",
            "banned_share",
            "first_day",
        ),
        assumed("three days around the ban are shown", "shown"),
        assumed(
            "an exit for each account, four accounts to a virtual card, nine in ten move to a new model",
            "accounts_per_exit",
            "accounts_per_payment",
            "schedule",
            "pivot_share",
        ),
        *EVERYDAY,
    ),
)

ALIBABA_SPRING = Card(
    id="alibaba-spring",
    title="Alibaba, after the letter of June 2026: many quiet accounts",
    seen="22 April to 5 June 2026, 45 days",
    exchanges=28_800_000,
    operation=Operation(
        id="alibaba-spring",
        pools=(Pool(25_000),),
        days=45.0,
        per_day=25.6,
        craft=Craft(
            wording=Wording.POOL,
            templates=200,
            network="home",
            accounts_per_exit=1,
            accounts_per_payment=4,
            disposable_mail=0.5,
            schedule=Schedule.QUEUE,
            idle_share=0.25,
            volume_spread=0.5,
            clients=3,
            sign_up_bursts=25,
        ),
        wants=(Capability.CODING, Capability.AGENTS),
        input_tokens=1800,
        shown=(0.0, 8.0),
    ),
    facts=(
        Fact(("exchanges", "days"), "28.8 million exchanges, 22 April to 5 June", JUNE, Mark.SECONDARY),
        Fact(("accounts",), "almost 25,000 accounts", JUNE, Mark.SECONDARY),
        inferred("about 26 exchanges of an account and day", "per_day"),
        Fact(("wants",), "software engineering and agentic reasoning", JUNE, Mark.SECONDARY),
        Fact(("network", "accounts_per_exit"), "proxies and fraudulent accounts", JUNE, Mark.SECONDARY),
        assumed(
            "200 templates, four accounts to a card; the first eight days are shown",
            "wording",
            "templates",
            "accounts_per_payment",
            "payment_kind",
            "disposable_mail",
            "schedule",
            "shown",
        ),
        *EVERYDAY,
    ),
)

ZAI = Card(
    id="zai",
    title="Z.ai GTG-16006: few loud accounts that clean and judge traces",
    seen="17 days, June to July 2026",
    exchanges=3_400_000,
    operation=Operation(
        id="zai",
        pools=(Pool(273),),
        days=17.0,
        per_day=732.0,
        craft=Craft(
            wording=Wording.POOL,
            templates=12,
            network="hosting",
            accounts_per_exit=10,
            accounts_per_payment=5,
            schedule=Schedule.QUEUE,
            idle_share=0.2,
            volume_spread=0.3,
            pivot_share=0.3,
            models=2,
        ),
        wants=(Capability.CLEANING, Capability.GRADING, Capability.SECURITY, Capability.REASONING),
        input_tokens=2200,
        output_tokens=1500,
        shown=(0.0, 12.0),
    ),
    facts=(
        september("more than 3.4 million exchanges in 17 days", "exchanges", "days"),
        september("273 accounts", "accounts"),
        inferred("about 730 exchanges of an account and day", "per_day"),
        september("cleaning of reasoning traces, judging, cyber skills", "wants", "wording"),
        september(
            "gave up on the better protected model and moved to an older one and to another laboratory",
            "models",
            "pivot_share",
        ),
        assumed(
            "12 templates, ten accounts to an exit, five to a card; the first 12 days are shown",
            "templates",
            "network",
            "accounts_per_exit",
            "accounts_per_payment",
            "payment_kind",
            "schedule",
            "shown",
        ),
        *EVERYDAY,
    ),
)

XIAOMI = Card(
    id="xiaomi",
    title="Xiaomi GTG-16008: sessions of its own users replayed through coding harnesses",
    seen="20 days, March to April 2026",
    exchanges=400_000,
    early_share=0.05,
    operation=Operation(
        id="xiaomi",
        pools=(Pool(1_500),),
        days=20.0,
        per_day=13.3,
        craft=Craft(
            wording=Wording.SESSIONS,
            templates=2,
            system_prompt=True,
            network="hosting",
            accounts_per_exit=8,
            accounts_per_payment=6,
            payment_kind="none",
            schedule=Schedule.QUEUE,
            idle_share=0.3,
            turns=5.0,
            volume_spread=0.4,
            clients=2,
            sign_up_bursts=8,
        ),
        wants=(Capability.CODING, Capability.AGENTS, Capability.TOOLS),
        languages=(0.3, 0.6, 0.04, 0.03, 0.03),
        input_tokens=6000,
        output_tokens=700,
        shown=(0.0, 12.0),
    ),
    facts=(
        september("more than 400,000 exchanges in 20 days", "exchanges", "days"),
        september("1,500 accounts and more", "accounts"),
        inferred("about 13 exchanges of an account and day", "per_day"),
        september(
            "data for fine-tuning and reinforcement learning; sessions of its own users replayed through "
            "coding harnesses",
            "wants",
            "wording",
            "system_prompt",
        ),
        september("a free trial was possibly used to gather prompts (hedged by the source)", "payment_kind"),
        assumed(
            "two harness prompts that honest people use as well, sessions of five turns, eight accounts "
            "to an exit; the first 12 days are shown",
            "templates",
            "turns",
            "network",
            "accounts_per_exit",
            "accounts_per_payment",
            "schedule",
            "shown",
        ),
        *EVERYDAY,
    ),
)
