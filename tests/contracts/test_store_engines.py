"""Both engines give the same answers to every phrase that `stillwatch.store.engine` recommends."""

from datetime import UTC, datetime, timedelta

import ibis
import pyarrow as pa
import pytest

from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch.store import StoreWriter, open_store
from stillwatch.store.engine import epoch_us, map_batches

LOW, HIGH = -(2**63), 2**63 - 1
ODD = 2**62 + 1  # not representable as a double
START = datetime(2026, 3, 1, 12, 30, 0, 123457, tzinfo=UTC)
ENGINES = ["duckdb", pytest.param("spark", marks=pytest.mark.spark)]


def exchanges(**columns):
    rows = len(next(iter(columns.values())))
    required = {
        "exchange_id": [f"e{n}" for n in range(rows)],
        "ts": [START + timedelta(hours=n) for n in range(rows)],
        "account_id": ["a"] * rows,
        "account_fp": [1] * rows,
        "source": ["s"] * rows,
        "source_ref": [f"s:{n + 1}" for n in range(rows)],
        "schema_version": [1] * rows,
    }
    given = required | columns
    schema = pa.schema([EXCHANGE_SCHEMA.field(name) for name in given])
    return pa.RecordBatch.from_pydict(given, schema=schema)


BATCH = exchanges(
    account_fp=[ODD, ODD, -ODD, HIGH, LOW, -7],
    account_id=["a", "a", "b", "c", "d", "e"],
    keys=[[ODD, -3], [ODD], [-3, -3], None, [], [LOW, HIGH, ODD]],
    system_fp=[ODD, None, -ODD, None, LOW, HIGH],
    output_tokens=[10, None, 30, 40, 50, 60],
    n=[1, None, 3, None, None, 6],
    cell=[-1, None, 511, 0, 1, 2],
    temperature=[0.5, None, 0.0, 1.0, 2.0, 0.1],
    logprobs=[True, None, False, True, None, False],
    tool_names=[["x", "y"], None, [], ["z"], None, None],
    model=["m1", "m1", "m2", None, "m1", "m2"],
    ts=[
        START,
        START + timedelta(microseconds=1),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2262, 1, 1, tzinfo=UTC),
        START + timedelta(days=1),
    ],
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("engines") / "day=1 with space"
    with StoreWriter(path) as writer:
        with writer.source("d1", "one.jsonl", "ndjson") as source:
            source.write(BATCH.slice(0, 4))
            source.commit()
        with writer.source("d2", "two.jsonl", "ndjson") as source:
            source.write(BATCH.slice(4))
            source.commit()
        with writer.source("d3", "empty.jsonl", "ndjson") as source:
            source.commit()
        writer.put_accounts(pa.table({"account_id": ["a"], "account_fp": [ODD], "created_at": [START]}))
    return path


@pytest.fixture(scope="module", params=ENGINES)
def store(request, root):
    with pytest.MonkeyPatch.context() as patch:
        # Short queries only: optimising them would take longer than running them.
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        with open_store(root, request.param, memory_limit=1 << 30, threads=2) as reader:
            yield reader


@pytest.fixture(scope="module")
def rows(store):
    return store.exchanges()


def result(expression):
    """Return the rows in an order of their own, since an engine's order means nothing."""
    table = expression.to_pyarrow()
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


@pytest.mark.parametrize(
    ("table", "schema"),
    [("exchanges", EXCHANGE_SCHEMA), ("accounts", ACCOUNT_SCHEMA), ("enforcement", ENFORCEMENT_SCHEMA)],
)
def test_columns_have_the_types_of_the_model(store, table, schema):
    expression = getattr(store, table)()
    nullable = pa.schema([field.with_nullable(nullable=True) for field in schema])
    expected = {
        name: kind for name, kind in ibis.Schema.from_pyarrow(nullable).items() if not kind.is_timestamp()
    }
    actual = expression.schema()
    assert list(actual) == schema.names
    assert {name: kind for name, kind in actual.items() if not kind.is_timestamp()} == expected
    times = [name for name, kind in actual.items() if kind.is_timestamp()]
    assert {actual[name] for name in times} == {ibis.dtype("timestamp('UTC', 6)")}
    arrow = expression.to_pyarrow().schema
    assert [field.type for field in arrow] == [field.type for field in schema]


def test_rows_come_back_as_they_were_written(rows):
    wanted = BATCH.schema.names
    columns = [tuple(row[name] for name in wanted) for row in BATCH.to_pylist()]
    assert result(rows.select(wanted)) == sorted(columns, key=repr)


