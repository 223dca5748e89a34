import doctest
import importlib
import inspect
import pkgutil

import pytest

import stillwatch.stats

MODULES = [module.name for module in pkgutil.iter_modules(stillwatch.stats.__path__, "stillwatch.stats.")]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_has_an_example_that_runs(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
    for title, member in inspect.getmembers(module, inspect.isfunction):
        if member.__module__ == name and not title.startswith("_"):
            assert ">>>" in inspect.getdoc(member), f"{title} has no example"
