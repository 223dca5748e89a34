"""Files are whole or not there, whatever fails and whenever."""

import errno
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.wholefile import write_atomically, write_once

PIECES = st.lists(st.binary(max_size=40), max_size=6)


@given(PIECES, st.booleans())
def test_what_is_written_stands_there_in_one_piece(tmp_path_factory, pieces, once):
    path = tmp_path_factory.mktemp("files") / "file"
    (write_once if once else write_atomically)(path, pieces)
    assert path.read_bytes() == b"".join(pieces)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_atomically, write_once])
def test_rights_are_given_before_anything_is_in_the_file(tmp_path, monkeypatch, write):
    seen = []

    def look(descriptor):
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", look)
    write(tmp_path / "file", b"secret", 0o600)
    assert seen == [0o600]
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_an_old_file_is_replaced_or_refused(tmp_path):
    write_once(tmp_path / "file", b"old")
    with pytest.raises(FileExistsError):
        write_once(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("write", [write_atomically, write_once])
@pytest.mark.parametrize("call", ["fsync", "replace", "link"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, write, call):
    def full(*names, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    if write is write_atomically:
        (tmp_path / "file").write_bytes(b"old")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    monkeypatch.setattr(os, call, full)
    if (write, call) not in {(write_atomically, "link"), (write_once, "replace")}:
        with pytest.raises(OSError, match="No space"):
            write(tmp_path / "file", b"new")
        assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_content_that_fails_half_way_is_not_kept(tmp_path):
    def pieces():
        yield b"half"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(tmp_path / "file", pieces())
    assert list(tmp_path.iterdir()) == []
