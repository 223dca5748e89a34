"""A process that dies at any moment loses nothing that was committed and doubles nothing."""

import contextlib
import random
import shutil
import signal
import subprocess
import sys
from itertools import count

import pytest

from stillwatch.store import StoreWriter, open_store

# Ingests sources s0, s1, ... for ever, each with two ids of its own and one of the source before; says so after
# each commit.
CHILD = """
import sys
sys.path.insert(0, sys.argv[2])
import pyarrow as pa
from conftest import exchange_batch
from stillwatch.store import Shape, StoreWriter
with StoreWriter(sys.argv[1], shape=Shape(group_rows=1, part_rows=2)) as writer:
    print("open", flush=True)
    for number in range(10_000):
        digest = f"s{number}"
        if writer.has_source(digest):
            continue
        with writer.source(digest, digest, "ndjson") as source:
            source.write(exchange_batch([f"{number - 1}-b", f"{number}-a", f"{number}-b"]))
            source.commit()
        writer.put_accounts(pa.table({"account_id": [digest], "account_fp": [number]}))
        print(number, flush=True)
"""


def killed_child(root, delay):
    """Run the child, kill it `delay` lines and a moment after it began to commit; return what it promised."""
    command = [sys.executable, "-c", CHILD, str(root), __file__.rpartition("/")[0]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        promised = [line for _, line in zip(range(delay), child.stdout, strict=False)]
        child.send_signal(signal.SIGKILL)
        promised += list(child.stdout)
        assert child.wait() == -signal.SIGKILL
    return {int(line) for line in promised if line.strip().isdigit()}


@pytest.mark.slow
def test_killed_again_and_again(tmp_path):
    randomness = random.Random(20261122)
    promised = set()
    for _ in range(3):
        promised |= killed_child(tmp_path, randomness.randint(1, 6))
        with open_store(tmp_path) as store:
            ids = store.exchanges().exchange_id.to_pyarrow().to_pylist()
            accounts = set(store.accounts().account_id.to_pyarrow().to_pylist())
            sources = {int(card.source.removeprefix("s")) for card in store.coverage()}
            rejected = [line.file for line in store.rejected()]
        assert promised <= sources
        assert sources == set(range(len(sources)))
        expected = [f"{number}-{letter}" for number in sources for letter in "ab"] + ["-1-b"]
        assert sorted(ids) == sorted(expected if sources else [])
        assert sorted(rejected) == sorted(f"s{number}" for number in sources if number)
        assert accounts >= {f"s{number}" for number in promised}
    assert promised
    StoreWriter(tmp_path).close()
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_crash_at_each_step(tmp_path, tools):
    """Die at each file operation in turn, before or after it; then come back and ingest the rest."""
    clean = tmp_path / "clean"
    with StoreWriter(clean) as writer:
        tools.ingest(writer, "old", tools.batch(["1", "2"]))
    seen = {False: set(), True: set()}
    for after in (False, True):
        for at in count():
            root = tmp_path / f"{at}-{after}"
            shutil.copytree(clean, root)
            disk = tools.FailingDisk(at, after=after, error=tools.Crash(), dead=True)
            writer = StoreWriter(root, disk=disk)
            try:
                tools.ingest(writer, "new", tools.batch(["2", "3", "3"]))
            except tools.Crash:
                pass
            finally:
                writer.close()
            ids = tuple(tools.ids(root))
            seen[after].add(ids)
            with StoreWriter(root) as writer:
                assert writer.has_source("new") == ("3" in ids)
                if not writer.has_source("new"):
                    tools.ingest(writer, "new", tools.batch(["2", "3", "3"]))
            assert tools.ids(root) == ["1", "2", "3"]
            assert list((root / "staging").iterdir()) == []
            if not disk.failed:
                break
        assert at > 5
    assert seen == {False: {("1", "2"), ("1", "2", "3")}, True: {("1", "2"), ("1", "2", "3")}}


def test_a_crash_while_the_store_is_made(tmp_path, tools):
    for after in (False, True):
        for at in count():
            root = tmp_path / f"{at}-{after}"
            disk = tools.FailingDisk(at, after=after, error=tools.Crash(), dead=True)
            with contextlib.suppress(tools.Crash):
                StoreWriter(root, disk=disk).close()
            StoreWriter(root).close()
            assert tools.ids(root) == []
            if not disk.failed:
                break
        assert at > 4
