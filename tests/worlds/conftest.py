from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stillwatch.app.world_columns import banks
from stillwatch.worlds import TINY, Scenario, World, WorldFiles, build_world, write_world
from stillwatch.worlds.columns import Chunk, play_columns
from stillwatch.worlds.scenario import FixedPrompt, Hydra

if TYPE_CHECKING:
    from stillwatch.worlds.key_pen import Banks

LATER = Scenario("later", campaigns=(FixedPrompt(), Hydra()), scale=0.05)


@pytest.fixture(scope="session")
def tiny_world() -> World:
    return build_world(TINY, seed=11)


@pytest.fixture(scope="session")
def tiny_files(tiny_world: World, tmp_path_factory: pytest.TempPathFactory) -> WorldFiles:
    return write_world(tiny_world, tmp_path_factory.mktemp("litellm"), "litellm")


@pytest.fixture(scope="session")
def canonical_files(tiny_world: World, tmp_path_factory: pytest.TempPathFactory) -> WorldFiles:
    return write_world(tiny_world, tmp_path_factory.mktemp("ndjson"), "ndjson")


@pytest.fixture(scope="session")
def public_data() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public data files are not beside this repository")
    return folder


@pytest.fixture(scope="session")
def written() -> Banks:
    """Examples of all kinds of writing, under the real kernel."""
    return banks()


@pytest.fixture(scope="session")
def later_world() -> World:
    return build_world(LATER, seed=5)


@pytest.fixture(scope="session")
def later_columns(written: Banks) -> Chunk:
    chunks = list(play_columns(LATER, 5, 1.0, written, chunk_rows=10**9))
    assert len(chunks) == 1
    return chunks[0]
