"""Campaigns on a small stage with texts: what they send is what their cards say."""

import msgspec
import numpy as np
import pyarrow.compute as pc
import pytest

from stillwatch.worlds.cards import CARDS, Harvest, card_named
from stillwatch.worlds.cards.crew import first_day
from stillwatch.worlds.ladder import BASE, EVASIONS, evaded
from stillwatch.worlds.stage import DAY

PLAYED = [card for card in CARDS if card.id != "zai"]
"""Z.ai is left out: its few accounts send too much for texts."""


def column(parts, name):
    return np.concatenate([part.exchanges[name].to_numpy(zero_copy_only=False) for part, _ in parts])


@pytest.mark.parametrize("card", PLAYED, ids=lambda card: card.id)
class TestEveryCard:
    def test_plays_its_accounts_at_its_rate(self, card, played):
        operation, parts = played(card.operation)
        accounts = sum(part.accounts.num_rows for part, _ in parts)
        assert accounts == operation.accounts
        low, high = operation.window
        worked = sum(
            (min(pool.ban_day or high, high) - max(pool.first_day, low)) * pool.accounts
            for pool in operation.pools
        )
        assert len(column(parts, "ts")) / worked == pytest.approx(operation.rate, rel=0.45)

    def test_mixes_what_it_says(self, card, played):
        _, parts = played(card.operation)
        assert column(parts, "strand").mean() == pytest.approx(card.operation.craft.wanted_share, rel=0.4)

    def test_stays_inside_its_part_of_the_world(self, card, played, window):
        operation, parts = played(card.operation)
        day = (column(parts, "ts") - window.start) / DAY
        begin = first_day(operation, window) + operation.window[0]
        assert day.min() >= begin
        assert day.max() <= begin + operation.window[1] - operation.window[0] + 0.1

    def test_names_itself_and_was_opened_before(self, card, played, window):
        _, parts = played(card.operation)
        for part, _ in parts:
            assert set(part.accounts["campaign"].to_pylist()) == {card.id}
            first = np.full(part.accounts.num_rows, window.end)
            np.minimum.at(first, part.exchanges["account"].to_numpy(), part.exchanges["ts"].to_numpy())
            assert (part.accounts["created_at"].to_numpy() <= first).all()


def test_the_same_seed_gives_the_same_campaign(played, stage_of):
    small, first = played(card_named("deepseek").operation)
    again = list(Harvest(small).play(stage_of(small.id)))
    assert all(a.exchanges.equals(b.exchanges) for (a, _), (b, _) in zip(first, again, strict=True))
    _, other = played(card_named("deepseek").operation, seed=6)
    assert not other[0][0].exchanges.equals(first[0][0].exchanges)


def test_banned_accounts_are_refused_and_their_bans_are_recorded(played, window):
    operation, parts = played(card_named("alibaba").operation, 100)
    ban = window.start + (first_day(operation, window) + operation.pools[0].ban_day) * DAY
    recorded = sum(0 if done is None else done.num_rows for _, done in parts)
    caught = operation.pools[0].accounts * operation.pools[0].banned_share
    assert recorded == pytest.approx(caught, abs=6)
    refused = column(parts, "status") == 403
    assert refused.any()
    assert (column(parts, "ts")[refused] >= ban).all()


def test_one_fixed_prompt_stands_in_every_request(played):
    _, parts = played(card_named("alibaba").operation, 8)
    texts = [text for part, _ in parts for text in part.exchanges["prompt"].to_pylist()]
    shared = set(texts[0].split("\n\n"))
    for text in texts[1:]:
        shared &= set(text.split("\n\n"))
    assert any(len(piece) > 80 for piece in shared)


def test_templates_of_their_own_are_shared_by_no_two_accounts(played):
    own = evaded(BASE, [each for each in EVASIONS if each.id == "own-templates"], "own")
    _, ((part, _), *_) = played(own, 12)
    heads = {}
    rows = zip(part.exchanges["account"].to_pylist(), part.exchanges["prompt"].to_pylist(), strict=True)
    for account, text in rows:
        heads.setdefault(text[-60:], set()).add(account)
    assert max(len(users) for users in heads.values()) == 1


def test_repeats_are_asked_by_another_account_too(played):
    craft = msgspec.structs.replace(BASE.craft, repeats=0.4)
    _, ((part, _), *_) = played(msgspec.structs.replace(BASE, id="repeats", craft=craft), 20)
    counts = pc.value_counts(part.exchanges["prompt"])
    twice = sum(one["counts"] for one in counts.to_pylist() if one["counts"] > 1)
    assert twice / part.exchanges.num_rows == pytest.approx(0.37, abs=0.12)


def test_a_relay_replays_reasoning_and_no_other_card_does(played):
    _, parts = played(card_named("moonshot-relay").operation)
    said = [text for part, _ in parts for text in part.exchanges["prompt"].to_pylist()]
    assert len(set(said)) > 0.9 * len(said)
    assert all(part.exchanges["system"].null_count == 0 for part, _ in parts)
