"""Groups as the verdict saw them: the terms of every hypothesis, to be weighed again without a new run.

A hypothesis is a prior and a sum of terms, each shown in the report, so what the verdict would have been with
other weights follows from the report alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from scipy.optimize import minimize

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.terms import PRIORS, RULES
from stillwatch.model.findings import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from stillwatch.model.findings import Detection, Group

Floats = npt.NDArray[np.float64]

FEATURES = tuple(rule.feature for rule in RULES)
KINDS = tuple(PRIORS)
_PRIOR = np.array([PRIORS[kind] for kind in KINDS])
_CAMPAIGN = KINDS.index(Verdict.CAMPAIGN)
_RIDGE = 2.0


@dataclass(frozen=True)
class Known:
    """One group beside the truth.

    Attributes:
        family: The campaign or the kind of honest fleet that most of its accounts belong to, else the
        population. guilty: Whether more than half of its accounts belong to campaigns. accounts: Its accounts
        that the truth gives to that campaign, or all of an honest group's. terms: Points of each rule for
        each kind, shape (R, K). could_be: Whether it was called coordinated at the level and, where that is
        known, has a second view.
    """

    family: str
    guilty: bool
    accounts: frozenset[str]
    terms: Floats
    could_be: bool


def known_groups(found: Detection, truth: pa.Table) -> list[Known]:
    """Set all groups of a run beside the truth."""
    owner = owners(truth)
    return [_known(group, owner, found.fdr_level) for group in found.groups]


def owners(truth: pa.Table) -> dict[str, tuple[str, bool]]:
    """Return for each account its family and whether it belongs to a campaign."""
    fleet = pc.list_element(pc.split_pattern(truth["fleet"], "-"), 0)
    family = pc.coalesce(truth["campaign"], fleet, truth["population"])
    rows = truth.select(["account_id", "campaign"]).append_column("family", family)
    first = rows.group_by(["account_id", "family", "campaign"]).aggregate([])
    return {row["account_id"]: (row["family"], row["campaign"] is not None) for row in first.to_pylist()}


def _known(group: Group, owner: dict[str, tuple[str, bool]], level: float) -> Known:
    named = [member.account_id for member in group.members]
    families = Counter(owner[account] for account in named if account in owner)
    (family, guilty), _ = families.most_common(1)[0] if families else (("unknown", False), 0)
    share = sum(count for (_, bad), count in families.items() if bad) / max(len(named), 1)
    mine = (
        frozenset(a for a in named if owner.get(a, ("", False)) == (family, guilty))
        if guilty
        else frozenset(named)
    )
    return Known(family, share > 0.5, mine, terms_of(group), group.error_rate.coordination_fdr <= level)


def terms_of(group: Group) -> Floats:
    """Return the points of each rule for each kind, shape (R, K); 0 where a feature is unknown."""
    points = np.zeros((len(FEATURES), len(KINDS)))
    for one in (group.hypothesis, *group.alternatives):
        for term in one.terms:
            points[FEATURES.index(term.measure), KINDS.index(one.kind)] = term.points
    return points


def probabilities(terms: Floats, weight: Floats) -> Floats:
    """Return the probability of "campaign" for groups of shape (G, R, K) under rule weights of shape (R,)."""
    score = _PRIOR + np.einsum("grk,r->gk", terms, weight)
    score -= score.max(axis=1, keepdims=True)
    odds = np.exp(score)
    return odds[:, _CAMPAIGN] / odds.sum(axis=1)


def reported(
    groups: Sequence[Known], weight: Floats, verdict_error: float | None = None
) -> npt.NDArray[np.bool_]:
    """Tell which groups would be reported as campaigns under other rule weights.

    The second view is taken for granted where detection did not report the group itself, which can only add
    false reports.
    """
    if not groups:
        return np.zeros(0, bool)
    bound = DetectConfig().verdict_error if verdict_error is None else verdict_error
    probability = probabilities(np.stack([one.terms for one in groups]), weight)
    return (1.0 - probability <= bound) & np.array([one.could_be for one in groups])


def fit(groups: Sequence[Known]) -> Floats:
    """Fit a weight of at least 0 for each rule by penalised likelihood of "campaign or not".

    The ridge pulls towards 1, the weights of the shipped table, so that rules on which these groups say
    nothing stay as they are. Families count alike, however many groups they have.
    """
    terms = np.stack([one.terms for one in groups])
    guilty = np.array([one.guilty for one in groups])
    size = Counter(one.family for one in groups)
    share = np.array([1.0 / size[one.family] for one in groups])

    def loss(weight: Floats) -> float:
        probability = np.clip(probabilities(terms, weight), 1e-12, 1 - 1e-12)
        likelihood = np.where(guilty, np.log(probability), np.log1p(-probability))
        return float(-(share * likelihood).sum() + _RIDGE * ((weight - 1.0) ** 2).sum() / 2)

    start = np.ones(len(FEATURES))
    return minimize(loss, start, method="L-BFGS-B", bounds=[(0.0, 4.0)] * start.size).x


def outcome(groups: Sequence[Known], said: npt.NDArray[np.bool_], sought: dict[str, int]) -> dict[str, Any]:
    """Share of each campaign's accounts that stand in reported groups, and the honest families reported."""
    found: dict[str, set[str]] = {family: set() for family in sought}
    wrong = []
    for one, yes in zip(groups, said.tolist(), strict=True):
        if yes and one.guilty:
            found.setdefault(one.family, set()).update(one.accounts)
        elif yes:
            wrong.append(one.family)
    shares = {family: len(found[family]) / number for family, number in sought.items() if number}
    return {"found": shares, "false": sorted(wrong)}
