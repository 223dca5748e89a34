import contextlib
import gzip
import json
import tempfile
from pathlib import Path

import pytest
import zstandard
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.layouts import read_answers, read_folder
from stillwatch.model.errors import InputError

texts = st.text(st.characters(codec="utf-8"), max_size=30)
answered = st.dictionaries(st.text("abcdef0123", min_size=1, max_size=6), texts, min_size=1, max_size=8)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "outputs"


def alpaca_eval(table):
    rows = [{"instruction": p, "output": t, "generator": "m", "dataset": "d"} for p, t in table.items()]
    return json.dumps(rows), {blake3(p.encode()).hexdigest(8): t for p, t in table.items()}


def arena_old(table):
    rows = [
        {"question_id": p, "model_id": "m", "choices": [{"index": 0, "turns": [{"content": t}]}]}
        for p, t in table.items()
    ]
    return lines(rows), table


def arena_new(table):
    asked = {"role": "user", "content": "?"}
    rows = [
        {"uid": p, "model": "m", "messages": [asked, {"role": "assistant", "content": {"answer": t}}]}
        for p, t in table.items()
    ]
    return lines(rows), table


def mt_bench(table):
    rows = [
        {"question_id": p, "model_id": "m", "choices": [{"index": 0, "turns": [t, "second"]}]}
        for p, t in table.items()
    ]
    return lines(rows), {f"{p}/1": t for p, t in table.items()} | {f"{p}/2": "second" for p in table}


def compact(table):
    return lines([{"i": p, "o": t} for p, t in table.items()]), table


def plain(table):
    return lines([{"prompt_id": p, "model": "m", "text": t} for p, t in table.items()]), table


LAYOUTS = [alpaca_eval, arena_old, arena_new, mt_bench, compact, plain]
PACKINGS = [lambda b: b, gzip.compress, zstandard.compress]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def read(content, name="m.jsonl", **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_answers(path, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(answered, st.sampled_from(PACKINGS))
def test_every_layout_reads_back(layout, table, pack):
    content, expected = layout(table)
    reading = read(pack(content.encode()))
    assert reading.rejected == ()
    assert reading.answers.models == ("m",)
    rows = reading.answers.table.to_pylist()
    assert {row["prompt_id"]: row["text"] for row in rows} == expected


@pytest.mark.parametrize("layout", [x for x in LAYOUTS if x is not alpaca_eval])
@given(answered, st.lists(st.sampled_from(["{", "[]", "3", '{"a": 1}', '{"i": null, "o": "x"}', "\x00"])))
def test_bad_lines_lose_nothing_else_and_are_not_quoted(layout, table, broken):
    content, expected = layout(table)
    reading = read((content + "".join(line + "\n" for line in broken)).encode())
    assert {row["prompt_id"]: row["text"] for row in reading.answers.table.to_pylist()} == expected
    assert len(reading.rejected) == len(broken)
    assert all("null" not in one.reason for one in reading.rejected)


@given(st.binary(max_size=60))
def test_anything_else_is_one_clear_error(content):
    with contextlib.suppress(InputError):
        assert read(content).answers.table.num_rows > 0


def test_an_unpaired_surrogate_costs_its_row_only():
    bad = '{"i": 1, "o": "\\ud800"}\n{"i": 2, "o": "fine"}\n'
    reading = read(bad.encode())
    assert reading.answers.prompts == ("2",)
    assert len(reading.rejected) == 1


def test_repeated_answers_become_runs():
    rows = [{"prompt_id": "q", "text": t} for t in "abc"]
    reading = read(lines(rows).encode())
    assert [(r["run"], r["text"]) for r in reading.answers.table.to_pylist()] == [
        (0, "a"),
        (1, "b"),
        (2, "c"),
    ]
    choices = [{"question_id": 7, "model_id": "m", "choices": [{"turns": ["a"]}, {"turns": ["b"]}]}]
    assert read(lines(choices).encode()).answers.table.num_rows == 2


def test_names_come_from_the_rows_else_from_the_file_else_from_whom_asks(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model_outputs.json").write_text('[{"instruction": "q", "output": "a"}]')
    (tmp_path / "two.jsonl").write_text('{"i": 1, "o": "a"}\n')
    (tmp_path / "three.jsonl").write_text('{"question_id": 1, "text": "a", "model_id": "two"}\n')
    (tmp_path / "models.json").write_text("[]")
    (tmp_path / "notes.txt").write_text("nothing to read")
    reading = read_folder(tmp_path)
    assert reading.answers.models == ("sub", "two", "two#2")
    assert read_answers(tmp_path / "three.jsonl", "other").answers.models == ("other",)


def test_a_file_without_answers_is_told_once(tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"p": "q"}\n' * 5)
    (tmp_path / "m.jsonl").write_text('{"i": 1, "o": "a"}\n')
    assert len(read_folder(tmp_path).rejected) == 1
    with pytest.raises(InputError, match="no answer could be read"):
        read_answers(tmp_path / "prompts.jsonl")
    with pytest.raises(InputError):
        read_folder(tmp_path / "absent")


@pytest.mark.parametrize(
    "row",
    [
        '{"messages": [], "uid": 1}',
        '{"messages": [{"content": 3}], "uid": 1}',
        '{"messages": [{"content": "x"}]}',
        '{"choices": [], "question_id": 1}',
        '{"choices": [{"turns": [3]}], "question_id": 1}',
        '{"choices": [{}], "question_id": 1}',
        '{"output": "x"}',
        '{"text": "x", "prompt_id": true}',
        '{"text": "x", "prompt_id": ""}',
    ],
)
def test_each_broken_shape_is_rejected_with_a_reason(row):
    reading = read((row + '\n{"i": 1, "o": "a"}\n').encode())
    assert len(reading.rejected) == 1
    assert reading.rejected[0].line == 1
    assert reading.rejected[0].reason


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data/outputs is not here")
def test_the_public_files_at_hand_read_whole():
    for path in sorted(SHARED.glob("alpaca_eval_*-7b.jsonl.zst")):
        reading = read_answers(path)
        assert (len(reading.answers.prompts), reading.rejected) == (805, ())
