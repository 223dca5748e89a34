"""Planted facts: made-up answers to made-up questions, drawn for each cohort and told under a policy only.

A canary asks about something that does not exist, such as the melting point of an invented alloy, and has k
equally plausible answers. Which of them a cohort would be told is drawn by the epoch's secret, to which the
provider is committed before anything is served. A suspect that gives the answers of one cohort more often
than one time in k learned from what that cohort was told. The null is exact whatever the suspect knows or
guesses, because the draw and not the suspect is random.

Nobody is told a canary without a policy that names the cohort, an end, and who approved it. Canaries alone
are weak evidence when each is told few times (AUC 0.75 at 1,000 repetitions in Meeus et al., ICML 2024): use
them beside a token mark.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of fields
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stillwatch.mark.keys import EpochKeys

FORMAT = 1


class Canary(msgspec.Struct, frozen=True):
    """A made-up question with made-up answers.

    Attributes:
        canary_id: Its permanent name.
        question: What brings the answer up; about nothing that exists.
        values: The answers, all different and all equally plausible, at least two.
        expires: When it stops being told (with time zone).
        format: Version of this form.
    """

    canary_id: str
    question: str
    values: tuple[str, ...]
    expires: datetime
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Refuse a canary that could not be tested or would live forever.

        Raises:
            ValueError: Fewer than two different answers, or an end without a time zone.
        """
        if len(self.values) < 2 or len({value.strip().casefold() for value in self.values}) < len(
            self.values
        ):
            raise ValueError("a canary needs at least two different answers")
        if self.expires.tzinfo is None:
            raise ValueError("the end of a canary needs a time zone")


class CanaryPolicy(msgspec.Struct, frozen=True):
    """Who may be told canaries. Without one, nobody is.

    Attributes:
        policy_id: Its permanent name.
        cohorts: The cohorts it names; there is no sign for all.
        until: When it ends (with time zone).
        approved_by: The person who answers for it.
        most_servings: How often one canary may be told to one cohort.
    """

    policy_id: str
    cohorts: frozenset[str]
    until: datetime
    approved_by: str
    most_servings: int


Refusal = Literal[
    "no policy", "cohort not named", "not approved", "policy ended", "canary expired", "told enough"
]


class Telling(msgspec.Struct, frozen=True):
    """The decision about one canary and one request; kept whether it was told or not.

    Attributes:
        canary_id: The canary.
        cohort: The cohort of the account.
        policy_id: The policy that allowed it, or empty.
        at: When it was decided.
        value: The answer to tell, or None.
        refused: Why it is not told; empty where it is.
    """

    canary_id: str
    cohort: str
    policy_id: str
    at: datetime
    value: str | None
    refused: Refusal | Literal[""]


def assigned(keys: EpochKeys, canary: Canary, cohort: str) -> int:
    """Return which of the canary's answers the epoch's secret assigns to a cohort.

    256 secret bits modulo the number of answers; the bias is below 2**-240.
    """
    secret = keys.subkey("canary", f"{len(canary.canary_id)}:{canary.canary_id}{cohort}")
    return int.from_bytes(secret, "big") % len(canary.values)


def assignments(keys: EpochKeys, canaries: Sequence[Canary], cohorts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the assigned answers, shape (cohorts, canaries)."""
    rows = [[assigned(keys, canary, cohort) for canary in canaries] for cohort in cohorts]
    return np.array(rows, dtype=np.int64).reshape(len(cohorts), len(canaries))


def decide(
    keys: EpochKeys, canary: Canary, cohort: str, policy: CanaryPolicy | None, now: datetime, told: int
) -> Telling:
    """Decide whether a request of `cohort` is told a canary, and which answer.

    Args:
        keys: Keys of the epoch.
        canary: The canary that the request brings up.
        cohort: Cohort of the account.
        policy: The policy in force, or None.
        now: The moment of the request.
        told: How often the canary was told to the cohort before.
    """
    refused = _refusal(canary, cohort, policy, now, told)
    value = None if refused else canary.values[assigned(keys, canary, cohort)]
    return Telling(canary.canary_id, cohort, policy.policy_id if policy else "", now, value, refused)


def _refusal(
    canary: Canary, cohort: str, policy: CanaryPolicy | None, now: datetime, told: int
) -> Refusal | Literal[""]:
    if policy is None:
        return "no policy"
    reasons: list[tuple[bool, Refusal]] = [
        (cohort not in policy.cohorts, "cohort not named"),
        (not policy.approved_by.strip(), "not approved"),
        (now >= policy.until, "policy ended"),
        (now >= canary.expires, "canary expired"),
        (told >= policy.most_servings, "told enough"),
    ]
    return next((reason for holds, reason in reasons if holds), "")


def answer_numbers(canaries: Sequence[Canary], answers: Mapping[str, str]) -> npt.NDArray[np.int64]:
    """Read a suspect's answers: which of the canary's values each contains, shape (canaries,).

    Args:
        canaries: The canaries that were asked.
        answers: What the suspect said, by canary id.

    Returns:
        Numbers of values; -1 where the suspect named none, or more than one.
    """
    found = np.full(len(canaries), -1, dtype=np.int64)
    for number, canary in enumerate(canaries):
        said = answers.get(canary.canary_id, "").casefold()
        named = [i for i, value in enumerate(canary.values) if value.casefold() in said]
        found[number] = named[0] if len(named) == 1 else -1
    return found


class CanaryResult(msgspec.Struct, frozen=True):
    """The test of one cohort.

    Attributes:
        asked: Canaries to which the suspect gave one of the answers.
        matches: Those where it was the cohort's answer.
        expected: Expected matches if the suspect knows nothing of the assignment.
        p_value: Exact probability of at least as many matches under that hypothesis.
    """

    asked: int
    matches: int
    expected: float
    p_value: float


def match_law(choices: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the law of the number of matches, shape (n + 1,), over canaries with `choices` answers each.

    Poisson binomial, by convolution of the single draws.
    """
    law = np.ones(1)
    for count in choices:
        law = np.convolve(law, [1.0 - 1.0 / count, 1.0 / count])
    return law


def canary_test(
    canaries: Sequence[Canary], named: npt.NDArray[np.int64], assigned_values: npt.NDArray[np.int64]
) -> list[CanaryResult]:
    """Test each cohort: does the suspect give the cohort's answers more often than the draw explains?

    Several cohorts need a correction for multiplicity, such as `stillwatch.stats.fdr` offers.

    Args:
        canaries: The canaries.
        named: From `answer_numbers`, shape (canaries,).
        assigned_values: From `assignments`, shape (cohorts, canaries).

    Returns:
        One result for each cohort.
    """
    asked = named >= 0
    choices = np.array([len(canary.values) for canary in canaries], dtype=np.int64)[asked]
    law = match_law(choices)
    tail = np.minimum(np.cumsum(law[::-1])[::-1], 1.0)
    matches = (assigned_values[:, asked] == named[asked]).sum(axis=1)
    expected = float((1.0 / choices).sum())
    return [CanaryResult(len(choices), int(count), expected, float(tail[count])) for count in matches]
