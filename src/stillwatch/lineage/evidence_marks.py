"""Tier 1a in the evidence file: the mark of a committed key in what the suspect says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.lineage.evidence_figures import Figures, bounded, stated_p
from stillwatch.lineage.radioactivity import Evidence, Radioactivity, decoy_keys, weigh_key
from stillwatch.mark.commitments import Opening, Publication, publication_digest, verify
from stillwatch.mark.schemes import DualKeyGumbel, GumbelMax

if TYPE_CHECKING:
    from stillwatch.lineage.session_plan import MarkPlan, Plan

TITLE = "the mark of our key"
_LOOSEST = (0.6, 1.6)
"""Standard deviations of decoys between which the analytic tail is believed."""


class SchemeData(msgspec.Struct, frozen=True):
    """Which scheme marked the answers, with its parameters."""

    name: str
    context_width: int = 4
    alpha: float = 0.1


class MarkData(msgspec.Struct, frozen=True):
    """Weighted pairs of context and token that the suspect said behind contexts that we served."""

    publication: Publication
    opening: Opening
    scheme: SchemeData
    contexts: tuple[tuple[int, ...], ...]
    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    heard: int
    answers: int
    unanswered: int


def scheme_of(data: SchemeData) -> GumbelMax | DualKeyGumbel:
    """Return the scheme.

    Raises:
        ValueError: There is no such scheme, or a parameter is out of range.
    """
    if data.name == GumbelMax.name:
        return GumbelMax(data.context_width)
    if data.name == DualKeyGumbel.name:
        return DualKeyGumbel(data.context_width, data.alpha)
    raise ValueError("the scheme is not one that a model can be tested for here")


def mark_figures(data: MarkData, plan: Plan) -> Figures:
    """Compute the figures of tier 1a.

    The p-value is Chernoff's bound on the exact null, which the true one never exceeds; where the decoy keys
    do not behave as the null says, it is the rank of our key among them instead. The e-value is its
    calibration, see `log_e_of_p`.

    Raises:
        ValueError: The data contradict themselves.
    """
    registered = _mark_plan(plan)
    if not data.tokens:
        sentence = "no context that we served came up in the suspect's answers, so nothing was learned"
        return Figures(tier="1a", title=TITLE, tested=0, sentence=sentence)
    test = _test(data, registered, plan.seed)
    low, high = _LOOSEST
    sound = low <= test.decoy_deviation <= high and abs(test.decoy_mean) <= 5.0 / math.sqrt(test.decoys)
    log_p = min(0.0, test.log_bound) if sound else math.log(test.decoy_p)
    return Figures(
        tier="1a",
        title=TITLE,
        tested=test.pairs,
        log_e=bounded(log_e_of_p(log_p)),
        p=stated_p(log_p),
        floor=0.0 if sound else 1.0 / (test.decoys + 1),
        sentence=_sentence(test),
        details={
            "heard": test.heard,
            "answers": data.answers,
            "unanswered": data.unanswered,
            "z": test.z,
            "log_p_saddle": test.log_p,
            "decoys": test.decoys,
            "decoy_mean": test.decoy_mean,
            "decoy_deviation": test.decoy_deviation,
            "decoy_p": test.decoy_p,
            "key_id": data.opening.key_id,
        },
        notes=() if sound else (_UNSOUND,),
    )


_UNSOUND = "decoy keys did not behave as the null says, so the p-value is the rank among them"


def log_e_of_p(log_p: float) -> float:
    """Log e-value of a p-value: the mean over k of the calibrators k p^(k - 1) (Vovk & Wang 2021, section 2).

    e = (1 - p + p ln p) / (p (ln p)^2): about 1 / (p (ln p)^2) for a small p, and 1/2 at p = 1.

    Example:
        >>> round(math.exp(log_e_of_p(math.log(1e-6))), -1)
        5240.0
    """
    if log_p > -1e-4:
        return math.log(0.5)
    p = math.exp(max(log_p, -LOG_P_BOUND))
    return math.log1p(-p + p * log_p) - log_p - 2.0 * math.log(-log_p)


LOG_P_BOUND = 600.0


def mark_faults(data: MarkData, plan: Plan) -> list[str]:
    """Return what contradicts the registration or the commitment to the key."""
    registered = _mark_plan(plan)
    promised = {one.key_id: one for one in data.publication.commitments}
    promise = promised.get(data.opening.key_id)
    scheme = scheme_of(data.scheme)
    same_scheme = msgspec.to_builtins(data.scheme) == registered.scheme
    sizes = {len(data.contexts), len(data.tokens), len(data.weights)}
    pairs = {(*context, token) for context, token in zip(data.contexts, data.tokens, strict=False)}
    checks = (
        (data.publication.digest == registered.commitment, "the list of promises is not the registered one"),
        (publication_digest(data.publication) == data.publication.digest, "the list of promises was changed"),
        (data.publication.made <= plan.registered_at, "the key was promised after the registration"),
        (promise is not None and verify(promise, data.opening), "the key is not the one that was promised"),
        (data.opening.key_id == registered.key_id, "another key was tested than was registered"),
        (data.publication.scheme == f"{scheme.name} {scheme.version}", "the key belongs to another scheme"),
        (same_scheme, "another scheme was used than was registered"),
        (len(sizes) == 1 and len(pairs) == len(data.tokens), "pairs are missing or doubled"),
    )
    return [fault for holds, fault in checks if not holds]


def _mark_plan(plan: Plan) -> MarkPlan:
    if plan.mark is None:
        raise ValueError("the plan has no test of a mark")
    return plan.mark


def _test(data: MarkData, registered: MarkPlan, seed: int) -> Radioactivity:
    evidence = Evidence(
        np.array(data.contexts, dtype=np.int64),
        np.array(data.tokens, dtype=np.int64),
        np.array(data.weights, dtype=np.float64),
        data.heard,
    )
    decoys = decoy_keys(registered.decoys, np.random.default_rng(seed))
    return weigh_key(evidence, scheme_of(data.scheme), int(data.opening.key, 16), decoys)


def _sentence(test: Radioactivity) -> str:
    beaten = round(test.decoy_p * (test.decoys + 1)) - 1
    return (
        f"behind {test.heard} contexts that we served the suspect follows our key by {test.z:.1f} standard "
        f"deviations; {beaten} of {test.decoys} random keys do as well"
    )
