import os
import subprocess
import sys

import pytest

from stillwatch.store import StoreWriter

OPEN = """
import sys, tempfile
from stillwatch.model.errors import StoreError
from stillwatch.store import open_store
try:
    open_store(sys.argv[1], "spark")
except StoreError as error:
    print(error)
"""


@pytest.mark.spark
def test_spark_without_java_is_a_clear_sentence(tmp_path):
    StoreWriter(tmp_path / "store").close()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = os.environ | {"JAVA_HOME": str(tmp_path / "nowhere"), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", OPEN, str(tmp_path / "store")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Spark did not start: install Java 17 or newer")
    assert "Traceback" not in done.stderr
    assert not list(temporary.glob("stillwatch-spark-*"))
    assert list((tmp_path / "store" / "tmp").iterdir()) == []
