"""Partitions in a process of their own: the same answer, and an answer whatever becomes of the process."""

import os
import subprocess
import sys
from array import array

import pytest

from stillwatch.app import aside
from stillwatch.detect import leiden


@pytest.fixture
def question():
    left, right = zip(*((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)), strict=True)
    return leiden.Question(6, array("i", left), array("i", right), (0.5, 0.01), 7)


@pytest.fixture
def started(monkeypatch):
    """Two cores; the commands that were run are noted."""
    commands, run = [], subprocess.run

    def noted(command, **rest):
        commands.append(command)
        return run(command, **rest)

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(subprocess, "run", noted)
    return commands


def test_a_process_says_what_this_one_says(question, started):
    assert aside.partitions(question, least_edges=1) == leiden.partitions(question)
    assert len(started) == 1


def test_small_graphs_start_no_process(question, started):
    assert aside.partitions(question) == leiden.partitions(question)
    assert started == []


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [(os, "cpu_count", lambda: 1), (sys, "executable", ""), (sys, "frozen", True)],
)
def test_no_process_is_started_where_it_cannot_help(question, started, monkeypatch, place, name, value):
    monkeypatch.setattr(place, name, value, raising=False)
    assert aside.partitions(question, least_edges=1) == leiden.partitions(question)
    assert started == []


@pytest.mark.parametrize(
    "program", ["raise SystemExit(3)", "print('four')", "import os; os.kill(os.getpid(), 9)", ""]
)
def test_a_process_that_fails_is_made_good_here(question, started, monkeypatch, tmp_path, program):
    broken = tmp_path / "broken.py"
    broken.write_text(program)
    monkeypatch.setattr(leiden, "__file__", str(broken))
    assert aside.partitions(question, least_edges=1) == leiden.partitions(question)
    assert len(started) == 1


def test_an_interpreter_that_cannot_be_run_is_made_good_here(question, started, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert aside.partitions(question, least_edges=1) == leiden.partitions(question)
    assert len(started) == 1
