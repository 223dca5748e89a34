"""The stored baseline: what is written is read again, and what got worse is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import baseline

if TYPE_CHECKING:
    from pathlib import Path

SHARE = st.floats(0.0, 1.0)


def run(seed: int = 1, **changed: Any) -> dict[str, Any]:
    figures = {
        "found": 0.99,
        "purity": 1.0,
        "false_reports": 0,
        "honest_named": 0,
        "honest_fleets_reported": 0,
        "stated_fdr": None,
        "which_fleets": [],
    }
    return {"scenario": "demo", "seed": seed, "scale": 1.0, "stillwatch": figures | changed}


def stored(tmp_path: Path, *runs: dict[str, Any]) -> dict[str, Any]:
    baseline.store("demo", runs, tmp_path)
    kept = baseline.read("demo", 1.0, tmp_path)
    assert kept is not None
    return kept


def test_the_same_figures_are_no_loss(tmp_path: Path) -> None:
    assert baseline.losses(stored(tmp_path, run(1), run(2)), [run(1), run(2)]) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"found": 0.9}, "found fell by 0.0900"),
        ({"purity": 0.98}, "purity fell"),
        ({"false_reports": 1}, "false_reports rose by 1"),
        ({"honest_named": 2}, "honest_named rose by 2"),
        ({"honest_fleets_reported": 1}, "honest_fleets_reported rose"),
    ],
)
def test_what_got_worse_is_said(tmp_path: Path, changed: dict[str, Any], says: str) -> None:
    (sentence,) = baseline.losses(stored(tmp_path, run()), [run(**changed)])
    assert says in sentence
    assert sentence.startswith("demo:")


def test_better_figures_are_no_loss(tmp_path: Path) -> None:
    before = stored(tmp_path, run(found=0.5, honest_named=4))
    assert baseline.losses(before, [run(found=0.9, honest_named=0)]) == []


def test_one_bad_seed_is_weighed_against_the_others(tmp_path: Path) -> None:
    before = stored(tmp_path, run(1), run(2))
    assert baseline.losses(before, [run(1, found=0.98), run(2, found=0.98)]) == []
    assert baseline.losses(before, [run(1, found=0.9), run(2)])


def test_seeds_that_are_not_stored_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no seeds \[7\]"):
        baseline.losses(stored(tmp_path, run(1)), [run(7)])


def test_storing_again_keeps_other_seeds_and_detectors(tmp_path: Path) -> None:
    first = run(1) | {"peers": {"prada": run()["stillwatch"]}}
    baseline.store("demo", [first], tmp_path)
    kept = stored(tmp_path, run(2, found=0.5))
    assert set(kept["detectors"]) == {"prada", "stillwatch"}
    assert list(kept["detectors"]["stillwatch"]["by_seed"]) == ["1", "2"]
    assert kept["detectors"]["stillwatch"]["over_seeds"]["found"]["least"] == 0.5


def test_another_scale_is_another_file(tmp_path: Path) -> None:
    assert baseline.store("demo", [run() | {"scale": 0.3}], tmp_path).name == "demo@0.3.json"
    assert baseline.read("demo", 1.0, tmp_path) is None


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    path = baseline.store("demo", [run()], tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(ValueError, match="version 1"):
        baseline.read("demo", 1.0, tmp_path)


@given(before=st.lists(SHARE, min_size=1, max_size=6), after=st.data())
def test_a_loss_is_said_exactly_when_the_mean_falls(
    before: list[float], after: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("baseline")
    now = after.draw(st.lists(SHARE, min_size=len(before), max_size=len(before)))
    kept = stored(folder, *(run(seed, found=share) for seed, share in enumerate(before)))
    said = baseline.losses(kept, [run(seed, found=share) for seed, share in enumerate(now)])
    fell = sum(old - new for old, new in zip(before, now, strict=True)) / len(before)
    if abs(fell - baseline.TOLERANCE["found"]) > 1e-9:
        assert bool(said) is (fell > baseline.TOLERANCE["found"])


def test_every_stored_file_is_of_this_version_and_named_after_its_scenario() -> None:
    for path in baseline.FOLDER.glob("*.json"):
        content = json.loads(path.read_text())
        assert content["version"] == baseline.VERSION
        assert baseline.path_of(content["scenario"], content["scale"]).name == path.name
        assert "stillwatch" in content["detectors"]
