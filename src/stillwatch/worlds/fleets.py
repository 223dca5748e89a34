"""The honest fleets that look guilty, as one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stillwatch.worlds import cohorts, market, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stillwatch.worlds.part import Part
    from stillwatch.worlds.stage import Stage

FLEETS: tuple[tuple[str, Callable[[Stage, int], Part], int, int], ...] = (
    ("evaluation_lab", programs.evaluation_lab, 6, 1),
    ("public_benchmark", programs.public_benchmark, 9, 1),
    ("nightly_evaluation", programs.nightly_evaluation, 3, 4),
    ("university_class", cohorts.university_class, 120, 1),
    ("onboarding", cohorts.onboarding, 80, 1),
    ("agent_launch", cohorts.agent_launch, 300, 1),
    ("clean_reseller", cohorts.clean_reseller, 40, 1),
    ("explaining_product", programs.explaining_product, 12, 1),
    ("grading_product", programs.grading_product, 8, 1),
    ("licensed_generation", programs.licensed_generation, 10, 1),
    ("red_team", programs.red_team, 5, 1),
    ("split_key", programs.split_key, 40, 1),
    ("carrier_nat", cohorts.carrier_nat, 90, 1),
    ("privacy_relay", cohorts.privacy_relay, 120, 1),
    ("sign_up_burst", cohorts.sign_up_burst, 60, 1),
)
"""Kind (its name in the truth), how it behaves, accounts, number of such fleets at scale 1."""

LATER_FLEETS: tuple[tuple[str, Callable[[Stage, int], Part], int, int], ...] = (
    ("fallback_router", market.fallback_router, 70, 1),
    ("campus_nat", market.campus_nat, 150, 1),
    ("remote_firm", market.remote_firm, 45, 1),
)
"""The same, of worlds after the first edition."""

SMALLEST = 4
"""Accounts that a fleet keeps in a world scaled down."""


def play(stage: Stage, numbers: Mapping[str, int] | None = None) -> Iterable[Part]:
    """Play every fleet; a larger world has more of them, a smaller one has smaller ones.

    Args:
        stage: Window, streams and scale.
        numbers: Fleets of each kind at scale 1 instead of the usual ones; other kinds are absent.
    """
    kinds = (*FLEETS, *LATER_FLEETS) if stage.streams.exact else FLEETS
    if numbers:
        kinds = tuple((k, behave, size, numbers[k]) for k, behave, size, _ in kinds if numbers.get(k))
    for kind, behave, size, number in kinds:
        accounts = size if stage.scale >= 1 else max(min(size, SMALLEST), round(size * stage.scale))
        for instance in range(max(1, round(number * stage.scale))):
            yield behave(stage.within(f"{kind}-{instance + 1}"), accounts)
