"""Documents to be tested: token ids as they are, or text that is cut by the marking tokenizer.

Text is read, cut and dropped; nothing of it is kept in a report or quoted in an error.
"""

from __future__ import annotations

import importlib
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from stillwatch.mark.detection.alignment import Alignment, aligned_positions, shared_tokens
from stillwatch.model.errors import BAD_JSON, InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LINES = (".jsonl", ".ndjson")


class Tokenizer(Protocol):
    """What is asked of a tokenizer: the interface of the `tokenizers` package."""

    def encode_batch(self, input: list[str], *, add_special_tokens: bool) -> list[Any]:  # noqa: A002
        """Cut texts; each result has `ids` and `offsets`."""

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        """Put tokens together."""


@dataclass(frozen=True)
class Cut:
    """Documents in tokens of the marking tokenizer.

    Attributes:
        documents: Token ids, shape (length,) each.
        names: File (and line) of each document.
        alignment: How the marking tokenizer's cuts compare with those of another one, if one was given.
        tokenizer: SHA-256 of the tokenizer file in hex; empty where token ids were given.
        probabilities: Probability that our model gives each token, shape (length,) each; empty unless every
            document came with them.
    """

    documents: tuple[NDArray[np.int64], ...]
    names: tuple[str, ...]
    alignment: Alignment | None = None
    tokenizer: str = ""
    probabilities: tuple[NDArray[np.float64], ...] = ()


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a tokenizer from its JSON file (the format of the `tokenizers` package).

    Raises:
        MissingExtra: The package is not installed.
        InputError: The file cannot be read as a tokenizer.
    """
    try:
        tokenizers = importlib.import_module("tokenizers")  # an optional part
    except ImportError:
        raise MissingExtra("Reading text with a tokenizer file", "tokenizers") from None
    try:
        loaded: Tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception:  # noqa: BLE001 - the package raises nothing more special
        raise InputError(str(path), "is no tokenizer file", "give the model's tokenizer.json") from None
    return loaded


def read_tokens(paths: Sequence[Path]) -> Cut:
    """Read documents as token ids: one JSON list a line, or one object with `tokens` and `probabilities`.

    Raises:
        InputError: A file cannot be read, or a line is no list of token ids.
    """
    documents, names, probabilities = [], [], []
    decoder = msgspec.json.Decoder(list[int] | _TokenLine)
    for path in paths:
        for number, raw in enumerate(_content(path).splitlines(), start=1):
            where = f"{path}, line {number}"
            if not raw.strip():
                continue
            try:
                line = decoder.decode(raw)
                ids = line.tokens if isinstance(line, _TokenLine) else line
                documents.append(np.array(ids, dtype=np.int64))
            except (*BAD_JSON, OverflowError):
                raise InputError(
                    where, "is no list of token ids", "write one JSON list a line, or give --tokenizer"
                ) from None
            if ids and not 0 <= min(ids) <= max(ids) < 2**32 - 16:
                raise InputError(
                    where, "holds a number that is no token id", "write ids from 0 to 2**32 - 17"
                )
            if isinstance(line, _TokenLine) and line.probabilities is not None:
                probabilities.append(_checked_probabilities(line.probabilities, len(ids), where))
            names.append(where)
    complete = len(probabilities) == len(documents)
    return Cut(tuple(documents), tuple(names), probabilities=tuple(probabilities) if complete else ())


def read_texts(paths: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Read documents as text: one object with `text` a line in `.jsonl` and `.ndjson`, else one a file.

    Returns:
        Texts, and file (and line) of each.

    Raises:
        InputError: A file cannot be read or is not UTF-8, or a line holds no text.
    """
    texts, names = [], []
    decoder = msgspec.json.Decoder(_TextLine)
    for path in paths:
        content = _content(path)
        try:
            if path.suffix not in LINES:
                texts.append(content.decode())
                names.append(str(path))
                continue
            for number, raw in enumerate(content.splitlines(), start=1):
                if raw.strip():
                    texts.append(decoder.decode(raw).text)
                    names.append(f"{path}, line {number}")
        except UnicodeDecodeError:
            raise InputError(str(path), "is not UTF-8 text", "convert it first") from None
        except BAD_JSON:
            raise InputError(
                f"{path}, line {number}", 'holds no field "text"', 'write {"text": "..."} on every line'
            ) from None
    return texts, names


def cut_texts(
    texts: Sequence[str],
    names: Sequence[str],
    marking: Tokenizer,
    other: Tokenizer | None = None,
    width: int = 4,
) -> Cut:
    """Cut texts with the marking tokenizer, and say how `other` would have cut them.

    Args:
        texts: The documents.
        names: Their names.
        marking: The tokenizer of the model that marks.
        other: The tokenizer of the model that may have written the text, if it is known and differs.
        width: Context width of the scheme, for the share of whole contexts.
    """
    ours = marking.encode_batch(list(texts), add_special_tokens=False)
    documents = tuple(np.array(one.ids, dtype=np.int64) for one in ours)
    if other is None:
        return Cut(documents, tuple(names))
    theirs = other.encode_batch(list(texts), add_special_tokens=False)
    pairs = [(a.offsets, b.offsets) for a, b in zip(ours, theirs, strict=True) if a.ids]
    none = [np.zeros(0, dtype=np.bool_)]
    shared = np.concatenate(none + [shared_tokens(a, b) for a, b in pairs])
    whole = np.concatenate(none + [aligned_positions(a, b, width) for a, b in pairs])
    count = max(shared.size, 1)
    return Cut(
        documents,
        tuple(names),
        Alignment(shared.size, float(shared.sum()) / count, float(whole.sum()) / count),
    )


class _TokenLine(msgspec.Struct):
    tokens: list[int]
    probabilities: list[float] | None = None


def _checked_probabilities(values: list[float], count: int, where: str) -> NDArray[np.float64]:
    result = np.array(values, dtype=np.float64)
    if result.size != count or not np.all((result >= 0.0) & (result <= 1.0)):
        raise InputError(where, "has probabilities that do not fit its tokens", "give one inside [0, 1] each")
    return result


class _TextLine(msgspec.Struct):
    text: str


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise InputError(
            str(path), f"cannot be read ({error.strerror})", "name a file with the text or its token ids"
        ) from None
