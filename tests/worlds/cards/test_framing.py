import pytest

from stillwatch.worlds.cards.scenarios import FRAMING


def test_a_framed_customer_is_honest_and_its_prompts_are_sprayed(stage_of):
    (campaign,) = FRAMING.campaigns
    parts = list(campaign.play(stage_of("framing", scale=0.1)))
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
