from stillwatch.worlds.cards.scenarios import CONCENTRATED


def test_concentrated_accounts_are_honest(stage_of):
    (fleet,) = CONCENTRATED.campaigns
    ((part, done),) = fleet.play(stage_of("concentrated", scale=0.05))
    assert done is None
    assert part.accounts["campaign"].null_count == part.accounts.num_rows == 30
    assert not part.exchanges["strand"].to_numpy(zero_copy_only=False).any()
    assert set(part.accounts["fleet"].to_pylist()) == {"concentrated-0"}
