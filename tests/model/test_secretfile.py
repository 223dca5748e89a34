"""Secrets on disk: private, whole, never overwritten, never shown."""

from __future__ import annotations

import errno
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.errors import InputError
from stillwatch.model.secretfile import read_secret, write_secret


@given(st.binary(max_size=200))
def test_what_is_written_comes_back(tmp_path_factory, secret):
    path = tmp_path_factory.mktemp("secrets") / "key"
    write_secret(path, secret, "test key")
    assert read_secret(path, "test key") == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_stays_as_it_is(tmp_path):
    path = tmp_path / "key"
    write_secret(path, b"first", "test key")
    with pytest.raises(InputError, match=r"the test key cannot be written .*; name a new file"):
        write_secret(path, b"second", "test key")
    assert read_secret(path, "test key") == b"first"


def test_a_full_disk_leaves_no_part_of_a_key(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
            write_secret(tmp_path / "key", b"secret", "test key")
    assert list(tmp_path.iterdir()) == []
    write_secret(tmp_path / "key", b"secret", "test key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o660])
def test_rights_of_others_are_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / "key"
    path.write_bytes(b"SECRET")
    path.chmod(mode)
    with pytest.raises(InputError, match="the test key may be read by other users; run `chmod 600") as caught:
        read_secret(path, "test key")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_rights_of_the_owner_are_enough(tmp_path, mode):
    path = tmp_path / "key"
    path.write_bytes(b"secret")
    path.chmod(mode)
    assert read_secret(path, "test key") == b"secret"


def test_what_cannot_be_opened_is_named(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match="the test key cannot be read"):
            read_secret(path, "test key")
    with pytest.raises(InputError, match="the test key cannot be written"):
        write_secret(tmp_path / "absent" / "key", b"", "test key")
