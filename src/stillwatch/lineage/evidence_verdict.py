"""From the figures of all tiers to one of four verdicts, by the rule that was registered."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.lineage.chain import plain
from stillwatch.lineage.evidence_figures import Figures, bounded
from stillwatch.lineage.evidence_tiers import TIERS
from stillwatch.lineage.evidence_words import said_against, said_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stillwatch.lineage.session_plan import Plan

DESIGNED = ("1a", "1b")
"""Tiers whose null is our own recorded randomness, not a choice of reference models."""


class Verdict(StrEnum):
    """What the evidence says of "the suspect was trained on what we served"; nothing is ever proved."""

    EXCLUDED = "excluded"
    INCONCLUSIVE = "inconclusive"
    SUPPORTS = "supports"
    STRONGLY = "strongly supports"


class Result(msgspec.Struct, frozen=True):
    """Figures of all tiers, the combined e-value, and what it means in words."""

    verdict: Verdict
    log_e: float
    reason: str
    figures: tuple[Figures, ...]
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]

    @property
    def supported(self) -> bool:
        """Whether the verdict supports training on what we served."""
        return self.verdict in {Verdict.SUPPORTS, Verdict.STRONGLY}

    def body(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        body: dict[str, Any] = plain(self)
        return body


def result_of(plan: Plan, data: Mapping[str, Any]) -> Result:
    """Compute everything from the data of the tiers.

    Args:
        plan: The registration.
        data: Score-level data by tier, as the evidence file holds them.

    Raises:
        msgspec.ValidationError: The data of a tier are not of its form.
        ValueError: They contradict themselves.
    """
    figures = tuple(TIERS[tier].read_figures(data[tier], plan) for tier in sorted(data))
    log_e = combined(plan, figures)
    verdict, reason = judge(plan, figures, log_e)
    return Result(verdict, log_e, reason, figures, said_for(figures), said_against(figures))


def combined(plan: Plan, figures: Sequence[Figures]) -> float:
    """Log of the weighted mean of the tiers' e-values: an e-value whatever the dependence between tiers.

    The tiers read the same suspect and partly the same answers, so their values must not be multiplied. A
    tier that was registered with a weight and gives no value counts as e = 1.
    """
    found = {each.tier: each.log_e for each in figures if each.log_e is not None}
    parts = [math.log(weight) + found.get(tier, 0.0) for tier, weight in plan.weights.items() if weight > 0.0]
    if not parts:
        return 0.0
    most = max(parts)
    return bounded(most + math.log(math.fsum(math.exp(part - most) for part in parts)))


def judge(plan: Plan, figures: Sequence[Figures], log_e: float) -> tuple[Verdict, str]:
    """Return the verdict and the reason for it."""
    same = next((each for each in figures if each.tier == "0" and each.details.get("same")), None)
    if same is not None:
        return Verdict.INCONCLUSIVE, (
            "the endpoint answers as our own model does, so the question is resale or theft of weights, "
            "not training on outputs"
        )
    if _strong(plan, figures, log_e):
        return Verdict.STRONGLY, f"the combined e-value is at least {1.0 / plan.alpha:g}"
    if _supports(plan, figures, log_e):
        return Verdict.SUPPORTS, f"the error rate is at most {plan.alpha_support:g}"
    against = [each for each in figures if each.against is not None and each.against <= plan.alpha_support]
    if against:
        return Verdict.EXCLUDED, (
            f"had it been trained as strongly as the plan supposes, so little would show with a probability "
            f"of at most {plan.alpha_support:g} (tier {against[0].tier})"
        )
    return Verdict.INCONCLUSIVE, "neither training nor its absence at the registered strength was shown"


def _strong(plan: Plan, figures: Sequence[Figures], log_e: float) -> bool:
    """A strong verdict needs a tier whose null is our own randomness."""
    enough = math.log(1.0 / plan.alpha_support)
    designed = any(
        each.tier in DESIGNED and each.log_e is not None and each.log_e >= enough for each in figures
    )
    return designed and log_e >= math.log(1.0 / plan.alpha) - 1e-9


def _supports(plan: Plan, figures: Sequence[Figures], log_e: float) -> bool:
    if plan.rule == "p":
        weighted = [each for each in figures if plan.weights.get(each.tier, 0.0) > 0.0]
        return any(each.p is not None and each.p <= plan.alpha_support for each in weighted)
    return log_e >= math.log(1.0 / plan.alpha_support) - 1e-9
