import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["twins", "twins_exact", "twins_preference", "twins_score", "twins_power"])
def test_the_examples_run(name):
    found = doctest.testmod(importlib.import_module(f"stillwatch.lineage.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
