"""How many references and how many queries a test needs, before anything is asked.

Model of the plan: contrasts of innocent models are normal with spread `between`, a student's contrast lies
`separation` higher, and each is measured with noise `within` / sqrt(queries). The conformal test with n
references rejects when fewer than floor(level * (n + 1)) of them reach the suspect. Its power follows by
exact arithmetic (a binomial tail, integrated over the suspect's score). More queries remove only the noise of
measurement; what they cannot buy is references.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy import special, stats

from stillwatch.lineage.references import VERDICT_FLOOR, references_needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from stillwatch.lineage.scorers import Affinities

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
_MOST_REFERENCES = 4000


class Spread(msgspec.Struct, frozen=True):
    """What is known beforehand, from references alone, in units of the contrast.

    Attributes:
        between: Standard deviation of the true contrast over innocent models.
        within: Standard deviation of the contrast over prompts, for one model.
        separation: How far a student's true contrast lies above the innocent mean.
    """

    between: float
    within: float
    separation: float


class Plan(msgspec.Struct, frozen=True):
    """References and queries for a stated error rate and power.

    Attributes:
        level: Error rate of an accusation.
        hypotheses: Number of (suspect, teacher) pairs that Holm's procedure corrects for.
        references: Matched reference families.
        queries: Prompts asked of the suspect (and of each reference).
        power: Chance to reach the level against a student with the assumed separation.
        least_p: Least p-value with that many references.
        sentence: The same in words.
    """

    level: float
    hypotheses: int
    references: int
    queries: int
    power: float
    least_p: float
    sentence: str


def contrast_power(spread: Spread, *, references: int, queries: int, level: float) -> float:
    """Chance that the conformal test rejects at `level` when the suspect is a student.

    Exact under the model of this module: the mean over the suspect's score of the probability that at most
    floor(level * (references + 1)) - 1 references reach it.

    Raises:
        ValueError: A number is outside its range.

    Example:
        >>> far = Spread(between=1.0, within=0.0, separation=4.0)
        >>> contrast_power(far, references=18, queries=50, level=0.05)
        0.0
        >>> round(contrast_power(far, references=19, queries=50, level=0.05), 2)
        0.97
    """
    _require(spread, level)
    if references < 1 or queries < 1:
        raise ValueError("a plan needs a reference and a query")
    allowed = math.floor(level * (references + 1) + 1e-9) - 1
    if allowed < 0:
        return 0.0
    deviation = _deviation(spread, queries)
    reached = special.ndtr(-(spread.separation / deviation + _NODES))
    power = stats.binom.cdf(allowed, references, reached) @ _WEIGHTS / np.sqrt(2.0 * np.pi)
    return float(np.clip(power, 0.0, 1.0))


def planned(
    spread: Spread,
    *,
    level: float,
    power: float,
    hypotheses: int = 1,
    queries: Sequence[int] = (10, 20, 50, 100, 200, 400, 800),
    most_references: int = _MOST_REFERENCES,
) -> tuple[Plan, ...]:
    """For each number of queries the fewest references that reach `power`, where any number does.

    Args:
        spread: What references say (`measured_spread`).
        level: Family-wise error rate of all accusations.
        power: Chance to find a student, inside (0, 1).
        hypotheses: Number of (suspect, teacher) pairs tested.
        queries: Numbers of prompts to consider.
        most_references: Where the search ends.

    Returns:
        A plan for each number of queries that can do it; empty if none can.

    Raises:
        ValueError: A number is outside its range.
    """
    _require(spread, level)
    if not 0.0 < power < 1.0 or hypotheses < 1:
        raise ValueError("the power must lie inside (0, 1) and there must be a hypothesis")
    each = level / hypotheses
    plans = (_fewest(spread, count, each, power, most_references) for count in sorted(set(queries)))
    return tuple(_plan(*one, level, hypotheses) for one in plans if one is not None)


def measured_spread(
    contrast_by_prompt: ArrayLike,
    student_contrast_by_prompt: ArrayLike | None = None,
    *,
    separation: float = 0.0,
) -> Spread:
    """Spread between innocent models and within a model over prompts, by one-way analysis of variance.

    Args:
        contrast_by_prompt: Contrasts of references, shape (references, prompts).
        student_contrast_by_prompt: Contrasts of known students; their mean gives the separation.
        separation: Assumed separation where no student is known.

    Raises:
        ValueError: Fewer than two references or prompts, or nothing says how far a student lies off.
    """
    innocent = np.asarray(contrast_by_prompt, dtype=np.float64)
    if innocent.ndim != 2 or min(innocent.shape) < 2:
        raise ValueError("contrasts must have shape (references, prompts), at least two of each")
    if student_contrast_by_prompt is not None:
        separation = float(np.mean(np.asarray(student_contrast_by_prompt)) - innocent.mean())
    if not separation > 0.0:
        raise ValueError(
            "nothing says how far a student lies off: give known students or a separation above 0"
        )
    within = float(np.mean(innocent.var(axis=1, ddof=1)))
    means = float(innocent.mean(axis=1).var(ddof=1))
    between = math.sqrt(max(means - within / innocent.shape[1], 0.0))
    return Spread(between, math.sqrt(within), separation)


def contrast_by_prompt(
    affinities: Affinities, models: Sequence[str], accused: Sequence[str], alternatives: Sequence[str]
) -> NDArray[np.float64]:
    """Contrast of each model on each prompt, shape (models, prompts).

    The accused's version is the one that is nearest over all prompts, as in `contrast.contrasts`.
    """
    blamed, others = affinities.columns(accused), affinities.columns(alternatives)
    rows = []
    for name in models:
        values = affinities.row(name)
        nearest = blamed[int(np.argmax(values[:, blamed].mean(axis=0)))]
        rows.append(values[:, nearest] - values[:, others].mean(axis=1))
    return np.array(rows).reshape(len(models), len(affinities.prompts))


def chosen_prompts(
    affinities: Affinities,
    accused: Sequence[str],
    alternatives: Sequence[str],
    innocent: Sequence[str],
    students: Sequence[str],
    count: int,
) -> tuple[str, ...]:
    """The `count` prompts that divide known students from innocent references best.

    Per prompt: difference of the mean contrasts over the spread of all. The suspect has no part in it.
    References that were used for choosing must not be used for the p-value: the choice pushes *their*
    contrasts down and not the suspect's. Choose on one set of references and test on another.

    Raises:
        ValueError: There is no innocent, no student, or the count is below 1.
    """
    if not innocent or not students or count < 1:
        raise ValueError("choosing prompts needs an innocent reference, a student and a count above 0")
    null = contrast_by_prompt(affinities, innocent, accused, alternatives)
    known = contrast_by_prompt(affinities, students, accused, alternatives)
    both = np.concatenate([null - null.mean(axis=0), known - known.mean(axis=0)])
    spread = np.sqrt((both**2).mean(axis=0)) + float(np.std(both)) + 1e-12
    order = np.argsort(-(known.mean(axis=0) - null.mean(axis=0)) / spread, kind="stable")
    return tuple(affinities.prompts[index] for index in order[:count])


def posterior(prior: float, power: float, false_rate: float) -> float:
    """Share of correct accusations: prior * power / (prior * power + (1 - prior) * false_rate).

    Raises:
        ValueError: A number is outside [0, 1], or nothing is ever accused.

    Example:
        >>> round(posterior(0.01, 0.9, 0.05), 2)
        0.15
    """
    if not all(0.0 <= value <= 1.0 for value in (prior, power, false_rate)):
        raise ValueError("prior, power and false rate must lie in [0, 1]")
    accused = prior * power + (1.0 - prior) * false_rate
    if accused == 0.0:
        raise ValueError("nothing is ever accused at these rates")
    return prior * power / accused


def _fewest(
    spread: Spread, queries: int, level: float, power: float, most: int
) -> tuple[int, int, float] | None:
    """Fewest references from the floor on; only counts at which one more rejection is allowed can win."""
    first = max(VERDICT_FLOOR, references_needed(level))
    counts = [first, *(math.ceil(k / level - 1e-9) - 1 for k in range(1, int(level * (most + 1)) + 1))]
    for count in sorted({one for one in counts if one >= first}):
        reached = contrast_power(spread, references=count, queries=queries, level=level)
        if reached >= power:
            return count, queries, reached
    return None


def _plan(references: int, queries: int, power: float, level: float, hypotheses: int) -> Plan:
    of = f" over {hypotheses} hypotheses" if hypotheses > 1 else ""
    sentence = (
        f"With {references} matched reference families and {queries} prompts each, a student is found with "
        f"probability {power:.0%} at an error rate of {level:g}{of}."
    )
    return Plan(level, hypotheses, references, queries, power, 1.0 / (references + 1), sentence)


def _deviation(spread: Spread, queries: int) -> float:
    return max(math.sqrt(spread.between**2 + spread.within**2 / queries), 1e-12)


def _require(spread: Spread, level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError("the level must lie inside (0, 1)")
    if min(spread.between, spread.within) < 0.0 or not spread.separation > 0.0:
        raise ValueError("spreads must be at least 0 and the separation above 0")
