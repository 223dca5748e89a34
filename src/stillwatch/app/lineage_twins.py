"""The keeping of twins from the command line: open an epoch and add what was drawn."""

from __future__ import annotations

import secrets
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING

import msgspec

from stillwatch.lineage.twins import SEED_BYTES, TwinDesign, TwinItem, TwinSeed, make_item
from stillwatch.lineage.twins_store import Opening, append_items, open_epoch, read_epoch
from stillwatch.model.errors import BAD_JSON, InputError

if TYPE_CHECKING:
    from pathlib import Path


class _Drawn(msgspec.Struct, frozen=True):
    """A line of drawn answers."""

    request_id: str
    account_id: str
    answers: tuple[str, ...]
    served_at: datetime
    temperature: float
    log_probs: tuple[float, ...] | None = None
    source_ref: str = ""
    prompt: str | None = None


def begin_epoch(directory: Path, design: TwinDesign, now: datetime) -> Opening:
    """Open an epoch of twins under a fresh secret; see `twins_store.open_epoch`.

    Raises:
        InputError: There is one already, or the directory cannot be written.
    """
    return open_epoch(directory, directory.name, design, secrets.token_bytes(SEED_BYTES), now)


def add_items(directory: Path, lines: Path, now: datetime) -> int:
    """Add drawn answers from a file of JSON lines to an epoch, and return how many.

    A request that the seed does not sample is refused: which requests get twins was not ours to choose.

    Raises:
        InputError: A line is not of the form, a request was not sampled, or an answer was not served between
            the opening of the epoch and `now`; nothing is added then.
    """
    epoch = read_epoch(directory)
    try:
        content = lines.read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise InputError(str(lines), reason, "name a file of drawn answers") from None
    items = [
        _item(epoch.seed, epoch.opening.design, line, f"{lines}:{number}")
        for number, line in enumerate(content.splitlines(), 1)
    ]
    append_items(directory, items, now)
    return len(items)


def _item(seed: TwinSeed, design: TwinDesign, line: bytes, where: str) -> TwinItem:
    try:
        drawn = msgspec.json.decode(line, type=_Drawn)
    except BAD_JSON:
        raise InputError(
            where, "is not a line of drawn answers", "see docs/evidence.md for its fields"
        ) from None
    if not seed.sampled(drawn.request_id, design):
        raise InputError(where, "was not sampled by the seed", "draw twins only where the seed says so")
    return make_item(
        seed,
        design,
        request_id=drawn.request_id,
        account_id=drawn.account_id,
        answers=drawn.answers,
        served_at=drawn.served_at,
        temperature=drawn.temperature,
        log_probs=drawn.log_probs,
        source_ref=drawn.source_ref,
        prompt=drawn.prompt,
    )
