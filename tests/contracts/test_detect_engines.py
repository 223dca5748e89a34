"""Detection says the same on both engines."""

from contextlib import ExitStack, contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import small_world as sw

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.pipeline import detect
from stillwatch.detect.tables import (
    CONFIRM_A,
    CONFIRM_B,
    DISCOVERY,
    Tables,
    confirmation_blocks,
    measure_span,
    slice_of,
)
from stillwatch.model.findings import Verdict
from stillwatch.store import open_store
from stillwatch.store.engine import epoch_us, map_batches

ENGINES = [
    "duckdb",
    pytest.param("spark", marks=pytest.mark.spark),
    pytest.param("spark in small batches", marks=pytest.mark.spark),
]
ROWS_OF_A_SMALL_BATCH = "700"  # so that each partition of the small world has several
CONFIG = DetectConfig(placebos=1000)


@pytest.fixture(scope="module")
def world():
    return sw.make_world()


@pytest.fixture(scope="module")
def root(world, tmp_path_factory):
    bans = world.accounts.slice(world.accounts.num_rows - 1).select(["account_id", "account_fp"])
    bans = bans.append_column("ts", pa.array([sw.NOW], pa.timestamp("us", tz="UTC")))
    bans = bans.append_column("kind", pa.array(["ban"]))
    half = world.exchanges.num_rows // 2
    parts = world.exchanges.slice(0, half), world.exchanges.slice(half)
    path = tmp_path_factory.mktemp("detect") / "store"
    return sw.write_store(path, *parts, accounts=world.accounts, enforcement=bans)


@pytest.fixture(scope="module", params=ENGINES)
def store(request, root):
    with pytest.MonkeyPatch.context() as patch:
        # Short queries only: optimising them would take longer than running them.
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        engine, _, small = request.param.partition(" ")
        with open_store(root, engine, memory_limit=1 << 30, threads=2) as reader, ExitStack() as during:
            if small:
                during.enter_context(rows_of_a_batch(reader, ROWS_OF_A_SMALL_BATCH))
            yield reader


@contextmanager
def rows_of_a_batch(reader, rows):
    """Let Spark cut batches of at most `rows` rows."""
    name = "spark.sql.execution.arrow.maxRecordsPerBatch"
    settings = reader.exchanges().get_backend()._session.conf
    before = settings.get(name)
    settings.set(name, rows)
    yield
    settings.set(name, before)


def run(reader):
    return detect(Tables(reader.exchanges(), reader.accounts(), reader.enforcement()), CONFIG, sw.NOW)


def test_time_is_dealt_to_slices_by_blocks(store):
    rows = store.exchanges()
    span = measure_span(rows)
    seconds = span.block_seconds
    dealt = rows.select(
        block=epoch_us(rows.ts) // (seconds * 1_000_000), slice=slice_of(rows.ts, seconds)
    ).distinct()
    table = dealt.to_pyarrow().sort_by("block")
    blocks, slices = table["block"].to_pylist(), table["slice"].to_numpy()
    assert len(set(blocks)) == len(blocks), "a block is in one slice only"
    held = {block for block, part in zip(blocks, slices, strict=True) if part != DISCOVERY}
    assert held == set(confirmation_blocks(span).tolist()) & set(blocks)
    for part, share in ((DISCOVERY, 0.6), (CONFIRM_A, 0.2), (CONFIRM_B, 0.2)):
        assert (slices == part).mean() == pytest.approx(share, abs=0.02)


def test_the_span_is_that_of_the_rows(store, world):
    span = measure_span(store.exchanges())
    times = world.exchanges["ts"]
    assert (span.exchanges, span.first, span.last) == (
        len(times),
        pc.min(times).as_py(),
        pc.max(times).as_py(),
    )
    assert span.incidences == pc.sum(pc.list_value_length(world.exchanges["keys"])).as_py()


def test_batches_hold_every_row_once_and_may_be_several_a_partition(store, request):
    schema = pa.schema({"rows": pa.int64()})

    def count(batch):
        return pa.record_batch([pa.array([batch.num_rows])], schema=schema)

    sizes = map_batches(store.exchanges().select("account_fp"), count, schema)["rows"].to_numpy()
    if "small" in request.node.callspec.params["store"]:
        assert sizes.max() <= int(ROWS_OF_A_SMALL_BATCH)
        assert sizes.size > 8
    assert sizes.sum() == store.exchanges().count().to_pyarrow().as_py()


@pytest.fixture(scope="module")
def expected(root):
    """What the embedded engine says."""
    with open_store(root, "duckdb", memory_limit=1 << 30, threads=1) as reader:
        return run(reader)


def test_both_engines_find_the_same(store, expected, world):
    found = run(store)
    assert [campaign.verdict for campaign in found.campaigns] == [Verdict.CAMPAIGN]
    assert {member.account_id for member in found.campaigns[0].members} == world.who["campaign"]
    assert [(one.id, one.verdict) for one in found.groups] == [
        (one.id, one.verdict) for one in expected.groups
    ]
    for mine, other in zip(found.groups, expected.groups, strict=True):
        same_group(mine, other)
    for name in ("accounts", "exchanges", "candidates", "first_ts", "last_ts", "notes"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.audit.mean_e == pytest.approx(expected.audit.mean_e, rel=1e-6)
    assert found.audit.sigma == pytest.approx(expected.audit.sigma, rel=1e-6)


def same_group(mine, other):
    assert mine.e_value == pytest.approx(other.e_value, rel=1e-6)
    assert mine.hypothesis.probability == pytest.approx(other.hypothesis.probability, rel=1e-6)
    facts = (
        "exchanges",
        "input_tokens",
        "output_tokens",
        "timeline",
        "links",
        "models",
        "capabilities",
        "skeletons",
    )
    for name in (*facts, "first_seen", "last_seen"):
        assert getattr(mine, name) == getattr(other, name), name
    for one, two in zip(mine.members, other.members, strict=True):
        assert one.e_value == pytest.approx(two.e_value, rel=1e-6)
        assert without_e(one) == without_e(two)
    for one, two in zip(mine.evidence, other.evidence, strict=True):
        assert (one.measure, one.view, one.computed_from) == (two.measure, two.view, two.computed_from)
        assert one.value == pytest.approx(two.value, rel=1e-6)
        assert one.e_value == pytest.approx(two.e_value, rel=1e-6)


def without_e(member):
    """Everything about a member but its e-value."""
    return {name: getattr(member, name) for name in member.__struct_fields__ if name != "e_value"}
