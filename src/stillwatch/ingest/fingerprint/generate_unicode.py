"""Make `unicode.npz`, the table that folds code points, from a pinned version of Unicode.

Run `python -m stillwatch.ingest.fingerprint.generate_unicode` with `unicodedata2` of the pinned version
installed. The table is data of the format: it never depends on the Python that runs the kernel, and a new
Unicode version is a new version of the fingerprints.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

UNICODE_VERSION = "18.0.0"
CODE_POINTS = 0x110000
BLOCK_BITS = 7
SEPARATOR, LETTER, DIGIT, SINGLE, DROPPED = range(5)
CLASS_SHIFT, SCRIPT_SHIFT, EXPANDS = 21, 24, 1 << 29
FOLD_MASK = (1 << CLASS_SHIFT) - 1

SCRIPTS = [
    "OTHER",
    "LATIN",
    "HAN",
    "KANA",
    "HANGUL",
    "CYRILLIC",
    "UKRAINIAN",
    "GREEK",
    "ARABIC",
    "PERSIAN",
    "URDU",
    "HEBREW",
    "DEVANAGARI",
    "BENGALI",
    "TAMIL",
    "TELUGU",
    "THAI",
    "ARMENIAN",
    "GEORGIAN",
    "GUJARATI",
    "GURMUKHI",
    "KANNADA",
    "MALAYALAM",
    "SINHALA",
    "LAO",
    "KHMER",
    "MYANMAR",
    "ETHIOPIC",
]
"""Scripts that are told apart; three are letters that mark a language within its script."""

_NAMES = {
    "CJK UNIFIED IDEOGRAPH": "HAN",
    "CJK COMPATIBILITY IDEOGRAPH": "HAN",
    "IDEOGRAPHIC": "HAN",
    "HIRAGANA": "KANA",
    "KATAKANA": "KANA",
}
_MARKERS = {"іїєґ": "UKRAINIAN", "پچژگ": "PERSIAN", "ٹڈڑںے": "URDU"}
_SINGLE_NAMES = (
    *_NAMES, "THAI ", "LAO ", "KHMER ", "MYANMAR ", "NEW TAI LUE ", "TAI THAM ", "TANGUT ", "KHITAN ",
    "NUSHU ",
)  # fmt: skip
_FILLERS = (
    frozenset({0x115F, 0x1160, 0x3164, 0xFFA0, 0x2065})
    | set(range(0xFFF0, 0xFFF9))
    | set(range(0xE0000, 0xE1000))
)
_HANGUL = range(0xAC00, 0xD7A4)


@cache
def _database() -> Any:
    database = importlib.import_module("unicodedata2")
    if database.unidata_version != UNICODE_VERSION:
        raise SystemExit(f"unicodedata2 has Unicode {database.unidata_version}, the format {UNICODE_VERSION}")
    return database


def _ignored(code_point: int) -> bool:
    category = _database().category(chr(code_point))
    return code_point in _FILLERS or category[0] == "M" or category == "Cf"


def _fold(code_point: int) -> str:
    """Return the case-folded compatibility decomposition, repeated until it is stable."""
    if code_point in _HANGUL:
        return chr(code_point)
    text, before = chr(code_point), ""
    while text != before:
        before = text
        text = "".join(
            c
            if ord(c) in _HANGUL
            else _database().normalize("NFKD", _database().normalize("NFKD", c).casefold())
            for c in text
        )
    return text


def _digit(character: str) -> str:
    value = _database().digit(character, None)
    return character if value is None else str(value)


def folded(code_point: int) -> str:
    """Return what stands for one code point: nothing, one code point or several."""
    if 0xD800 <= code_point < 0xE000:
        return " "
    if _ignored(code_point):
        return ""
    return "".join(_digit(c) for c in _fold(code_point) if not _ignored(ord(c)))


def class_of(character: str) -> int:
    """Return the class of a folded character."""
    category = _database().category(character)
    if "0" <= character <= "9":
        return DIGIT
    if category[0] != "L" and category != "Nl":
        return SEPARATOR
    return SINGLE if _database().name(character, "").startswith(_SINGLE_NAMES) else LETTER


def script_of(code_point: int) -> int:
    """Return the index into `SCRIPTS` of one code point."""
    character = chr(code_point)
    for letters, script in _MARKERS.items():
        if character.lower() in letters:
            return SCRIPTS.index(script)
    shown = folded(code_point)[-1:] or character
    name = _database().name(shown, "")
    for start, script in _NAMES.items():
        if name.startswith(start):
            return SCRIPTS.index(script)
    first = name.split(" ")[0]
    return SCRIPTS.index(first) if first in SCRIPTS and class_of(shown) in (LETTER, SINGLE) else 0


def _entries() -> Iterator[tuple[int, str]]:
    for code_point in range(CODE_POINTS):
        text = folded(code_point)
        script = script_of(code_point) << SCRIPT_SHIFT
        if not text:
            yield (DROPPED << CLASS_SHIFT), ""
        elif len(text) == 1 and class_of(text) == SEPARATOR:
            yield 0, ""
        elif len(text) == 1:
            distance = (ord(text) - code_point) & FOLD_MASK
            yield distance | (class_of(text) << CLASS_SHIFT) | script, ""
        else:
            yield EXPANDS | script, text


def build() -> dict[str, Any]:
    """Return the three arrays of the table (see `docs/fingerprints.md`, section 2)."""
    entries = np.zeros(CODE_POINTS, np.uint32)
    expansions: list[int] = []
    known: dict[str, int] = {}
    for code_point, (entry, text) in enumerate(_entries()):
        if text and text not in known:
            known[text] = len(expansions)
            expansions += [len(text), *map(ord, text)]
        entries[code_point] = entry | (known[text] if text else 0)
    blocks, index = np.unique(entries.reshape(-1, 1 << BLOCK_BITS), axis=0, return_inverse=True)
    return {
        "index": index.astype(np.uint16),
        "blocks": blocks.reshape(-1),
        "expansions": np.array(expansions, np.uint32),
    }


def main() -> None:
    """Write the table beside this module."""
    np.savez_compressed(Path(__file__).with_name("unicode.npz"), **build())


if __name__ == "__main__":
    main()
