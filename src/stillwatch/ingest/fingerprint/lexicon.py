"""Phrases and frequent words, compiled for look-up by the public word hash during the pass."""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from stillwatch.ingest.fingerprint.intrinsics import mum, pointer
from stillwatch.ingest.fingerprint.phrases import PHRASES, REASONING_TAGS, STOP_WORDS
from stillwatch.ingest.fingerprint.tokens import COUNT, OTHERS, PUBLIC_0, PUBLIC_1, Scratch
from stillwatch.ingest.fingerprint.unicode_table import LETTER, SINGLE, UnicodeTable, folded, unicode_table
from stillwatch.model.views import Elicitation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SLOTS = 1 << 14
_SLOT_MASK = np.uint64(SLOTS - 1)
_SLOT_SHIFT = np.uint64(8)
ALONE, FIRST = 0x40, 0x80
PAIRS = 1 << 13
_PAIR_MASK = np.uint64(PAIRS - 1)
_PAIR_SHIFT_0, _PAIR_SHIFT_1 = np.uint64(22), np.uint64(36)
VOTERS = 128
"""Words at the start of a prompt that vote for its language."""
_EDGE_0 = np.uint64(0xA4093822299F31D0)
_EDGE_1 = np.uint64(0x082EFA98EC4E6C89)
_TOP_BIT = np.uint64(0xFFFFFFFFFFFFFFFE)
ROOT, TAGS = 0, 1
_WORD = 0xFFFFFFFFFFFFFFFF

LATIN_LANGUAGES = tuple(STOP_WORDS)
_SCRIPT_LANGUAGES = [
    "und",
    "und",
    "zh",
    "ja",
    "ko",
    "ru",
    "uk",
    "el",
    "ar",
    "fa",
    "ur",
    "he",
    "hi",
    "bn",
    "ta",
    "te",
    "th",
    "hy",
    "ka",
    "gu",
    "pa",
    "kn",
    "ml",
    "si",
    "lo",
    "km",
    "my",
    "am",
]
LANGUAGES = (*_SCRIPT_LANGUAGES, *LATIN_LANGUAGES)
"""BCP-47 codes; the first 28 belong to the scripts of the Unicode table, the others to frequent words."""
UNDETERMINED = 0
_HAN, _KANA, _CYRILLIC, _UKRAINIAN, _ARABIC, _PERSIAN, _URDU = 2, 3, 5, 6, 8, 9, 10


class Lexicon(NamedTuple):
    """Look-up tables.

    Attributes:
        first: By 14 bits of a public hash: the language the word votes for (0 for none) in the three lowest
            bits, and whether it may be a phrase alone (64) or the first word of a phrase (128);
            shape (16384,).
        edge_key: Open-addressed table of the edges of the phrase trie; 0 is free.
        edge_next: Node that an edge leads to.
        bits: `Elicitation` bits of the phrases that end at a node.
        edge_mask: Size of the table of edges less one.
        pairs: By 13 bits of two public hashes: whether a phrase may begin with these two words;
            shape (8192,).
    """

    first: NDArray[np.uint8]
    edge_key: NDArray[np.uint64]
    edge_next: NDArray[np.int32]
    bits: NDArray[np.int32]
    edge_mask: np.uint64
    pairs: NDArray[np.uint8]


class Reading(NamedTuple):
    """What was read off one prompt.

    Attributes:
        votes: Votes for languages in lanes of 8 bits; shape (1,).
        bits: `Elicitation` bits; shape (1,).
        hits: Places where a phrase may begin, of one filling.
        flags: Entry of `Lexicon.first` for each word of one filling.
    """

    votes: NDArray[np.uint64]
    bits: NDArray[np.int64]
    hits: NDArray[np.int64]
    flags: NDArray[np.uint8]


def new_reading(size: int) -> Reading:
    """Allocate the working memory of one thread for fillings of `size` words."""
    return Reading(
        np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(size, np.int64), np.zeros(size + 1, np.uint8)
    )


