"""The store against a model that is a dictionary, under any order of ingest, repetition, discard and crash."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stillwatch.model.errors import Rejected, StoreError
from stillwatch.store import Shape, StoreWriter, open_store

# One time for all, so that every source is compared with every other; the pool of ids is small, so that they clash.
exchange_ids = st.lists(st.sampled_from("abcdefgh"), max_size=6)


class StoreMachine(RuleBasedStateMachine):
    """Ingest with clashes; the model keeps who came first."""

    tools = None

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="stillwatch-test-"))
        self.owner = {}  # id of an exchange -> digest of the source that has it
        self.rejected = {}  # digest -> lines rejected, duplicates among them
        self.number = 0
        self.writer = None

    @initialize()
    def open(self):
        self.writer = StoreWriter(self.root, shape=Shape(group_rows=2, part_rows=3))

    def fresh_digest(self):
        self.number += 1
        return f"d{self.number}"

    def write(self, digest, ids, rejects, writer):
        with writer.source(digest, digest, "ndjson") as source:
            for start in range(0, len(ids), 4):
                chunk = ids[start : start + 4]
                source.write(self.tools.batch(chunk, [0.0] * len(chunk)))
            for line in range(rejects):
                source.reject(Rejected(digest, line, "bad"))
            return source.commit()

    def expect(self, digest, ids, rejects):
        new = [exchange_id for exchange_id in dict.fromkeys(ids) if exchange_id not in self.owner]
        self.owner |= dict.fromkeys(new, digest)
        self.rejected[digest] = rejects + len(ids) - len(new)
        return len(new)

    @rule(ids=exchange_ids, rejects=st.integers(0, 2))
    def ingest(self, ids, rejects):
        digest = self.fresh_digest()
        summary = self.write(digest, ids, rejects, self.writer)
        assert summary.rows == self.expect(digest, ids, rejects)
        assert summary.rejected == self.rejected[digest]

    @precondition(lambda self: self.rejected)
    @rule(data=st.data())
    def ingest_again(self, data):
        digest = data.draw(st.sampled_from(sorted(self.rejected)))
        assert self.writer.has_source(digest)
        try:
            self.writer.source(digest, "again", "ndjson")
        except StoreError:
            return
        raise AssertionError

    @rule(ids=exchange_ids)
    def discard(self, ids):
        with self.writer.source(self.fresh_digest(), "discarded", "ndjson") as source:
            if ids:
                source.write(self.tools.batch(ids))

    @rule(ids=exchange_ids, at=st.integers(0, 8), after=st.booleans())
    def crash(self, ids, at, after):
        self.writer.close()
        digest = self.fresh_digest()
        disk = self.tools.FailingDisk(at, after=after, error=self.tools.Crash(), dead=True)
        dying = StoreWriter(self.root, disk=disk)
        try:
            self.write(digest, ids, 1, dying)
        except self.tools.Crash:
            pass
        finally:
            dying.close()
        self.open()
        if self.writer.has_source(digest):
            self.expect(digest, ids, 1)

    @rule()
    def reopen(self):
        self.writer.close()
        self.open()

    @invariant()
    def agrees(self):
        if self.writer is None:
            return
        with open_store(self.root) as store:
            table = store.exchanges().select("exchange_id").to_pyarrow()
            lines = [line.file for line in store.rejected()]
            rows = {card.source: (card.rows, card.rejected) for card in store.coverage()}
        assert sorted(table["exchange_id"].to_pylist()) == sorted(self.owner)
        kept = list(self.owner.values())
        assert rows == {digest: (kept.count(digest), number) for digest, number in self.rejected.items()}
        assert sorted(lines) == sorted(
            digest for digest, number in self.rejected.items() for _ in range(number)
        )

    def teardown(self):
        self.writer.close()
        shutil.rmtree(self.root)


def test_the_store_agrees_with_its_model(tools):
    StoreMachine.tools = tools
    case = StoreMachine.TestCase
    case.settings = settings(
        max_examples=8, stateful_step_count=7, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    case().runTest()
