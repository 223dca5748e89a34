"""A world as columns: the same world as its logs, the same bytes everywhere, and nothing of the truth in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch.model.views import KIND_MASK, KeyKind
from stillwatch.worlds import Scenario
from stillwatch.worlds.block import TRUTH_SCHEMA
from stillwatch.worlds.columns import Chunk, play_columns
from stillwatch.worlds.scenario import Hydra

SMALL = Scenario("small", days=4, campaigns=(Hydra(accounts=300, templates=9),), scale=0.02)


def digest(chunks) -> str:
    tables = [
        pa.concat_tables([getattr(chunk, name) for chunk in chunks]) for name in Chunk.__struct_fields__
    ]
    found = hashlib.sha256()
    for table in tables:
        for column in table.combine_chunks().columns:
            found.update(repr(column.to_pylist()).encode())
    return found.hexdigest()


@pytest.fixture(scope="module")
def small(written) -> list[Chunk]:
    return list(play_columns(SMALL, 3, 1.0, written))


def test_the_tables_have_their_schemas(later_columns):
    assert later_columns.exchanges.schema.equals(EXCHANGE_SCHEMA)
    assert later_columns.accounts.schema.equals(ACCOUNT_SCHEMA)
    assert later_columns.enforcement.schema.equals(ENFORCEMENT_SCHEMA)
    assert later_columns.truth.schema.equals(TRUTH_SCHEMA)
    later_columns.exchanges.validate(full=True)
    for field in EXCHANGE_SCHEMA:
        assert field.nullable or later_columns.exchanges[field.name].null_count == 0, field.name


def test_it_is_the_world_that_the_text_pen_writes(later_world, later_columns):
    told, ours = later_world.truth.sort_by("exchange_id"), later_columns.truth.sort_by("exchange_id")
    plain = pc.replace_substring_regex(told["exchange_id"], "~.*", "")
    assert plain.to_pylist() == ours["exchange_id"].to_pylist()
    for name in TRUTH_SCHEMA.names[1:]:
        assert told[name].to_pylist() == ours[name].to_pylist(), name
    counts = dict(
        zip(
            later_columns.exchanges["exchange_id"].to_pylist(),
            later_columns.exchanges["turn"].to_pylist(),
            strict=True,
        )
    )
    turns = later_world.exchanges.filter(pc.invert(later_world.exchanges["from_tool"]))
    first = turns.filter(pc.equal(turns["turn"], 0))["exchange_id"].to_pylist()
    assert {counts[name] for name in first} == {1}


def test_exchanges_and_truth_stand_row_by_row(later_columns):
    assert later_columns.exchanges["exchange_id"].equals(later_columns.truth["exchange_id"])
    assert later_columns.exchanges["account_id"].equals(later_columns.truth["account_id"])
    assert len(set(later_columns.exchanges["exchange_id"].to_pylist())) == later_columns.exchanges.num_rows


def test_nothing_of_the_truth_is_in_what_a_detector_reads(later_columns):
    campaigns = {"A", "B", *later_columns.truth["fleet"].unique().drop_null().to_pylist()}
    for table in (later_columns.exchanges, later_columns.accounts, later_columns.enforcement):
        for name in table.column_names:
            if pa.types.is_string(table[name].type):
                assert not campaigns & set(table[name].unique().to_pylist()), name


def test_the_fixed_prompt_is_a_key_that_its_accounts_and_nobody_else_share(later_columns):
    rows = later_columns.exchanges.append_column("campaign", later_columns.truth["campaign"])
    strand = rows.filter(pc.equal(rows["campaign"], "A"))
    sets = [set(keys) for keys in strand["keys"].to_pylist()]
    shared = set.intersection(*sets)
    assert {KeyKind(key & KIND_MASK) for key in shared} & {KeyKind.PREFIX_LONG, KeyKind.SUFFIX}
    others = rows.filter(pc.fill_null(pc.not_equal(rows["campaign"], "A"), fill_value=True))
    assert not shared & set(others["keys"].combine_chunks().flatten().to_pylist())


def test_private_keys_are_hardly_ever_shared_by_strangers(later_columns):
    rows = later_columns.exchanges.append_column("who", later_columns.truth["population"])
    people = rows.filter(pc.equal(rows["who"], "hobbyist"))
    lists = people["keys"].combine_chunks()
    owner = np.repeat(
        people["account_fp"].to_numpy(), pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    )
    pairs = (
        pa.table({"key": lists.flatten(), "owner": owner})
        .group_by("key")
        .aggregate([("owner", "count_distinct")])
    )
    shared = (pairs["owner_count_distinct"].to_numpy() > 1).mean()
    assert 0.0 < shared < 0.2


def test_the_operator_knows_when_accounts_closed(later_columns):
    accounts = later_columns.accounts
    closed = accounts.filter(pc.is_valid(accounts["closed_at"]))
    assert 0 < closed.num_rows < 0.1 * accounts.num_rows
    assert pc.all(pc.greater(closed["closed_at"], closed["created_at"])).as_py()


def test_the_size_of_chunks_changes_nothing(small, written):
    many = list(play_columns(SMALL, 3, 1.0, written, chunk_rows=200))
    assert len(many) > 5 > len(small)
    assert digest(many) == digest(small)


def test_another_seed_is_another_world(small, written):
    assert digest(list(play_columns(SMALL, 4, 1.0, written))) != digest(small)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_columns import SMALL, digest
from stillwatch.app.world_columns import banks
from stillwatch.worlds.columns import play_columns
print(digest(list(play_columns(SMALL, 3, 1.0, banks()))))
"""


@pytest.mark.slow
def test_another_machine_makes_the_same_bytes(small):
    """Another process, hash seed and time zone, and none of the vector instructions that can be forgone."""
    elsewhere = {
        "PYTHONHASHSEED": "99",
        "TZ": "Pacific/Chatham",
        "NUMBA_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
        "ARROW_USER_SIMD_LEVEL": "NONE",
    }
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, os.path.dirname(__file__)]  # noqa: PTH120
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | elsewhere)
    assert done.stdout.strip() == digest(small)
