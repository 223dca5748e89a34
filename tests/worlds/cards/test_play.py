"""Campaigns on a small stage with texts: what they send is what their cards say."""

import msgspec
import numpy as np
import pyarrow.compute as pc
import pytest

from stillwatch.worlds.cards import CARDS, card_named
from stillwatch.worlds.cards.crew import first_day, muster
from stillwatch.worlds.cards.harvest import write_templates
from stillwatch.worlds.cards.operation import Capability, Craft, Operation, Pool, Wording, scaled
from stillwatch.worlds.cards.play import Harvest
from stillwatch.worlds.cards.scenarios import CONCENTRATED, FRAMING, SCENARIOS
from stillwatch.worlds.ladder import BASE, EVASIONS, evaded
from stillwatch.worlds.pen import TextPen
from stillwatch.worlds.sources import Sources
from stillwatch.worlds.stage import DAY, Stage, Window, build_library
from stillwatch.worlds.streams import Streams

WINDOW = Window(1_791_158_400_000_000, 12, 5.04)


@pytest.fixture(scope="module")
def library():
    return build_library(Streams(5, exact=True).within("library"), Sources())


@pytest.fixture(scope="module")
def plays():
    return {}


def stage_of(library, name="campaign", scale=1.0, seed=5):
    return Stage(
        streams=Streams(seed, exact=True).within(name),
        window=WINDOW,
        library=library,
        sources=Sources(),
        scale=scale,
        pen=TextPen(),
    )


def played(library, operation, seed=5):
    return list(Harvest(operation).play(stage_of(library, operation.id, seed=seed)))


def small(operation, accounts=24):
    return scaled(operation, accounts / operation.accounts)


def column(parts, name):
    return np.concatenate([part.exchanges[name].to_numpy(zero_copy_only=False) for part, _ in parts])


@pytest.mark.parametrize("card", [card for card in CARDS if card.id != "zai"], ids=lambda card: card.id)
class TestEveryCard:
    """One play of 24 accounts serves all tests of a card."""

    @pytest.fixture
    def parts(self, card, plays, library):
        if card.id not in plays:
            plays[card.id] = played(library, small(card.operation))
        return plays[card.id]

    def test_plays_its_accounts_at_its_rate(self, card, parts):
        operation = small(card.operation)
        accounts = sum(part.accounts.num_rows for part, _ in parts)
        assert accounts == operation.accounts
        low, high = operation.window
        worked = sum(
            (min(pool.ban_day or high, high) - max(pool.first_day, low)) * pool.accounts
            for pool in operation.pools
        )
        rows = len(column(parts, "ts"))
        assert rows / worked == pytest.approx(operation.rate, rel=0.45)

    def test_mixes_what_it_says(self, card, parts):
        assert column(parts, "strand").mean() == pytest.approx(card.operation.craft.wanted_share, rel=0.4)

    def test_stays_inside_its_part_of_the_world(self, card, parts):
        operation = small(card.operation)
        day = (column(parts, "ts") - WINDOW.start) / DAY
        begin = first_day(operation, WINDOW) + operation.window[0]
        assert day.min() >= begin
        assert day.max() <= begin + operation.window[1] - operation.window[0] + 0.1

    def test_names_itself_and_was_opened_before(self, card, parts):
        for part, _ in parts:
            assert set(part.accounts["campaign"].to_pylist()) == {card.id}
            first = np.full(part.accounts.num_rows, WINDOW.end)
            np.minimum.at(first, part.exchanges["account"].to_numpy(), part.exchanges["ts"].to_numpy())
            assert (part.accounts["created_at"].to_numpy() <= first).all()


def test_the_same_seed_gives_the_same_campaign(library):
    operation = small(card_named("deepseek").operation)
    first, again = (played(library, operation) for _ in range(2))
    assert all(a.exchanges.equals(b.exchanges) for (a, _), (b, _) in zip(first, again, strict=True))
    other = played(library, operation, seed=6)
    assert not other[0][0].exchanges.equals(first[0][0].exchanges)


def test_the_second_pool_takes_over_after_the_ban(library):
    operation = small(card_named("alibaba").operation, 200)
    parts = played(library, operation)
    crew = muster(stage_of(library, operation.id), operation)
    first = operation.pools[0].accounts
    banned = crew.ban < WINDOW.end
    assert banned[:first].mean() == pytest.approx(operation.pools[0].banned_share, abs=0.06)
    assert not banned[first:].any()
    ban = WINDOW.start + (first_day(operation, WINDOW) + operation.pools[0].ban_day) * DAY
    assert (crew.begin[first:] >= ban).all()
    assert (crew.begin[first:] <= ban + 0.6 * DAY).all()
    assert sum(0 if done is None else done.num_rows for _, done in parts) == banned.sum()
    refused = column(parts, "status") == 403
    assert refused.any()
    assert (column(parts, "ts")[refused] >= ban).all()


