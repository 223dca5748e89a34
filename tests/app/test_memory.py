"""Settings of the whole process: set where there is glibc, and nowhere else a failure."""

import gc
from types import SimpleNamespace

import pytest

from stillwatch.app import memory


@pytest.fixture(autouse=True)
def _nothing_stays_frozen():
    yield
    gc.unfreeze()


def test_what_is_imported_is_left_to_the_garbage_collector_no_more():
    memory.settle()
    assert gc.get_freeze_count() > 0


def test_all_threads_share_one_arena(monkeypatch):
    told = []
    library = SimpleNamespace(mallopt=lambda option, value: told.append((option, value)))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: library)
    memory.settle()
    assert told == [(-8, 1)]


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_another_c_library_is_left_as_it_is(monkeypatch, error):
    def none(_):
        raise error

    monkeypatch.setattr(memory.ctypes, "CDLL", none)
    memory.settle()
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: SimpleNamespace())
    memory.settle()
