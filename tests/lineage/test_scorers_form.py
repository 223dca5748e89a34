import pytest

from stillwatch.lineage.scorers_form import FUNCTION_WORDS, form_features, template_units


def test_form_counts_what_is_seen():
    rows = form_features(["", "One. Two!\n- a\n- b", "I can't, sorry."])
    assert rows.shape == (3, 18)
    assert rows[0].sum() == 0.0
    assert rows[1][3] > 0.0, "lists"
    assert rows[2][-1] > 0.0, "refusal"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The cat sat on a mat.", "The dog lay on a bed.", True),
        ("The cat sat on a mat.", "The cat sat in a mat.", False),
        ("in 1999", "in 2001", True),
        ("yes!", "yes?", False),
    ],
)
def test_templates_keep_grammar_and_drop_content(one, other, same):
    units = template_units([one, other], 50)
    first, second = (units.ids[units.text == row].tolist() for row in (0, 1))
    assert (first == second) is same


def test_function_words_stand_once():
    assert len(set(FUNCTION_WORDS)) == len(FUNCTION_WORDS)