def test_unnest_group_and_count(rows):
    keys = rows.select("account_fp", key=rows.keys.unnest())
    counted = keys.group_by("key").aggregate(accounts=keys.account_fp.nunique(), rows=keys.count())
    assert result(counted) == sorted([(ODD, 2, 3), (-3, 2, 3), (LOW, 1, 1), (HIGH, 1, 1)], key=repr)


def test_counts_are_int64(rows):
    counted = rows.group_by("account_fp").aggregate(
        n=rows.count(), d=rows.model.nunique(), s=rows.output_tokens.sum()
    )
    assert [field.type for field in counted.to_pyarrow().schema] == [pa.int64()] * 4


def test_statistics_ignore_nulls(rows):
    done = rows.aggregate(
        total=rows.output_tokens.sum(), least=rows.system_fp.min(), most=rows.system_fp.max(),
        mean=rows.output_tokens.mean(), some=(rows.output_tokens > 30).sum(), known=rows.output_tokens.count(),
    )  # fmt: skip
    assert result(done) == [(190, LOW, HIGH, 38.0, 3, 5)]


def test_join_with_an_arrow_table_keeps_every_bit(rows):
    given = pa.table(
        {"account_fp": [ODD, LOW], "value": pa.array([None, ODD]), "wide": pa.array([HIGH, 5], pa.int64())}
    )
    other = ibis.memtable(given)
    joined = rows.inner_join(other, "account_fp").select("exchange_id", "value", "wide")
    assert result(joined) == [("e0", None, HIGH), ("e1", None, HIGH), ("e4", ODD, 5)]


def test_join_with_an_arrow_table_of_other_types(rows):
    given = pa.table(
        {
            "account_fp": pa.array([ODD, LOW]),
            "small": pa.array([1, None], pa.int32()),
            "list": pa.array([[ODD], None], pa.list_(pa.int64())),
            "word": ["x", None],
            "when": pa.array([START, None], pa.timestamp("us", "UTC")),
            "real": [0.5, None],
            "flag": [True, None],
        }
    )
    joined = (
        rows.distinct(on="account_fp").select("account_fp").inner_join(ibis.memtable(given), "account_fp")
    )
    assert result(joined) == sorted((tuple(row.values()) for row in given.to_pylist()), key=repr)


def test_an_empty_arrow_table_joins(rows):
    empty = ibis.memtable(pa.schema([("account_fp", pa.int64()), ("v", pa.string())]).empty_table())
    assert result(rows.inner_join(empty, "account_fp").select("exchange_id", "v")) == []


def test_left_join_names_the_right_side(rows):
    other = ibis.memtable(pa.table({"fp": [ODD], "v": [ODD]}))
    joined = rows.left_join(other, rows.account_fp == other.fp).select("exchange_id", "v")
    assert [row[1] for row in result(joined)] == [ODD, ODD, None, None, None, None]


def test_self_join_over_a_view(rows):
    incidence = rows.select("account_fp", key=rows.keys.unnest()).distinct()
    other = incidence.view()
    pairs = incidence.inner_join(other, [incidence.key == other.key, incidence.account_fp < other.account_fp])
    pairs = pairs.select(a=incidence.account_fp, b=other.account_fp, key=incidence.key)
    shared = pairs.group_by("a", "b").aggregate(shared=pairs.count())
    assert result(shared) == sorted([(-ODD, ODD, 1), (-7, ODD, 1)], key=repr)


def test_semi_and_anti_join(rows):
    some = ibis.memtable(pa.table({"account_fp": [ODD, -7]}))
    assert result(rows.semi_join(some, "account_fp").select("exchange_id")) == [("e0",), ("e1",), ("e5",)]
    assert result(rows.anti_join(some, "account_fp").select("exchange_id")) == [("e2",), ("e3",), ("e4",)]


VALUES = [ODD, -ODD, HIGH, LOW, -7, -1, 0, 1, 16, 2**53 + 1]


