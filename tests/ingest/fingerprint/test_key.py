"""Keys: sizes, files, rights, and subkeys by RFC 5869."""

from __future__ import annotations

import stat

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint
from stillwatch.ingest.fingerprint.key import hkdf_sha256, inner_secret
from stillwatch.model.columns import TEXT_SCHEMA
from stillwatch.model.errors import InputError


@pytest.mark.parametrize(
    ("secret", "salt", "info", "length", "expected"),
    [
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_cases_1_and_3_of_rfc_5869(secret, salt, info, length, expected):
    assert hkdf_sha256(secret, info, length, salt).hex() == expected


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_other_sizes_are_refused(size, tmp_path):
    path = tmp_path / "fingerprint.key"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(InputError, match=f"has 32 bytes, not {size}"):
        FingerprintKey.load(path)
    for make in (FingerprintKey.from_bytes, FingerprintKey.generate):
        with pytest.raises(InputError, match="32 bytes"):
            make(bytes(size))


def test_a_key_without_randomness_is_refused():
    with pytest.raises(InputError, match="all bytes are equal"):
        FingerprintKey.generate(bytes(32))


def test_saved_keys_are_private_and_come_back(tmp_path):
    path = tmp_path / "fingerprint.key"
    key = FingerprintKey.generate(bytes(range(32)))
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FingerprintKey.load(path) == key
    with pytest.raises(InputError, match="cannot be written"):
        key.save(path)
    with pytest.raises(InputError, match="cannot be read"):
        FingerprintKey.load(tmp_path / "absent")


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "fingerprint.key"
    FingerprintKey.generate(bytes(range(32))).save(path)
    path.chmod(0o644)
    with pytest.raises(InputError, match="the fingerprint key may be read by other users; run `chmod 600"):
        FingerprintKey.load(path)


def test_the_secret_is_never_shown():
    key = FingerprintKey.from_bytes(b"secret-" * 4 + b"0123")
    assert "secret-" not in repr(key)
    assert "secret-" not in f"{key}"


def test_purposes_have_unrelated_subkeys():
    key = FingerprintKey.from_bytes(bytes(range(32)))
    assert not set(key.subkey("text", 8).tolist()) & set(key.subkey("column", 8).tolist())
    assert np.all(inner_secret(key)[2:] & np.uint64(1) == 1)


def test_wrong_input_is_told_in_one_sentence():
    key = FingerprintKey.from_bytes(bytes(range(32)))
    batch = pa.RecordBatch.from_pylist([{"prompt": "a"}], schema=TEXT_SCHEMA)
    with pytest.raises(InputError, match="threads is 0"):
        fingerprint(batch, key, threads=0)
    with pytest.raises(InputError, match="no column `tools`"):
        fingerprint(batch.select(["system", "history", "prompt"]), key)
    numbers = pa.RecordBatch.from_arrays([pa.array([1])] * 4, names=TEXT_SCHEMA.names)
    with pytest.raises(InputError, match="not text"):
        fingerprint(numbers, key)
