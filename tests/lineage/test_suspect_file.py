import pytest

from stillwatch.lineage.suspect import Budget, Query, Spent
from stillwatch.lineage.suspect_file import FileSuspect
from stillwatch.model.errors import InputError


def ask(path, *queries):
    return FileSuspect(path).ask(queries, Budget(10, 10), Spent())


def test_answers_are_found_by_the_id_of_the_query(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"id":"a","text":"yes"}\n\n{"id":"b","log_prob":-2.5}\n')
    a, b, c, d = ask(
        path,
        Query(id="a", kind="sample", prompt=""),
        Query(id="b", kind="log_prob", prompt=""),
        Query(id="c", kind="sample", prompt=""),
        Query(id="b", kind="sample", prompt=""),
    )
    assert (a.text, b.log_prob) == ("yes", -2.5)
    assert c.failed
    assert d.failed


def test_bad_lines_are_counted_and_lose_nothing_else(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"id":"a","text":"yes"}\n{broken\n{"id":"a","text":"no"}\n\xff\xfe\n')
    suspect = FileSuspect(path)
    assert [each.line for each in suspect.rejected] == [2, 3, 4]
    assert suspect.ask([Query(id="a", kind="sample", prompt="")], Budget(1, 1), Spent())[0].text == "yes"
    assert "broken" not in str(suspect.rejected)


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\n\n"])
def test_a_file_without_answers_is_refused(tmp_path, content):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no answer"):
        FileSuspect(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        FileSuspect(tmp_path / "nothing")
