"""The example of the lineage page runs, on a simulated population written as a reader would have it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from stillwatch.lineage.references_public import public_models
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.scorers import SCORERS
from stillwatch.lineage.verdicts import LineageVerdict

PAGE = Path(__file__).resolve().parents[2] / "docs/lineage.md"
NAMES = {"teacher-0": "ours", "teacher-1": "rival-a", "teacher-2": "rival-b", "student-0": "suspect"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    population = Population(prompts=30, vendors=3, bases=1, innocents=20, students=1, dose=0.5)
    world = simulated(population, np.random.default_rng(1))
    (tmp_path / "answers").mkdir()
    width = len(world.grid.models)
    for column, name in enumerate(world.grid.models):
        rows = (
            {
                "prompt_id": prompt,
                "model": NAMES.get(name, name),
                "text": world.grid.texts[p * width + column],
            }
            for p, prompt in enumerate(world.grid.prompts)
        )
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "answers" / f"{name}.jsonl").write_text(lines)
    cards = [
        {
            "name": NAMES.get(card.name, card.name),
            "role": "unknown" if card.name == "student-0" else card.role,
            "vendor": "us" if card.vendor == "vendor-0" else card.vendor,
            "base": card.base,
        }
        for card in world.references.cards
    ]
    (tmp_path / "answers" / "models.json").write_text(json.dumps(cards))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
def test_the_example_runs_and_finds_the_student(capsys):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    scope = {}
    exec(compile(code, str(PAGE), "exec"), scope)  # noqa: S102 - our own page
    assert "0 of 20 matched reference families" in capsys.readouterr().out
    assert scope["judged"](scope["test"]).verdict is LineageVerdict.SUPPORTS


def test_every_scorer_and_verdict_is_described():
    page = PAGE.read_text()
    assert all(f"`{scorer.name}`" in page for scorer in SCORERS)
    assert all(str(verdict) in page for verdict in LineageVerdict)
    assert all(f"`{role}`" in page for role in {card.role for card in public_models().cards})
