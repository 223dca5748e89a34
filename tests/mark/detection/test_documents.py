import sys
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.mark.detection.documents import cut_texts, load_tokenizer, read_texts, read_tokens
from stillwatch.model.errors import InputError, MissingExtra


class Every:
    """A tokenizer that cuts every `size` characters."""

    def __init__(self, size):
        self.size = size

    def encode_batch(self, texts, *, add_special_tokens):
        assert not add_special_tokens
        return [self.encode(one) for one in texts]

    def encode(self, text):
        offsets = [(i, min(i + self.size, len(text))) for i in range(0, len(text), self.size)]
        return SimpleNamespace(ids=[hash(text[a:b]) % 1000 for a, b in offsets], offsets=offsets)


def test_a_mark_before_the_first_byte_and_line_ends_of_windows_do_no_harm(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf[1, 2]\r\n[3]\r\n")
    assert [one.tolist() for one in read_tokens([tmp_path / "a.jsonl"]).documents] == [[1, 2], [3]]


def test_tokens_that_are_nested_too_deeply_are_told(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"tokens": [1], "more": ' + "[" * 100_000)
    for read in (read_tokens, read_texts):
        with pytest.raises(InputError, match="line 1"):
            read([tmp_path / "a.jsonl"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 2**32 - 17), max_size=20), max_size=6))
def test_token_ids_are_read_as_they_were(tmp_path, documents):
    path = tmp_path / "ids.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in documents))
    cut = read_tokens([path])
    assert [one.tolist() for one in cut.documents] == documents
    assert len(cut.names) == len(documents)


@pytest.mark.parametrize(
    "line", ["{}", "[1, 2.5]", "[-1]", "[99999999999999999999999]", "[4294967290]", "secret words", "\udcff"]
)
def test_a_line_without_token_ids_is_told_without_quoting_it(tmp_path, line):
    path = tmp_path / "ids.jsonl"
    path.write_bytes(b"[1]\n\n" + line.encode(errors="surrogateescape") + b"\n")
    with pytest.raises(InputError, match="line 3") as caught:
        read_tokens([path])
    assert "secret" not in str(caught.value)


def test_probabilities_come_with_all_documents_or_not_at_all(tmp_path):
    path = tmp_path / "ids.jsonl"
    with_them = '{"tokens": [1, 2], "probabilities": [0.5, 1.0]}\n'
    path.write_text(with_them * 2)
    assert [one.tolist() for one in read_tokens([path]).probabilities] == [[0.5, 1.0]] * 2
    path.write_text(with_them + "[3]\n")
    cut = read_tokens([path])
    assert [one.tolist() for one in cut.documents] == [[1, 2], [3]]
    assert cut.probabilities == ()
    for bad in ("[0.5]", "[0.5, 1.5]"):
        path.write_text('{"tokens": [1, 2], "probabilities": %s}\n' % bad)  # noqa: UP031 - braces
        with pytest.raises(InputError, match="do not fit its tokens"):
            read_tokens([path])


def test_texts_are_lines_or_whole_files(tmp_path):
    lines, whole = tmp_path / "a.jsonl", tmp_path / "b.txt"
    lines.write_text('{"text": "one", "id": 3}\n\n{"text": "two"}\n')
    whole.write_text("three\nfour\n")
    texts, names = read_texts([lines, whole])
    assert texts == ["one", "two", "three\nfour\n"]
    assert names == [f"{lines}, line 1", f"{lines}, line 3", str(whole)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"txt": "secret"}', 'no field "text"'),
        ("a.txt", b"\xff\xfe", "not UTF-8"),
        ("a.jsonl", b"\xff", "text"),
    ],
)
def test_bad_texts_are_told_without_quoting_them(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_texts([tmp_path / name])
    assert "secret" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    for read in (read_tokens, read_texts):
        with pytest.raises(InputError, match="cannot be read"):
            read([tmp_path / "none.txt"])


def test_the_marking_tokenizer_decides_and_the_other_is_compared():
    cut = cut_texts(["abcdefghijkl", ""], ["x", "y"], Every(2), Every(4), width=1)
    assert [one.size for one in cut.documents] == [6, 0]
    assert cut.alignment.tokens == 6
    assert cut.alignment.shared == 0.0
    same = cut_texts(["abcdefghijkl"], ["x"], Every(2), Every(2), width=1)
    assert same.alignment.whole == 1.0
    assert np.array_equal(same.documents[0], cut.documents[0])
    assert cut_texts(["abc"], ["x"], Every(2)).alignment is None


def test_without_the_package_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"stillwatch\[tokenizers\]"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_file_that_is_no_tokenizer_is_told(tmp_path):
    pytest.importorskip("tokenizers", reason="needs stillwatch[tokenizers]")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="no tokenizer file"):
        load_tokenizer(tmp_path / "tokenizer.json")
