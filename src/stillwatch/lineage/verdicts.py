"""From tests to a verdict: excluded, inconclusive, supports, strongly supports, or none at all.

Never "proved": a contrast says that a model is more like the accused than matched models are (homogeneity),
and other routes lead there, such as public sets of the accused's answers. What each verdict needs is stated
in `docs/lineage.md` and checked here, not chosen by the reader.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from stillwatch.lineage.references import VERDICT_FLOOR, references_needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.lineage.contrast import ContrastTest
    from stillwatch.lineage.teachers import TeacherSet

STRONG_LEVEL = 0.01


class LineageVerdict(StrEnum):
    """What the evidence says about one suspect and one accused teacher."""

    REFUSED = "refused"
    """The references cannot support any verdict."""
    EXCLUDED = "excluded"
    INCONCLUSIVE = "inconclusive"
    SUPPORTS = "supports"
    STRONGLY_SUPPORTS = "strongly supports"


class LineageJudgement(msgspec.Struct, frozen=True):
    """A verdict with everything that it rests on.

    Attributes:
        suspect: The model under test.
        accused: Models of the accused teacher.
        verdict: The verdict.
        level: Error rate that an accusation may have, over all `hypotheses`.
        hypotheses: Number of (suspect, teacher) pairs that were tested, reported or not.
        adjusted_p: The p-value times `hypotheses` (Bonferroni, at most 1).
        references: Number of reference families.
        needed: Families needed for this level.
        log_e: Log e-value, to be combined with other evidence.
        log_lr: Log likelihood ratio, capped by the number of references; the reader supplies the prior.
        propositions: What is compared: the accusing and the innocent proposition.
        reasons: Why the verdict is what it is, one sentence each.
    """

    suspect: str
    accused: tuple[str, ...]
    verdict: LineageVerdict
    level: float
    hypotheses: int
    adjusted_p: float
    references: int
    needed: int
    log_e: float
    log_lr: float | None
    propositions: tuple[str, str]
    reasons: tuple[str, ...]


def judged(
    test: ContrastTest,
    *,
    level: float = 0.05,
    hypotheses: int = 1,
    possible: TeacherSet | None = None,
) -> LineageJudgement:
    """Judge one contrast.

    - refused: fewer than `VERDICT_FLOOR` matched families, or fewer than the level needs.
    - excluded: known students say that a student is not like this (`p_student`, or the accused is out of the
      set of possible teachers), at `level`, and the suspect is not above the innocents.
    - supports: adjusted p at most `level`, and the accused is not excluded.
    - strongly supports: the same at `STRONG_LEVEL` (or `level` where that is smaller), and a likelihood ratio
      of 10 or more where there are students.

    Args:
        test: Contrast of the suspect with matched innocent references.
        level: Error rate of an accusation over all hypotheses.
        hypotheses: Number of (suspect, teacher) pairs tested.
        possible: Set of possible teachers at the same level, where there are known students.

    Raises:
        ValueError: The level is outside (0, 1), or there is no hypothesis.
    """
    needed = max(VERDICT_FLOOR, references_needed(level, hypotheses))
    adjusted = min(1.0, test.p * hypotheses)
    refused = len(test.innocent) < needed
    out = _excluded(test, level, possible)
    verdict = LineageVerdict.REFUSED if refused else _verdict(test, adjusted, level, excluded=bool(out))
    return LineageJudgement(
        suspect=test.suspect,
        accused=test.accused,
        verdict=verdict,
        level=level,
        hypotheses=hypotheses,
        adjusted_p=adjusted,
        references=len(test.innocent),
        needed=needed,
        log_e=test.log_e,
        log_lr=test.log_lr,
        propositions=_propositions(test),
        reasons=_reasons(test, adjusted, level, needed, refused=refused, out=out),
    )


def _verdict(test: ContrastTest, adjusted: float, level: float, *, excluded: bool) -> LineageVerdict:
    above = adjusted <= level * (1.0 + 1e-12)
    if above and excluded:
        return LineageVerdict.INCONCLUSIVE
    if not above:
        return LineageVerdict.EXCLUDED if excluded else LineageVerdict.INCONCLUSIVE
    strong = adjusted <= min(STRONG_LEVEL, level) * (1.0 + 1e-12)
    if strong and (test.log_lr is None or test.log_lr >= math.log(10.0)):
        return LineageVerdict.STRONGLY_SUPPORTS
    return LineageVerdict.SUPPORTS


def _excluded(test: ContrastTest, level: float, possible: TeacherSet | None) -> tuple[str, ...]:
    """Sentences that speak for exclusion; empty if nothing does."""
    found = []
    if test.p_student is not None and test.p_student <= level:
        found.append(
            f"Of {len(test.students)} known students of the accused none, or too few, is as unlike it as the "
            f"suspect (p = {test.p_student:.3g})."
        )
    if possible is not None and set(test.accused) <= set(possible.excluded):
        found.append(f"The accused is outside the set of possible teachers at level {possible.level:g}.")
    return tuple(found)


def _propositions(test: ContrastTest) -> tuple[str, str]:
    return (
        f"{test.suspect} was trained on outputs of {' or '.join(test.accused)}",
        f"{test.suspect} is one of the models of its base, size and era that were not",
    )


def _reasons(
    test: ContrastTest,
    adjusted: float,
    level: float,
    needed: int,
    *,
    refused: bool,
    out: Sequence[str],
) -> tuple[str, ...]:
    reached = sum(score >= test.statistic for score in test.innocent)
    have = len(test.innocent)
    standing = (
        f"{reached} of {have} matched reference families are as like the accused as the suspect "
        f"(p = {test.p:.3g}, at least {test.least_p:.3g} with so many; {adjusted:.3g} after correction)."
    )
    lacking = (
        f"No verdict: {have} matched reference families, {needed} needed for an error rate of {level:g}."
    )
    facts = [lacking, standing] if refused else [standing]
    if test.log_lr is not None:
        facts.append(f"Likelihood ratio {math.exp(test.log_lr):.3g} (never above the {have} references).")
    return (*facts, *out, _LIMIT)


_LIMIT = (
    "This is likeness beyond that of matched models, measured passively; it does not show by which route the "
    "outputs came, and only marks or served-versus-twin evidence rest on a null of our own making."
)
