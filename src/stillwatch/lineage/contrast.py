"""Accused teacher against alternative teachers, calibrated on matched models that learned from neither.

Statistic of a model: its affinity with the accused (the largest over the accused's versions) less its mean
affinity with the alternatives. The subtraction is what forensic statistics calls typicality (Morrison &
Enzinger 2018): a model that is like *every* assistant gains nothing. The unit of evidence is the model: more
prompts make the statistic of each model sharper, but only more models make the null known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.special import logsumexp

from stillwatch.stats.conformal import conformal_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from stillwatch.lineage.references import ReferenceSet
    from stillwatch.lineage.scorers import Affinities


class ContrastTest(msgspec.Struct, frozen=True):
    """Where the suspect stands among matched models that did not learn from the accused.

    Attributes:
        scorer: Name and version of the scorer.
        suspect: The model under test.
        accused: Models of the accused teacher.
        alternatives: Models of other vendors.
        prompts: Number of prompts behind each statistic.
        statistic: The contrast of the suspect.
        families: Names of the reference families.
        innocent: The largest contrast in each of these families.
        students: Contrasts of models known to have learned from the accused, where there are any.
        p: Conformal p-value of "the suspect is like the innocent references".
        least_p: The least value that p can take with this number of families.
        log_e: Log e-value of the same null, from the rank alone.
        log_lr: Log likelihood ratio of student against innocent, never beyond the number of references; None
            without two known students.
        p_student: Conformal p-value of "the suspect is like the known students" (small: it is not one).
    """

    scorer: str
    suspect: str
    accused: tuple[str, ...]
    alternatives: tuple[str, ...]
    prompts: int
    statistic: float
    families: tuple[str, ...]
    innocent: tuple[float, ...]
    students: tuple[float, ...]
    p: float
    least_p: float
    log_e: float
    log_lr: float | None
    p_student: float | None


def contrasts(
    affinities: Affinities, accused: Sequence[str], alternatives: Sequence[str]
) -> NDArray[np.float64]:
    """Contrast of each model of `affinities`, shape (models,); not a number where it is accused itself.

    A model is never compared with its own answers: as an alternative it is left out of its own mean.

    Raises:
        ValueError: There is no accused or no alternative, one stands on both sides, or is no column.
    """
    if not accused or not alternatives or set(accused) & set(alternatives):
        raise ValueError("name an accused and an alternative, and none on both sides")
    mean = affinities.mean()
    blamed, others = affinities.columns(accused), affinities.columns(alternatives)
    rest = mean[:, others]
    given = ~np.isnan(rest)
    count = np.maximum(given.sum(axis=1), 1)
    typical = np.where(given.any(axis=1), np.where(given, rest, 0.0).sum(axis=1) / count, np.nan)
    return np.asarray(mean[:, blamed].max(axis=1) - typical)


def contrast_test(
    affinities: Affinities,
    suspect: str,
    accused: Sequence[str],
    alternatives: Sequence[str],
    innocent: ReferenceSet,
    students: ReferenceSet | None = None,
) -> ContrastTest:
    """Test one suspect against one accused teacher.

    Args:
        affinities: Of the suspect and of all references with all accused and alternative models.
        suspect: Name of the suspect, a row of `affinities`.
        accused: Versions of the accused teacher.
        alternatives: Teachers of other vendors.
        innocent: Matched references that did not learn from the accused (`ReferenceSet.innocent_of`).
        students: Models that did, for the likelihood ratio.

    Raises:
        ValueError: There is no reference, the suspect is among them, or a contrast is not a number.
    """
    if suspect in innocent.names() or (students is not None and suspect in students.names()):
        raise ValueError("the suspect stands among its own references: take it out with `without`")
    value = dict(zip(affinities.models, contrasts(affinities, accused, alternatives).tolist(), strict=True))
    statistic = value[suspect]
    families, null = _by_family(innocent, value)
    known = _by_family(students, value)[1] if students is not None else ()
    return ContrastTest(
        scorer=affinities.scorer,
        suspect=suspect,
        accused=tuple(accused),
        alternatives=tuple(alternatives),
        prompts=len(affinities.prompts),
        statistic=statistic,
        families=families,
        innocent=null,
        students=known,
        p=float(conformal_p(statistic, null)),
        least_p=1.0 / (len(null) + 1),
        log_e=rank_log_e(statistic, null),
        log_lr=capped_log_lr(statistic, null, known) if min(len(null), len(known)) >= 2 else None,
        p_student=float(conformal_p(-statistic, -np.asarray(known))) if known else None,
    )


def rank_log_e(score: float, references: ArrayLike) -> float:
    """Log e-value of the suspect's rank r among n references and itself: e = (n + 1) / (r H), H = sum 1/r.

    If all n + 1 scores are exchangeable, each rank is equally likely and the values at the n + 1 ranks have
    mean 1 (ties count against the evidence). Ranks alone decide, so no outlier among the references matters,
    and e is at most (n + 1) / H: 5.6 for 19 references, 19 for 99.

    Raises:
        ValueError: There is no reference, or a score is not a number.

    Example:
        >>> round(float(np.exp(rank_log_e(9.0, [1.0, 2.0, 3.0]))), 3)
        1.92
    """
    null = np.asarray(references, dtype=np.float64)
    if null.size == 0 or np.isnan(null).any() or np.isnan(score):
        raise ValueError("a rank needs a reference, and scores that are numbers")
    rank = 1 + int(np.sum(null >= score))
    harmonic = float(np.sum(1.0 / np.arange(1, null.size + 2)))
    return float(np.log((null.size + 1.0) / (rank * harmonic)))


def capped_log_lr(score: float, innocent: ArrayLike, students: ArrayLike) -> float:
    """Log likelihood ratio of the score among students against among innocents, by kernel densities.

    Both densities are Gaussian kernels with one bandwidth (Silverman's rule on the spread within the two
    groups). The ratio is held between 1 / (number of students) and the number of innocents: what has not
    happened in n cases may still happen once in n + 1 (empirical bounds after Vergeer et al. 2016, Science &
    Justice 56).

    Raises:
        ValueError: One of the groups has fewer than two scores.
    """
    null, known = np.asarray(innocent, dtype=np.float64), np.asarray(students, dtype=np.float64)
    if null.size < 2 or known.size < 2:
        raise ValueError("a likelihood ratio needs two models on each side")
    within = np.concatenate([null - null.mean(), known - known.mean()])
    spread = np.sqrt(np.sum(within**2) / (within.size - 2))
    width = max(1.06 * spread * within.size ** (-0.2), 1e-12)
    ratio = _log_density(score, known, width) - _log_density(score, null, width)
    return float(np.clip(ratio, -np.log(known.size), np.log(null.size)))


def least_favourable(tests: Sequence[ContrastTest]) -> ContrastTest:
    """The test with the largest p-value: what is reported when the suspect's base is not known.

    Raises:
        ValueError: There is no test.
    """
    if not tests:
        raise ValueError("there is no test to choose from")
    return max(tests, key=lambda test: (test.p, -test.log_e))


def _by_family(
    references: ReferenceSet, value: dict[str, float]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Largest contrast of each family: siblings are one piece of knowledge, and the worst of them counts."""
    largest: dict[str, float] = {}
    for card in references.cards:
        largest[card.kin] = max(largest.get(card.kin, -np.inf), value[card.name])
    ordered = sorted(largest.items())
    return tuple(name for name, _ in ordered), tuple(score for _, score in ordered)


def _log_density(score: float, points: NDArray[np.float64], width: float) -> float:
    distance = (score - points) / width
    return float(logsumexp(-0.5 * distance * distance) - np.log(points.size))
