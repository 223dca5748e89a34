"""Large graphs are partitioned in processes of their own, so that threads of this one can work meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from stillwatch.detect import leiden

if TYPE_CHECKING:
    from array import array

_LEAST_EDGES = 200_000
"""Below it a partition takes less time than a process takes to start."""


def partitions(question: leiden.Question, least_edges: int = _LEAST_EDGES) -> list[array[int]]:
    """Partition a graph as `leiden.partitions` does, a large one in a process of its own.

    The process is a fresh interpreter that is given a file of ours to run: it shares nothing with this one
    and does not import the caller's main module. Where there is no second core, or where it cannot be started
    or fails, the graph is partitioned here.

    Args:
        question: The graph.
        least_edges: Smallest number of edges that is worth a process.
    """
    # a frozen program is its own interpreter, and would start all over again
    able = bool(sys.executable) and not getattr(sys, "frozen", False) and (os.cpu_count() or 1) > 1
    if not able or len(question.left) < least_edges:
        return leiden.partitions(question)
    # -P: modules that lie beside that file must not hide others of the same name
    command = [sys.executable, "-P", str(leiden.__file__)]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, with a file of this package
            command, input=question.write(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        return question.read_answer(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return leiden.partitions(question)
