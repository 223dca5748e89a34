import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.worlds.cards import CARDS, Mark
from stillwatch.worlds.cards.operation import Cover, Craft, Operation, Pool, Wording
from stillwatch.worlds.prices import Price, PriceBook, Range, cost_per_thousand

PLAIN = Operation("plain", (Pool(100),), days=30.0, per_day=10.0)


def crafts():
    return st.builds(
        Craft,
        wording=st.sampled_from(Wording),
        templates=st.integers(1, 5000),
        accounts_per_exit=st.integers(1, 50),
        accounts_per_payment=st.integers(1, 50),
        aged_share=st.floats(0, 1),
        wanted_share=st.floats(0.01, 1),
        cover=st.sampled_from(Cover),
        repeats=st.floats(0, 0.9),
        slowed=st.floats(1, 10),
        models=st.integers(1, 5),
        jitter_hours=st.floats(0, 100),
    )


@given(crafts())
def test_cost_is_an_ordered_range_and_the_sum_of_its_lines(craft):
    cost = cost_per_thousand(msgspec.structs.replace(PLAIN, craft=craft))
    for _, amount in cost.lines:
        assert 0 <= amount.low <= amount.mid <= amount.high
    for end in ("low", "mid", "high"):
        total = sum(getattr(amount, end) for _, amount in cost.lines)
        assert getattr(cost.total, end) == pytest.approx(total)
    assert cost.total.mid == pytest.approx(cost.evasion.mid + dict(cost.lines)["teacher"].mid)


@given(crafts(), st.floats(1.1, 20))
def test_cost_for_a_thousand_does_not_depend_on_the_number_of_accounts(craft, factor):
    craft = msgspec.structs.replace(craft, templates=1)
    free = msgspec.structs.replace(PriceBook(), template=Price(Range(0, 0, 0), "", "", Mark.ASSUMED))
    small = msgspec.structs.replace(PLAIN, craft=craft)
    large = msgspec.structs.replace(small, pools=(Pool(round(100 * factor)),))
    first, second = (cost_per_thousand(each, free).total.mid for each in (small, large))
    assert first == pytest.approx(second, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("accounts_per_payment", 1, "payment"),
        ("accounts_per_exit", 1, "addresses"),
        ("aged_share", 1.0, "accounts"),
        ("wording", Wording.EVERY, "rewording"),
        ("wording", Wording.OWN, "spoiled answers"),
        ("slowed", 4.0, "waiting"),
        ("jitter_hours", 72.0, "waiting"),
        ("repeats", 0.3, "repeats"),
        ("models", 3, "weaker teachers"),
    ],
)
def test_hiding_is_paid_where_it_belongs(name, value, line):
    before = cost_per_thousand(PLAIN)
    after = cost_per_thousand(
        msgspec.structs.replace(PLAIN, craft=msgspec.structs.replace(PLAIN.craft, **{name: value}))
    )
    assert dict(after.lines)[line].mid > dict(before.lines)[line].mid
    assert after.total.mid > before.total.mid


def test_resold_cover_is_cheaper_than_invented_cover():
    def price(cover):
        craft = msgspec.structs.replace(PLAIN.craft, cover=cover, wanted_share=0.2)
        return cost_per_thousand(msgspec.structs.replace(PLAIN, craft=craft)).total.mid

    assert price(Cover.RESALE) < price(Cover.SYNTHETIC)


def test_every_card_has_a_price():
    assert all(cost_per_thousand(card.operation).total.low > 0 for card in CARDS)


def test_prices_are_replaceable_and_say_where_they_come_from():
    book = PriceBook()
    for field in msgspec.structs.fields(book):
        price = getattr(book, field.name)
        assert price.source
        assert price.amount.low <= price.amount.mid <= price.amount.high
    dear = msgspec.structs.replace(book, payment=Price(Range(90, 100, 110), "card", "own", Mark.ASSUMED))
    assert cost_per_thousand(PLAIN, dear).total.mid > cost_per_thousand(PLAIN).total.mid


def test_nothing_taken_has_no_price():
    with pytest.raises(ValueError, match="no exchanges"):
        cost_per_thousand(msgspec.structs.replace(PLAIN, per_day=0.0))
