"""The same world in every log format: what ingest makes of them is the same, too."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.app.config import Settings
from stillwatch.app.pipeline import ingest
from stillwatch.app.world_columns import world_key
from stillwatch.model.errors import InputError
from stillwatch.model.progress import Silent
from stillwatch.store import open_store
from stillwatch.worlds import Scenario, build_world, write_world
from stillwatch.worlds.write import LOG_FORMATS

WITH_TEXT = tuple(name for name in LOG_FORMATS if name != "envoy")
FEW = (("agent_launch", 1), ("explaining_product", 1), ("university_class", 1))
SAME = (
    "keys",
    "system_fp",
    "item_fp",
    "turn",
    "cell",
    "language",
    "elicitation",
    "model",
    "ip",
)


@pytest.fixture(scope="module")
def read_back(tmp_path_factory):
    world = build_world(Scenario("formats", days=2, scale=0.02, fleet_numbers=FEW), 5)
    tables = {}
    for name in LOG_FORMATS:
        folder = tmp_path_factory.mktemp(name)
        files = write_world(world, folder, name)
        world_key().save(folder / "key")
        settings = Settings(store=folder / "store", key_file=folder / "key", threads=1)
        report = ingest(list(files.logs), settings, datetime(2026, 11, 1, tzinfo=UTC), Silent())
        assert {each.format for each in report.files} == {name}
        with open_store(folder / "store") as store:
            rows = store.exchanges().to_pyarrow()
        # every format keeps the first sixteen digits of an exchange's id
        rows = rows.append_column("place", pc.utf8_slice_codeunits(rows["exchange_id"], 0, 16)).sort_by(
            "place"
        )
        tables[name] = rows, pq.read_table(files.truth)
    return tables


@pytest.mark.parametrize("name", LOG_FORMATS)
def test_the_truth_knows_every_exchange_by_the_name_that_ingest_gives(read_back, name):
    rows, truth = read_back[name]
    assert set(rows["exchange_id"].to_pylist()) == set(truth["exchange_id"].to_pylist())
    assert rows.num_rows == truth.num_rows


@pytest.mark.parametrize("name", [name for name in WITH_TEXT if name != "ndjson"])
def test_fingerprints_do_not_depend_on_the_format(read_back, name):
    rows, usual = read_back[name][0], read_back["ndjson"][0]
    for column in SAME:
        assert rows[column].to_pylist() == usual[column].to_pylist(), column


def test_an_access_log_has_no_text(read_back):
    rows, _ = read_back["envoy"]
    assert rows["keys"].null_count == rows.num_rows
    assert rows["output_tokens"].to_pylist() == read_back["ndjson"][0]["output_tokens"].to_pylist()


def test_an_unknown_format_is_told(tmp_path, tiny_world):
    with pytest.raises(InputError, match="use one of litellm"):
        write_world(tiny_world, tmp_path, "syslog")
