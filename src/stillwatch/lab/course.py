"""One run from names and paths: what the command calls. Imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from stillwatch.lab import smol
from stillwatch.lab.corpus import Document
from stillwatch.lab.examination import query_rows
from stillwatch.lab.experiment import Chain, one_thread, run
from stillwatch.lab.school import School, found
from stillwatch.lab.settings import RESULT, SETTINGS
from stillwatch.lab.shelf import Shelf
from stillwatch.mark.detection.keyfile import KeyTable, write_table
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stillwatch.mark.keys import Level
    from stillwatch.model.progress import Progress

_OTHERS = 100
"""Keys of accounts beside the key of the run in `keys.ndjson`."""


def distill(
    setting: str,
    seed: int,
    out: Path,
    *,
    names: Sequence[str] | None = None,
    corpus: Path | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Chain:
    """Run the experiment `setting` and write its result, the tokenizer and the served answers into `out`.

    Args:
        setting: A name in `SETTINGS`, or `full`.
        seed: All randomness follows from it.
        out: Folder for the results.
        names: Conditions to train; all that the setting allows if not given.
        corpus: NDJSON with prompt and answer a line; generated documents if not given.
        cache: Folder for trained networks.
        progress: Told of each training step.

    Raises:
        InputError: The corpus cannot be read or is too small.
    """
    one_thread()
    documents = None if corpus is None else read_documents(corpus)
    if setting == "full":
        school = smol.found(seed, documents)
        names = smol.CONDITIONS if names is None else [name for name in names if name in smol.CONDITIONS]
        label = f"{smol.FULL}|{seed}"
    else:
        label = f"{SETTINGS[setting]}|{seed}|{corpus}"
        school = found(SETTINGS[setting], seed, Shelf(cache, label), documents, progress)
    chain = run(school, Shelf(cache, label), names, progress)
    write(school, chain, out)
    return chain


def read_documents(path: Path) -> list[Document]:
    """Read prompts and answers, one JSON object a line.

    Raises:
        InputError: A line is no object with `prompt` (or `question`) and `answer`.
    """
    found_here = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            record: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
            prompt, answer = record.get("prompt", record.get("question")), record["answer"]
            found_here.append(Document(msgspec.convert(prompt, str), msgspec.convert(answer, str)))
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError):
            raise InputError(
                f"{path}, line {number}", "is no document", "give objects with the texts prompt and answer"
            ) from None
    return found_here


def write(school: School, chain: Chain, out: Path) -> None:
    """Write `lab.json`, the tokenizer, marked answers of the queried prompts as token rows, and their key.

    The key stands in its table among those of a hundred accounts whose answers were not marked.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULT).write_bytes(msgspec.json.format(msgspec.json.encode(chain), indent=1) + b"\n")
    school.tokenizer.save(str(out / "tokenizer.json"))
    served = school.given("ours")
    rows = [
        served.tokens[row, served.starts[row] :].tolist() for row in query_rows(school)[: school.setting.few]
    ]
    (out / "marked.ndjson").write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows) + b"\n")
    (out / "keys.ndjson").unlink(missing_ok=True)
    write_table(_key_table(school), out / "keys.ndjson")


def _key_table(school: School) -> KeyTable:
    others = school.keys[2 : 2 + _OTHERS]
    names = [f"account-{number}" for number in range(len(others))]
    account: Level = "account"
    return KeyTable(
        ("lab:global", *(f"lab:{name}" for name in names)),
        ("global", *[account] * len(names)),
        ("", *names),
        ("",) * (1 + len(names)),
        np.concatenate([school.keys[:1], others]),
    )
