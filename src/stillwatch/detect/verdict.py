"""What kind of group it is: an additive, monotone score for each kind, each term shown."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

from stillwatch.detect.terms import PRIORS, RULES, VERSION
from stillwatch.model.findings import Hypothesis, Term, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LEAST_PROBABILITY = 0.5
_LEAST_NATS = 0.005


def hypotheses(features: Mapping[str, float]) -> tuple[Hypothesis, ...]:
    """Score every kind of group, the most probable first.

    Args:
        features: Values by name; NaN or a missing name adds nothing to any kind.

    Returns:
        One hypothesis a kind. The probabilities are the softmax of the scores, a posterior under the stated
        priors if the terms are log likelihood ratios; that they are sound is tested on simulated worlds.
    """
    terms: dict[Verdict, list[Term]] = {kind: [] for kind in PRIORS}
    for rule in RULES:
        value = features.get(rule.feature, math.nan)
        if math.isnan(value):
            continue
        sentence = rule.sentence.format(value=value)
        at, width, step = _between(value, rule.knots)
        for kind, points in rule.points.items():
            nats = (points[at + 1] - points[at]) / width * step + points[at]
            if abs(nats) >= _LEAST_NATS:
                terms[kind].append(Term(rule.feature, round(nats, 3), sentence))
    scores = {kind: PRIORS[kind] + sum(term.points for term in terms[kind]) for kind in PRIORS}
    best = max(scores.values())
    weights = {kind: math.exp(score - best) for kind, score in scores.items()}
    total = sum(weights.values())
    ranked = sorted(PRIORS, key=lambda kind: (-scores[kind], kind))
    return tuple(
        Hypothesis(
            kind=kind,
            score=round(scores[kind], 3),
            probability=weights[kind] / total,
            terms=tuple(_by_size(terms[kind])),
            table=VERSION,
        )
        for kind in ranked
    )


def _between(value: float, knots: Sequence[float]) -> tuple[int, float, float]:
    """Return the knot before a value, how far the next is and how far the value; ends hold for all beyond."""
    at = min(max(bisect_right(knots, value) - 1, 0), len(knots) - 2)
    width = knots[at + 1] - knots[at]
    return at, width, min(max(value - knots[at], 0.0), width)


def _by_size(terms: list[Term]) -> list[Term]:
    return sorted(terms, key=lambda term: (-abs(term.points), term.measure))


def decide(
    ranked: tuple[Hypothesis, ...], *, coordinated: bool, second_view: bool, verdict_error: float
) -> Verdict:
    """Return the verdict that may be reported.

    Args:
        ranked: Result of `hypotheses`.
        coordinated: Whether the group was discovered at the stated false-discovery rate.
        second_view: Whether a view that is not text supports it; text alone can be sprayed to frame a
            customer.
        verdict_error: Largest probability of all other kinds together at which a campaign is reported.
    """
    best = ranked[0]
    if best.kind is Verdict.CAMPAIGN:
        sure = 1.0 - best.probability <= verdict_error
        return Verdict.CAMPAIGN if sure and coordinated and second_view else Verdict.UNDECIDED
    return best.kind if best.probability >= _LEAST_PROBABILITY else Verdict.UNDECIDED