def remainder(value, divisor):
    return value - divisor * (abs(value) // divisor * (1 if value >= 0 else -1))


BITS = {
    "and": (lambda v: v & 15, lambda v: v & 15),
    "and_high": (lambda v: v & (HIGH - 15), lambda v: v & (HIGH - 15)),
    "or": (lambda v: v | 5, lambda v: v | 5),
    "xor": (lambda v: v ^ ODD, lambda v: v ^ ODD),
    "shift": (lambda v: v >> 4, lambda v: v >> 4),
    "shift_far": (lambda v: v >> 63, lambda v: v >> 63),
    "sampling": (lambda v: (v >> 20) & 1023, lambda v: (v >> 20) & 1023),
    "modulo": (lambda v: v % 1000, lambda v: remainder(v, 1000)),
    "modulo_prime": (lambda v: v % 1000003, lambda v: remainder(v, 1000003)),
    "equals": (lambda v: v == ODD, lambda v: v == ODD),
    "below": (lambda v: v < 2**53 + 1, lambda v: v < 2**53 + 1),
    "in": (lambda v: v.isin([ODD, LOW]), lambda v: v in (ODD, LOW)),
}


def test_bits_of_signed_integers(rows):
    # beside a stored table, so that the engine under test computes it
    numbers = rows.limit(1).select("schema_version").cross_join(ibis.memtable(pa.table({"v": VALUES})))
    done = numbers.select("v", **{name: build(numbers.v) for name, (build, _) in BITS.items()}).to_pyarrow()
    for name, (_, expected) in BITS.items():
        found = dict(zip(done["v"].to_pylist(), done[name].to_pylist(), strict=True))
        assert found == {value: expected(value) for value in VALUES}, name


def test_row_numbers(rows):
    window = ibis.window(group_by="account_fp", order_by=[rows.ts, rows.exchange_id])
    numbered = rows.select("exchange_id", place=ibis.row_number().over(window))
    assert result(numbered) == [("e0", 0), ("e1", 1), ("e2", 0), ("e3", 0), ("e4", 0), ("e5", 0)]
    assert numbered.to_pyarrow().schema.field("place").type == pa.int64()


def test_bottom_b_sampling(rows):
    keys = rows.select("account_fp", key=rows.keys.unnest()).distinct()
    window = ibis.window(group_by="key", order_by=keys.account_fp)
    placed = keys.mutate(place=ibis.row_number().over(window))
    assert result(placed.filter(placed.place < 1).select("key", "account_fp")) == sorted(
        [(ODD, -7), (-3, -ODD), (LOW, -7), (HIGH, -7)], key=repr
    )


def test_lag_and_running_sum(rows):
    window = ibis.window(group_by="account_fp", order_by=rows.ts)
    done = rows.filter(rows.account_fp == ODD).select(
        "exchange_id",
        before=epoch_us(rows.ts).lag().over(window),
        total=rows.output_tokens.sum().over(ibis.cumulative_window(group_by="account_fp", order_by=rows.ts)),
    )
    assert result(done) == [("e0", None, 10), ("e1", microseconds(START), 10)]


def microseconds(moment):
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_time_as_integers(rows):
    hour = 3_600_000_000
    done = rows.select(
        "exchange_id", us=epoch_us(rows.ts), hour=epoch_us(rows.ts) // hour, phase=epoch_us(rows.ts) % hour
    )
    moments = [microseconds(moment) for moment in BATCH.to_pydict()["ts"]]
    expected = [(f"e{n}", us, us // hour, remainder(us, hour)) for n, us in enumerate(moments)]
    assert result(done) == expected
    assert {field.type for field in done.drop("exchange_id").to_pyarrow().schema} == {pa.int64()}


def test_times_compare_with_python_times(rows):
    assert result(
        rows.filter(rows.ts > START, rows.ts <= START + timedelta(days=1)).select("exchange_id")
    ) == [
        ("e1",),
        ("e5",),
    ]


def test_span_of_times(rows):
    done = rows.aggregate(first=rows.ts.min(), last=rows.ts.max())
    assert done.to_pyarrow().schema.field("first").type == pa.timestamp("us", "UTC")
    assert result(done) == [
        (datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC))
    ]


def test_a_cached_result_is_used_like_a_table(rows):
    incidence = rows.select("account_fp", "ts", key=rows.keys.unnest()).cache()
    assert incidence.schema()["ts"] == ibis.dtype("timestamp('UTC', 6)")
    counted = incidence.group_by("key").aggregate(n=incidence.count())
    popular = counted.filter(counted.n > 1).cache()
    assert result(popular) == sorted([(ODD, 3), (-3, 3)], key=repr)
    assert incidence.semi_join(popular, "key").count().to_pyarrow().as_py() == 6


def test_cached_results_can_be_given_back(rows):
    with rows.select("exchange_id").cache() as held:
        assert held.count().to_pyarrow().as_py() == 6


def test_results_are_exact_beside_nulls(rows):
    table = rows.select("exchange_id", "system_fp", "n", "cell").order_by("exchange_id").to_pyarrow()
    assert table["system_fp"].to_pylist() == [ODD, None, -ODD, None, LOW, HIGH]
    assert table["n"].type == pa.int32()
    assert table["cell"].type == pa.int16()


def test_batches_have_the_type_of_the_whole(rows):
    expression = rows.select("exchange_id", "ts", "keys", "system_fp")
    with expression.to_pyarrow_batches(chunk_size=2) as reader:
        batches = list(reader)
        assert [field.type for field in reader.schema] == [
            field.type for field in expression.to_pyarrow().schema
        ]
    assert pa.Table.from_batches(batches).num_rows == 6
    assert sorted(pa.Table.from_batches(batches)["exchange_id"].to_pylist()) == [f"e{n}" for n in range(6)]


def test_a_function_maps_all_rows_and_may_give_fewer(rows):
    schema = pa.schema({"n": pa.int64()})

    def lengths(batch):
        lists = batch["keys"].drop_null()
        return pa.record_batch([lists.value_lengths().cast(pa.int64())], schema=schema)

    found = map_batches(rows.select("keys", "system_fp"), lengths, schema)
    assert found.schema == schema
    assert sorted(found["n"].to_pylist()) == sorted(
        len(k) for k in BATCH["keys"].to_pylist() if k is not None
    )


def test_a_function_is_given_the_types_of_the_table(rows):
    table = rows.select("exchange_id", "ts", "keys", "system_fp", "cell").mutate(
        small=ibis.literal(1, "int8")
    )
    schema = pa.schema([(name, kind.to_pyarrow()) for name, kind in table.schema().items()])
    found = map_batches(table, lambda batch: batch, schema)
    assert sorted(found.to_pylist(), key=repr) == sorted(table.to_pyarrow().to_pylist(), key=repr)


def test_a_query_may_follow_a_stream(rows):
    for _ in range(2):
        with rows.select("exchange_id").to_pyarrow_batches(chunk_size=1) as reader:
            assert sum(batch.num_rows for batch in reader) == 6
        assert rows.count().to_pyarrow().as_py() == 6


def test_a_query_may_follow_an_abandoned_stream(rows):
    with rows.select("exchange_id").to_pyarrow_batches(chunk_size=1) as reader:
        next(iter(reader))
    assert rows.count().to_pyarrow().as_py() == 6


def test_scalars_and_columns(rows):
    assert rows.count().execute() == 6
    assert rows.system_fp.max().to_pyarrow().as_py() == HIGH
    assert sorted(rows.account_fp.to_pyarrow().to_pylist()) == sorted(BATCH["account_fp"].to_pylist())


def test_union_distinct_and_cases(rows):
    words = rows.select("exchange_id", k=rows.system_fp).union(rows.select("exchange_id", k=rows.account_fp))
    kinds = words.select(kind=ibis.cases((words.k > 0, 1), (words.k < 0, -1), else_=0)).distinct()
    assert result(kinds) == sorted([(1,), (-1,), (0,)], key=repr)


def test_coalesce_and_casts(rows):
    done = rows.select(
        "exchange_id", s=rows.system_fp.fill_null(0), b=rows.logprobs.cast("int64"), c=rows.cell.cast("int64"),
        q=(rows.output_tokens / 4).cast("float64"),
    )  # fmt: skip
    table = done.order_by("exchange_id").to_pyarrow()
    assert table["s"].to_pylist() == [ODD, 0, -ODD, 0, LOW, HIGH]
    assert table["b"].to_pylist() == [1, None, 0, 1, None, 0]
    assert table["c"].to_pylist() == [-1, None, 511, 0, 1, 2]
    assert table["q"].to_pylist() == [2.5, None, 7.5, 10.0, 12.5, 15.0]


def test_lists_have_lengths(rows):
    done = rows.select("exchange_id", n=rows.keys.length())
    assert result(done) == [("e0", 2), ("e1", 1), ("e2", 2), ("e3", None), ("e4", 0), ("e5", 3)]


def test_most_frequent_and_first_by_order(rows):
    named = rows.filter(rows.model.notnull())
    done = named.group_by("account_fp").aggregate(
        first=named.model.argmin(epoch_us(named.ts)), last=named.model.max()
    )
    assert (ODD, "m1", "m1") in result(done)
