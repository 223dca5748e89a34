from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from stillwatch.app.pipeline import KEY_CHECK, KEY_FILE
from stillwatch.app.worlds import COLUMNS, FORMATS, find_scenario, run_world, score_world
from stillwatch.cli.worlds import WORLD_FORMATS
from stillwatch.model.columns import EXCHANGE_SCHEMA
from stillwatch.model.errors import InputError
from stillwatch.store import open_store
from stillwatch.worlds import Scenario
from stillwatch.worlds.scenario import FixedPrompt

SMALL = Scenario("small", days=9, campaigns=(FixedPrompt(accounts=400),), scale=0.02)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("columns")
    return out, run_world(SMALL, 2, 1.0, COLUMNS, out)


def test_a_store_is_filled_and_knows_its_key(made):
    out, result = made
    assert result.store == out / "store"
    assert not result.logs
    with open_store(result.store) as store:
        rows = store.exchanges().to_pyarrow()
        assert store.accounts().count().execute() > 0
    assert rows.num_rows == result.exchanges == pq.read_metadata(out / "truth.parquet").num_rows
    assert set(rows.column_names) >= set(EXCHANGE_SCHEMA.names)
    assert len(rows["account_id"].unique()) == result.accounts
    assert (result.store / KEY_FILE).exists()
    assert (result.store / KEY_CHECK).exists()


def test_a_store_is_never_written_over(made):
    with pytest.raises(InputError, match="exists already"):
        run_world(SMALL, 2, 1.0, COLUMNS, made[0])


def test_another_detectors_table_is_scored(made, tmp_path):
    out, _ = made
    truth = pq.read_table(out / "truth.parquet")
    guilty = truth.filter(truth["campaign"].is_valid())["account_id"].unique().to_pylist()
    table = tmp_path / "found.csv"
    table.write_text(
        "account_id,group,score\n" + "".join(f"{name},g,0.9\n" for name in guilty) + "nobody,h,0.1\n"
    )
    score = score_world(out, table, least_score=0.5)
    assert score.found_share == 1.0
    assert score.honest_named == 0


def test_an_own_scenario_is_found_by_its_path(tmp_path):
    (tmp_path / "own.toml").write_text('id = "own"\ndays = 2\n')
    assert find_scenario("own.toml", tmp_path) == Scenario("own", days=2)
    with pytest.raises(InputError, match=r"own2\.json"):
        find_scenario("own2.json", tmp_path)


def test_the_command_offers_every_format():
    assert WORLD_FORMATS == FORMATS
