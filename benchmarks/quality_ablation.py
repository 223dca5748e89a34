"""Ablation: what each part of detection contributes, and what taking it away costs the adversary.

    python benchmarks/quality_ablation.py [--worlds demo:1101 demo:1102] [--scale 0.3]

A rule of the verdict is taken away by weighing the shown terms again; a group statistic by making it a
constant, for groups and placebos alike; a way of discovery by switching it off. Each row tells the share of
campaign accounts still found and the false reports, and in the note the nats of log odds that the campaigns
lose on the average, and what the adversary must do, and pay, to take the part away in earnest.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

import harness
from judging import claims_of, run, world
from stillwatch.detect import audit, candidates, discovery, evidence, placebo, profiles
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.profiles import STATISTICS
from stillwatch.worlds.score import score_claims
from verdict_terms import FEATURES, KINDS, Known, known_groups, reported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType

    from harness import Row
    from judging import Place

SWITCHES: dict[str, DetectConfig] = {
    "pairs": DetectConfig(pair_level=1e-300),
    "refinement": DetectConfig(refinements=()),
}
SILENCED: dict[str, tuple[ModuleType, str, list[Any]]] = {
    "bipartite": (discovery, "bipartite_communities", [[] for _ in DetectConfig().bipartite_resolutions]),
    "busy": (discovery, "busy_communities", []),
    "key-clusters": (candidates, "of_keys", []),
}
"""Ways of discovery that are replaced by a function that finds nothing, and what that returns."""
TO_REMOVE = {
    "extraction_share": "stop asking for reasoning, grading or training text: the loot itself",
    "repeat_share": "ask the same questions from several accounts: pay for repeats",
    "strand_volume": "ask less with each account: more accounts",
    "shared_payments": "an own payment instrument for each account",
    "throwaway_excess": "real cards instead of virtual ones",
    "birth_burst": "aged accounts, or months of patience",
    "schedule": "schedules of their own: idle capacity and a slower harvest",
    "single_turn_share": "several turns for each question: more tokens",
    "tool_share": "offer tools that are not needed: more tokens",
    "software_keys": "no fixed system prompt",
    "same_address": "an own address for each account",
    "rhythm": "human hours: two thirds of the day lost",
    "coverage": "ask about fewer fields: a narrower student",
    "fail_over": "wait after a ban",
    "effective_keys": "a few dozen templates: narrower training data",
    "verified_share": "verified identities",
    "activity_covariance": "schedules of their own: idle capacity and a slower harvest",
    "sampling_uniformity": "own sampling settings for each account: uneven training data",
    "client_uniformity": "own client software for each account: cheap",
    "address_sharing": "an own address for each account",
    "payment_sharing": "an own payment instrument for each account",
    "device_sharing": "an own device fingerprint for each account",
    "email_domain_sharing": "own mail domains",
    "births": "aged accounts, or months of patience",
    "pivot": "move to a new model days late: stale answers",
    "pairs": "a template for each account, or a pool beyond 42,000 rho^2 (method)",
    "bipartite": "a pool so large that templates are hardly used again",
    "busy": "a pool of more than a hundred thousand templates, or half as many requests an account",
    "key-clusters": "no fixed prompt",
}
_STATISTIC_USERS = (profiles, placebo, evidence, audit)


@contextmanager
def without_statistic(name: str) -> Iterator[None]:
    """Make a group statistic a constant, for groups and placebos alike; its e-value is then 1."""
    at, original = list(STATISTICS).index(name), profiles.statistics_of

    def constant(*given: Any, **named: Any) -> Any:
        values = original(*given, **named).copy()
        values[:, at] = 0.0
        return values

    users = [module for module in _STATISTIC_USERS if hasattr(module, "statistics_of")]
    for module in users:
        module.statistics_of = constant
    try:
        yield
    finally:
        for module in users:
            module.statistics_of = original


@contextmanager
def silenced(module: ModuleType, name: str, nothing: list[Any]) -> Iterator[None]:
    """Let a function of discovery find nothing."""
    original = getattr(module, name)
    setattr(module, name, lambda *_, **__: nothing)
    try:
        yield
    finally:
        setattr(module, name, original)


def judged(
    place: Place, config: DetectConfig, patched: AbstractContextManager[None] | None = None
) -> dict[str, Any]:
    """Run detection and return its groups beside the truth, with the score."""
    if patched is None:
        found = run(place.store, config)
    else:
        with patched:
            found = run(place.store, config)
    score = score_claims(place.truth, claims_of(found))
    return {
        "found": score.found_share,
        "false": score.false_reports,
        "groups": known_groups(found, place.truth),
    }


def margin(groups: list[Known], weight: np.ndarray) -> float:
    """Mean log odds of "campaign" against the best honest kind, over the campaigns' groups."""
    mine = [one for one in groups if one.guilty]
    if not mine:
        return float("nan")
    score = np.einsum("grk,r->gk", np.stack([one.terms for one in mine]), weight)
    at = [kind.value for kind in KINDS].index("campaign")
    return float(np.mean(score[:, at] - np.delete(score, at, axis=1).max(axis=1)))


