"""The permanent quality baseline: one JSON file a scenario, compared seed by seed.

Scenario ids never change meaning, and a world is a function of scenario, seed and scale, so a later version
of the detector is judged on the very same worlds. A figure has got worse when, in the mean over the seeds
that both have, it lies below (above, for harm) the stored one by more than its tolerance: paired differences
need no wide margin.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from stillwatch.worlds.score_seeds import over_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = Path(__file__).resolve().parent
VERSION = 1
TOLERANCE = {"found": 0.02, "purity": 0.005}
"""How much less of a benefit is no loss."""
HARM = {"false_reports": 0.0, "honest_named": 0.0, "honest_fleets_reported": 0.0}
"""How much more of a harm is no loss: none."""


def store(scenario: str, runs: Sequence[Mapping[str, Any]], folder: Path = FOLDER) -> Path:
    """Write the figures of one scenario and return the path.

    A file that is there already keeps the seeds, and the detectors, that these runs do not have.

    Args:
        scenario: Permanent id.
        runs: Results of `judging.judge`, all of one scale.
        folder: Where the files lie.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scale = runs[0]["scale"]
    path = path_of(scenario, scale, folder)
    kept = read(scenario, scale, folder) or {"detectors": {}}
    detectors = {name: dict(one["by_seed"]) for name, one in kept["detectors"].items()}
    for run in runs:
        for name, mine in {"stillwatch": run["stillwatch"], **run.get("peers", {})}.items():
            detectors.setdefault(name, {})[str(run["seed"])] = _numbers(mine)
    content = {
        "version": VERSION,
        "scenario": scenario,
        "scale": scale,
        "detectors": {name: _summary(by_seed) for name, by_seed in sorted(detectors.items())},
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path


def path_of(scenario: str, scale: float, folder: Path = FOLDER) -> Path:
    """The file of a scenario at a scale."""
    return folder / (f"{scenario}.json" if scale == 1.0 else f"{scenario}@{scale:g}.json")


def read(scenario: str, scale: float = 1.0, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Read what is stored, None where nothing is.

    Raises:
        ValueError: The file is of a version that this code does not know.
    """
    path = path_of(scenario, scale, folder)
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    if content.get("version") != VERSION:
        raise ValueError(f"{path.name}: not a baseline of version {VERSION}; store it again")
    return content


def losses(stored: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in sentences what has got worse than the stored figures of stillwatch; empty if nothing has.

    Args:
        stored: Result of `read`.
        runs: Results of `judging.judge` on seeds that are stored.

    Raises:
        ValueError: A seed is not stored, so that nothing can be compared.
    """
    before = stored["detectors"]["stillwatch"]["by_seed"]
    missing = [run["seed"] for run in runs if str(run["seed"]) not in before]
    if missing or not runs:
        raise ValueError(f"baseline of {stored['scenario']} has no seeds {missing}: store them first")
    pairs = [(before[str(run["seed"])], run["stillwatch"]) for run in runs]
    said = []
    for name, allowed in TOLERANCE.items():
        change = fmean(new[name] - old[name] for old, new in pairs)
        if change < -allowed:
            said.append(f"{stored['scenario']}: {name} fell by {-change:.4f} (allowed {allowed:g})")
    for name, allowed in HARM.items():
        change = fmean(new[name] - old[name] for old, new in pairs)
        if change > allowed:
            said.append(f"{stored['scenario']}: {name} rose by {change:.4f} (allowed {allowed:g})")
    return said


def _numbers(figures: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in figures.items() if isinstance(value, int | float)}
    if "taken_at_first_report" in figures:
        plain["taken_at_first_report"] = figures["taken_at_first_report"]
    return plain


def _summary(by_seed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for name, value in next(iter(by_seed.values())).items() if isinstance(value, int | float)]
    spreads = {name: over_seeds([one[name] for one in by_seed.values() if name in one]) for name in names}
    return {
        "over_seeds": {
            name: {
                "median": one.median,
                "low": one.low,
                "high": one.high,
                "least": one.least,
                "most": one.most,
            }
            for name, one in spreads.items()
        },
        "by_seed": dict(sorted(by_seed.items(), key=lambda item: int(item[0]))),
    }