def test_one_fixed_prompt_stands_in_every_request(library):
    texts = [
        text
        for part, _ in played(library, small(card_named("alibaba").operation, 8))
        for text in part.exchanges["prompt"].to_pylist()
    ]
    shared = set(texts[0].split("\n\n"))
    for text in texts[1:]:
        shared &= set(text.split("\n\n"))
    assert any(len(piece) > 80 for piece in shared)


def test_templates_of_their_own_are_shared_by_no_two_accounts(library):
    operation = evaded(small(BASE, 12), [each for each in EVASIONS if each.id == "own-templates"], "own")
    (part, _), *_ = played(library, operation)
    heads = {}
    for account, text in zip(
        part.exchanges["account"].to_pylist(), part.exchanges["prompt"].to_pylist(), strict=True
    ):
        heads.setdefault(text[-60:], set()).add(account)
    assert max(len(users) for users in heads.values()) == 1


def test_own_exits_and_payments(library):
    craft = Craft(accounts_per_exit=1, accounts_per_payment=1, network="home")
    crew = muster(stage_of(library), Operation("x", (Pool(300),), 12.0, 1.0, craft))
    assert len(set(crew.exits[:, 0].tolist())) >= 299
    assert len(set(crew.payment.tolist())) == 300
    shared = muster(
        stage_of(library),
        Operation("x", (Pool(300),), 12.0, 1.0, Craft(accounts_per_exit=20, accounts_per_payment=5)),
    )
    assert len(set(shared.exits[:, 0].tolist())) == 15
    assert len(set(shared.payment.tolist())) == 60


def test_repeats_are_asked_by_another_account_too(library):
    plain = small(BASE, 20)
    craft = msgspec.structs.replace(plain.craft, repeats=0.4)
    (part, _), *_ = played(library, msgspec.structs.replace(plain, craft=craft))
    counts = pc.value_counts(part.exchanges["prompt"])
    twice = sum(one["counts"] for one in counts.to_pylist() if one["counts"] > 1)
    assert twice / part.exchanges.num_rows == pytest.approx(0.37, abs=0.12)


@pytest.mark.parametrize("capability", Capability)
def test_every_capability_has_templates(capability):
    written = write_templates(Wording.POOL, [capability], 30, np.random.default_rng(3))
    assert len(set(written)) == 30
    assert all(text.count("[[1]]") == 1 and text.count("[[2]]") <= 1 for text in written)
    assert all(text.find("[[1]]") < text.find("[[2]]") for text in written if "[[2]]" in text)
    assert not any("TAG" in text for text in written)


def test_a_framed_customer_is_honest_and_its_prompts_are_sprayed(library):
    (campaign,) = FRAMING.campaigns
    parts = list(campaign.play(stage_of(library, "framing", scale=0.1)))
    fleets = [set(part.accounts["fleet"].to_pylist()) for part, _ in parts]
    assert fleets == [{"framed_customer-0"}, {"framed_customer-1"}, {None}]
    victim, sprayer = parts[0][0], parts[-1][0]
    assert victim.accounts["campaign"].null_count == victim.accounts.num_rows
    assert not victim.exchanges["strand"].to_numpy(zero_copy_only=False).any()
    assert victim.systems[0] in sprayer.systems
    wanted = sprayer.exchanges["strand"].to_numpy(zero_copy_only=False)
    assert wanted.mean() == pytest.approx(0.5, abs=0.1)
    spoken = sprayer.exchanges["system"].is_valid().to_numpy(zero_copy_only=False)
    assert (spoken == ~wanted).all()


def test_concentrated_accounts_are_honest(library):
    (fleet,) = CONCENTRATED.campaigns
    ((part, done),) = fleet.play(stage_of(library, "concentrated", scale=0.05))
    assert done is None
    assert part.accounts["campaign"].null_count == part.accounts.num_rows == 30
    assert not part.exchanges["strand"].to_numpy(zero_copy_only=False).any()


def test_scenario_ids_are_unique():
    names = [scenario.id for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert all(scenario.title for scenario in SCENARIOS)
