"""What a world is made of. Scenario ids are permanent: a changed meaning gets a new id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from stillwatch.worlds.part import Part
    from stillwatch.worlds.stage import Stage


Count = Annotated[int, msgspec.Meta(ge=1)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


@runtime_checkable
class Campaign(Protocol):
    """What a campaign must be to take part in a scenario."""

    @property
    def id(self) -> str:
        """Name in the truth."""

    def play(self, stage: Stage) -> Iterable[tuple[Part, pa.Table | None]]:
        """Yield the campaign's traffic in blocks of accounts, each with the operator's actions on them."""


class FixedPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign with one prompt in every request and a second pool of accounts (Alibaba card of September).

    Attributes:
        id: Name in the truth.
        accounts: Accounts of the first pool.
        second_pool: Accounts that take over after the ban.
        per_day: Mean requests of an account and day.
        ban_day: Day of the window on which the first pool is banned.
        banned_share: Share of the first pool that the operator catches.
        quiet_share: Share of accounts that send next to nothing.
        idle_share: Share of six-hour blocks in which the work queue rests.
    """

    id: str = "A"
    accounts: Count = 250
    second_pool: Count = 120
    per_day: Rate = 12.0
    ban_day: Rate = 7.4
    banned_share: Share = 0.85
    quiet_share: Share = 0.04
    idle_share: Share = 0.25


class Hydra(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A campaign with a pool of templates mixed into resold traffic (proxy network and DeepSeek cards).

    Attributes:
        id: Name in the truth.
        accounts: Accounts.
        templates: Size of the pool of templates.
        share: Mean share of campaign requests in an account's traffic.
        per_day: Mean requests of an account and day, resale included.
        jitter_hours: Each account runs the shared jobs so many hours early or late at most.
        quiet_share: Share of accounts that carry next to no campaign requests.
        idle_share: Share of six-hour blocks in which no job runs.
    """

    id: str = "B"
    accounts: Count = 200
    templates: Count = 150
    share: Share = 0.35
    per_day: Rate = 10.0
    jitter_hours: Annotated[float, msgspec.Meta(ge=0)] = 3.0
    quiet_share: Share = 0.04
    idle_share: Share = 0.45


class Scenario(msgspec.Struct, frozen=True):
    """One kind of world.

    Attributes:
        id: Permanent name.
        days: Length of the logs.
        fleets: Whether honest fleets that look guilty are present.
        campaigns: Campaigns that run.
        scale: Default factor on all numbers of accounts.
        population: Further factor on the numbers of honest accounts; 1 gives about 5,000, 11 about 55,000.
        title: One line for people.
        accounts: Accounts of each honest population instead of the usual mix, at population 1.
        fleet_numbers: Fleets of each kind instead of the usual numbers, at population 1.
        first_edition: Made by the first generator: the undivided populations and random streams of `demo`,
            whose bytes are permanent. All other worlds are played in blocks with portable random numbers.
    """

    id: str
    days: int = 12
    fleets: bool = True
    campaigns: tuple[FixedPrompt | Hydra | Campaign, ...] = ()
    scale: float = 1.0
    population: float = 1.0
    title: str = ""
    first_edition: bool = False
    accounts: tuple[tuple[str, int], ...] = ()
    fleet_numbers: tuple[tuple[str, int], ...] = ()


DEMO = Scenario(
    "demo",
    campaigns=(FixedPrompt(), Hydra()),
    title="about 5,000 honest accounts, honest fleets, two small campaigns",
    first_edition=True,
)
CALM = Scenario(
    "calm", title="the population of demo without any campaign: every report is wrong", first_edition=True
)
TINY = Scenario(
    "tiny",
    campaigns=(FixedPrompt(), Hydra(templates=20)),
    scale=0.05,
    title="demo at a twentieth, for tests",
    first_edition=True,
)

FIRST = (DEMO, CALM, TINY)
"""Scenarios of the first edition; all named scenarios are in `catalogue`."""
