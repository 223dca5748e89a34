import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.mark.detection.keyfile import derive_table, read_table, write_table
from stillwatch.mark.keys import MasterKey
from stillwatch.model.errors import InputError

EPOCH = MasterKey(bytes(range(32))).epoch("2026-11")
NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, NAMES | st.just(""), max_size=8))
def test_written_tables_are_read_as_they_were(tmp_path, accounts):
    path = tmp_path / "keys.jsonl"
    path.unlink(missing_ok=True)
    table = derive_table(EPOCH, list(accounts.items()))
    write_table(table, path)
    again = read_table([path])
    assert again.key_ids == table.key_ids
    assert again.names == table.names
    assert again.cohorts == table.cohorts
    assert np.array_equal(again.values, table.values)
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_level_has_its_keys():
    table = derive_table(EPOCH, [("a", "x"), ("b", "x"), ("c", "")])
    assert table.levels == ("global", "cohort", "account", "account", "account")
    assert table.values.tolist() == [
        EPOCH.key("global"),
        EPOCH.key("cohort", "x"),
        *(EPOCH.key("account", one) for one in "abc"),
    ]


def test_a_table_is_not_overwritten_and_not_shared(tmp_path):
    path = tmp_path / "keys.jsonl"
    table = derive_table(EPOCH, [])
    write_table(table, path)
    with pytest.raises(InputError, match="name a new file"):
        write_table(table, path)
    with pytest.raises(InputError, match="stands there twice"):
        read_table([path, path])
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        read_table([path])
    with pytest.raises(InputError, match="cannot be read"):
        read_table([tmp_path / "none"])


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"\xff",
        b"[]",
        b'{"key_id":"k","level":"account","key":"12"}',
        b'{"key_id":"k","level":"boss","key":"0000000000000000"}',
        b'{"key_id":"k","level":"account","key":"zzzzzzzzzzzzzzzz"}',
    ],
)
def test_a_line_that_is_no_key_is_told_without_quoting_it(tmp_path, line):
    path = tmp_path / "keys.jsonl"
    write_table(derive_table(EPOCH, []), path)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match="line 2: this is no key") as caught:
        read_table([path])
    assert "zzzz" not in str(caught.value)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="holds no key"):
        read_table([path])
