"""The whole chain in its smallest form: real teachers and students, and what the tests say of them."""

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab needs PyTorch: pip install 'stillwatch[lab]'")
pytest.importorskip("tokenizers", reason="the lab needs tokenizers: pip install 'stillwatch[lab]'")

from stillwatch.lab import course
from stillwatch.lab.corpus import generate
from stillwatch.lab.examination import query_rows
from stillwatch.lab.experiment import Chain, one_thread
from stillwatch.lab.school import found
from stillwatch.lab.settings import CONDITIONS, RESULT, TINY
from stillwatch.lab.shelf import Shelf
from stillwatch.mark.detection.documents import read_tokens
from stillwatch.mark.detection.keyfile import read_table
from stillwatch.mark.detection.report import Settings as DetectionSettings
from stillwatch.mark.detection.search import detect
from stillwatch.mark.schemes import GumbelMax
from stillwatch.model.errors import InputError

SEED = 1001
NAMES = ("marked", "unmarked", "rewritten-plain", "four-accounts")
BY_ID = {one.id: one for one in CONDITIONS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def chain(folder):
    return course.distill("tiny", SEED, folder, names=NAMES, cache=folder / "networks")


@pytest.fixture(scope="module")
def school(folder, chain):
    one_thread()
    return found(TINY, SEED, Shelf(folder / "networks", f"{TINY}|{SEED}|None"))


def by_id(chain, name):
    return next(one for one in chain.students if one.id == name)


def contrast_of(student, which=0):
    return [test for name, test in student.tests.items() if name.startswith("contrast")][which]


def test_a_student_of_marked_answers_is_found_from_64_answers(chain):
    assert contrast_of(by_id(chain, "marked")).p < 1e-6


def test_controls_show_nothing_and_fresh_keys_are_uniform(chain):
    control = by_id(chain, "unmarked")
    assert control.control
    assert contrast_of(control, 1).p > 1e-3
    assert all(student.uniform_p > 1e-4 for student in chain.students)
    for student in chain.students:
        for test in student.tests.values():
            assert abs(test.decoy_mean) < 0.6
            assert 0.7 < test.decoy_deviation < 1.4


def test_what_was_served_is_preferred_by_whoever_saw_it_alone(chain):
    assert by_id(chain, "unmarked").twins.p_sum < 1e-3
    assert by_id(chain, "rewritten-plain").twins.p_sum < 1e-2  # 504 requests; the benchmark asks 3,072
    stranger = by_id(chain, "marked")
    assert not stranger.twins_seen
    assert stranger.twins.p_sum > 1e-3


def test_tracing_wrongs_nobody(chain):
    assert chain.tracing.accounts == TINY.accounts
    assert chain.tracing.wrongly_named == 0
    assert chain.tracing.innocent_deviation == pytest.approx(1.0, abs=0.15)
    assert np.mean(chain.tracing.ranks) < TINY.accounts / 2


def test_more_answers_teach_more(chain):
    gains = [point.gain for point in chain.gains]
    assert len(gains) == 3
    assert gains[-1] == max(gains)
    assert gains[-1] < 1.0


def test_the_result_is_written_whole(chain, folder):
    written = msgspec.json.decode((folder / RESULT).read_bytes(), type=Chain)
    assert written == chain
    rows = [json.loads(line) for line in (folder / "marked.ndjson").read_bytes().splitlines()]
    assert len(rows) == TINY.few
    assert (folder / "tokenizer.json").stat().st_size > 1000


def test_the_answers_that_are_written_name_the_key_that_is_written(chain, folder):
    table = read_table([folder / "keys.ndjson"])
    answers = read_tokens([folder / "marked.ndjson"]).documents
    report = detect(answers, GumbelMax(2), table, DetectionSettings())
    assert [one.key_id for one in report.named] == ["lab:global"]
    assert int(chain.key, 16) == table.values[0]


def test_lessons_hold_the_stated_shares(school):
    for name in ("share-20", "two-teachers"):
        condition = BY_ID[name]
        marked, rival = school.shares(condition)
        assert marked.mean() == pytest.approx(condition.share, abs=0.01)
        assert rival.mean() == pytest.approx(condition.rival, abs=0.01)
        assert not np.any(marked & rival)
    lessons, marked = school.lessons(BY_ID["share-20"]), school.shares(BY_ID["share-20"])[0]
    assert (lessons.tokens[marked] == school.given("ours").tokens[marked]).all()
    assert (lessons.tokens[~marked] == school.served().tokens[~marked]).all()


def test_one_of_each_pair_of_draws_is_served(school):
    first = school.served_first()
    assert 0.4 < first.mean() < 0.6
    assert (school.served().tokens[first] == school.given("first").tokens[first]).all()
    assert (school.served().tokens[~first] == school.given("second").tokens[~first]).all()


def test_queries_do_not_depend_on_the_key(school):
    other = replace(school, keys=school.keys[::-1].copy(), _given={})
    assert (query_rows(other) == query_rows(school)).all()
    assert len(np.unique(query_rows(school))) == TINY.many


def test_a_corpus_of_ones_own(tmp_path):
    path = tmp_path / "corpus.ndjson"
    documents = generate(4, np.random.default_rng(1))
    lines = [json.dumps({"question": one.prompt, "answer": one.answer}) for one in documents]
    path.write_text("\n".join(lines))
    assert course.read_documents(path) == documents
    with pytest.raises(InputError, match="has 4 documents"):
        course.distill("tiny", 1, tmp_path, corpus=path)
    path.write_text(lines[0] + '\n{"prompt": 3}\n')
    with pytest.raises(InputError, match="line 2"):
        course.read_documents(path)
