from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.errors import InputError
from stillwatch.worlds import build_world
from stillwatch.worlds.cards import CARDS, Harvest
from stillwatch.worlds.scenario import FixedPrompt, Scenario
from stillwatch.worlds.scenario_file import parse_scenario

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-world.toml"


def toml(text: str) -> Scenario:
    return parse_scenario(text.encode(), "own.toml")


def test_the_example_that_ships_is_played():
    scenario = parse_scenario(EXAMPLE.read_bytes(), EXAMPLE.name)
    assert len(scenario.campaigns) == 3
    assert all(isinstance(each, Harvest | FixedPrompt) for each in scenario.campaigns)
    world = build_world(msgspec.structs.replace(scenario, days=3), 1, scale=0.02)
    assert set(world.truth["campaign"].unique().drop_null().to_pylist()) == {
        each.id for each in scenario.campaigns
    }
    assert "hobbyist" in world.accounts["population"].unique().to_pylist()
    assert "batch" not in world.accounts["population"].unique().to_pylist()


def test_the_shortest_scenario_is_the_usual_world():
    assert toml('id = "mine"') == Scenario("mine")


def test_json_says_the_same_as_toml():
    text = b'{"id": "mine", "days": 5, "campaign": [{"kind": "hydra", "id": "H", "accounts": 9}]}'
    assert parse_scenario(text, "own.json") == toml(
        'id = "mine"\ndays = 5\n[[campaign]]\nkind = "hydra"\nid = "H"\naccounts = 9'
    )


def test_a_card_is_changed_by_evasions_and_share():
    card = CARDS[0]
    [found] = toml(
        f'id = "mine"\n[[campaign]]\nkind = "card"\ncard = "{card.id}"\nshare = 0.5\nevasions = ["jitter", "own-payment"]'
    ).campaigns
    assert isinstance(found, Harvest)
    assert found.operation.accounts == pytest.approx(card.operation.accounts / 2, abs=2)
    assert found.operation.craft.jitter_hours == 72.0


CAMPAIGN = 'id = "mine"\n[[campaign]]\n'


@pytest.mark.parametrize("name", ["deep.json", "deep.toml"])
def test_a_scenario_that_is_nested_too_deeply_is_told(name):
    with pytest.raises(InputError, match=f"{name}: is not"):
        parse_scenario(b"[" * 100_000, name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("days = 3", "missing required field `id`"),
        ('id = "Mine!"', "not a short name"),
        ('id = "demo"', "permanent scenario"),
        ('id = "mine"\ndays = 0', r"Expected `int` >= 1 - at `\$.days`"),
        ('id = "mine"\nbeer = 1', "unknown field `beer`"),
        ('id = "mine"\n[accounts]\nghosts = 3', "'ghosts' is unknown"),
        ('id = "mine"\n[fleets]\nghosts = 3', "'ghosts' is unknown"),
        (CAMPAIGN + 'kind = "magic"', "no known `kind`"),
        (CAMPAIGN + 'kind = "hydra"\nshare = 2.0', "campaign 1: .*<= 1"),
        (CAMPAIGN + 'kind = "hydra"\nsize = 2', "unknown field `size`"),
        (CAMPAIGN + 'kind = "card"\ncard = "nobody"', "no card 'nobody'|nobody"),
        (CAMPAIGN + f'kind = "card"\ncard = "{CARDS[0].id}"\nevasions = ["fly"]', "no evasion 'fly'"),
        (
            CAMPAIGN + 'kind = "operation"\nid = "o"\ndays = 3.0\nper_day = 9.0\npools = []',
            r"length >= 1 - at `\$.pools`",
        ),
        (CAMPAIGN + 'kind = "hydra"\n[[campaign]]\nkind = "hydra"', "two campaigns are called B"),
        ("id = [", "is not TOML"),
    ],
)
def test_what_cannot_be_played_is_told_in_one_sentence(text, complaint):
    with pytest.raises(InputError, match=complaint) as told:
        toml(text)
    assert "own.toml" in str(told.value)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_scenario_or_an_error_of_ours(content):
    for name in ("own.toml", "own.json"):
        with suppress(InputError):
            assert isinstance(parse_scenario(content, name), Scenario)


@given(
    st.dictionaries(
        st.sampled_from(["id", "days", "fleets", "accounts", "campaign", "population"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    )
)
def test_any_values_are_a_scenario_or_an_error_of_ours(values):
    with suppress(InputError):
        assert isinstance(parse_scenario(msgspec.json.encode(values), "own.json"), Scenario)
