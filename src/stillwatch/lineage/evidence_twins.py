"""Tier 1b in the evidence file: figures from the scores, and every check of the commitments behind them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from scipy.stats import binom

from stillwatch.lineage.chain import canonical, digest, leaf_hash, proves
from stillwatch.lineage.evidence_figures import Figures, bounded, stated_p
from stillwatch.lineage.twins import Choices, TwinDesign
from stillwatch.lineage.twins_exact import usual_deviation
from stillwatch.lineage.twins_power import win_chance
from stillwatch.lineage.twins_preference import Preference, by_account, preference_test
from stillwatch.lineage.twins_score import residual
from stillwatch.stats.fdr import holm_log_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.lineage.session_plan import Plan, TwinPlan

MOST_ACCOUNTS = 50


class EpochData(msgspec.Struct, frozen=True):
    """An epoch as the evidence file opens it."""

    epoch: str
    opened_at: str
    sealed_at: str
    design: TwinDesign
    commitment: str
    choices_key: str
    root: str
    items: int


class ItemData(msgspec.Struct, frozen=True):
    """A scored item: where it stands in its epoch, what of it was committed, and its scores."""

    n: int
    epoch: int
    place: int
    path: tuple[str, ...]
    leaf: dict[str, Any]
    scores: tuple[float, ...]


class TwinData(msgspec.Struct, frozen=True):
    """All that the figures of tier 1b are computed from; `unanswered` are places in `order`."""

    epochs: tuple[EpochData, ...]
    order: tuple[str, ...]
    items: tuple[ItemData, ...]
    unanswered: tuple[int, ...]
    asked: int


def twin_figures(data: TwinData, plan: Plan) -> Figures:
    """Compute the figures of tier 1b.

    Args:
        data: What the evidence file holds.
        plan: The registration, with its tier 1b.

    Raises:
        ValueError: The data are not of the form that a session writes.
    """
    twins = _planned(plan)
    scores, served, test = twin_test(data, plan)
    complete = data.asked >= len(data.order)
    accounts = _accounts(data, scores, served, complete=complete)
    return Figures(
        tier="1b",
        title="served versus twin",
        tested=test.items,
        log_e=bounded(test.log_e_stopped),
        p=stated_p(test.log_p_sum) if complete else None,
        floor=float(scores.shape[1]) ** -test.items if test.items < 600 else 0.0,
        sentence=_sentence(test, data, complete=complete),
        against=_against(test, twins, scores.shape[1] - 1) if complete else None,
        details={
            "method": twins.method,
            "scored": len(data.items),
            "alike": test.dropped,
            "unanswered": len(data.unanswered),
            "not_asked": len(data.order) - data.asked,
            "wins": test.wins,
            "wins_low": test.wins_low,
            "wins_high": test.wins_high,
            "p_rank": test.p_rank if complete else None,
            "log_e_final": bounded(test.log_e),
            "stopped_at": test.stopped_at,
            "accounts": accounts,
        },
        notes=_notes(test, data, complete=complete),
    )


def twin_test(data: TwinData, plan: Plan) -> tuple[NDArray[np.float64], NDArray[np.int64], Preference]:
    """Return the tested scores, the served positions, and the test of them."""
    twins = _planned(plan)
    scores, served = scores_and_served(data, twins)
    scale = usual_deviation(scores[: twins.burn_in]) if len(scores) else None
    return scores, served, preference_test(scores, served, alpha=stop_level(plan), scale=scale)


def stop_level(plan: Plan) -> float:
    """Return the level of the e-process: with its weight, the tier alone reaches the verdict's level."""
    return plan.alpha * plan.weights.get("1b", 1.0)


