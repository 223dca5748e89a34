import doctest
import importlib
import pkgutil

import pytest

import stillwatch.mark.detection as package

MODULES = [one.name for one in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
