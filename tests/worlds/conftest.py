from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.worlds import TINY, World, WorldFiles, build_world, write_world


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
