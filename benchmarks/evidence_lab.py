"""Evidence from real students: what must hold of `stillwatch lab distill`, measured over seeds.

    python benchmarks/evidence_lab.py --seeds 3 4 5 --cache build/lab

Needs PyTorch and tokenizers (`pip install 'stillwatch[lab]'`). The methods were developed on seeds from
1000 upwards. Seeds 1 and 2 were looked at once before the rewriting model was trained for longer, so the
rewritten student is judged cleanly from seed 3 on only, which is why that is the default. `--all` trains the
students that no bar needs as well: other shares, rewriting of marked answers, two teachers, four accounts,
dual keys.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy import stats

from harness import finish, parser, row
from stillwatch.lab.extras import need
from stillwatch.lab.settings import BARS, CONDITIONS, RESULT, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness import Row

Runs = dict[int, dict[str, Any]]


def run_seeds(setting: str, seeds: Sequence[int], names: Sequence[str], cache: Path) -> Runs:
    """Run the chain for each seed, or read what an earlier call left in `cache`."""
    need()
    from stillwatch.lab import course  # noqa: PLC0415 - imports torch, which need not be there to read --help

    runs = {}
    for seed in seeds:
        out = cache / f"{setting}-{seed}-{len(names)}"
        if not (out / RESULT).is_file():
            course.distill(setting, seed, out, names=names, cache=cache / "networks")
        runs[seed] = json.loads((out / RESULT).read_bytes())
        print(f"seed {seed}: {out / RESULT}", flush=True)
    return runs


def students(runs: Runs, name: str) -> list[dict[str, Any]]:
    """The student `name` of every seed that has it."""
    return [one for run in runs.values() for one in run["students"] if one["id"] == name]


def closed(student: dict[str, Any], which: int) -> dict[str, Any]:
    """The closed contrast test on few (0) or many (1) answers."""
    return [test for name, test in student["tests"].items() if name.startswith("contrast")][which]


def log10(log_p: float) -> float:
    return log_p / math.log(10)


def worst(values: Sequence[float]) -> float | None:
    return max(values) if values else None


def bars(runs: Runs) -> list[Row]:
    """The figures that are required."""
    few = SETTINGS[next(iter(runs.values()))["setting"]].few
    seeds = tuple(runs)
    marked, fifth = students(runs, "marked"), students(runs, "share-20")
    plain, rewritten = students(runs, "unmarked"), students(runs, "rewritten-plain")
    controls = [*plain, *students(runs, "other-key")]
    never_seen = [one for name in ("marked", "other-key") for one in students(runs, name)]
    alone = [math.exp(closed(one, 1)["log_p"]) for one in controls]
    twin_nulls = [math.exp(one["twins"]["log_p_sum"]) for one in never_seen]

    def log_bar(name: str, values: list[float], bar: str | None, note: str = "") -> Row:
        listed = ", ".join(f"{value:.1f}" for value in values)
        return row(
            name, worst(values), "log10 p, worst seed", bar, seeds=seeds, note=f"{listed} {note}".strip()
        )

    return [
        log_bar(f"lab/marked-100/closed-{few}", [log10(closed(s, 0)["log_p"]) for s in marked], "< -6"),
        log_bar(f"lab/share-20/closed-{few}", [log10(closed(s, 0)["log_p"]) for s in fifth], None),
        log_bar("lab/share-20/closed-many", [log10(closed(s, 1)["log_p"]) for s in fifth], "< -5"),
        row(
            "lab/control/uniform",
            min((s["uniform_p"] for s in controls), default=None),
            "least KS p of decoy p-values",
            f">= {0.01 / max(1, len(controls)):.5f}",
            seeds=seeds,
            note=f"{len(controls)} control students, 4,000 fresh keys each; bar is 1 % over all of them",
        ),
        row(
            "lab/control/our-key",
            stats.kstest(alone, "uniform").pvalue if alone else None,
            "KS p of the p-values of our key",
            ">= 0.01",
            seeds=seeds,
            note=", ".join(f"{p:.2g}" for p in alone),
        ),
        log_bar("lab/twins/student", [log10(s["twins"]["log_p_sum"]) for s in plain], "< -3"),
        log_bar("lab/twins/rewritten", [log10(s["twins"]["log_p_sum"]) for s in rewritten], "< -3"),
        row(
            "lab/twins/control",
            stats.kstest(twin_nulls, "uniform").pvalue if twin_nulls else None,
            "KS p of twin p-values of students that saw neither",
            ">= 0.01",
            seeds=seeds,
            note=", ".join(f"{p:.2g}" for p in twin_nulls),
        ),
    ]


def details(runs: Runs) -> list[Row]:
    """Everything else that was measured, without bars."""
    rows = []
    for seed, run in runs.items():
        for student in run["students"]:
            for name, test in student["tests"].items():
                label = f"lab/{student['id']}/{name.replace(', ', '/').replace(' ', '-')}"
                note = f"z {test['z']:.1f}, decoys {test['decoy_mean']:.2f} sd {test['decoy_deviation']:.2f}"
                rows.append(row(label, log10(test["log_p"]), "log10 p", seeds=(seed,), note=note))
            twins = student["twins"]
            note = f"{twins['items']} items" + ("" if student["twins_seen"] else ", control")
            rows.append(
                row(f"lab/{student['id']}/twins", twins["wins"], "share won", seeds=(seed,), note=note)
            )
            rows.append(row(f"lab/{student['id']}/loss", student["loss"], "nats a token", seeds=(seed,)))
        rows.append(row("lab/variety", run["marked_variety"], "marked over unmarked pairs", seeds=(seed,)))
        rows += [
            row(
                f"lab/gain/{gain['answers']}",
                gain["gain"],
                "share of the way",
                seeds=(seed,),
                note=f"loss {gain['loss']:.2f}",
            )
            for gain in run["gains"]
        ]
        if run["tracing"]:
            traced = run["tracing"]
            note = f"ranks {traced['ranks']}, innocent sd {traced['innocent_deviation']:.2f}"
            rows.append(
                row("lab/tracing/named", traced["named"], "of 4 guilty at 1 %", seeds=(seed,), note=note)
            )
            rows.append(
                row("lab/tracing/wrong", traced["wrongly_named"], "innocent at 1 %", "<= 0", seeds=(seed,))
            )
    return rows


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, nargs="+", default=[3])
    options.add_argument("--setting", choices=sorted(SETTINGS), default="small")
    options.add_argument("--cache", type=Path, default=Path("build/lab"))
    options.add_argument("--all", action="store_true", help="train all students, not only those with bars")
    given = options.parse_args()
    names = [one.id for one in CONDITIONS] if given.all else list(BARS)
    runs = run_seeds(given.setting, given.seeds, names, given.cache)
    return finish("evidence_lab", [*bars(runs), *details(runs)], strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
