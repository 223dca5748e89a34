"""`scan`, `ingest`, `detect` and `world` as a user calls them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.store import open_store


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    place = tmp_path_factory.mktemp("world")
    result = CliRunner().invoke(
        main,
        ["world", "run", "tiny", "--seed", "3", "--scale", "0.4", "--format", "ndjson", "--out", str(place)],
    )
    assert result.exit_code == 0, result.stderr
    return place


def test_scan_ends_with_a_table_and_a_status(run, world, tmp_path):
    out = tmp_path / "out"
    result = run(
        "scan", world / "logs", "--accounts", world / "accounts.ndjson", "--enforcement", world / "enforcement.ndjson",
        "--out", out, "--threads", 1,
    )  # fmt: skip
    campaigns = (out / "campaigns.jsonl").read_text().splitlines()
    assert result.exit_code == (3 if campaigns else 0), result.stderr
    assert result.stderr == ""
    assert str(out / "report.html") in result.stdout.replace("\n", "")
    for line in campaigns:
        assert json.loads(line)["id"] in result.stdout
    score = run("world", "score", world, out, "--json")
    assert json.loads(score.stdout)["reports"] == len(campaigns)
    assert "honest account" in run("world", "score", world, out).stdout


def test_the_two_halves(run, world, tmp_path):
    first = run("ingest", world / "logs", "--store", tmp_path / "store", "--threads", 1)
    assert first.exit_code == 0
    again = run("ingest", world / "logs", "--store", tmp_path / "store", "--threads", 1)
    assert "0 new exchanges" in again.stdout
    assert run("coverage", "--store", tmp_path / "store").exit_code == 0
    found = run("detect", "--store", tmp_path / "store", "--out", tmp_path / "out")
    assert found.exit_code in {0, 3}
    assert (tmp_path / "out" / "report.html").stat().st_size > 0


def test_settings_come_from_the_file(run, world, tmp_path):
    config = tmp_path / "stillwatch.toml"
    config.write_text('store = "kept"\nthreads = 1\n')
    assert run("ingest", world / "logs", "--config", config).exit_code == 0
    assert (tmp_path / "kept" / "format.json").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("scan", "none.jsonl", "--out", "out"),
        ("scan", "none.jsonl", "--out", "out", "--fdr", "2"),
        ("scan", "none.jsonl", "--out", "out", "--config", "none.toml"),
        ("ingest", "none.jsonl"),
        ("detect", "--out", "out"),
        ("detect", "--out", "out", "--store", "none"),
        ("world", "run", "atlantis", "--out", "out"),
        ("world", "run", "tiny", "--scale", "0", "--out", "out"),
        ("world", "score", "none", "none"),
    ],
)
def test_bad_input_is_status_2_and_one_sentence(run, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("stillwatch: ")
    assert result.stderr.count("\n") == 1


def test_list_of_worlds(run):
    assert "demo\t" in run("world", "list").stdout


def test_ctrl_c_leaves_the_store_sound(world, tmp_path):
    store = tmp_path / "store"
    command = [sys.executable, "-m", "stillwatch.cli", "ingest", str(world / "logs"), "--store", str(store)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ})
    deadline = time.monotonic() + 60
    while not (store / "format.json").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode in {0, 130}
    assert "Traceback" not in said
    with open_store(store) as reader:
        assert reader.exchanges().count().execute() >= 0