def one_world(scenario: str, seed: int, scale: float) -> dict[str, dict[str, float]]:
    """Judge all variants on one world."""
    with world(scenario, seed, scale) as place:
        full = judged(place, DetectConfig())
        variants = {"full": _figures(full)}
        for name in FEATURES:
            variants[f"rule/{name}"] = _without_rule(full, name)
        for name in STATISTICS:
            variants[f"statistic/{name}"] = _figures(judged(place, DetectConfig(), without_statistic(name)))
            print(f"{scenario} {seed} without {name}", file=sys.stderr, flush=True)
        for name, config in SWITCHES.items():
            variants[f"discovery/{name}"] = _figures(judged(place, config))
        for name, place_of in SILENCED.items():
            variants[f"discovery/{name}"] = _figures(judged(place, DetectConfig(), silenced(*place_of)))
        both = DetectConfig(pair_level=1e-300)
        variants["discovery/pairs+bipartite"] = _figures(
            judged(place, both, silenced(*SILENCED["bipartite"]))
        )
    return variants


def _figures(run_of: dict[str, Any]) -> dict[str, float]:
    lost = margin(run_of["groups"], np.ones(len(FEATURES)))
    return {"found": run_of["found"], "false": run_of["false"], "margin": lost}


def _without_rule(full: dict[str, Any], name: str) -> dict[str, float]:
    """Weigh again without one rule; what is found is what the full run found less groups that fall away."""
    weight = np.ones(len(FEATURES))
    before = reported(full["groups"], weight)
    weight[FEATURES.index(name)] = 0.0
    after = reported(full["groups"], weight)
    groups = full["groups"]
    held = sum(len(one.accounts) for one, yes in zip(groups, before, strict=True) if yes and one.guilty)
    still = sum(
        len(one.accounts)
        for one, was, yes in zip(groups, before, after, strict=True)
        if was and yes and one.guilty
    )
    new = sum(
        bool(yes and not was) for one, was, yes in zip(groups, before, after, strict=True) if not one.guilty
    )
    return {
        "found": full["found"] * still / max(held, 1),
        "false": full["false"] + new,
        "margin": margin(groups, weight),
    }


def rows_of(worlds: list[dict[str, dict[str, float]]], seeds: list[int]) -> list[Row]:
    """One row a part: what is still found without it."""
    base = fmean(one["full"]["margin"] for one in worlds)
    rows = []
    for name in worlds[0]:
        found = fmean(one[name]["found"] for one in worlds)
        false = sum(one[name]["false"] for one in worlds)
        lost = base - fmean(one[name]["margin"] for one in worlds)
        removal = TO_REMOVE.get(name.rsplit("/", 1)[-1], "")
        note = f"{false:g} false reports; {lost:+.1f} nats" + (f"; to remove: {removal}" if removal else "")
        rows.append(harness.row(f"ablation/{name}", found, "share found without it", seeds=seeds, note=note))
    return rows


def main() -> int:
    """Run, print, write."""
    options = harness.parser(__doc__)
    options.add_argument("--worlds", nargs="+", default=["demo:1101", "demo:1102"], metavar="ID:SEED")
    options.add_argument(
        "--scale", type=float, default=0.3, help="factor on numbers of accounts (default 0.3)"
    )
    given = options.parse_args()
    named = [(text.split(":")[0], int(text.split(":")[1])) for text in given.worlds]
    results = [one_world(scenario, seed, given.scale) for scenario, seed in named]
    harness.RESULTS.mkdir(parents=True, exist_ok=True)
    lines = [{"scenario": s, "seed": n, **one} for (s, n), one in zip(named, results, strict=True)]
    details = harness.RESULTS / "quality_ablation_details.jsonl"
    details.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return harness.finish("quality_ablation", rows_of(results, [n for _, n in named]), strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
