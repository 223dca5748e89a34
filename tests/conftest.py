"""What holds for every test: how hard hypothesis tries, where compiled code lies, one JVM at a time."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "ci",
    deadline=None,  # the first example may compile
    derandomize=True,  # the same examples on every machine: a run that fails here fails for everybody
    max_examples=30,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "thorough", hypothesis.settings.get_profile("ci"), derandomize=False, max_examples=1000
)
hypothesis.settings.load_profile("ci")  # another one with `pytest --hypothesis-profile=thorough`

# Two processes that compile one function for different types would overwrite each other's part of numba's
# cache, so every worker has its own; numba reads this when it is imported, children inherit it.
_CACHES = Path(__file__).resolve().parent.parent / ".numba_cache"
os.environ.setdefault("NUMBA_CACHE_DIR", str(_CACHES / os.environ.get("PYTEST_XDIST_WORKER", "alone")))

# Spark's queries are short here: optimising them, or collecting garbage in parallel, takes longer than running.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


# Tests that share fixtures of many seconds, which would otherwise be made in every worker.
_TOGETHER = ("app/test_pipeline.py", "benchmarks/test_speed_detect.py", "cli/test_runs.py", "worlds/")
_NO_JAVA = not (os.environ.get("JAVA_HOME") or shutil.which("java"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all tests of Spark to one worker, so that one JVM is started, and others by what they share.

    PySpark 4.0, the newest that Ibis allows, leaves its sockets to the garbage collector.
    """
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).as_posix()
        shared = next((prefix for prefix in _TOGETHER if place.startswith(prefix)), None)
        if shared is not None:
            item.add_marker(pytest.mark.xdist_group(shared))
        if item.get_closest_marker("spark"):
            item.add_marker(pytest.mark.xdist_group("spark"))
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
            item.add_marker(pytest.mark.skipif(_NO_JAVA, reason="Spark needs Java 17 or newer"))
