"""Tiers 2, 3 and 0 in the evidence file: likeness beyond that of reference models, and identity first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.lineage.chain import digest, plain
from stillwatch.lineage.contrast import ContrastTest, contrast_test
from stillwatch.lineage.evidence_figures import Figures
from stillwatch.lineage.identity import IdentityTest, Route, routed, same_source
from stillwatch.lineage.imitation import imitation
from stillwatch.lineage.references import VERDICT_FLOOR, ModelCard, ReferenceSet, refusal
from stillwatch.lineage.scorers import Affinities
from stillwatch.lineage.teachers import closest_set

if TYPE_CHECKING:
    from stillwatch.lineage.session_plan import ContrastPlan, IdentityPlan, Plan

SUSPECT = "suspect"
RERUN = "@run1"
"""What `Answers.runs_as_models` puts behind the name of a second run."""


Scores = tuple[tuple[tuple[float | None, ...], ...], ...]


class ContrastData(msgspec.Struct, frozen=True):
    """Scores of all models against all teachers; `values[p][m][t]`, null where a model meets itself.

    `likeness` is the plain similarity of words with our first model, for the level of imitation.
    """

    scorer: str
    prompts: tuple[str, ...]
    models: tuple[str, ...]
    teachers: tuple[str, ...]
    values: Scores
    likeness: Scores
    cards: tuple[ModelCard, ...]
    unanswered: int


class IdentityData(msgspec.Struct, frozen=True):
    """Similarities between all answers to each prompt, our own first, for the suspect and for decoys."""

    prompts: tuple[str, ...]
    ours: int
    suspect: tuple[tuple[tuple[float, ...], ...], ...]
    decoys: dict[str, tuple[tuple[tuple[float, ...], ...], ...]]
    unanswered: int


def contrast_figures(data: ContrastData, plan: Plan) -> Figures:
    """Compute the figures of tier 2 or 3.

    Raises:
        ValueError: The data contradict the plan.
    """
    registered = _contrast_plan(plan)
    tier = "2" if registered.matched else "3"
    title = "likeness beyond matched models" if registered.matched else "likeness among public models"
    if not data.prompts:
        return Figures(
            tier=tier, title=title, tested=0, sentence="no prompt was answered, so nothing was learned"
        )
    scores = _affinities(data.scorer, data, data.values, data.teachers)
    innocent = _chosen(data, registered.references)
    test = contrast_test(
        scores, SUSPECT, registered.accused, registered.alternatives, innocent, _students(data, plan)
    )
    refused = refusal(innocent, plan.alpha_support)
    bears = registered.matched and len(test.innocent) >= VERDICT_FLOOR
    return Figures(
        tier=tier,
        title=title,
        tested=len(test.innocent),
        log_e=test.log_e if bears else None,
        p=test.p if bears else None,
        floor=test.least_p,
        sentence=_standing(test),
        against=test.p_student if bears and len(test.students) >= VERDICT_FLOOR else None,
        details={
            "test": plain(test),
            "closest": plain(closest_set(scores, SUSPECT, level=0.05, rng=np.random.default_rng(plan.seed))),
            "imitation": _imitation(data, registered, plan.seed),
            "prompts": len(data.prompts),
            "unanswered": data.unanswered,
        },
        notes=(*((refused,) if refused else ()), *((_TRIAGE,) if not registered.matched else ())),
    )


_NOTHING = "no prompt was answered, so nothing was learned"
_TRIAGE = (
    "These references do not match the suspect on base, size and era, so a close model may merely be a good "
    "one; this tier has no weight in the verdict."
)


def contrast_faults(data: ContrastData, plan: Plan) -> list[str]:
    """Return what contradicts the registration."""
    registered = _contrast_plan(plan)
    wanted = {SUSPECT, *registered.accused, *registered.alternatives, *registered.references}
    shape = {(len(row), len(cell)) for row in data.values for cell in row}
    checks = (
        (digest(plain(data.cards)) == registered.cards_digest, "the descriptions of the models were changed"),
        (data.scorer == registered.scorer, "another scorer was used than was registered"),
        (wanted <= set(data.models), "registered models are missing"),
        (len(data.values) == len(data.prompts), "there is not one row of scores for each prompt"),
        (shape <= {(len(data.models), len(data.teachers))}, "scores are missing"),
        (len(data.prompts) + data.unanswered == registered.prompts, "prompts are missing"),
    )
    return [fault for holds, fault in checks if not holds]


def _contrast_plan(plan: Plan) -> ContrastPlan:
    if plan.contrast is None:
        raise ValueError("the plan has no contrast")
    return plan.contrast


def _affinities(scorer: str, data: ContrastData, scores: Scores, teachers: tuple[str, ...]) -> Affinities:
    values = np.array(
        [[[np.nan if cell is None else cell for cell in row] for row in rows] for rows in scores],
        dtype=np.float64,
    )
    return Affinities(scorer, data.prompts, data.models, teachers, values)


def _chosen(data: ContrastData, names: tuple[str, ...]) -> ReferenceSet:
    return ReferenceSet(tuple(card for card in data.cards if card.name in names))


def _students(data: ContrastData, plan: Plan) -> ReferenceSet | None:
    known = ReferenceSet(data.cards).students_of(_contrast_plan(plan).vendor)
    return (
        _chosen(data, tuple(name for name in known.names() if name in data.models)) if known.cards else None
    )


_RESAMPLES = 400


def _imitation(data: ContrastData, registered: ContrastPlan, seed: int) -> object:
    """Level of imitation, where the teacher was run twice and references give a floor."""
    teacher = registered.accused[0]
    if teacher + RERUN not in data.models or len(registered.references) < 2 or len(data.prompts) < 2:
        return None
    likeness = _affinities("words/1", data, data.likeness, (teacher,))
    rng = np.random.default_rng(seed)
    return plain(
        imitation(
            likeness,
            SUSPECT,
            teacher,
            teacher + RERUN,
            registered.references,
            rng=rng,
            resamples=_RESAMPLES,
        )
    )


def _standing(test: ContrastTest) -> str:
    reached = sum(score >= test.statistic for score in test.innocent)
    return (
        f"{reached} of {len(test.innocent)} families of reference models that did not learn from us are "
        f"as close to us as the suspect"
    )


def identity_figures(data: IdentityData, plan: Plan) -> Figures:
    """Compute the figures of tier 0.

    Raises:
        ValueError: The data contradict the plan.
    """
    registered = _identity_plan(plan)
    title = "is it our own model?"
    if not data.prompts:
        return Figures(
            tier="0", title=title, tested=0, sentence="no prompt was answered, so nothing was learned"
        )
    test = _identity(data.suspect, data.ours, plan.seed, registered.permutations)
    decoys = [
        _identity(kernel, data.ours, plan.seed, registered.permutations)
        for _, kernel in sorted(data.decoys.items())
    ]
    route = routed(test, decoys, level=plan.alpha_support)
    return Figures(
        tier="0",
        title=title,
        tested=test.prompts,
        p=test.p,
        floor=1.0 / (registered.permutations + 1),
        sentence=_ROUTES[route],
        details={
            "same": route is Route.INDISTINGUISHABLE,
            "route": route.value,
            "statistic": test.statistic,
            "decoys": {name: decoy.p for name, decoy in zip(sorted(data.decoys), decoys, strict=True)},
            "unanswered": data.unanswered,
        },
    )


_ROUTES = {
    Route.DIFFERENT: "the endpoint does not answer as our model does, so lineage is the question",
    Route.INDISTINGUISHABLE: "the endpoint answers like our own model, while every decoy was told apart",
    Route.UNDECIDED: "the endpoint was not told apart from our model, but neither was every decoy",
}


def identity_faults(data: IdentityData, plan: Plan) -> list[str]:
    """Return what contradicts the registration."""
    registered = _identity_plan(plan)
    checks = (
        (data.ours == registered.ours, "another number of our own answers was used"),
        (
            tuple(sorted(data.decoys)) == tuple(sorted(registered.decoys)),
            "the decoys are not the registered ones",
        ),
        (len(data.prompts) + data.unanswered == registered.prompts, "prompts are missing"),
        (len(data.suspect) == len(data.prompts), "there is not one kernel for each prompt"),
    )
    return [fault for holds, fault in checks if not holds]


def _identity_plan(plan: Plan) -> IdentityPlan:
    if plan.identity is None:
        raise ValueError("the plan has no test of identity")
    return plan.identity


def _identity(
    kernel: tuple[tuple[tuple[float, ...], ...], ...], ours: int, seed: int, permutations: int
) -> IdentityTest:
    return same_source(
        np.array(kernel, dtype=np.float64), ours, rng=np.random.default_rng(seed), permutations=permutations
    )
