"""Leiden, asked in a form that a process of its own can answer.

igraph holds the interpreter's lock for as long as it works. So this file can be run as a program, by its
path: it reads one question from standard input and writes the answer to standard output. It imports igraph
and nothing of this package, and starts in a fifth of a second. Who starts processes is not for detection to
say (`stillwatch.app.aside`); the answer is the same wherever it is found.
"""

from __future__ import annotations

import json
import random
import sys
from array import array
from collections.abc import Callable
from threading import Lock
from typing import BinaryIO, NamedTuple

import igraph

_ITERATIONS = 3
_NUMBER = "i"
_ONE_AT_A_TIME = Lock()


class Question(NamedTuple):
    """A graph that is to be partitioned.

    Attributes:
        nodes: Number of nodes.
        left: One end of each edge, of type "i".
        right: The other end.
        resolutions: CPM resolutions, each a question of its own.
        seed: Seed of the random order; each partition starts from it anew.
    """

    nodes: int
    left: array[int]
    right: array[int]
    resolutions: tuple[float, ...]
    seed: int

    def write(self) -> bytes:
        """Return the question as a line of JSON and the two ends of all edges."""
        asked = {"nodes": self.nodes, "resolutions": self.resolutions, "seed": self.seed}
        return b"".join([json.dumps(asked).encode(), b"\n", self.left.tobytes(), self.right.tobytes()])

    @staticmethod
    def read(stream: BinaryIO) -> Question:
        """Read what `write` gave."""
        asked = json.loads(stream.readline())
        ends = array(_NUMBER, stream.read())
        half = len(ends) // 2
        return Question(asked["nodes"], ends[:half], ends[half:], tuple(asked["resolutions"]), asked["seed"])

    def read_answer(self, written: bytes) -> list[array[int]]:
        """Read what the program wrote.

        Raises:
            ValueError: It is not the answer to this question.
        """
        flat = array(_NUMBER, written)
        if len(flat) != self.nodes * len(self.resolutions):
            raise ValueError("the answer has not one number for each node")
        return [flat[at * self.nodes : (at + 1) * self.nodes] for at in range(len(self.resolutions))]


Partitioner = Callable[[Question], "list[array[int]]"]
"""Returns for each resolution the number of the community of each node."""


def partitions(question: Question) -> list[array[int]]:
    """Partition the graph in this process."""
    # igraph reads pairs of numbers many times faster than an array of them
    edges = zip(question.left, question.right, strict=True)
    graph = igraph.Graph(n=question.nodes, edges=edges)
    return [_partition(graph, resolution, question.seed) for resolution in question.resolutions]


def _partition(graph: igraph.Graph, resolution: float, seed: int) -> array[int]:
    with _ONE_AT_A_TIME:  # igraph has one source of randomness for all threads
        igraph.set_random_number_generator(random.Random(seed))
        parts = graph.community_leiden(
            objective_function="CPM", resolution=resolution, n_iterations=_ITERATIONS
        )
    return array(_NUMBER, parts.membership)


def main() -> None:
    """Answer the question on standard input."""
    for membership in partitions(Question.read(sys.stdin.buffer)):
        sys.stdout.buffer.write(membership.tobytes())


if __name__ == "__main__":
    main()
