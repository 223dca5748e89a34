import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA
from stillwatch.model.errors import StoreError
from stillwatch.store import StoreWriter, layout, open_store

maybe = st.none() | st.sampled_from(["x", "y"])
account = st.fixed_dictionaries(
    {"account_id": st.sampled_from("abc"), "account_fp": st.just(7), "plan": maybe, "country": maybe,
     "verified": st.none() | st.lists(st.sampled_from(["email", "phone"]), max_size=2)}
)  # fmt: skip


def as_table(rows, schema):
    return pa.Table.from_pylist(rows, schema=pa.schema([schema.field(name) for name in rows[0]]))


def last_values(rows, key):
    merged = {}
    for row in rows:
        known = merged.setdefault(tuple(row[name] for name in key), {})
        known.update({name: value for name, value in row.items() if value is not None})
    return merged


@settings(max_examples=8, deadline=None)
@given(
    given_tables=st.lists(st.lists(account, min_size=1, max_size=5), min_size=1, max_size=3),
    again=st.booleans(),
)
def test_the_last_value_given_stays(tmp_path_factory, given_tables, again):
    root = tmp_path_factory.mktemp("store")
    given_tables += given_tables[-1:] if again else []
    with StoreWriter(root) as writer:
        for rows in given_tables:
            writer.put_accounts(as_table(rows, ACCOUNT_SCHEMA))
    with open_store(root) as store:
        table = store.accounts().to_pyarrow()
        shares = store.side_coverage()["account"]
    expected = last_values([row for rows in given_tables for row in rows], ["account_id"])
    stored = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
    assert sorted(stored, key=lambda row: row["account_id"]) == [expected[key] for key in sorted(expected)]
    rows = table.num_rows
    assert shares == {name: (rows - table[name].null_count) / rows for name in table.column_names}


def test_enforcement_is_merged_by_account_time_and_kind(tmp_path, tools):
    def action(account_id, kind, reason):
        return {"account_id": account_id, "account_fp": 1, "ts": tools.start, "kind": kind, "reason": reason}

    with StoreWriter(tmp_path) as writer:
        writer.put_enforcement(
            as_table([action("a", "ban", "x"), action("a", "appeal", None)], ENFORCEMENT_SCHEMA)
        )
        writer.put_enforcement(
            as_table([action("a", "ban", None), action("b", "ban", "y")], ENFORCEMENT_SCHEMA)
        )
    with open_store(tmp_path) as store:
        rows = store.enforcement().to_pyarrow().to_pylist()
    assert sorted((row["account_id"], row["kind"], row["reason"]) for row in rows) == [
        ("a", "appeal", None),
        ("a", "ban", "x"),
        ("b", "ban", "y"),
    ]


def test_no_side_tables(tmp_path):
    StoreWriter(tmp_path).close()
    with open_store(tmp_path) as store:
        assert store.side_coverage() == {"account": {}, "enforcement": {}}
        assert store.accounts().to_pyarrow().num_rows == 0
        assert store.enforcement().to_pyarrow().num_rows == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"account_id": ["a"], "account_fp": [1], "iban": ["secret"]}, "does not know: iban"),
        ({"account_id": ["a"], "account_fp": ["secret"]}, "account_fp: string does not fit int64"),
        ({"account_id": ["a"]}, "account_fp: a required value is missing"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(tmp_path, columns, message):
    with StoreWriter(tmp_path) as writer:
        writer.put_accounts(pa.table({"account_id": ["a"], "account_fp": [1], "plan": ["pro"]}))
        with pytest.raises(ValueError, match=message) as caught:
            writer.put_accounts(pa.table(columns))
    assert "secret" not in str(caught.value)
    with open_store(tmp_path) as store:
        assert store.accounts().to_pyarrow().select(["account_id", "plan"]).to_pylist() == [
            {"account_id": "a", "plan": "pro"}
        ]


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing else", None])
def test_a_damaged_side_table_is_a_clear_sentence(tmp_path, content):
    with StoreWriter(tmp_path) as writer:
        writer.put_accounts(pa.table({"account_id": ["a"], "account_fp": [1]}))
    path = layout.side_file(tmp_path, "account")
    path.write_bytes(path.read_bytes()[:100] if content is None else content)
    with pytest.raises(StoreError, match="damaged; remove this file"):
        open_store(tmp_path)


def test_a_crash_leaves_the_old_table_or_the_new_one(tmp_path, tools):
    old, new = ({"account_id": ["a"], "account_fp": [1], "plan": [plan]} for plan in ("old", "new"))
    outcomes = set()
    for at in range(4):
        for after in (False, True):
            root = tmp_path / f"{at}{after}"
            with StoreWriter(root) as writer:
                writer.put_accounts(pa.table(old))
            disk = tools.FailingDisk(at, after=after, error=tools.Crash(), dead=True)
            writer = StoreWriter(root, disk=disk)
            try:
                writer.put_accounts(pa.table(new))
            except tools.Crash:
                pass
            finally:
                writer.close()
            with open_store(root) as store:
                [row] = store.accounts().to_pyarrow().to_pylist()
            outcomes.add(row["plan"])
            StoreWriter(root).close()
            assert list((root / "staging").iterdir()) == []
    assert outcomes == {"old", "new"}
