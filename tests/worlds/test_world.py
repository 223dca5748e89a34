from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stillwatch.worlds import SCENARIOS, TINY, build_world, named, write_world
from stillwatch.worlds.fleets import FLEETS

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import hashlib, sys
from pathlib import Path
from stillwatch.worlds import TINY, build_world, write_world
files = write_world(build_world(TINY, 11), Path(sys.argv[1]))
for path in sorted(Path(sys.argv[1]).rglob("*.*")):
    print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
"""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.*"))}


def test_the_same_seed_gives_the_same_bytes_in_another_process(tiny_files, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    other = dict(line.split() for line in run.stdout.splitlines())
    assert other == digests(tiny_files.truth.parent)


def test_another_seed_gives_another_world(tiny_world):
    other = build_world(msgspec.structs.replace(TINY, fleets=False), seed=12)
    assert not set(other.accounts["account_id"].to_pylist()) & set(
        tiny_world.accounts["account_id"].to_pylist()
    )
    assert other.exchanges["prompt"][:50] != tiny_world.exchanges["prompt"][:50]


@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**63), scale=st.floats(0.02, 1.2), calm=st.booleans())
def test_every_world_is_sound(seed, scale, calm):
    scenario = msgspec.structs.replace(TINY, fleets=not calm, campaigns=() if calm else TINY.campaigns)
    world = build_world(scenario, seed, scale)
    check_soundness(world)
    assert (world.accounts["campaign"].null_count == world.accounts.num_rows) == calm


def check_soundness(world) -> None:
    exchanges, truth = world.exchanges, world.truth
    ids = exchanges["exchange_id"].to_pylist()
    assert len(set(ids)) == len(ids) == truth.num_rows
    assert len(set(world.accounts["account_id"].to_pylist())) == world.accounts.num_rows
    ts = exchanges["ts"].to_numpy()
    assert ts.min() >= world.window.start
    assert ts.max() < world.window.end
    opener, turn = exchanges["opener"].to_numpy(), exchanges["turn"].to_numpy()
    assert (opener + turn == np.arange(len(ts))).all()
    account = exchanges["account"].to_numpy()
    assert (account[opener] == account).all()
    created = world.accounts["created_at"].to_numpy()
    assert (ts >= created[account]).all()
    assert (np.diff(ts[world.order]) >= 0).all()
    for name in ("input_tokens", "output_tokens", "cached_tokens", "latency_ms", "reasoning_tokens"):
        assert pc.min(exchanges[name]).as_py() >= 0, name
    assert (exchanges["cached_tokens"].to_numpy() <= exchanges["input_tokens"].to_numpy()).all()
    assert (exchanges["reasoning_tokens"].to_numpy() <= exchanges["output_tokens"].to_numpy()).all()
    assert "[[" not in "".join(exchanges["prompt"].to_pylist())


def test_every_honest_fleet_is_in_the_truth(tiny_world):
    kinds = {
        fleet.rpartition("-")[0] for fleet in pc.unique(tiny_world.truth["fleet"]).drop_null().to_pylist()
    }
    assert kinds == {kind for kind, *_ in FLEETS}


def test_the_questions_of_a_campaign_do_not_repeat(tiny_world):
    truth, prompts = tiny_world.truth, tiny_world.exchanges["prompt"].take(tiny_world.order)
    mine = pc.fill_null(pc.equal(truth["campaign"], "A"), fill_value=False)
    asked = prompts.filter(mine).to_pylist()
    assert len(set(asked)) == len(asked) > 100


def test_one_fixed_prompt_stands_in_every_request_of_its_campaign(tiny_world):
    truth, prompts = tiny_world.truth, tiny_world.exchanges["prompt"].take(tiny_world.order)
    asked = prompts.filter(pc.fill_null(pc.equal(truth["campaign"], "A"), fill_value=False)).to_pylist()
    lines = [set(text.split("\n\n")) for text in asked]
    assert max(len(line) for line in set.intersection(*lines)) > 100


def test_a_hydra_mixes_about_the_stated_share_in(tiny_world):
    truth = tiny_world.truth
    share = truth.filter(pc.fill_null(pc.equal(truth["campaign"], "B"), fill_value=False))["is_strand"]
    assert pc.mean(share).as_py() == pytest.approx(0.35, abs=0.12)


def test_only_campaign_accounts_have_wanted_exchanges(tiny_world):
    truth = tiny_world.truth
    honest = truth.filter(pc.equal(truth["role"], "honest"))
    assert not pc.any(honest["is_strand"]).as_py()
    assert pc.max(honest["wanted_share"]).as_py() == 0.0
    assert honest["campaign"].null_count == honest.num_rows


def test_the_second_pool_waits_for_the_ban(tiny_world):
    bans = tiny_world.enforcement.filter(
        pc.match_substring(tiny_world.enforcement["reason"], "automated collection")
    )
    first_ban = pc.min(bans["ts"]).as_py()
    campaign = tiny_world.accounts["campaign"].to_numpy() == "A"
    exchanges = tiny_world.exchanges
    first = np.full(len(campaign), np.iinfo(np.int64).max)
    np.minimum.at(first, exchanges["account"].to_numpy(), exchanges["ts"].to_numpy())
    late = campaign & (first > first_ban) & (first < np.iinfo(np.int64).max)
    banned = np.isin(np.arange(len(campaign)), bans["account"].to_numpy())
    assert late.sum() >= 3
    assert not (late & banned).any()


def test_nobody_succeeds_after_a_ban_of_the_campaign(tiny_world):
    bans = tiny_world.enforcement.filter(
        pc.match_substring(tiny_world.enforcement["reason"], "automated collection")
    )
    at = dict(zip(bans["account"].to_pylist(), bans["ts"].to_pylist(), strict=True))
    rows = tiny_world.exchanges.select(["account", "ts", "status"]).to_pylist()
    assert all(row["status"] == 403 for row in rows if row["ts"] >= at.get(row["account"], row["ts"] + 1))


def test_honest_people_do_not_share_private_texts(tiny_world):
    population = tiny_world.accounts["population"].take(tiny_world.exchanges["account"]).to_numpy()
    account = tiny_world.exchanges["account"].to_numpy()
    prompt = tiny_world.exchanges["prompt"].to_numpy()
    mine = (
        (population == "hobbyist")
        & (np.char.str_len(prompt.astype(str)) > 60)
        & (tiny_world.accounts["fleet"].take(tiny_world.exchanges["account"]).is_null().to_numpy())
    )
    owners: dict[str, set[int]] = {}
    for text, owner in zip(prompt[mine].tolist(), account[mine].tolist(), strict=True):
        owners.setdefault(text, set()).add(owner)
    assert max(len(several) for several in owners.values()) == 1


def test_scenarios_have_permanent_distinct_ids():
    assert len({scenario.id for scenario in SCENARIOS}) == len(SCENARIOS)
    assert {"demo", "calm", "tiny"} <= {scenario.id for scenario in SCENARIOS}
    assert named("demo").campaigns


def test_an_unknown_scenario_is_named_in_the_error():
    with pytest.raises(KeyError, match="'nowhere'"):
        named("nowhere")


def test_an_unknown_format_is_refused(tiny_world, tmp_path):
    with pytest.raises(Exception, match="is not known; use one of litellm, otlp"):
        write_world(tiny_world, tmp_path, "morse")
