import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model.columns import EXCHANGE_SCHEMA
from stillwatch.store.parts import PartWriter, Shape, conform, without_rows


def test_absent_columns_become_null(tools):
    batch = conform(tools.batch(["1", "2"]))
    assert batch.schema == EXCHANGE_SCHEMA
    assert batch["keys"].null_count == 2


def test_dictionaries_are_made_plain(tools):
    batch = tools.batch(["1"], model=["m"])
    at = batch.schema.get_field_index("model")
    encoded = batch.set_column(at, "model", batch["model"].dictionary_encode())
    assert conform(encoded)["model"].type == pa.string()


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("prompt", ["secret"], "does not know: prompt"),
        ("max_tokens", ["secret"], "max_tokens: string does not fit int64"),
        ("account_id", pa.array([None], pa.string()), "account_id: a required value is missing"),
    ],
)
def test_what_does_not_fit_is_refused_without_quoting_it(tools, name, column, message):
    batch = tools.batch(["1"])
    at = batch.schema.get_field_index(name)
    changed = batch.append_column(name, column) if at < 0 else batch.set_column(at, name, column)
    with pytest.raises(ValueError, match=message) as caught:
        conform(changed)
    assert "secret" not in str(caught.value)


def test_a_missing_required_column_is_refused(tools):
    batch = tools.batch(["1"]).drop_columns(["account_fp"])
    with pytest.raises(ValueError, match="account_fp: a required value is missing"):
        conform(batch)


@given(
    sizes=st.lists(st.integers(0, 40), max_size=8),
    group=st.integers(1, 30),
    groups=st.integers(1, 4),
    buffer=st.integers(1, 5000),
)
def test_rows_keep_their_order_and_parts_their_bounds(
    tmp_path_factory, tools, *, sizes, group, groups, buffer
):
    directory = tmp_path_factory.mktemp("parts")
    shape = Shape(group_rows=group, part_rows=group * groups, buffer_bytes=buffer)
    writer = PartWriter(directory, shape)
    ids = [f"{batch}-{row}" for batch, size in enumerate(sizes) for row in range(size)]
    for batch, size in enumerate(sizes):
        names = [f"{batch}-{row}" for row in range(size)]
        writer.write(tools.batch(names, keys=[None if row % 3 else [row] for row in range(size)]))
    parts = writer.close()
    tables = [pq.read_table(directory / part.name) for part in parts]
    assert [name for table in tables for name in table["exchange_id"].to_pylist()] == ids
    assert [part.name for part in parts] == sorted(path.name for path in directory.iterdir())
    for part, table in zip(parts, tables, strict=True):
        metadata = pq.read_metadata(directory / part.name)
        assert all(metadata.row_group(n).num_rows <= group for n in range(metadata.num_row_groups))
        assert part.rows == table.num_rows > 0
        assert part.size == (directory / part.name).stat().st_size
        assert part.filled == {
            name: count for name in table.column_names if (count := table.num_rows - table[name].null_count)
        }
        times = table["ts"].cast(pa.int64())
        assert (part.first_us, part.last_us) == (pc.min(times).as_py(), pc.max(times).as_py())
    assert all(part.rows < shape.part_rows + max(sizes) + group for part in parts)


@given(rows=st.integers(1, 50), group=st.integers(1, 20), data=st.data())
def test_dropping_rows(tmp_path_factory, tools, rows, group, data):
    directory = tmp_path_factory.mktemp("parts")
    shape = Shape(group_rows=group)
    writer = PartWriter(directory, shape)
    writer.write(tools.batch([str(row) for row in range(rows)]))
    [part] = writer.close()
    dropped = data.draw(st.sets(st.integers(0, rows - 1)))
    left = without_rows(directory / part.name, pa.array(sorted(dropped), pa.int64()), shape)
    kept = [str(row) for row in range(rows) if row not in dropped]
    if left is None:
        assert not kept
        assert list(directory.iterdir()) == []
    else:
        assert pq.read_table(directory / left.name)["exchange_id"].to_pylist() == kept
        assert (left.name, left.rows) == (part.name, len(kept))
        assert left.size == (directory / left.name).stat().st_size


def test_hashes_that_never_repeat_have_no_dictionary(tmp_path, tools):
    writer = PartWriter(tmp_path, Shape())
    ids = [str(row) for row in range(10)]
    writer.write(
        tools.batch(
            ids, keys=[[1]] * 10, item_fp=[1] * 10, prefix_fp=[1] * 10, system_fp=[1] * 10, model=["m"] * 10
        )
    )
    [part] = writer.close()
    group = pq.read_metadata(tmp_path / part.name).row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    dictionary = {name for name, column in columns.items() if column.has_dictionary_page}
    assert {"system_fp", "account_fp", "model", "account_id"} <= dictionary
    assert not {"keys.list.element", "item_fp", "prefix_fp", "exchange_id", "source_ref"} & dictionary
    assert {column.compression for column in columns.values()} == {"LZ4"}


def test_absurd_times_are_kept(tmp_path, tools):
    writer = PartWriter(tmp_path, Shape())
    batch = tools.batch(["1", "2"])
    times = pa.array([-(2**62), 2**62], pa.int64()).cast(pa.timestamp("us", "UTC"))
    writer.write(batch.set_column(1, batch.schema.field("ts"), times))
    [part] = writer.close()
    assert (part.first_us, part.last_us) == (-(2**62), 2**62)
