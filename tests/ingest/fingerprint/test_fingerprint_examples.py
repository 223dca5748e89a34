"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULE = "stillwatch.ingest.fingerprint."


@pytest.mark.parametrize("name", ["batch", "key", "unicode_table"])
def test_examples(name):
    result = doctest.testmod(importlib.import_module(MODULE + name))
    assert result.attempted
    assert not result.failed
