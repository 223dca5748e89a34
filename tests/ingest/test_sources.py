"""Finding files, and what the operating system may say against it."""

import errno
import os

import pytest

from stillwatch.ingest.sources import find_files, open_stream
from stillwatch.model.errors import InputError


@pytest.fixture
def logs(tmp_path):
    for name in ("b", "a", "day/c", "day/.hidden", ".git/d", "store/exchanges/e", "day/out/f"):
        (tmp_path / "logs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "logs" / name).write_text(name)
    return tmp_path / "logs"


def names(logs, *leave_out):
    return [file.relative_to(logs).as_posix() for file in find_files([logs], leave_out)]


def test_everything_that_is_not_hidden_is_found_in_order(logs):
    assert names(logs) == ["a", "b", "day/c", "day/out/f", "store/exchanges/e"]


def test_own_directories_inside_the_logs_are_left_out(logs, tmp_path):
    assert names(logs, logs / "store", logs / "day/out", tmp_path / "elsewhere") == ["a", "b", "day/c"]
    (tmp_path / "link").symlink_to(logs / "store")
    assert "store/exchanges/e" not in names(logs, tmp_path / "link")


def test_logs_inside_an_own_directory_are_read(logs, tmp_path):
    assert names(logs, tmp_path, logs) == names(logs)
    assert find_files([logs / "store/exchanges/e"], [logs / "store"]) == [logs / "store/exchanges/e"]


def test_links_go_round_in_no_circle(logs):
    (logs / "self").symlink_to(logs)
    (logs / "linked").symlink_to(logs / "a")
    (logs / "gone").symlink_to(logs / "nowhere")
    assert names(logs) == ["a", "b", "day/c", "day/out/f", "linked", "store/exchanges/e"]


def test_a_link_to_itself_is_named(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="loop"):
        find_files([tmp_path / "loop"], [tmp_path / "loop"])


def test_a_folder_that_may_not_be_searched_is_not_passed_over(logs, monkeypatch):
    searched = os.scandir

    def refusing(path):
        if str(path).endswith("day"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return searched(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match="day: permission denied"):
        find_files([logs])


@pytest.mark.parametrize("place", ["/proc/self/mem"])
def test_a_file_that_refuses_to_be_read_is_named(place):
    if not os.access(place, os.R_OK):
        pytest.skip(f"{place} cannot be opened here")
    with pytest.raises(InputError, match=r"input/output error"), open_stream(place):
        pass
