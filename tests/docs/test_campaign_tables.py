"""docs/campaigns.md repeats what the cards, the ladder and the prices say."""

import importlib.util
import re
from pathlib import Path

import pytest

from stillwatch.worlds.cards import CARDS, SCENARIOS
from stillwatch.worlds.ladder import RUNGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/campaigns.md").read_text(encoding="utf-8")
SPEC = importlib.util.spec_from_file_location("generate_campaigns", ROOT / "docs/generate_campaigns.py")
generate_campaigns = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generate_campaigns)


def test_generated_parts_are_what_the_code_says():
    assert generate_campaigns.updated(PAGE) == PAGE, "run: python docs/generate_campaigns.py"


def test_a_stale_number_is_noticed():
    stale = PAGE.replace("| `card-zai` | 273 |", "| `card-zai` | 999 |")
    assert stale != PAGE
    assert generate_campaigns.updated(stale) == PAGE


def test_a_page_without_markers_is_refused():
    with pytest.raises(ValueError, match="markers"):
        generate_campaigns.updated("no markers here")


def test_every_fact_of_every_card_is_shown():
    for card in CARDS:
        assert f"### {card.title}" in PAGE
        assert all(fact.says in PAGE for fact in card.facts)


def test_every_scenario_is_named():
    named = set(re.findall(r"`([a-z0-9-]+)`", PAGE))
    missing = {scenario.id for scenario in SCENARIOS} - named
    assert not missing
    assert {rung.operation.id for rung in RUNGS if "only-" not in rung.operation.id} <= named