@njit(nogil=True)
def bare_lexicon(x: Lexicon) -> Lexicon:
    """Return the tables as bare pointers."""
    edges = pointer(x.edge_key), pointer(x.edge_next)
    return Lexicon(pointer(x.first), edges[0], edges[1], pointer(x.bits), x.edge_mask, pointer(x.pairs))


@njit(nogil=True)
def bare_reading(r: Reading) -> Reading:
    """Return the working memory as bare pointers."""
    return Reading(pointer(r.votes), pointer(r.bits), pointer(r.hits), pointer(r.flags))


@njit(nogil=True, forceinline=True)
def clear(r: Reading) -> None:
    """Forget the prompt before."""
    r.votes[0] = np.uint64(0)
    r.bits[0] = 0


@njit(nogil=True, forceinline=True)
def read(r: Reading, s: Scratch, lexicon: Lexicon, start: int, stop: int) -> None:
    """Find the phrases that begin at words `start` to `stop`."""
    publics, hits, flags, found = s.publics, r.hits, r.flags, 0
    count, table, pairs = s.at[COUNT], lexicon.first, lexicon.pairs
    for i in range(start, count):
        flags[i] = table[(publics[i] >> _SLOT_SHIFT) & _SLOT_MASK]
    publics[count] = np.uint64(0)
    for i in range(start, min(stop, count)):
        hits[found] = i
        pair = pairs[((publics[i] >> _PAIR_SHIFT_0) ^ (publics[i + 1] >> _PAIR_SHIFT_1)) & _PAIR_MASK]
        found += np.int64((flags[i] >> 7) & ((flags[i] >> 6) | pair) & 1)
    for i in range(found):
        r.bits[0] |= _walk(s, lexicon, hits[i])


@njit(nogil=True, forceinline=True)
def vote(r: Reading, words: int) -> None:
    """Let the first words vote for a language, after `read`."""
    votes = np.uint64(0)
    for i in range(min(words, VOTERS)):
        votes += np.uint64(1) << np.uint64(8 * (r.flags[i] & 7))
    r.votes[0] = votes


@njit(nogil=True)
def _walk(s: Scratch, lexicon: Lexicon, at: int) -> int:
    node, bits = ROOT, 0
    while at < s.at[COUNT]:
        node = step(lexicon, node, s.publics[at])
        if node < 0:
            break
        bits |= np.int64(lexicon.bits[node])
        at += 1
    return bits


@njit(nogil=True)
def step(lexicon: Lexicon, node: int, public: np.uint64) -> int:
    """Follow the edge for the word `public` from `node`; -1 where there is none."""
    key = mum((public & _TOP_BIT) ^ _EDGE_0, np.uint64(node) ^ _EDGE_1)
    mask = lexicon.edge_mask
    slot = key & mask
    while lexicon.edge_key[slot] != 0:
        if lexicon.edge_key[slot] == key:
            return np.int64(lexicon.edge_next[slot])
        slot = (slot + np.uint64(1)) & mask
    return -1


@njit(nogil=True, forceinline=True)
def language(r: Reading, s: Scratch, words: int) -> int:
    """Guess the language of a prompt of `words` words, as an index into `LANGUAGES`."""
    if s.at[OTHERS] > 0 and 3 * s.at[OTHERS] >= words:
        return _of_script(s.scripts, _most_frequent(s.scripts))
    return _of_votes(r.votes[0], min(words, VOTERS))


@njit(nogil=True)
def _most_frequent(scripts: NDArray[np.int64]) -> int:
    best = 2
    for script in range(3, 28):
        marker = script in (_UKRAINIAN, _PERSIAN, _URDU)
        if scripts[script] > scripts[best] and not marker:
            best = script
    return best


@njit(nogil=True)
def _of_script(scripts: NDArray[np.int64], best: int) -> int:
    if best in (_HAN, _KANA):
        return _KANA if 8 * scripts[_KANA] >= scripts[_HAN] else _HAN
    if best == _CYRILLIC:
        return _UKRAINIAN if 10 * scripts[_UKRAINIAN] >= scripts[best] else _CYRILLIC
    if best == _ARABIC and 5 * scripts[_URDU] >= scripts[best]:
        return _URDU
    if best == _ARABIC and 20 * scripts[_PERSIAN] >= scripts[best]:
        return _PERSIAN
    return best


