"""The page of measured figures says what is stored, and nothing else."""

from __future__ import annotations

import pytest

import publish_quality


def test_the_page_is_up_to_date() -> None:
    text = publish_quality.PAGE.read_text()
    assert publish_quality.page(text) == text, "run python benchmarks/publish_quality.py"


def test_every_stored_scenario_is_on_the_page() -> None:
    text = publish_quality.PAGE.read_text()
    for path in publish_quality.baseline.FOLDER.glob("*.json"):
        assert f"Scenario `{path.stem.split('@')[0]}`" in text


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="measured"):
        publish_quality.page("# Quality\n")


@pytest.mark.parametrize(
    ("seeds", "said"), [([1], "1"), ([1, 2, 3], "1 to 3"), ([1, 3, 4], "1, 3 to 4"), ([], "")]
)
def test_seeds_are_written_short(seeds: list[int], said: str) -> None:
    assert publish_quality._seeds(seeds) == said


def test_bars_that_do_not_hold_are_marked() -> None:
    row = {
        "id": "x",
        "value": 0.5,
        "unit": "share",
        "bar": ">= 0.9",
        "holds": False,
        "command": "python x",
        "note": "a | b",
    }
    table = publish_quality._rows("quality_power", {"commit": "abc", "rows": [row]})
    assert "| `x` | 0.5 | share | ≥ 0.9 | **no** | a / b |" in table
