"""Prompts read again from the operator's own logs, and the words that accounts share in them.

Only on the operator's demand. What is returned by `read_again` is text of customers: it must not be stored,
logged or shown. What `shared_words` makes of it may be shown.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from stillwatch.ingest.reading import locate
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stillwatch.ingest.draft import Draft
    from stillwatch.ingest.options import IngestOptions

GAP = "⟨…⟩"
LEAST_ACCOUNTS = 5
LEAST_SHARE = 0.9
_MOST_WORDS = 1_500
_MOST_SHOWN = 200
_REFERENCES = 3
_REF = re.compile(r"(?P<file>.+?)(?:#(?P<item>[0-9]+))?:(?P<line>[0-9]+)", re.DOTALL)


class Excerpts(msgspec.Struct, frozen=True):
    """What was read again.

    Attributes:
        text: `TEXT_SCHEMA`, one row for each of `refs`.
        refs: References that could be read.
        accounts: The account of each row; where the log names none, the reference stands for it.
        notes: One sentence for each file that could not be read.
    """

    text: pa.Table
    refs: tuple[str, ...]
    accounts: tuple[str, ...]
    notes: tuple[str, ...]


class Place(msgspec.Struct, frozen=True):
    """Where an exchange stands: file, line, and number inside the line (0 where it is alone there)."""

    file: str
    line: int
    item: int


def place_of(ref: str) -> Place:
    """Take a `source_ref` apart: `FILE:LINE` or `FILE#ITEM:LINE`.

    Raises:
        InputError: It is no such reference.
    """
    found = _REF.fullmatch(ref)
    if found is None:
        raise InputError("a reference", "is not FILE:LINE", "take it from campaigns.jsonl")
    file, item = found["file"], found["item"]
    if item is not None and not Path(file).exists() and Path(f"{file}#{item}").exists():
        return Place(f"{file}#{item}", int(found["line"]), 0)
    return Place(file, int(found["line"]), int(item or 0))


def read_again(refs: Iterable[str], formats: Mapping[str, str], options: IngestOptions) -> Excerpts:
    """Read the text of the exchanges at `refs` again; each log is read once, up to the last line needed.

    Args:
        refs: `source_ref` of exchanges.
        formats: Format of each log, as the store has it; a log that is not in it is recognised anew.
        options: Settings; `format` is not used.
    """
    wanted: dict[str, dict[tuple[int, int], str]] = {}
    for ref in dict.fromkeys(refs):
        place = place_of(ref)
        wanted.setdefault(place.file, {})[place.line, place.item] = ref
    rows: list[tuple[pa.Table, str, str]] = []
    notes = []
    for file, places in wanted.items():
        chosen = msgspec.structs.replace(options, format=formats.get(file, options.format))
        try:
            for draft in locate(Path(file), frozenset(line for line, _ in places), chosen):
                rows += _rows(draft, places)
        except InputError as error:
            notes.append(f"No words of prompts from this log: {error}")
    texts = [row for row, _, _ in rows]
    return Excerpts(
        pa.concat_tables(texts) if texts else pa.table({}),
        tuple(ref for _, ref, _ in rows),
        tuple(account for _, _, account in rows),
        tuple(notes),
    )


def _rows(draft: Draft, places: Mapping[tuple[int, int], str]) -> list[tuple[pa.Table, str, str]]:
    accounts = draft.columns.get("account_id", pa.nulls(draft.rows, pa.string())).to_pylist()
    found = []
    for row, place in enumerate(zip(draft.places.lines.tolist(), draft.places.items.tolist(), strict=True)):
        ref = places.get(place)
        if ref is not None and row not in draft.refused:
            found.append((pa.table(draft.text.slice(row, 1)), ref, accounts[row] or ref))
    return found


def shared_words(prompts: Mapping[str, str]) -> str | None:
    """Return the words that nearly all accounts use in the same order, the rest masked by `GAP`.

    Every prompt is aligned with a few of them in turn (Ratcliff and Obershelp's matching blocks, as in
    `difflib`); a word of such a reference is shown if at least `LEAST_SHARE` of the accounts have it in
    their alignment. The reference that shows most is taken. Words are what stands between white space,
    without regard to case; a word with a digit is never shown.

    Args:
        prompts: One prompt for each account.

    Returns:
        The skeleton, in lower case; None for fewer than `LEAST_ACCOUNTS` accounts or nothing in common.
    """
    if len(prompts) < LEAST_ACCOUNTS:
        return None
    texts = [_words(prompts[account]) for account in sorted(prompts)]
    least = ceil(LEAST_SHARE * len(texts))
    uses = Counter(word for text in texts for word in set(text))
    shared = {word for word, count in uses.items() if count >= least and _may_be_shown(word)}
    best: list[int] = []
    reference: list[str] = []
    for candidate in sorted(texts, key=lambda text: sum(word in shared for word in text))[::-1][:_REFERENCES]:
        kept = _common(candidate, texts, shared, least)
        if len(kept) > len(best):
            best, reference = kept, candidate
    return _shown(reference, best) if best else None


def _words(prompt: str) -> list[str]:
    # the end of a prompt often holds its format instruction, so that a long one keeps both ends
    words = prompt.casefold().split()
    half = _MOST_WORDS // 2
    return words if len(words) <= _MOST_WORDS else words[:half] + words[-half:]


def _may_be_shown(word: str) -> bool:
    return word.isprintable() and not any(map(str.isnumeric, word))


def _common(reference: list[str], texts: Sequence[list[str]], shared: set[str], least: int) -> list[int]:
    """Return the positions of `reference` that at least `least` of `texts` have, in order."""
    places = [place for place, word in enumerate(reference) if word in shared]
    words = [reference[place] for place in places]
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(words)
    counts = [0] * len(words)
    for text in texts:
        matcher.set_seq1([word for word in text if word in shared])
        for block in matcher.get_matching_blocks():
            for at in range(block.b, block.b + block.size):
                counts[at] += 1
    return [place for place, count in zip(places, counts, strict=True) if count >= least]


def _shown(reference: list[str], kept: list[int]) -> str:
    shown: list[str] = [] if kept[0] == 0 else [GAP]
    for before, place in zip([kept[0] - 1, *kept], kept[:_MOST_SHOWN], strict=False):
        shown += [GAP] * (place > before + 1) + [reference[place]]
    if len(kept) > _MOST_SHOWN or kept[-1] < len(reference) - 1:
        shown.append(GAP)
    return " ".join(shown)


__all__ = [
    "GAP",
    "LEAST_ACCOUNTS",
    "LEAST_SHARE",
    "Excerpts",
    "Place",
    "place_of",
    "read_again",
    "shared_words",
]
