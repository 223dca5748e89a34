import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.references import (
    VERDICT_FLOOR,
    Matching,
    ModelCard,
    ReferenceSet,
    Role,
    read_cards,
    references_needed,
    refusal,
)
from stillwatch.model.errors import InputError
from stillwatch.stats.conformal import conformal_p

LLAMA = {"base": "llama-1", "size_b": 13.0, "released": date(2023, 6, 1)}


def card(name, role=Role.HUMAN, **fields):
    return ModelCard(name, role, **{**LLAMA, **fields})


def people(count, **fields):
    return ReferenceSet(tuple(card(f"m{number}", **fields) for number in range(count)))


@given(st.floats(0.0005, 0.9), st.integers(1, 5))
def test_the_number_needed_is_the_fewest_that_can_reach_the_level(level, hypotheses):
    needed = references_needed(level, hypotheses)
    reached = float(conformal_p(1.0, np.zeros(needed)))
    assert reached * hypotheses <= level * (1 + 1e-6)
    if needed > 1:
        assert float(conformal_p(1.0, np.zeros(needed - 1))) * hypotheses > level * (1 - 1e-6)


@pytest.mark.parametrize(("level", "needed"), [(0.05, 19), (0.01, 99), (0.001, 999)])
def test_the_floors_of_the_reference_text(level, needed):
    assert references_needed(level) == needed


def test_a_verdict_is_refused_with_the_number_needed():
    assert "19 are needed" in refusal(people(18), 0.05)
    assert "Add 1:" in refusal(people(18), 0.05)
    assert refusal(people(19), 0.05) is None
    assert "59 are needed" in refusal(people(19), 0.05, rejections=3)
    assert refusal(people(VERDICT_FLOOR - 1), 0.5) is not None, "the floor holds at any level"
    assert refusal(people(50, family="one"), 0.05) is not None, "siblings count once"


def test_matching_asks_for_base_size_and_era_and_leaves_kin_out():
    suspect = card("suspect", Role.UNKNOWN, family="mine")
    same, other = card("same"), card("other", base="mistral")
    large, old = card("large", size_b=65.0), card("old", released=date(2021, 1, 1))
    blank, kin = card("blank", size_b=None), card("kin", family="mine")
    known = ReferenceSet((same, other, large, old, blank, kin, suspect))
    assert known.matched(suspect).names() == ("same",)
    assert known.matched(suspect, Matching(base=False)).names() == ("same", "other")
    assert "large" in known.matched(suspect, Matching(size_ratio=10.0)).names()
    unknown = ModelCard("suspect", Role.UNKNOWN)
    assert set(known.matched(unknown).names()) == {"same", "other", "large", "old", "blank", "kin"}


def test_innocents_learned_from_nobody_of_that_vendor_even_when_the_teacher_is_not_in_the_set():
    student = card("student", Role.STUDENT, teachers=("openai/gpt-4",))
    loose = card("loose", Role.STUDENT, teachers=("openai",))
    else_ = card("else", Role.STUDENT, teachers=("meta/llama",))
    own = card("own", Role.BASE, vendor="openai")
    unsure, vendor = card("unsure", Role.UNKNOWN), card("vendor", Role.VENDOR, vendor="meta")
    known = ReferenceSet((student, loose, else_, own, unsure, vendor, card("human")))
    assert known.innocent_of("openai").names() == ("else", "human")
    assert known.innocent_of("meta").names() == ("student", "loose", "own", "human")
    assert known.students_of("openai").names() == ("student", "loose")
    assert known.without(["human"]).innocent_of("openai").names() == ("else",)
    with pytest.raises(KeyError):
        known.card("absent")


def test_cards_are_read_and_wrong_ones_told_without_quoting(tmp_path):
    path = tmp_path / "models.json"
    path.write_text(json.dumps([{"name": "a", "role": "human", "released": "2023-05-01"}]))
    assert read_cards(path).card("a").released == date(2023, 5, 1)
    for content in ('[{"name": "a", "role": "secret"}]', "{", '[{"name": 3, "role": "human"}]', "\xff"):
        path.write_text(content, encoding="latin-1")
        with pytest.raises(InputError) as error:
            read_cards(path)
        assert "secret" not in str(error.value)
    path.write_text('[{"name": "a", "role": "human"}, {"name": "a", "role": "base"}]')
    with pytest.raises(InputError, match="twice"):
        read_cards(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_cards(tmp_path / "absent.json")


@pytest.mark.parametrize(("level", "hypotheses"), [(0.0, 1), (1.0, 1), (0.05, 0)])
def test_levels_outside_their_range_are_refused(level, hypotheses):
    with pytest.raises(ValueError, match="level"):
        references_needed(level, hypotheses)
