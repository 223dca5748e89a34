"""All named scenarios; their ids are permanent."""

from __future__ import annotations

from stillwatch.worlds import cards, ladder
from stillwatch.worlds.scenario import FIRST, FixedPrompt, Hydra, Scenario

QUIET = Scenario(
    "quiet-50k",
    population=11.0,
    title="55,000 honest accounts of all populations and fleets, no campaign: every report is wrong",
)
CROWD = Scenario(
    "crowd-50k",
    population=11.0,
    campaigns=(FixedPrompt(), Hydra()),
    title="the same with the two campaigns of demo, one account in a hundred",
)

SCENARIOS: tuple[Scenario, ...] = (*FIRST, QUIET, CROWD, *cards.SCENARIOS, *ladder.SCENARIOS)
"""All named scenarios."""


def named(scenario_id: str) -> Scenario:
    """Find a scenario by its permanent id.

    Raises:
        KeyError: There is none of that name.
    """
    for scenario in SCENARIOS:
        if scenario.id == scenario_id:
            return scenario
    raise KeyError(f"no scenario {scenario_id!r}; there are {', '.join(s.id for s in SCENARIOS)}")
