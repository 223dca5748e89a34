"""The examples in the docstrings of marks run."""

import doctest
import importlib
import pkgutil

import pytest

import stillwatch.mark

MODULES = [
    module.name
    for module in pkgutil.iter_modules(stillwatch.mark.__path__, "stillwatch.mark.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
