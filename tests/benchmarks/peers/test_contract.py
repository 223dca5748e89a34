"""Every peer keeps the one protocol: same log, same claims; numbers within the log; nothing from the truth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from small_world import APPLICATION, CAMPAIGN, Cohort, make_world

from peers import PEERS, Log
from peers.log import DIMENSIONS, READ, embed, log_of
from peers.prada import nearest_earlier
from peers.protocol import alone, grouped
from peers.training import f1_of, train
from stillwatch.model.views import KeyKind

HEAVY = Cohort("heavy", 6, 400)


@cache
def world(seed: int = 1) -> tuple[Log, np.ndarray]:
    """A small world and which of its accounts belong to the campaign."""
    made = make_world((CAMPAIGN, APPLICATION, HEAVY), 120, seed)
    log = log_of(made.exchanges.select(READ))
    return log, np.isin(log.names, sorted(made.who["campaign"]))


@cache
def measured(name: str):
    """What the peer of that name measures on the first world."""
    return next(peer for peer in PEERS if peer.name == name).measure(world()[0])


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
class TestContract:
    def test_it_names_itself_and_its_source(self, peer):
        assert peer.name == peer.name.lower().strip()
        assert len(peer.source) > 10
        assert peer.__class__.__doc__

    def test_its_grid_has_the_same_settings_everywhere(self, peer):
        assert len({tuple(settings) for settings in peer.grid}) == 1
        assert len({tuple(settings.values()) for settings in peer.grid}) == len(peer.grid)

    def test_claims_are_sorted_accounts_of_the_log(self, peer):
        log, _ = world()
        for settings in peer.grid[:: max(len(peer.grid) // 6, 1)]:
            for members in peer.claims(log, measured(peer.name), settings):
                assert members.size
                assert (np.diff(members) > 0).all()
                assert 0 <= members.min() <= members.max() < log.size

    def test_the_same_log_gives_the_same_claims(self, peer):
        log, _ = world()
        first = peer.claims(log, measured(peer.name), peer.grid[0])
        second = peer.claims(log, peer.measure(log), peer.grid[0])
        assert [one.tolist() for one in first] == [one.tolist() for one in second]

    def test_names_of_accounts_do_not_matter(self, peer):
        log, _ = world()
        renamed = Log(**{**log.__dict__, "names": np.array([f"z{n:06d}" for n in range(log.size)])})
        wanted = [one.tolist() for one in peer.claims(log, measured(peer.name), peer.grid[0])]
        assert wanted == [one.tolist() for one in peer.claims(renamed, peer.measure(renamed), peer.grid[0])]

    def test_training_keeps_the_best_of_its_grid(self, peer):
        log, guilty = world()
        trained = train(peer, [(log, guilty)])
        assert trained.settings in peer.grid
        assert trained.f1 == pytest.approx(
            f1_of(peer.claims(log, measured(peer.name), trained.settings), guilty)
        )
        assert trained.f1 >= f1_of(peer.claims(log, measured(peer.name), peer.grid[-1]), guilty)


def test_names_are_unique():
    assert len({peer.name for peer in PEERS}) == len(PEERS)


@pytest.mark.parametrize("name", ["template-hash", "synchrotrap", "modularity"])
def test_a_blatant_campaign_is_found_by_those_that_look_across_accounts(name):
    """One prompt in every request, one schedule: whoever cannot find this is not implemented as published."""
    peer = next(peer for peer in PEERS if peer.name == name)
    trained = train(peer, [world(1)])
    log, guilty = world(2)
    assert f1_of(trained.claims(log), guilty) > 0.6


def test_a_log_is_ordered_by_account_and_time():
    log, _ = world()
    assert (np.diff(log.account) >= 0).all()
    same = np.diff(log.account) == 0
    assert (np.diff(log.second)[same] >= 0).all()
    assert log.volume.sum() == log.account.size
    assert log.offsets[-1] == log.keys.size


def test_missing_values_are_read():
    table = pa.table(
        {
            "account_id": ["b", "a"],
            "ts": pa.array([1, 0], pa.timestamp("us", tz="UTC")),
            "keys": pa.array([None, [1 << 4 | 1]], pa.list_(pa.int64())),
            "ip": pa.nulls(2, pa.string()),
            "output_tokens": pa.nulls(2, pa.int64()),
        }
    )
    log = log_of(table)
    assert log.names.tolist() == ["a", "b"]
    assert np.diff(log.offsets).tolist() == [1, 0]
    assert log.address.tolist() == [-1, -1]


def test_embeddings_have_unit_length_and_shared_keys_bring_prompts_near():
    log, guilty = world()
    mine = np.flatnonzero(guilty[log.account])[:50]
    others = np.flatnonzero(~guilty[log.account])[:50]
    points, rest = embed(log, mine), embed(log, others)
    assert points.shape == (50, DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0, rtol=1e-5)
    assert (points @ points.T).mean() > (points @ rest.T).mean() + 0.2


def test_keys_of_one_kind_can_be_chosen():
    log, _ = world()
    _, keys = log.uses((KeyKind.PREFIX_SHORT,))
    assert set((keys & 15).tolist()) == {int(KeyKind.PREFIX_SHORT)}


def test_nearest_earlier_distances_are_those_of_the_growing_set():
    points = np.array([[0.0], [3.0], [3.5], [10.0]], np.float32)
    # 3.0 joins (distance 3 > 0), the threshold becomes 3; 3.5 is at 0.5 and stays out; 10 is 7 from 3.0
    np.testing.assert_allclose(nearest_earlier(points), [3.0, 0.5, 7.0])


def test_grouped_leaves_out_small_groups_and_missing_labels():
    label, account = np.array([0, 0, 0, 1, -1, -1]), np.array([5, 5, 2, 3, 1, 2])
    assert [one.tolist() for one in grouped(label, account, 2)] == [[2, 5]]
    assert [one.tolist() for one in alone([3, 1, 3])] == [[1], [3]]


def test_f1_weighs_both_sides():
    guilty = np.array([True, True, False, False])
    assert f1_of([np.array([0, 1])], guilty) == 1.0
    assert f1_of([np.array([0, 2])], guilty) == 0.5
    assert f1_of([], guilty) == 0.0


def test_training_without_worlds_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        train(PEERS[0], [])
