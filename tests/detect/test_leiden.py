"""Leiden: a question survives being written and read, and whoever answers says the same."""

import io
import subprocess
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect import leiden
from stillwatch.detect.leiden import Question


@st.composite
def questions(draw):
    nodes = draw(st.integers(1, 40))
    ends = draw(st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=80))
    resolutions = draw(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=3))
    left, right = (array("i", [edge[side] for edge in ends]) for side in (0, 1))
    return Question(nodes, left, right, tuple(resolutions), draw(st.integers(0, 2**63)))


@given(questions())
def test_a_question_is_read_as_it_was_written(question):
    assert Question.read(io.BytesIO(question.write())) == question


@given(questions())
def test_an_answer_is_read_as_it_was_written_and_nothing_else_is(question):
    answer = leiden.partitions(question)
    assert [len(one) for one in answer] == [question.nodes] * len(question.resolutions)
    written = b"".join(one.tobytes() for one in answer)
    assert question.read_answer(written) == answer
    with pytest.raises(ValueError, match="one number"):
        question.read_answer(written[:-4])
    with pytest.raises(ValueError, match="length"):
        question.read_answer(written[:-1])


def two_triangles():
    left, right = zip(*((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)), strict=True)
    return Question(6, array("i", left), array("i", right), (0.5, 0.01), 7)


def test_communities_are_found_at_each_resolution():
    fine, coarse = leiden.partitions(two_triangles())
    assert len(set(fine[:3])) == len(set(fine[3:])) == 1
    assert fine[0] != fine[5]
    assert len(set(coarse)) == 1


def test_the_file_answers_as_a_program_without_anything_of_the_package():
    alone = [sys.executable, "-I", leiden.__file__]
    done = subprocess.run(alone, input=two_triangles().write(), stdout=subprocess.PIPE, check=True)
    assert two_triangles().read_answer(done.stdout) == leiden.partitions(two_triangles())
