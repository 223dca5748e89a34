from stillwatch.lineage.references import Role
from stillwatch.lineage.references_public import public_models


def test_labels_are_unique_and_complete():
    cards = public_models().cards
    assert len({card.name for card in cards}) == len(cards)
    for card in cards:
        assert (card.role is Role.STUDENT) == bool(card.teachers)
        assert (card.role in {Role.TEACHER, Role.VENDOR}) == bool(card.vendor)
        if card.role in {Role.STUDENT, Role.HUMAN, Role.UNKNOWN}:
            assert card.citation, card.name


def test_what_is_disputed_is_on_neither_side():
    known = public_models()
    sides = {*known.innocent_of("openai").names(), *known.students_of("openai").names()}
    assert "oasst-sft-llama-33b" not in sides
    assert {"guanaco-13b", "alpaca-7b"} <= sides


def test_the_same_base_benchmark_has_the_sides_of_the_reference_text():
    known = public_models()
    suspect = known.card("Llama-3-8B-ShareGPT-112K")
    matched = known.matched(suspect)
    assert len(matched.students_of("openai").cards) == 8, "nine with the one that is matched"
    assert {"llama3-8b-lima", "Llama-3-8B-tulu-human", "Meta-Llama-3-8B"} <= set(
        matched.innocent_of("openai").names()
    )
