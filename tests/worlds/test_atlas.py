from __future__ import annotations

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.errors import InputError
from stillwatch.worlds import Scenario, build_world
from stillwatch.worlds.addresses import KINDS, hosts
from stillwatch.worlds.atlas import ASN, DATA_CENTRES, VPNS, read_atlas
from stillwatch.worlds.sources import AZURE_CHATS, CODING, USERS, Sources, read_sources, traffic_tables


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(text.encode()))


def address(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Enough made-up lists for every kind of network."""
    place = tmp_path_factory.mktemp("lists")
    homes = [(n << 16, (n << 16) + 65535, "Home Net") for n in range(5000, 5600)]
    carriers = [(n << 16, (n << 16) + 65535, '"Fast, Mobile"') for n in range(6000, 6060)]
    offices = [((7000 << 16) + n * 512, (7000 << 16) + n * 512 + 511, "Office") for n in range(128)]
    put(
        place,
        ASN,
        "".join(f"{address(a)},{address(b)},64512,{name}\n" for a, b, name in (*homes, *carriers, *offices)),
    )
    put(place, DATA_CENTRES, "".join(f"100.{n}.0.0/16\n" for n in range(200)))
    put(place, VPNS, "".join(f"101.{n}.4.0/22\n" for n in range(64)))
    return place


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32))
def test_every_address_lands_in_a_range_of_its_kind(folder, kind, seed):
    atlas = read_atlas(folder)
    made_up = hosts(kind, 50, np.random.default_rng(seed))
    real = atlas.translate(made_up)
    blocks = {"home": range(5000, 5600), "mobile": range(6000, 6060), "office": (7000,),
              "hosting": [(100 << 8) + n for n in range(200)], "vpn": [(101 << 8) + n for n in range(64)]}  # fmt: skip
    assert set((real >> 16).tolist()) <= set(blocks[kind])
    assert (atlas.translate(made_up) == real).all()


def test_what_was_not_made_up_stays(folder):
    atlas = read_atlas(folder)
    assert atlas.translate(np.array([0, 1 << 24])).tolist() == [0, 1 << 24]


def test_a_later_world_lies_on_real_ranges(folder):
    sources = Sources(atlas=read_atlas(folder))
    scenario = Scenario("placed", days=2, scale=0.01, fleets=False)
    placed, plain = build_world(scenario, 1, sources=sources), build_world(scenario, 1)
    assert (placed.exchanges["ip"].to_numpy() != plain.exchanges["ip"].to_numpy()).all()
    assert placed.exchanges["prompt"].equals(plain.exchanges["prompt"])


def test_a_missing_list_leaves_addresses_as_they_are(tmp_path):
    assert read_atlas(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "complaint"), [(DATA_CENTRES, "no IPv4 network"), (ASN, "not a table of address ranges")]
)
def test_a_damaged_list_is_told(tmp_path, name, complaint):
    for each in (ASN, DATA_CENTRES, VPNS):
        put(tmp_path, each, "1.0.0.0,1.0.0.255,1,x\n" if each == ASN else "1.2.3.0/24\n")
    put(tmp_path, name, "nonsense,\n" if name == ASN else "1.2.3.4.5/99\n")
    with pytest.raises(InputError, match=complaint):
        read_atlas(tmp_path)


def test_tables_of_traffic_come_from_what_is_there(tmp_path):
    put(
        tmp_path,
        CODING,
        '{"r": [[0.0, "m", 9, 40, "x", 1, 0, 0], [5.0, "m", 9, 60, "x", 1, 0, 0], [1.0, "m", 9, 7, "x", 1, 0, 1]]}\n',
    )
    put(tmp_path, USERS, "gmt_create,groupId\nt,a\nt,a\nt,a\nt,b\nt,c\n")
    assert set(traffic_tables(tmp_path)) == {"agent_turns", "agent_gap_s", "agent_output", "user_volume"}
    found = read_sources(tmp_path).traffic
    assert set(found.agent_turns) == {2.0}
    assert set(found.agent_gaps) == {5.0}
    assert found.people[-1] == 3.0


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        (CODING, '{"r": [[1]]}', "not a table of coding sessions"),
        (AZURE_CHATS, "a,b\n1,2\n", "lacks one of the columns"),
    ],
)
def test_a_trace_in_another_form_is_told(tmp_path, name, text, complaint):
    put(tmp_path, name, text)
    with pytest.raises(InputError, match=complaint):
        read_sources(tmp_path)


def test_the_public_lists_are_read(public_data):
    atlas = read_atlas(public_data)
    assert len(atlas.prefix) == sum(len(ranges) for ranges in KINDS.values())
    assert (atlas.size >= 1).all()
    assert (atlas.start + atlas.size <= 1 << 32).all()
