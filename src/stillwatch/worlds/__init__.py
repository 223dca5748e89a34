"""A seeded simulated world: honest traffic, honest look-alikes, campaigns, and the truth about them."""

from stillwatch.worlds.scenario import CALM, DEMO, SCENARIOS, TINY, Scenario, named
from stillwatch.worlds.world import World, build_world
from stillwatch.worlds.write import WorldFiles, write_world

__all__ = [
    "CALM",
    "DEMO",
    "SCENARIOS",
    "TINY",
    "Scenario",
    "World",
    "WorldFiles",
    "build_world",
    "named",
    "write_world",
]
