"""The adversary ladder: evasions as switches, what each changes and costs, and the campaigns made of them.

An evasion is a set of changed fields of `Craft`; several compose because later ones change other fields or
go further on the same one. What a set costs is `prices.cost_per_thousand` of the operation that results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

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
from stillwatch.worlds.cards.play import Harvest
from stillwatch.worlds.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable


class Evasion(msgspec.Struct, frozen=True):
    """One switch of the adversary.

    Attributes:
        id: Permanent name.
        says: What the adversary does.
        changes: Fields of `Craft` with their new values.
    """

    id: str
    says: str
    changes: tuple[tuple[str, Any], ...]

    def applied(self, craft: Craft) -> Craft:
        """Return `craft` with this evasion switched on."""
        return msgspec.structs.replace(craft, **dict(self.changes))


def _evasion(name: str, says: str, **changes: object) -> Evasion:
    return Evasion(name, says, tuple(changes.items()))


EVASIONS = (
    _evasion("own-address", "an address for each account", network="home", accounts_per_exit=1),
    _evasion("jitter", "each account works up to 72 hours early or late", jitter_hours=72.0),
    _evasion("uneven", "volumes of the accounts apart by tens", volume_spread=0.9),
    _evasion(
        "mixed-settings",
        "clients and sampling drawn anew for each account",
        uniform_sampling=False,
        clients=9,
    ),
    _evasion(
        "no-fixed-prompt",
        "a pool of 2,000 templates instead of one prompt",
        wording=Wording.POOL,
        templates=2_000,
        system_prompt=False,
    ),
    _evasion(
        "own-payment",
        "a card and an ordinary mail address for each account",
        accounts_per_payment=1,
        payment_kind="card",
        disposable_mail=0.03,
    ),
    _evasion("human-rhythm", "asks at the hours of a person", rhythm=Rhythm.HUMAN),
    _evasion("aged", "accounts bought months old, one by one", aged_share=1.0, sign_up_bursts=0),
    _evasion("several-models", "three models, without haste to the new one", models=3, pivot_share=0.2),
    _evasion("overlap", "a fifth of the questions asked by two accounts", repeats=0.2),
    _evasion(
        "own-templates",
        "twenty templates reworded for each account",
        wording=Wording.OWN,
        templates=20,
        system_prompt=False,
    ),
    _evasion(
        "cover",
        "seven of ten exchanges are invented chats",
        wanted_share=0.3,
        cover=Cover.SYNTHETIC,
    ),
    _evasion("slower", "four times slower", slowed=4.0),
    _evasion("verified", "accounts that passed an identity check", verification=Verification.IDENTITY),
    _evasion(
        "every-prompt",
        "every single prompt reworded",
        wording=Wording.EVERY,
        system_prompt=False,
    ),
    _evasion("independent", "a queue of its own for each account", schedule=Schedule.INDEPENDENT),
    _evasion(
        "heavy-cover",
        "nine of ten exchanges are invented chats",
        wanted_share=0.1,
        cover=Cover.SYNTHETIC,
    ),
)
"""All switches, in the order in which the cumulative ladder turns them on: about from cheap to dear."""

BASE = Operation(
    id="ladder-00",
    pools=(Pool(1_000),),
    days=30.0,
    per_day=26.0,
    craft=Craft(
        wording=Wording.FIXED,
        templates=1,
        system_prompt=True,
        network="hosting",
        accounts_per_exit=20,
        accounts_per_payment=5,
        disposable_mail=0.6,
        schedule=Schedule.QUEUE,
        idle_share=0.3,
        volume_spread=0.2,
        pivot_share=0.9,
    ),
    wants=(Capability.REASONING, Capability.CODING, Capability.GRADING),
    shown=(0.0, 12.0),
)
"""An adversary that does nothing to hide: a thousand accounts at the rate of the letter of June 2026."""


class Rung(msgspec.Struct, frozen=True):
    """One step of the ladder.

    Attributes:
        operation: The campaign; its id is the permanent id of the scenario.
        evasions: Ids of the switches that are on.
    """

    operation: Operation
    evasions: tuple[str, ...]


def evaded(operation: Operation, evasions: Iterable[Evasion], name: str) -> Operation:
    """Return `operation` under the id `name` with the `evasions` switched on, in their order.

    >>> evaded(BASE, [evasion_named("slower")], "slow").rate
    6.5
    """
    craft = operation.craft
    for evasion in evasions:
        craft = evasion.applied(craft)
    return msgspec.structs.replace(operation, id=name, craft=craft)


def evasion_named(evasion_id: str) -> Evasion:
    """Find a switch by its permanent id.

    Raises:
        KeyError: There is none of that name.
    """
    for evasion in EVASIONS:
        if evasion.id == evasion_id:
            return evasion
    raise KeyError(f"no evasion {evasion_id!r}; there are {', '.join(each.id for each in EVASIONS)}")


def cumulative() -> tuple[Rung, ...]:
    """The ladder: rung n has the first n switches on."""
    return tuple(
        Rung(
            evaded(BASE, EVASIONS[:height], f"ladder-{height:02d}"),
            tuple(each.id for each in EVASIONS[:height]),
        )
        for height in range(len(EVASIONS) + 1)
    )


def one_at_a_time() -> tuple[Rung, ...]:
    """The base with each switch on alone."""
    return tuple(Rung(evaded(BASE, [each], f"ladder-only-{each.id}"), (each.id,)) for each in EVASIONS)


def _chosen(name: str, *evasions: str) -> Rung:
    return Rung(evaded(BASE, [evasion_named(each) for each in evasions], name), evasions)


BEHAVIOUR_ONLY = _chosen(
    "behaviour-only", "own-address", "jitter", "mixed-settings", "own-payment", "cover", "every-prompt"
)
"""Nothing shared but the work queue: every prompt reworded, own address, own payment, 72 hours of jitter,
three of ten exchanges wanted."""

BEHAVIOUR_INDEPENDENT = _chosen(
    "behaviour-independent",
    "own-address",
    "jitter",
    "mixed-settings",
    "own-payment",
    "every-prompt",
    "independent",
    "heavy-cover",
)
"""The same with independent schedules and nine of ten exchanges cover: the floor, drawn without a bar."""

RUNGS = (*cumulative(), *one_at_a_time(), BEHAVIOUR_ONLY, BEHAVIOUR_INDEPENDENT)
"""All campaigns of this module."""


def power_point(templates: int, wanted_share: float, name: str = "power") -> Operation:
    """A campaign that is seen in one text view alone: so many templates, such a share of its traffic.

    Everything but the templates is each account's own: address, payment, clients, sampling, schedule.

    Args:
        templates: Size of the pool.
        wanted_share: Share of each account's traffic that belongs to the campaign.
        name: Name in the truth.
    """
    hidden = (
        "own-address",
        "mixed-settings",
        "own-payment",
        "aged",
        "several-models",
        "independent",
    )
    plain = evaded(BASE, [evasion_named(each) for each in hidden], name)
    craft = msgspec.structs.replace(
        plain.craft,
        wording=Wording.POOL,
        templates=templates,
        system_prompt=False,
        wanted_share=wanted_share,
        cover=Cover.SYNTHETIC if wanted_share < 1 else Cover.NONE,
    )
    return msgspec.structs.replace(plain, craft=craft)


def title_of(rung: Rung) -> str:
    """Say in one line what is on."""
    if not rung.evasions:
        return "a thousand accounts that do nothing to hide"
    if len(rung.evasions) == 1:
        return f"a thousand accounts; {evasion_named(rung.evasions[0]).says}"
    return f"{len(rung.evasions)} evasions, the last of them: {evasion_named(rung.evasions[-1]).says}"


SCENARIOS = tuple(
    Scenario(rung.operation.id, campaigns=(Harvest(rung.operation),), population=11.0, title=title_of(rung))
    for rung in RUNGS
)
"""Each rung among about 55,000 honest accounts."""
