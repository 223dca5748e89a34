"""Settings of the whole process: set where there is glibc, and nowhere else a failure."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl

from stillwatch.app import process


@pytest.fixture(autouse=True)
def _nothing_stays_set():
    threads = threadpoolctl.threadpool_info()
    often = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*often)
    threadpoolctl.threadpool_limits({one["prefix"]: one["num_threads"] for one in threads})


def test_what_is_imported_is_left_to_the_garbage_collector_no_more():
    process.settle()
    assert gc.get_freeze_count() > 0


def test_the_garbage_collector_looks_seldom():
    process.settle()
    assert gc.get_threshold()[0] >= 100_000


def test_linear_algebra_takes_one_thread():
    assert np.linalg.eigvalsh(np.eye(2)).sum() == 2.0  # its library is loaded
    threadpoolctl.threadpool_limits(limits=2, user_api="blas")
    process.settle()
    blas = [one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]
    assert blas
    assert set(blas) == {1}


def test_all_threads_share_one_arena(monkeypatch):
    told = []
    library = SimpleNamespace(mallopt=lambda option, value: told.append((option, value)))
    monkeypatch.setattr(process, "_c_library", lambda: library)
    process.settle()
    assert told == [(-8, 1)]


@pytest.mark.parametrize("error", [OSError, TypeError])
def test_another_c_library_is_left_as_it_is(monkeypatch, error):
    def none(_):
        raise error

    monkeypatch.setattr(process.ctypes, "CDLL", none)
    assert process._c_library() is None


def test_a_c_library_without_the_option_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(process, "_c_library", SimpleNamespace)
    process.settle()
