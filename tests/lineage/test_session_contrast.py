"""Tiers 0, 2 and 3 on simulated populations whose lineage is known."""

import json
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from stillwatch.model.errors import InputError
from stillwatch.model.progress import Silent

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.evidence import evidence_bytes, read_document, verify
from stillwatch.lineage.evidence_verdict import Verdict
from stillwatch.lineage.references_simulated import Population, simulated
from stillwatch.lineage.report import render_report
from stillwatch.lineage.session import Session
from stillwatch.lineage.session_build import Choice, build_channels, build_plan, queries_of
from stillwatch.lineage.session_material import note_registration, read_material
from stillwatch.lineage.suspect import Reply

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CHOICE = Choice(
    suspect="suspect", vendor="vendor-0", scorer="words", base="base-0", size_b=7.0, alpha_support=0.05
)


class Said:
    """Answers with what a model of the population said."""

    def __init__(self, world, model):
        self.label, place = model, world.grid.models.index(model)
        width = len(world.grid.models)
        self.texts = {
            f"please {name}": world.grid.texts[p * width + place] for p, name in enumerate(world.grid.prompts)
        }

    def ask(self, queries, _, spent):
        spent.requests += len(queries)
        return [Reply(query.id, text=self.texts[query.prompt]) for query in queries]


@pytest.fixture(scope="module")
def world():
    return simulated(
        Population(prompts=40, bases=2, innocents=60, students=16, dose=0.5, contamination=0.02),
        np.random.default_rng(3),
    )


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory):
    """Write the population as an operator would keep it; two models stay out and play suspects."""
    made = tmp_path_factory.mktemp("evidence")
    out = {"student-0", "innocent-0"}
    (made / "answers").mkdir()
    width = len(world.grid.models)
    for place, model in enumerate(world.grid.models):
        name, _, run = model.partition("@run")
        if name in out:
            continue
        rows = [
            {"prompt_id": prompt, "model": name, "text": world.grid.texts[p * width + place]}
            for p, prompt in enumerate(world.grid.prompts)
        ]
        with (made / "answers" / f"{name}.jsonl").open("a" if run else "w") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))
    cards = [card for card in world.references.cards if card.name not in out]
    (made / "models.json").write_bytes(msgspec.json.encode(cards))
    prompts = [{"id": prompt, "prompt": f"please {prompt}"} for prompt in world.grid.prompts]
    (made / "prompts.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    return made


def judge(world, folder, out, model, choice=CHOICE):
    material = read_material(folder)
    plan = build_plan(material, choice, NOW)
    outcome = Session(out, plan, build_channels(plan, material), lambda: NOW).run(
        Said(world, model), Silent()
    )
    content = evidence_bytes(outcome.entries)
    checked = verify(content)
    assert checked.intact, [check for check in checked.checks if check.faults]
    return plan, outcome, content


def figures_of(outcome):
    return {each.tier: each for each in outcome.result.figures}


def test_a_student_stands_out_and_an_innocent_does_not(world, folder, tmp_path):
    plan, guilty, content = judge(world, folder, tmp_path / "guilty", "student-0")
    assert plan.rule == "p"
    assert guilty.result.verdict is Verdict.SUPPORTS
    found = figures_of(guilty)
    assert found["2"].p <= 0.05
    assert found["2"].details["closest"]["members"][0] == "teacher-0"
    assert found["2"].details["imitation"]["level"] > 0.05
    assert found["0"].details["route"] == "different"
    page = render_report(read_document(content), plan, guilty.result, NOW, "0")
    assert "supports training on our answers" in page
    assert "please" not in page + content.decode()
    _, innocent, _ = judge(world, folder, tmp_path / "innocent", "innocent-0")
    assert not innocent.result.supported


def test_our_own_model_is_recognised_and_never_called_a_student(world, folder, tmp_path):
    _, outcome, _ = judge(world, folder, tmp_path, "teacher-0@run1")
    assert figures_of(outcome)["0"].details["same"]
    assert outcome.result.verdict is Verdict.INCONCLUSIVE
    assert "our own model" in outcome.result.reason


def test_without_a_known_base_likeness_is_triage_and_decides_nothing(world, folder, tmp_path):
    choice = Choice(suspect="suspect", vendor="vendor-0", scorer="words", alpha_support=0.05)
    _, outcome, _ = judge(world, folder, tmp_path, "student-0", choice)
    found = figures_of(outcome)["3"]
    assert (found.p, found.log_e) == (None, None)
    assert outcome.result.verdict is Verdict.INCONCLUSIVE


def test_too_few_references_are_refused_with_the_number_that_is_needed(world, folder, tmp_path):
    choice = Choice(
        suspect="suspect", vendor="vendor-0", scorer="words", base="base-0", size_b=7.0, alpha_support=0.01
    )
    _, outcome, _ = judge(world, folder, tmp_path, "student-0", choice)
    assert not outcome.result.supported
    assert any("99 are needed" in note for note in figures_of(outcome)["2"].notes)


def test_identity_and_likeness_ask_each_prompt_once(folder):
    material = read_material(folder)
    plan = build_plan(material, CHOICE, NOW)
    assert len(queries_of(build_channels(plan, material))) == 40


def test_material_that_changed_after_the_registration_is_refused(folder, tmp_path):
    material = read_material(folder)
    plan = build_plan(material, CHOICE, NOW)
    other = msgspec.structs.replace(plan, prompts_digest="0" * 64)
    with pytest.raises(InputError, match="is not the material that was registered"):
        build_channels(other, material)
    lost = msgspec.structs.replace(plan, contrast=msgspec.structs.replace(plan.contrast, answers_digest="0"))
    with pytest.raises(InputError, match="other answers than were registered"):
        build_channels(lost, material)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no twins, marks or answers"),
        ({"answers/a.jsonl": '{"prompt_id":"p","text":"x"}'}, "is missing beside the answers"),
        (
            {"answers/a.jsonl": '{"prompt_id":"p","text":"x"}', "models.json": "[]", "prompts.jsonl": "{"},
            "prompts.jsonl:1: is not a prompt",
        ),
        (
            {
                "answers/a.jsonl": '{"prompt_id":"p","text":"x"}', "models.json": "[]",
                "prompts.jsonl": '{"id":"p","prompt":"x"}\n{"id":"p","prompt":"y"}',
            },
            "gives an id again",
        ),
        (
            {"answers/a.jsonl": '{"prompt_id":"p","text":"x"}', "models.json": "[]", "registrations.jsonl": "{"},
            "was damaged",
        ),
    ],
)  # fmt: skip
def test_unusable_material_is_refused_in_a_sentence(tmp_path, files, sentence):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=sentence):
        read_material(tmp_path)


def test_registrations_are_remembered(folder):
    note_registration(folder, {"suspect": "x", "registered_at": "2026", "digest": "d"})
    assert read_material(folder).registrations[-1]["digest"] == "d"
    (folder / "registrations.jsonl").unlink()
