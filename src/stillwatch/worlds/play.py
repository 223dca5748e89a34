"""Who plays in a scenario: the honest base population, the fleets, the campaigns, in blocks of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stillwatch.worlds import campaigns, fleets, honest, market
from stillwatch.worlds.conversations import TOOL_GAPS
from stillwatch.worlds.part import REPLY
from stillwatch.worlds.scenario import FixedPrompt, Hydra, Scenario
from stillwatch.worlds.shapes import draw, whole
from stillwatch.worlds.stage import Stage, Window, build_library
from stillwatch.worlds.streams import Streams
from stillwatch.worlds.traffic import Traffic, shipped_tables, traffic_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    from stillwatch.worlds.part import Part
    from stillwatch.worlds.pen import Pen
    from stillwatch.worlds.sources import Sources

    Behaviour = Callable[[Stage, int], Part]
    Play = Iterable[tuple[Part, pa.Table | None]]

FIRST_TRAFFIC = Traffic(
    agent_turns=honest.AGENT_TURNS, agent_gaps=TOOL_GAPS, reply=REPLY, agent_reply=REPLY, people=None
)
START = 1_791_158_400_000_000
"""Monday 5 October 2026, midnight UTC."""

FIRST_BASE: tuple[tuple[str, Behaviour, int], ...] = (
    ("hobbyists", honest.hobbyists, 2390),
    ("developers", honest.developers, 320),
    ("collectors", honest.prompt_collectors, 430),
    ("seats 1", honest.seats, 90),
    ("seats 2", honest.seats, 60),
    ("seats 3", honest.seats, 45),
    ("seats 4", honest.seats, 30),
    ("seats 5", honest.seats, 18),
    ("products", honest.products, 120),
    ("pipelines", honest.pipelines, 60),
    ("coders", honest.coders, 560),
)
"""The base population of the first edition: stream, behaviour, accounts at scale 1."""

BASE: tuple[tuple[str, Behaviour, int, int], ...] = (
    ("hobbyists", honest.hobbyists, 2390, 6000),
    ("developers", honest.developers, 320, 4000),
    ("collectors", honest.prompt_collectors, 430, 4000),
    ("products", honest.products, 120, 1000),
    ("pipelines", honest.pipelines, 60, 500),
    ("coders", honest.coders, 560, 1500),
    ("resellers", market.resellers, 12, 400),
    ("programmes", market.programmes, 40, 1000),
)
"""The base population of strangers: stream, behaviour, accounts at population 1, most accounts of a block."""

SEATS_NAME = "seats"
SEATS = 243
"""Accounts of seat-based companies at population 1."""
COMPANY_SIZES = (5, 6, 8, 10, 16, 28, 55, 110, 170, 420, 900)
"""Seats of a company, quantiles at `LEVELS` (assumption: small firms many, large ones few)."""


def build_stage(scenario: Scenario, seed: int, scale: float, sources: Sources, pen: Pen) -> Stage:
    """Return the stage on which a scenario is played."""
    streams = Streams(seed, exact=not scenario.first_edition)
    return Stage(
        streams=streams,
        window=Window(START, scenario.days, release_day=scenario.days * 0.42),
        library=build_library(streams.within("library"), sources),
        sources=sources,
        scale=scale * scenario.scale,
        pen=pen,
        traffic=FIRST_TRAFFIC if scenario.first_edition else sources.traffic or traffic_of(shipped_tables()),
    )


def play(scenario: Scenario, stage: Stage) -> Play:
    """Play a scenario; one part after the other comes into being as it is asked for."""
    crowd = stage.scaled(scenario.population)
    yield from _first_base(stage) if scenario.first_edition else _base(crowd, dict(scenario.accounts))
    if scenario.fleets:
        for part in fleets.play(crowd, dict(scenario.fleet_numbers)):
            yield part, None
    for plan in scenario.campaigns:
        inner = stage.within(f"campaign {plan.id}")
        if isinstance(plan, FixedPrompt):
            yield campaigns.fixed_prompt(inner, plan)
        elif isinstance(plan, Hydra):
            yield campaigns.hydra(inner, plan)
        else:
            yield from plan.play(inner)


def _first_base(stage: Stage) -> Play:
    for name, behave, count in FIRST_BASE:
        yield behave(stage.within(name), max(2, round(count * stage.scale))), None


def _base(stage: Stage, given: dict[str, int]) -> Play:
    """Play the base population: the usual mix, or the numbers that are `given` and nobody else."""
    for name, behave, usual, most in BASE:
        count = given.get(name, 0) if given else usual
        left = max(2, round(count * stage.scale)) if count else 0
        sizes = [most] * (left // most) + ([left % most] if left % most else [])
        for block, size in enumerate(sizes):
            yield behave(stage.within(f"{name}/{block}"), size), None
    seats = round((given.get(SEATS_NAME, 0) if given else SEATS) * stage.scale)
    for number, size in enumerate(company_sizes(seats, stage.rng("companies")) if seats else ()):
        yield honest.seats(stage.within(f"{SEATS_NAME}/{number}"), size), None


def company_sizes(seats: int, rng: np.random.Generator) -> list[int]:
    """Draw companies until they have about so many seats together."""
    drawn = whole(draw(COMPANY_SIZES, max(4, seats), rng), 2)
    enough = int(np.searchsorted(np.cumsum(drawn), max(seats, 2)))
    return [int(size) for size in drawn[: max(1, enough)]]
