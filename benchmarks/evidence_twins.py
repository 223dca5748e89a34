"""Served versus twin: error control and power as a function of exposure.

Scores are simulated (normal, heavy-tailed, tied), so this measures the tests and not a model; real students
are in `evidence_lab.py`. Exposure is the share of the tested items in the suspect's training set.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import binom

from harness import Row, finish, parser, row
from stillwatch.lineage.twins_power import needed_items, simulate_power
from stillwatch.lineage.twins_preference import preference_test

SEED = 1
LEVELS = (0.05, 0.01, 0.001)
EFFECT = 0.6
KINDS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(1.5, shape),
    "tied": lambda rng, shape: rng.integers(0, 3, shape).astype(float),
}


def null_rows(tests: int) -> list[Row]:
    """False alarms at three levels, over score laws and numbers of twins; the bar is a binomial bound."""
    rows = []
    for kind, draw in KINDS.items():
        rng = np.random.default_rng(SEED)
        found = np.ones((tests, 3))
        for number in range(tests):
            twins = 1 + number % 3
            scores = draw(rng, (60, twins + 1))
            test = preference_test(scores, rng.integers(twins + 1, size=60), alpha=0.01)
            found[number] = test.p_sum, test.p_rank, 0.01 if test.stopped_at >= 0 else 1.0
        for level in LEVELS:
            most = float(binom.ppf(0.999, tests, level)) / tests
            for place, name in enumerate(("sum", "rank")):
                rate = float(np.mean(found[:, place] <= level))
                rows.append(
                    row(f"twins/null/{kind}/{name}/{level}", rate, "share", f"<= {most}", seeds=(SEED,))
                )
        most = float(binom.ppf(0.999, tests, 0.01)) / tests
        stopped = float(np.mean(found[:, 2] <= 0.01))
        rows.append(row(f"twins/null/{kind}/betting/0.01", stopped, "share", f"<= {most}", seeds=(SEED,)))
    return rows


def power_rows(runs: int) -> list[Row]:
    """Power at the number of items that the formula asks for, and items to a stop, by exposure."""
    rows = []
    for exposure in (1.0, 0.5, 0.2, 0.1):
        items = needed_items(EFFECT, exposure, alpha=0.001, power=0.9)
        measured = simulate_power(items, EFFECT, exposure, alpha=0.001, runs=runs, seed=SEED)
        name = f"twins/power/exposure-{exposure:g}"
        note = f"effect {EFFECT} deviations, {items} items by the formula for 90 % at 0.001"
        rows += [
            row(f"{name}/sum", measured.by_sum, "share", ">= 0.85", seeds=(SEED,), note=note),
            row(f"{name}/rank", measured.by_rank, "share", seeds=(SEED,)),
            row(f"{name}/betting", measured.by_betting, "share", seeds=(SEED,)),
            row(f"{name}/median-stop", measured.median_stop, "items", seeds=(SEED,)),
        ]
    return rows


def main() -> int:
    """Measure and report."""
    options = parser(__doc__)
    options.add_argument("--tests", type=int, default=10_000, help="tests under each null")
    options.add_argument("--runs", type=int, default=200, help="simulated suspects for each exposure")
    given = options.parse_args()
    return finish("evidence_twins", null_rows(given.tests) + power_rows(given.runs), strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
