"""SipHash-2-4 against the vectors of its authors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from stillwatch.ingest.fingerprint import FingerprintKey, hash_column
from stillwatch.ingest.fingerprint.intrinsics import pointer
from stillwatch.ingest.fingerprint.siphash import sip_bytes
from stillwatch.model.errors import InputError
from stillwatch.model.views import KIND_MASK, KeyKind

KEY = FingerprintKey.from_bytes(bytes(range(32)))
SECRET = reference.Secret(bytes(range(32)))
PAPER_KEY = np.frombuffer(bytes(range(16)), np.uint64)

PAPER = 0xA129CA6149BE45E5
"""Appendix A of the paper: key 00 01 ... 0f, message 00 01 ... 0e."""

AUTHORS = [
    "310e0edd47db6f72",
    "fd67dc93c539f874",
    "5a4fa9d909806c0d",
    "2d7efbd796666785",
    "b7877127e09427cf",
    "8da699cd64557618",
    "cee3fe586e46c9cb",
    "37d1018bf50002ab",
    "6224939a79f5f593",
    "b0e4a90bdf82009e",
    "f3b9dd94c5bb5d7a",
    "a7ad6b22462fb3f4",
]
"""`vectors_sip64` of the authors' reference code, messages of 0 to 11 bytes."""


@njit
def sip(secret, data):
    return sip_bytes(pointer(secret), np.int64(data.ctypes.data), data.size)


def kernel(message: bytes) -> int:
    return int(sip(PAPER_KEY, np.frombuffer(message or b"\0", np.uint8)[: len(message)]))


def test_vector_of_the_paper():
    assert kernel(bytes(range(15))) == PAPER


@pytest.mark.parametrize("length", range(len(AUTHORS)))
def test_vectors_of_the_authors(length):
    assert kernel(bytes(range(length))).to_bytes(8, "little").hex() == AUTHORS[length]


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=40), max_size=20), st.sampled_from(list(KeyKind)))
def test_hash_column_equals_the_reference(values, kind):
    got = hash_column(pa.array(values, pa.string()), KEY, kind)
    expected = [None if v is None else reference.hash_column(SECRET, v.encode(), kind) for v in values]
    assert got.type == pa.int64()
    assert got.to_pylist() == expected
    assert hash_column(pa.array(["x", *values], pa.large_string())[1:], KEY, kind).to_pylist() == expected


def test_kinds_are_unrelated_and_low_bits_tell_them():
    hashes = [hash_column(pa.array(["same"]), KEY, kind)[0].as_py() for kind in KeyKind]
    assert len({h >> 4 for h in hashes}) == len(KeyKind)
    assert [h & KIND_MASK for h in hashes] == list(KeyKind)


def test_layouts_and_refusals():
    expected = hash_column(pa.array(["a", "b", None]), KEY, KeyKind.CLIENT)
    for other in (
        pa.array(["a", "b", None]).dictionary_encode(),
        pa.array(["a", "b", None], pa.string_view()),
        pa.chunked_array([["a"], ["b", None]]),
    ):
        assert hash_column(other, KEY, KeyKind.CLIENT).equals(expected)
    assert hash_column(pa.nulls(2), KEY, KeyKind.CLIENT).null_count == 2
    with pytest.raises(InputError, match="holds int64, not text"):
        hash_column(pa.array([1]), KEY, KeyKind.CLIENT)
