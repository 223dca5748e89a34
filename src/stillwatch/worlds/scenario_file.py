"""Scenarios that an operator writes: an own population and own adversaries, in TOML or JSON.

The format is described with an example in `docs/worlds.md` and `examples/`.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from stillwatch.model.errors import BAD_JSON, InputError
from stillwatch.worlds.cards import Harvest, Operation, card_named
from stillwatch.worlds.catalogue import SCENARIOS
from stillwatch.worlds.fleets import FLEETS, LATER_FLEETS
from stillwatch.worlds.ladder import evaded, evasion_named
from stillwatch.worlds.play import BASE, SEATS_NAME
from stillwatch.worlds.scenario import FixedPrompt, Hydra, Scenario

if TYPE_CHECKING:
    from stillwatch.worlds.scenario import Campaign

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=10_000)]

POPULATIONS = (*(name for name, *_ in BASE), SEATS_NAME)
FLEET_KINDS = tuple(kind for kind, *_ in (*FLEETS, *LATER_FLEETS))
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MOST_DAYS = 366


class CardPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign after a public card, changed.

    Attributes:
        card: Id of the card.
        id: Name in the truth; the card's if not given.
        evasions: Switches of the ladder that are on.
        share: Factor on its numbers of accounts.
    """

    card: str
    id: str = ""
    evasions: tuple[str, ...] = ()
    share: Positive = 1.0


class ScenarioFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario as it is written; see `Scenario` for what the names mean.

    Attributes:
        id: Name; none of the permanent ids.
        title: One line for people.
        days: Length of the logs.
        population: Factor on the usual mix of honest accounts.
        accounts: Accounts of each honest population instead of the usual mix; what is not named is absent.
        fleets: Whether honest fleets that look guilty are present, or how many of each kind.
        campaign: Campaigns, each with its `kind`.
    """

    id: str
    title: str = ""
    days: Annotated[int, msgspec.Meta(ge=1, le=_MOST_DAYS)] = 12
    population: Positive = 1.0
    accounts: dict[str, Count] = {}
    fleets: bool | dict[str, Count] = True
    campaign: list[dict[str, Any]] = []


def parse_scenario(content: bytes, name: str) -> Scenario:
    """Read a scenario.

    Args:
        content: The file; JSON if `name` ends in `.json`, else TOML.
        name: Name of the file, for messages.

    Raises:
        InputError: It is neither, or something in it is unknown or not allowed; the message says what.
    """
    try:
        plan = msgspec.convert(_decoded(content, name), ScenarioFile)
    except msgspec.ValidationError as error:
        fields = ", ".join(ScenarioFile.__struct_fields__)
        raise InputError(name, str(error), f"the fields are {fields}") from None
    if not _ID.fullmatch(plan.id):
        raise InputError(name, "`id` is not a short name", "use small letters, digits and hyphens")
    if any(plan.id == known.id for known in SCENARIOS):
        raise InputError(name, f"`id` is {plan.id}, which is a permanent scenario", "choose another id")
    numbers = plan.fleets if isinstance(plan.fleets, dict) else {}
    _known(numbers, FLEET_KINDS, f"{name}, `fleets`", "fleets")
    _known(plan.accounts, POPULATIONS, f"{name}, `accounts`", "populations")
    campaigns = [_campaign(each, f"{name}, campaign {place}") for place, each in enumerate(plan.campaign, 1)]
    twice = {each.id for each in campaigns if sum(each.id == other.id for other in campaigns) > 1}
    if twice:
        raise InputError(name, f"two campaigns are called {min(twice)}", "give each an `id` of its own")
    return Scenario(
        plan.id,
        days=plan.days,
        fleets=plan.fleets is not False,
        campaigns=tuple(campaigns),
        population=plan.population,
        title=plan.title,
        accounts=tuple(sorted(plan.accounts.items())),
        fleet_numbers=tuple(sorted(numbers.items())),
    )


def _decoded(content: bytes, name: str) -> Any:
    try:
        if name.endswith(".json"):
            return msgspec.json.decode(content)
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, *BAD_JSON) as error:
        kind = "JSON" if name.endswith(".json") else "TOML"
        where = "" if isinstance(error, UnicodeDecodeError) else f" ({error})"
        raise InputError(
            name, f"is not {kind}{where}", "compare it with the example in docs/worlds.md"
        ) from None


def _known(given: dict[str, int], names: tuple[str, ...], where: str, what: str) -> None:
    for name in given:
        if name not in names:
            raise InputError(where, f"{name!r} is unknown", f"the {what} are {', '.join(names)}")


def _campaign(given: dict[str, Any], where: str) -> FixedPrompt | Hydra | Campaign:
    values = dict(given)
    kind = values.pop("kind", None)
    kinds: dict[str, Any] = {
        "fixed_prompt": FixedPrompt,
        "hydra": Hydra,
        "operation": Operation,
        "card": CardPlan,
    }
    if kind not in kinds:
        raise InputError(where, "has no known `kind`", f"the kinds are {', '.join(kinds)}")
    try:
        plan = msgspec.convert(values, kinds[kind])
    except msgspec.ValidationError as error:
        fields = ", ".join(kinds[kind].__struct_fields__)
        raise InputError(where, str(error), f"the fields of a {kind} are {fields}") from None
    if isinstance(plan, CardPlan):
        plan = _from_card(plan, where)
    if isinstance(plan, Operation):
        _sensible(plan, where)
        return Harvest(plan)
    named: FixedPrompt | Hydra = plan
    return named


def _from_card(plan: CardPlan, where: str) -> Operation:
    try:
        operation = card_named(plan.card).operation
        switches = [evasion_named(name) for name in plan.evasions]
    except KeyError as error:
        raise InputError(where, str(error.args[0]), "use one of these names") from None
    pools = tuple(
        msgspec.structs.replace(pool, accounts=max(1, round(pool.accounts * plan.share)))
        for pool in operation.pools
    )
    smaller = msgspec.structs.replace(operation, pools=pools)
    return evaded(smaller, switches, plan.id or operation.id)


def _sensible(plan: Operation, where: str) -> None:
    """Refuse numbers with which nothing can be played.

    Raises:
        InputError: One of them is not positive, or no share.
    """
    craft = plan.craft
    checks = (
        ("pools", bool(plan.pools) and all(pool.accounts > 0 for pool in plan.pools), "at least one account"),
        ("days", plan.days > 0, "above 0"),
        ("per_day", plan.per_day > 0, "above 0"),
        ("craft.wanted_share", 0 < craft.wanted_share <= 1, "above 0 and at most 1"),
        ("craft.templates", craft.templates > 0, "1 or more"),
        ("craft.accounts_per_exit", craft.accounts_per_exit > 0, "1 or more"),
        ("craft.accounts_per_payment", craft.accounts_per_payment > 0, "1 or more"),
        ("craft.slowed", craft.slowed > 0, "above 0"),
    )
    for name, good, remedy in checks:
        if not good:
            raise InputError(where, f"`{name}` is not possible", f"give {remedy}")
