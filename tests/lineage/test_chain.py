import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.errors import InputError

pytest.importorskip("rfc8785", reason="needs the extra stillwatch[lineage]")

from stillwatch.lineage.chain import (
    START,
    Entry,
    canonical,
    chain_faults,
    leaf_hash,
    link,
    merkle_levels,
    merkle_path,
    merkle_root,
    proves,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def chain_of(bodies):
    chain = []
    for number, body in enumerate(bodies):
        chain.append(link(chain, "note", f"2026-11-22T00:00:{number:02}Z", body))
    return chain


def test_the_example_of_the_standard():
    # RFC 8785, section 3.2.2 and 3.2.4
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27],
        "string": "\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(value).decode() == expected


@given(JSON)
def test_canonical_form_is_a_fixed_point(value):
    once = canonical(value)
    assert canonical(msgspec.json.decode(once)) == once


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 2**60, "\ud800"])
def test_what_json_cannot_carry_is_refused(wrong):
    with pytest.raises(InputError, match="canonical JSON"):
        canonical({"x": wrong})


@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), min_size=1, max_size=5), st.data())
def test_any_change_of_a_chain_is_found(bodies, data):
    chain = chain_of(bodies)
    assert chain_faults(chain) == []
    place = data.draw(st.integers(0, len(chain) - 1))
    field = data.draw(st.sampled_from(["seq", "kind", "at", "body", "prev", "hash"]))
    other = {"seq": 99, "kind": "x", "at": "2027", "body": {"\0": "\0"}, "prev": "f" * 64, "hash": "f" * 64}[
        field
    ]
    changed = [*chain]
    changed[place] = msgspec.structs.replace(chain[place], **{field: other})
    assert chain_faults(changed)


@given(st.integers(2, 6), st.data())
def test_a_missing_or_moved_entry_is_found(size, data):
    chain = chain_of([{"n": number} for number in range(size)])
    gone = data.draw(st.integers(0, size - 2))
    assert chain_faults(chain[:gone] + chain[gone + 1 :])
    assert chain_faults([*chain[:gone], chain[gone + 1], chain[gone], *chain[gone + 2 :]])


def test_a_date_before_the_entry_before_is_a_fault():
    chain = [link([], "a", "2026-11-22T10:00:00Z", {})]
    chain.append(link(chain, "b", "2026-11-22T09:00:00Z", {}))
    assert any("dated before" in fault for fault in chain_faults(chain))


def test_a_chain_starts_at_nothing():
    assert isinstance(chain_of([{}])[0], Entry)
    assert chain_of([{}])[0].prev == START


def rfc9162_root(leaves):
    """The definition of RFC 9162, section 2.1.1, as it stands there."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + rfc9162_root(leaves[:split]) + rfc9162_root(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=40), st.data())
def test_merkle_trees_are_those_of_the_standard_and_paths_prove_their_leaf_alone(contents, data):
    leaves = [leaf_hash(content) for content in contents]
    root = merkle_root(leaves)
    assert root == rfc9162_root(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle_path(merkle_levels(leaves), index)
    assert proves(leaves[index], index, len(leaves), path, root)
    assert not proves(leaf_hash(b"another leaf"), index, len(leaves), path, root)
    assert not proves(leaves[index], index, len(leaves), [*path, "0" * 64], root)
    assert not proves(leaves[index], len(leaves), len(leaves), path, root)
    if path:
        assert not proves(leaves[index], index, len(leaves), path[:-1], root)


def test_there_is_no_path_to_a_leaf_that_is_not_there():
    with pytest.raises(IndexError):
        merkle_path(merkle_levels([leaf_hash(b"")]), 1)
