"""What the operator has kept: the directory that `--evidence` names.

    prompts.jsonl          {"id": …, "prompt": …}: prompts by request id, source reference or id of an answer
    twins/EPOCH/           sealed epochs of served answers and their twins (tier 1b)
    marks/                 a marked epoch and its key (tier 1a), see `session_marks`
    models.json            what is known about the models that have answers (tiers 0, 2 and 3)
    answers/               their answers, in any layout of docs/lineage.md
    registrations.jsonl    every test that was registered on this material, written by us

Everything but one of `twins`, `marks` and `answers` may be missing: the plan then says which tiers are left
out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.lineage.layouts import read_folder
from stillwatch.lineage.references import ReferenceSet, read_cards
from stillwatch.lineage.session_files import append_durably
from stillwatch.lineage.session_marks import read_marks
from stillwatch.lineage.twins_store import read_epoch
from stillwatch.model.errors import BAD_JSON, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from stillwatch.lineage.answers import Answers
    from stillwatch.lineage.session_marks import MarkMaterial
    from stillwatch.lineage.twins_store import Epoch

PROMPTS, TWINS, MARKS, MODELS, ANSWERS, REGISTRATIONS = (
    "prompts.jsonl",
    "twins",
    "marks",
    "models.json",
    "answers",
    "registrations.jsonl",
)


class _Prompt(msgspec.Struct, frozen=True):
    id: str
    prompt: str


@dataclass(frozen=True)
class Material:
    """What there is to test with; prompts are in no representation."""

    folder: Path
    prompts: Mapping[str, str] = field(repr=False)
    epochs: Sequence[Epoch] = field(repr=False)
    marks: MarkMaterial | None
    answers: Answers | None
    cards: ReferenceSet
    registrations: Sequence[Mapping[str, Any]]


def read_material(folder: Path) -> Material:
    """Read the directory `folder`.

    Raises:
        InputError: It is not there, holds nothing to test with, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise InputError(str(folder), "is no directory", "name the directory of your evidence")
    twins = folder / TWINS
    epochs = [read_epoch(place) for place in sorted(twins.iterdir())] if twins.is_dir() else []
    models, answers, marks = folder / MODELS, folder / ANSWERS, folder / MARKS
    if not epochs and not answers.is_dir() and not marks.is_dir():
        raise InputError(str(folder), "holds no twins, marks or answers", "see docs/evidence.md")
    if answers.is_dir() and not models.is_file():
        raise InputError(str(models), "is missing beside the answers", "write it as docs/lineage.md says")
    return Material(
        folder=folder,
        prompts=_prompts(folder / PROMPTS),
        epochs=epochs,
        marks=read_marks(marks) if marks.is_dir() else None,
        answers=read_folder(answers).answers if answers.is_dir() else None,
        cards=read_cards(models) if models.is_file() else ReferenceSet(()),
        registrations=_registrations(folder / REGISTRATIONS),
    )


def note_registration(folder: Path, entry: Mapping[str, Any]) -> None:
    """Note in the directory that a test was registered, so that later evidence can name it."""
    append_durably(folder / REGISTRATIONS, msgspec.json.encode(entry) + b"\n")


def _prompts(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if not path.is_file():
        return found
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            prompt = msgspec.json.decode(line, type=_Prompt)
        except BAD_JSON:
            raise InputError(
                f"{path}:{number}", "is not a prompt", 'write lines such as {"id": "…", "prompt": "…"}'
            ) from None
        if prompt.id in found:
            raise InputError(f"{path}:{number}", "gives an id again", "keep one line for each id")
        found[prompt.id] = prompt.prompt
    return found


def _registrations(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in path.read_bytes().splitlines()]
    except BAD_JSON:
        raise InputError(str(path), "was damaged", "restore it: it names what was tried before") from None
