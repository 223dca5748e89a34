"""A small stage with texts, on which campaigns are played."""

import msgspec
import pytest

from stillwatch.worlds.cards.operation import scaled
from stillwatch.worlds.cards.play import Harvest
from stillwatch.worlds.pen import TextPen
from stillwatch.worlds.play import START, build_stage
from stillwatch.worlds.scenario import Scenario
from stillwatch.worlds.sources import Sources
from stillwatch.worlds.stage import Window


@pytest.fixture(scope="session")
def window():
    return Window(START, 12, 5.04)


@pytest.fixture(scope="session")
def stage_of():
    """Give the stage of a part of a world, by its name, with a twelve-day window."""
    worlds = {}

    def stage(name="campaign", scale=1.0, seed=5):
        if seed not in worlds:
            worlds[seed] = build_stage(Scenario("test"), seed, 1.0, Sources(), TextPen())
        return msgspec.structs.replace(worlds[seed].within(name), scale=scale)

    return stage


@pytest.fixture(scope="session")
def played(stage_of):
    """Play an operation with about so many accounts; each play is done once."""
    known = {}

    def play(operation, accounts=24, seed=5):
        small = scaled(operation, accounts / operation.accounts)
        if (small, seed) not in known:
            known[small, seed] = list(Harvest(small).play(stage_of(small.id, seed=seed)))
        return small, known[small, seed]

    return play
