"""The cards say what is public: every number has a fact behind it, and the figures agree with each other."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.cards import CARDS, Mark, card_named, cut, expected_exchanges, scaled
from stillwatch.worlds.cards.operation import Craft, Operation, Pool, active_days, taken_share

BOOKKEEPING = {"id", "pools", "craft", "last_day"}


def changed(struct, default):
    """Fields of `struct` that differ from `default`."""
    names = (field.name for field in msgspec.structs.fields(struct))
    return {name for name in names if getattr(struct, name) != getattr(default, name, None)}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
class TestEveryCard:
    def test_has_a_fact_behind_every_number(self, card):
        operation = card.operation
        told = {about for fact in card.facts for about in fact.about}
        needed = changed(operation, Operation("", (), 0.0, 0.0)) | changed(operation.craft, Craft())
        for pool in operation.pools:
            needed |= changed(pool, Pool(0))
        assert needed - told - BOOKKEEPING == set()

    def test_names_only_fields_that_exist(self, card):
        known = {
            field.name for kind in (Operation, Craft, Pool) for field in msgspec.structs.fields(kind)
        } | {"exchanges"}
        assert {about for fact in card.facts for about in fact.about} <= known

    def test_takes_what_was_published(self, card):
        if card.exchanges is not None:
            assert expected_exchanges(card.operation) == pytest.approx(card.exchanges, rel=0.02)

    def test_keeps_rates_when_scaled(self, card):
        small = scaled(card.operation, 0.01)
        assert small.rate == card.operation.rate
        assert small.accounts < card.operation.accounts

    def test_shows_days_inside_the_campaign(self, card):
        first, last = card.operation.window
        assert 0 <= first < last <= card.operation.length
        assert last - first <= 12

    def test_marks_assumptions(self, card):
        assert card.of(Mark.ASSUMED)
        assert len(card.facts) > len(card.of(Mark.ASSUMED))


def test_ids_are_unique_and_found():
    names = [card.id for card in CARDS]
    assert len(set(names)) == len(names)
    assert all(card_named(name).operation.id == name for name in names)
    with pytest.raises(KeyError, match="gemini"):
        card_named("nobody")


def test_the_published_counts():
    counts = {card.id: card.operation.accounts for card in CARDS}
    assert counts["zai"] == 273
    assert counts["moonshot-relay"] == 5_380
    assert counts["xiaomi"] == 1_500
    assert counts["alibaba"] == 5_000 + 3_500
    assert all(counts[f"hydra-{percent:02d}"] == 20_000 for percent in (1, 5, 10, 50))


def test_a_ban_ends_the_work_of_a_pool_but_for_those_not_caught():
    alone = Operation("x", (Pool(100, ban_day=5.0, banned_share=0.9),), days=10.0, per_day=2.0)
    assert active_days(alone.pools[0], alone.length) == (0.0, 5.0)
    assert expected_exchanges(alone) == pytest.approx(100 * 2 * 5 + 10 * 2 * 5)
    assert expected_exchanges(alone, (5.0, 10.0)) == pytest.approx(10 * 2 * 5)


def test_days_outside_are_refused():
    with pytest.raises(ValueError, match="inside"):
        cut(CARDS[0].operation, 3.0, 99.0)
    with pytest.raises(ValueError, match="positive"):
        scaled(CARDS[0].operation, 0.0)


@given(
    st.builds(
        Craft,
        templates=st.integers(1, 9999),
        wanted_share=st.floats(0.01, 1),
        volume_spread=st.floats(0, 3),
        turns=st.floats(1, 9),
    ),
    st.integers(1, 10**6),
)
def test_an_operation_comes_back_from_its_file(craft, accounts):
    operation = Operation("mine", (Pool(accounts, ban_day=3.0),), 12.0, 5.0, craft)
    assert msgspec.json.decode(msgspec.json.encode(operation), type=Operation) == operation


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('network = "moon"', "network"),
        ("wanted_share = 0.0", "wanted_share"),
        ("accounts_per_exit = 0", "accounts_per_exit"),
        ("repeats = 1.0", "repeats"),
        ('payment_kind = "gold"', "payment_kind"),
        ("tempaltes = 3", "tempaltes"),
    ],
)
def test_a_wrong_field_is_refused_by_name(line, path):
    text = f'id = "mine"\ndays = 12.0\nper_day = 5.0\n[[pools]]\naccounts = 30\n[craft]\n{line}\n'
    with pytest.raises(msgspec.ValidationError, match=path):
        msgspec.toml.decode(text, type=Operation)


def test_what_is_taken_is_counted_from_the_first_day():
    whole = Operation("x", (Pool(10),), days=10.0, per_day=4.0)
    late = cut(whole, 4.0, 6.0)
    assert taken_share(whole, 0.3) == pytest.approx(0.3)
    assert taken_share(late, 0.0) == pytest.approx(0.4)
    assert taken_share(late, 0.5) == pytest.approx(0.5)
