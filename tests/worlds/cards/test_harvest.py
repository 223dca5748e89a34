import numpy as np
import pytest

from stillwatch.worlds.cards.harvest import RULES, write_templates
from stillwatch.worlds.cards.operation import Capability, Wording


def test_every_capability_has_rules():
    assert set(RULES) == set(Capability)


@pytest.mark.parametrize("capability", Capability)
def test_templates_take_a_question_and_at_most_an_answer_behind_it(capability):
    written = write_templates(Wording.POOL, [capability], 30, np.random.default_rng(3))
    assert len(set(written)) == 30
    assert all(text.count("[[1]]") == 1 and text.count("[[2]]") <= 1 for text in written)
    assert all(text.find("[[1]]") < text.find("[[2]]") for text in written if "[[2]]" in text)
    assert not any("TAG" in text for text in written)


def test_capabilities_take_turns():
    wants = [Capability.GRADING, Capability.CODING]
    both = write_templates(Wording.POOL, wants, 40, np.random.default_rng(3))
    assert len({text[:12] for text in both}) > 10
    with_answer = ["[[2]]" in text for text in both]
    assert all(with_answer[::2])
    assert not any(with_answer[1::2])


def test_a_fixed_prompt_forces_tags():
    written = write_templates(Wording.FIXED, [Capability.CODING], 5, np.random.default_rng(3))
    assert all("<" in text for text in written)
