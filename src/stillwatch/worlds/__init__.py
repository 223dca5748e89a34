"""A seeded simulated world: honest traffic, honest look-alikes, campaigns, and the truth about them."""

from stillwatch.worlds.catalogue import SCENARIOS, named
from stillwatch.worlds.scenario import CALM, DEMO, TINY, Scenario
from stillwatch.worlds.score import Score, read_campaigns, score_report
from stillwatch.worlds.sources import Sources, read_sources
from stillwatch.worlds.world import World, build_world, truth_table
from stillwatch.worlds.write import WorldFiles, write_world

__all__ = [
    "CALM",
    "DEMO",
    "SCENARIOS",
    "TINY",
    "Scenario",
    "Score",
    "Sources",
    "World",
    "WorldFiles",
    "build_world",
    "named",
    "read_campaigns",
    "read_sources",
    "score_report",
    "truth_table",
    "write_world",
]
