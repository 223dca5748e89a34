"""Reads answers from the layouts in which public sets, benchmarks and our own sessions keep them.

| layout | shape |
|---|---|
| `alpaca_eval` | a JSON array of `instruction` (its hash is the prompt id), `output`, `generator` |
| `arena_hard` | lines of `uid` or `question_id`, `messages` with the answer at the end, `model` |
| `turns` | lines of `question_id`, `choices` of `turns`, `model_id` (MT-Bench, older Arena-Hard) |
| `compact` | lines of `i` (prompt) and `o` (answer) |
| `plain` | lines of `prompt_id` or `question_id`, `text`, and `model` or `model_id` |

The layout is told row by row from the fields; gzip and zstd are told by content. A row that cannot be read is
a `Rejected` and not an exception. Further answers of a model to the same prompt become runs 1, 2 and so on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from blake3 import blake3

from stillwatch.ingest.sources import find_files, open_stream
from stillwatch.lineage.answers import Answers
from stillwatch.model.errors import InputError, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_ENDINGS = (".zst", ".gz", ".jsonl", ".ndjson", ".json")
_WHOLE_FILE_NAMES = frozenset({"model_outputs", "answers", "outputs"})
_REMEDY = "see docs/lineage.md for the layouts that can be read"


class Reading(NamedTuple):
    """What was read."""

    answers: Answers
    """All answers that could be read."""
    rejected: tuple[Rejected, ...]
    """Rows that could not, in order."""


class _Said(NamedTuple):
    prompt_id: str
    text: str


class _RowError(ValueError):
    """A row cannot be read; the text says why without quoting it."""


def read_answers(path: Path, model: str | None = None) -> Reading:
    """Read the answers in one file.

    Args:
        path: JSON array or JSON lines, plain, gzip or zstd.
        model: Name for the model; by default the rows say it, else the name of the file (of the folder, for
            AlpacaEval's `model_outputs.json`).

    Raises:
        InputError: The file cannot be opened or holds no answer that can be read.
    """
    collected = _Collected()
    _read_into(collected, path, model, taken=frozenset())
    return collected.reading(str(path))


def read_folder(folder: Path) -> Reading:
    """Read all `.json` and `.jsonl` files under `folder`, packed or not; a file is one model or more.

    A model name that comes up in a second file gets `#2` behind it, so that nothing is lost and copies can be
    told by `references_copies`. `models.json` is left out: it describes the models.

    Raises:
        InputError: There is no such file, one cannot be opened, or none holds an answer.
    """
    collected = _Collected()
    for path in find_files([folder]):
        if _bare(path) != path.name and _bare(path) != "models":
            _read_into(collected, path, None, taken=frozenset(collected.models))
    return collected.reading(str(folder))


class _Collected:
    """Columns that grow while files are read, and the rows that could not be read."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.models: list[str] = []
        self.runs: list[int] = []
        self.texts: list[str] = []
        self.rejected: list[Rejected] = []
        self._cells: Counter[tuple[str, str]] = Counter()

    def add(self, model: str, said: _Said) -> None:
        cell = (model, said.prompt_id)
        self.prompts.append(said.prompt_id)
        self.models.append(model)
        self.texts.append(said.text)
        self.runs.append(self._cells[cell])
        self._cells[cell] += 1

    def reading(self, where: str) -> Reading:
        if not self.texts:
            first = f"; the first row: {self.rejected[0].reason}" if self.rejected else ""
            raise InputError(where, f"no answer could be read{first}", _REMEDY)
        answers = Answers.of(self.prompts, self.models, self.texts, self.runs)
        return Reading(answers, tuple(self.rejected))


def _read_into(collected: _Collected, path: Path, model: str | None, *, taken: frozenset[str]) -> None:
    fallback, before, refused = _name_of(path), len(collected.texts), len(collected.rejected)
    for number, row in _rows(path):
        try:
            fields = _decoded(row)
            name = model or _model_of(fields) or fallback
            said = list(_said(fields))
        except _RowError as error:
            collected.rejected.append(Rejected(str(path), number, str(error), _REMEDY))
            continue
        shown = _free(name, taken)
        for one in said:
            collected.add(shown, one)
    if len(collected.texts) == before and len(collected.rejected) > refused + 1:
        collected.rejected[refused:] = [Rejected(str(path), 0, "no row holds an answer", _REMEDY)]


def _free(name: str, taken: frozenset[str]) -> str:
    number, shown = 1, name
    while shown in taken:
        number += 1
        shown = f"{name}#{number}"
    return shown


def _bare(path: Path) -> str:
    name = path.name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _name_of(path: Path) -> str:
    bare = _bare(path)
    return path.resolve().parent.name if bare in _WHOLE_FILE_NAMES else bare


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and bytes of each line, or of each item where the file is one JSON array."""
    content = _content(path)
    if content.lstrip()[:1] == b"[":
        try:
            items = msgspec.json.decode(content, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InputError(str(path), "the JSON array is damaged or cut off", _REMEDY) from None
        yield from ((number, bytes(item)) for number, item in enumerate(items, 1))
    else:
        for number, line in enumerate(content.split(b"\n"), 1):
            if line.strip():
                yield number, line


def _content(path: Path) -> bytes:
    blocks, buffer = [], bytearray(1 << 20)
    with open_stream(path) as stream, memoryview(buffer) as view:
        while size := stream.readinto(view):
            blocks.append(bytes(view[:size]))
    return b"".join(blocks).removeprefix(b"\xef\xbb\xbf")


def _decoded(row: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _RowError("this is not JSON") from None
    if not isinstance(value, dict):
        raise _RowError("this is not a JSON object")
    return value


def _model_of(row: Mapping[str, Any]) -> str:
    for field in ("generator", "model_id", "model"):
        value = row.get(field)
        if isinstance(value, str) and value:
            return value
    return ""


def _said(row: Mapping[str, Any]) -> Iterable[_Said]:
    for sign, read in _LAYOUTS:
        if sign in row:
            return read(row)
    raise _RowError("none of the known layouts has these fields")


def _alpaca_eval(row: Mapping[str, Any]) -> Iterable[_Said]:
    prompt = blake3(_text(row, "instruction").encode("utf-8", "surrogatepass")).hexdigest(8)
    return [_Said(prompt, _text(row, "output"))]


def _arena_hard(row: Mapping[str, Any]) -> Iterable[_Said]:
    messages = row["messages"]
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    if isinstance(content, dict):
        content = content.get("answer")
    if not isinstance(content, str):
        raise _RowError("field messages does not end with an answer")
    return [_Said(_id(row), content)]


def _turns(row: Mapping[str, Any]) -> Iterable[_Said]:
    choices, prompt = row["choices"], _id(row)
    if not isinstance(choices, list) or not choices:
        raise _RowError("field choices is not a list with an answer in it")
    return [said for choice in choices for said in _turns_of(choice, prompt)]


def _turns_of(choice: object, prompt: str) -> list[_Said]:
    turns = choice.get("turns") if isinstance(choice, dict) else None
    if not isinstance(turns, list) or not turns:
        raise _RowError("a choice has no turns")
    texts = [turn.get("content") if isinstance(turn, dict) else turn for turn in turns]
    if not all(isinstance(text, str) for text in texts):
        raise _RowError("a turn is not text")
    names = [prompt] if len(texts) == 1 else [f"{prompt}/{turn}" for turn in range(1, len(texts) + 1)]
    return [_Said(name, str(text)) for name, text in zip(names, texts, strict=True)]


def _compact(row: Mapping[str, Any]) -> Iterable[_Said]:
    return [_Said(_scalar(row, "i"), _text(row, "o"))]


def _plain(row: Mapping[str, Any]) -> Iterable[_Said]:
    return [_Said(_id(row), _text(row, "text"))]


_LAYOUTS: tuple[tuple[str, Callable[[Mapping[str, Any]], Iterable[_Said]]], ...] = (
    ("output", _alpaca_eval),
    ("messages", _arena_hard),
    ("choices", _turns),
    ("o", _compact),
    ("text", _plain),
)
"""The field that tells each layout, and its reader."""


def _id(row: Mapping[str, Any]) -> str:
    for field in ("uid", "question_id", "prompt_id"):
        if field in row:
            return _scalar(row, field)
    raise _RowError("there is no field uid, question_id or prompt_id")


def _scalar(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise _RowError(f"field {field} is not a number or a name")
    return str(value)


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise _RowError(f"field {field} is not text")
    return value