@njit(nogil=True, forceinline=True)
def _of_votes(votes: np.uint64, voters: int) -> int:
    best, most = 0, 0
    for lane in range(1, 8):
        count = np.int64((votes >> np.uint64(8 * lane)) & np.uint64(0xFF))
        if count > most:
            best, most = lane, count
    return 27 + best if most > 0 and 12 * most >= voters else UNDETERMINED


def public_hash(word: str) -> int:
    """Hash a normalised word without a key (see `docs/fingerprints.md`, section 4)."""
    data = word.encode()
    state = int(PUBLIC_1)
    for at in range(0, len(data), 16):
        low = int.from_bytes(data[at : at + 8], "little")
        high = int.from_bytes(data[at + 8 : at + 16], "little")
        state = _mum(low ^ int(PUBLIC_0), high ^ state)
    return state & ~1


def _mum(a: int, b: int) -> int:
    product = a * b
    return (product >> 64) ^ (product & _WORD)


def words_of(table: UnicodeTable, text: str) -> Iterator[str]:
    """Cut a phrase at spaces and around characters that are words of their own; `#` stands for itself."""
    open_word = ""
    for c in text:
        for kind, character in [(SINGLE, c)] if c == "#" else folded(table, c):
            if kind != LETTER and open_word:
                yield open_word
                open_word = ""
            if kind == SINGLE:
                yield character
            elif kind == LETTER:
                open_word += character
    if open_word:
        yield open_word


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Compile the phrase lists of `phrases`."""
    table = unicode_table()
    edges: dict[tuple[int, int], int] = {}
    bits = [0, 0]
    for bit, phrases in PHRASES.items():
        for phrase in phrases:
            _plant(edges, bits, ROOT, [public_hash(w) for w in words_of(table, phrase)], bit)
    for tag in REASONING_TAGS:
        _plant(edges, bits, TAGS, [public_hash(tag)], Elicitation.INLINE_TAGS)
    first = _first_words(table, edges, bits)
    keys, nexts = _open_addressed(edges)
    ends = np.array(bits, np.int32)
    return Lexicon(first, keys, nexts, ends, np.uint64(keys.size - 1), _first_pairs(edges))


def _plant(edges: dict[tuple[int, int], int], bits: list[int], node: int, words: list[int], bit: int) -> None:
    for word in words:
        following = edges.setdefault((node, word), len(bits))
        if following == len(bits):
            bits.append(0)
        node = following
    bits[node] |= int(bit)


def _first_words(
    table: UnicodeTable, edges: dict[tuple[int, int], int], bits: list[int]
) -> NDArray[np.uint8]:
    first = np.zeros(SLOTS, np.uint8)
    for lane, words in enumerate(STOP_WORDS.values(), start=1):
        for word in words:
            slot = (public_hash(next(words_of(table, word))) >> 8) % SLOTS
            first[slot] = first[slot] or lane
    starts = {following: start for (node, start), following in edges.items() if node == ROOT}
    for following, start in starts.items():
        first[(start >> 8) % SLOTS] |= FIRST | (ALONE if bits[following] else 0)
    return first


def _first_pairs(edges: dict[tuple[int, int], int]) -> NDArray[np.uint8]:
    pairs = np.zeros(PAIRS, np.uint8)
    starts = {following: start for (node, start), following in edges.items() if node == ROOT}
    for node, second in edges:
        if node in starts:
            pairs[((starts[node] >> int(_PAIR_SHIFT_0)) ^ (second >> int(_PAIR_SHIFT_1))) % PAIRS] = 1
    return pairs


def _open_addressed(edges: dict[tuple[int, int], int]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    size = 1 << (4 * len(edges) - 1).bit_length()
    keys, nexts = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    for (node, word), following in edges.items():
        key = _mum(word ^ int(_EDGE_0), node ^ int(_EDGE_1))
        slot = key % size
        while keys[slot]:
            slot = (slot + 1) % size
        keys[slot], nexts[slot] = key, following
    return keys, nexts
