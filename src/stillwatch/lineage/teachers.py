"""Which teachers are possible: a ranking, and two sets at a stated level instead of one accusation.

Rank alone accuses innocents: some teacher is always the nearest. So two different sets are given, and neither
says that there *was* a teacher; that is the matched contrast's question (`contrast`).

- `closest_set`: teachers that cannot be told from the nearest one with these prompts. Test and exclude, after
  the model confidence set (Hansen, Lunde & Nason 2011, Econometrica 79) and its use on model provenance
  (arXiv 2602.00772). It covers noise from prompts and nothing else.
- `possible_teachers`: teachers that cannot be excluded given how known students stand to their known teacher.
  Conformal, so that the true teacher is in the set with the stated probability; the unit is the model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.stats.conformal import conformal_p

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stillwatch.lineage.scorers import Affinities


class TeacherSet(msgspec.Struct, frozen=True):
    """Teachers that remain, with the p-value of each.

    Attributes:
        method: `closest` or `possible`.
        level: Probability with which the set may miss what it is to cover.
        members: Teachers that remain, most likely first.
        excluded: Teachers that were excluded.
        p: P-value of each teacher, members first, in the order of `members` and `excluded`.
        calibrated_on: Models (for `possible`) or prompts (for `closest`) behind the p-values.
        needed: Known students with which anything could be excluded at this level; 0 where there are enough.
    """

    method: str
    level: float
    members: tuple[str, ...]
    excluded: tuple[str, ...]
    p: tuple[float, ...]
    calibrated_on: int
    needed: int = 0


def ranked(affinities: Affinities, suspect: str) -> tuple[tuple[str, float], ...]:
    """Teachers with the suspect's mean affinity, nearest first; the suspect itself is left out."""
    mean = affinities.row(suspect).mean(axis=0)
    order = [index for index in np.argsort(-mean, kind="stable") if not np.isnan(mean[index])]
    return tuple((affinities.teachers[index], float(mean[index])) for index in order)


def closest_set(
    affinities: Affinities,
    suspect: str,
    *,
    level: float,
    rng: np.random.Generator,
    resamples: int = 1000,
) -> TeacherSet:
    """Teachers that these prompts cannot tell from the nearest one.

    The test statistic is the largest studentised shortfall of a teacher from the mean of the remaining ones;
    while a bootstrap over prompts rejects that all remaining are equal, the one with that shortfall goes. A
    teacher's p-value is the largest on the way to its exclusion.

    Args:
        affinities: Scores of the suspect against all candidate teachers.
        suspect: A row of `affinities`.
        level: Inside (0, 1); the nearest teacher is in the set with probability of about 1 - level.
        rng: Source of randomness.
        resamples: Bootstrap samples of the prompts.

    Raises:
        ValueError: The level is outside (0, 1), there are fewer than two prompts, or no teacher.
    """
    _require_level(level)
    scores, names = _without_self(affinities, suspect)
    if scores.shape[0] < 2 or not names:
        raise ValueError("a set of teachers needs two prompts and a teacher")
    picks = rng.integers(0, scores.shape[0], size=(resamples, scores.shape[0]))
    counts = np.stack([np.bincount(pick, minlength=scores.shape[0]) for pick in picks])
    sampled = counts @ scores / scores.shape[0] - scores.mean(axis=0)
    left, gone, p_of, running = list(range(len(names))), [], {}, 0.0
    while len(left) > 1:
        worst, p = _worst(scores.mean(axis=0)[left], sampled[:, left])
        running = max(running, p)
        if running > level:
            break
        p_of[left[worst]] = running
        gone.append(left.pop(worst))
    mean = scores.mean(axis=0)
    kept = sorted(left, key=lambda index: -mean[index])
    p_of |= dict.fromkeys(kept, 1.0 if len(kept) == 1 else running)
    return _as_set(
        "closest",
        level,
        [names[i] for i in kept],
        [names[i] for i in reversed(gone)],
        [p_of[i] for i in (*kept, *reversed(gone))],
        scores.shape[0],
    )


def possible_teachers(
    affinities: Affinities, suspect: str, teacher_of: Mapping[str, str], *, level: float
) -> TeacherSet:
    """Teachers that cannot be excluded, judged by known students and their known teachers.

    Margin of a model with a teacher: its affinity less the largest with any other teacher. Teacher t stays
    unless the suspect's margin with t is among the lowest of what known students show with *their* teacher,
    that is unless p = (1 + #{students with a margin at most the suspect's}) / (1 + #students) is at most
    `level`. If the suspect is a student of t and exchangeable with the known ones, t is in the set with
    probability 1 - `level` at least.

    Args:
        affinities: Scores of suspect and students against all candidate teachers.
        suspect: A row of `affinities`.
        teacher_of: The teacher (a column) of each known student (a row). The suspect's is not used.
        level: Inside (0, 1).

    Raises:
        ValueError: The level is outside (0, 1), there is no student, or a name is not there.
    """
    _require_level(level)
    known = {student: teacher for student, teacher in teacher_of.items() if student != suspect}
    if not known:
        raise ValueError("without a known student no teacher can be excluded: name at least one")
    margins = np.array([_margin(affinities, student, teacher) for student, teacher in known.items()])
    names = [name for name in affinities.teachers if name != suspect]
    own = np.array([_margin(affinities, suspect, name) for name in names])
    p = conformal_p(-own, -margins)
    order = sorted(range(len(names)), key=lambda index: (-p[index], -own[index]))
    kept = [index for index in order if p[index] > level]
    gone = [index for index in order if p[index] <= level]
    least = max(1, math.ceil(1.0 / level - 1e-9) - 1)
    return _as_set(
        "possible",
        level,
        [names[i] for i in kept],
        [names[i] for i in gone],
        [float(p[i]) for i in (*kept, *gone)],
        len(known),
        least if len(known) < least else 0,
    )


def _as_set(
    method: str,
    level: float,
    members: list[str],
    excluded: list[str],
    p: list[float],
    on: int,
    needed: int = 0,
) -> TeacherSet:
    return TeacherSet(method, level, tuple(members), tuple(excluded), tuple(p), on, needed)


def _worst(mean: NDArray[np.float64], sampled: NDArray[np.float64]) -> tuple[int, float]:
    """Which teacher falls shortest of the mean of all, and the p-value of "all are equal"."""
    centred = sampled - sampled.mean(axis=1, keepdims=True)
    spread = np.maximum(np.sqrt((centred**2).mean(axis=0)), 1e-12)
    shortfall = (mean.mean() - mean) / spread
    null = (-centred / spread).max(axis=1)
    worst = int(np.argmax(shortfall))
    return worst, float((1.0 + np.sum(null >= shortfall[worst])) / (null.size + 1.0))


def _without_self(affinities: Affinities, suspect: str) -> tuple[NDArray[np.float64], list[str]]:
    scores = affinities.row(suspect)
    given = np.flatnonzero(~np.isnan(scores).any(axis=0))
    return scores[:, given], [affinities.teachers[index] for index in given]


def _margin(affinities: Affinities, model: str, teacher: str) -> float:
    mean = affinities.row(model).mean(axis=0)
    column = affinities.columns([teacher])[0]
    others = np.delete(mean, column)
    others = others[~np.isnan(others)]
    if others.size == 0 or np.isnan(mean[column]):
        raise ValueError("a margin needs a teacher that is not the model itself, and one more")
    return float(mean[column] - others.max())


def _require_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError("the level must lie inside (0, 1)")