def scores_and_served(data: TwinData, twins: TwinPlan) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the tested scores, shape (items, k + 1), and the served positions, shape (items,)."""
    choices = [Choices(bytes.fromhex(epoch.choices_key)) for epoch in data.epochs]
    scores = np.array([item.scores for item in data.items], dtype=np.float64)
    if not data.items:
        return np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
    served = np.array(
        [choices[item.epoch].served(data.order[item.n], scores.shape[1]) for item in data.items]
    )
    controls = [[candidate["log_prob"] for candidate in item.leaf["candidates"]] for item in data.items]
    if twins.method == "log_prob" and all(value is not None for row in controls for value in row):
        scores = residual(scores, controls, fit_on=twins.burn_in)
    return scores, served


def twin_faults(data: TwinData, plan: Plan) -> list[str]:
    """Return what contradicts the registration or the commitments, one sentence each."""
    twins = _planned(plan)
    faults = _epoch_faults(data, plan) + _order_faults(data, twins)
    for item in data.items:
        faults += [f"item {item.n} {fault}" for fault in _item_faults(item, data)]
    return faults


def _planned(plan: Plan) -> TwinPlan:
    if plan.twins is None:
        raise ValueError("the plan has no tier 1b")
    return plan.twins


def _epoch_faults(data: TwinData, plan: Plan) -> list[str]:
    registered = [(e.epoch, e.commitment, e.root, e.items) for e in _planned(plan).epochs]
    found = [(e.epoch, e.commitment, e.root, e.items) for e in data.epochs]
    faults = [] if registered == found else ["the epochs are not those that were registered"]
    for epoch in data.epochs:
        if Choices(bytes.fromhex(epoch.choices_key)).commitment() != epoch.commitment:
            faults.append(f"epoch {epoch.epoch}: the key of the choices is not the one that was committed")
        if not epoch.opened_at <= epoch.sealed_at <= plan.registered_at.isoformat():
            faults.append(f"epoch {epoch.epoch}: was not opened and sealed before the test was registered")
    return faults


def _order_faults(data: TwinData, twins: TwinPlan) -> list[str]:
    faults = []
    if digest(list(data.order)) != twins.items_digest or len(data.order) != twins.items:
        faults.append("the items are not those that were registered, in that order")
    accounted = sorted([item.n for item in data.items] + list(data.unanswered))
    if accounted != list(range(data.asked)):
        faults.append("items that were asked are neither scored nor named as unanswered")
    return faults


def _item_faults(item: ItemData, data: TwinData) -> list[str]:
    epoch, leaf = data.epochs[item.epoch], item.leaf
    root = bytes.fromhex(epoch.root)
    choices = Choices(bytes.fromhex(epoch.choices_key))
    digests = [candidate["digest"] for candidate in leaf["candidates"]]
    checks = (
        (leaf["id"] == data.order[item.n], "is not the registered one"),
        (
            proves(leaf_hash(canonical(leaf)), item.place, epoch.items, item.path, root),
            "is not under the sealed root",
        ),
        (choices.sampled(leaf["id"], epoch.design), "would not have been sampled"),
        (len(digests) == epoch.design.twins + 1 == len(item.scores), "has another number of candidates"),
        (len(set(digests)) == len(digests), "has equal candidates"),
        (epoch.opened_at <= leaf["served_at"] <= epoch.sealed_at, "was not served within its epoch"),
    )
    return [fault for holds, fault in checks if not holds]


def _against(test: Preference, twins: TwinPlan, others: int) -> float:
    """P-value of "trained with at least the registered effect and exposure", from the share of wins.

    Exact binomial for one twin (ties count as wins); Hoeffding's bound for more.
    """
    chance = win_chance(twins.least_effect, twins.least_exposure)
    if not test.items:
        return 1.0
    if others == 1:
        return float(binom.cdf(math.ceil(test.wins * test.items - 1e-9), test.items, chance))
    return math.exp(-2.0 * test.items * max(0.0, chance - test.wins) ** 2)


def _accounts(
    data: TwinData, scores: NDArray[np.float64], served: NDArray[np.int64], *, complete: bool
) -> list[dict[str, Any]]:
    """The accounts with the strongest evidence; each is a hypothesis of its own, hence Holm."""
    if not data.items:
        return []
    tests = by_account(scores, served, [item.leaf["account"] for item in data.items])
    adjusted = holm_log_levels([test.log_p_sum for test in tests.values()])
    return [
        {
            "account": account,
            "items": test.items,
            "wins": test.wins,
            "log_e": bounded(test.log_e),
            "p_holm": stated_p(float(log_p)) if complete else None,
        }
        for (account, test), log_p in list(zip(tests.items(), adjusted, strict=True))[:MOST_ACCOUNTS]
    ]


def _sentence(test: Preference, data: TwinData, *, complete: bool) -> str:
    if not test.items:
        return "no item could be scored, so nothing was learned"
    share = f"the suspect preferred what was served in {100 * test.wins:.1f} % of {test.items} items"
    if test.log_e_stopped >= math.log(100.0):
        odds = f"a bet against chance grew {math.exp(bounded(test.log_e_stopped)):.3g}-fold"
        return f"{share}; {odds}" + ("" if complete else f", so that {data.asked} items sufficed")
    return f"{share}, which chance explains"


def _notes(test: Preference, data: TwinData, *, complete: bool) -> tuple[str, ...]:
    notes = []
    if not complete:
        notes.append(
            f"asked {data.asked} of {len(data.order)} registered items; p-values need all and are left out"
        )
    if data.unanswered:
        notes.append(f"{len(data.unanswered)} items were not answered; nobody knew then what was served")
    if test.dropped:
        notes.append(f"{test.dropped} items whose candidates scored alike say nothing either way")
    return tuple(notes)
