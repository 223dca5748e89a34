"""Fingerprints in plain, slow Python, written from `docs/fingerprints.md` and not from the kernel."""

# ruff: noqa: RUF001 - letters of other scripts are the point here

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from importlib import resources

import numpy as np

from stillwatch.ingest.fingerprint.phrases import PHRASES, REASONING_TAGS, STOP_WORDS
from stillwatch.model.views import Elicitation

WORD = (1 << 64) - 1
P0, P1 = 0x243F6A8885A308D3, 0x13198A2E03707344
LETTER, DIGIT, SINGLE, DROPPED = 1, 2, 3, 4
SCRIPTS = [
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


def mum(a: int, b: int) -> int:
    product = (a & WORD) * (b & WORD)
    return (product >> 64) ^ (product & WORD)


def siphash(secret: tuple[int, int], data: bytes) -> int:
    v = [
        secret[0] ^ 0x736F6D6570736575,
        secret[1] ^ 0x646F72616E646F6D,
        secret[0] ^ 0x6C7967656E657261,
        secret[1] ^ 0x7465646279746573,
    ]

    def rotate(x, n):
        return ((x << n) | (x >> (64 - n))) & WORD

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & WORD
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & WORD
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & WORD
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & WORD
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for at in range(0, len(padded), 8):
        block = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= block
        rounds(2)
        v[0] ^= block
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


class Secret:
    """All subkeys of a deployment key."""

    def __init__(self, key: bytes) -> None:
        inner = self._derive(key, "inner", 46)
        self.w0, self.w1 = inner[:2]
        odd = [value | 1 for value in inner]
        self.item, self.raw = odd[2], odd[3:6]
        self.shingle, self.chain, self.skeleton, self.history = odd[6:8], odd[8], odd[9], odd[10]
        self.window = odd[14:46]
        self.text = tuple(self._derive(key, "text", 2))
        self.column = tuple(self._derive(key, "column", 2))

    @staticmethod
    def _derive(key: bytes, purpose: str, words: int) -> list[int]:
        info = b"stillwatch fingerprint 1 " + purpose.encode()
        prk = hmac.new(bytes(32), key, hashlib.sha256).digest()
        block, out = b"", b""
        for counter in range(1, 20):
            block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
            out += block
        return [int.from_bytes(out[8 * i : 8 * i + 8], "little") for i in range(words)]


def _load_table():
    path = resources.files("stillwatch.ingest.fingerprint").joinpath("unicode.npz")
    with path.open("rb") as file:
        arrays = np.load(file)
        return arrays["index"].tolist(), arrays["blocks"].tolist(), arrays["expansions"].tolist()


INDEX, BLOCKS, EXPANSIONS = _load_table()


def look_up(code_point: int) -> list[tuple[int, int, int]]:
    """Class, folded code point and script of all that stands for a code point."""
    entry = BLOCKS[(INDEX[code_point >> 7] << 7) + (code_point & 127)]
    if entry >> 29 & 1:
        at = entry & 0x1FFFFF
        return [part for c in EXPANSIONS[at + 1 : at + 1 + EXPANSIONS[at]] for part in look_up(c)]
    return [(entry >> 21 & 7, (code_point + entry) & 0x1FFFFF, entry >> 24 & 31)]


@dataclass
class Token:
    kind: int
    text: str
    script: int

    @property
    def long(self) -> bool:
        return self.kind == SINGLE or (self.kind == LETTER and len(self.text) >= 5)


def base(script: int) -> int:
    return {6: 5, 9: 8, 10: 8}.get(script, script)


def tokens(data: bytes) -> tuple[list[Token], dict[int, int]]:
    """All tokens of a text with their digits, and how often each marker letter occurs."""
    found: list[Token] = []
    markers: dict[int, int] = {}
    open_kind = 0
    for character in data.decode("utf-8", errors="replace"):
        for kind, folded, script in look_up(ord(character)):
            if kind == DROPPED:
                continue
            if kind and base(script) != script:
                markers[script] = markers.get(script, 0) + 1
            if kind in (LETTER, DIGIT) and kind == open_kind:
                found[-1].text += chr(folded)
            elif kind:
                found.append(Token(kind, chr(folded), base(script)))
            open_kind = kind
    return found, markers


def word_hash(text: str, k0: int, k1: int) -> int:
    data, state = text.encode(), k1
    for at in range(0, len(data), 16):
        low = int.from_bytes(data[at : at + 8], "little")
        high = int.from_bytes(data[at + 8 : at + 16], "little")
        state = mum(low ^ k0, high ^ state)
    return state


def public(text: str) -> int:
    return word_hash(text, P0, P1) & ~1


def words_of(found: list[Token]) -> list[Token]:
    """Tokens with every run of numbers replaced by one `#`."""
    out: list[Token] = []
    for token in found:
        if token.kind != DIGIT:
            out.append(token)
        elif not (out and out[-1].kind == DIGIT):
            out.append(Token(DIGIT, "#", token.script))
    return out


def text_key(secret: Secret, value: int, kind: int) -> int:
    return signed(siphash(secret.text, value.to_bytes(8, "little") + bytes([kind])) & ~15 | kind)


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def window(secret: Secret, hashes: list[int]) -> int:
    return sum(h * m for h, m in zip(hashes, secret.window, strict=False)) & WORD


def shingles(secret: Secret, hashes: list[int]) -> list[int]:
    a, b = secret.shingle
    head: list[int] = []
    tail: list[int] = []
    for i in range(len(hashes) - 3):
        w = hashes[i : i + 4]
        value = ((w[0] * a + w[1]) * b + w[2] * a + w[3]) & WORD
        if value >> 59 or value in head or value in tail:
            continue
        if len(head) < 6:
            head.append(value)
        else:
            tail = [*tail, value][-6:]
    return head + tail


def prompt_keys(secret: Secret, data: bytes, words: list[Token]) -> list[int]:
    hashes = [word_hash(w.text, secret.w0, secret.w1) for w in words]
    count = len(hashes)
    keys = []
    for kind, size, least in ((1, 8, 1), (2, 16, 9), (3, 32, 17)):
        if count >= least:
            keys.append(text_key(secret, window(secret, hashes[:size]), kind))
    keys += [text_key(secret, value, 4) for value in shingles(secret, hashes)]
    if count > 8:
        keys.append(text_key(secret, window(secret, hashes[-8:]), 5))
    shape, _ = skeleton(secret, data)
    if shape:
        keys.append(text_key(secret, shape, 6))
    return keys


NAME = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") | set(range(128, 256))


def skeleton(secret: Secret, data: bytes) -> tuple[int, int]:  # noqa: C901, PLR0912 - one state machine, read from top to bottom
    """The inner hash of the output shape (0 for none) and elicitation bits."""
    closer = max(data.rfind(sign) for sign in (b"}", b"]", b">")) + 1
    if closer == 0:
        return 0, 0
    data = data[max(closer - 2048, 0) : closer]

    def add(value, byte):
        return mum(value ^ byte, secret.skeleton)

    def add_name(value, name):
        for byte in name[:48].lower():
            value = add(value, byte)
        return add(value, ord(":"))

    def run(at, stop):
        while at < stop and data[at] in NAME:
            at += 1
        return at

    depth = names = tags = bits = best = 0
    block = tag_hash = secret.skeleton
    before, at = 0, 0
    while at < len(data):
        byte = data[at : at + 1]
        if data[at] in NAME:
            end = run(at, len(data))
            if depth and before in b"{[,":
                behind = end
                while behind < min(len(data), end + 4) and data[behind] in b"\"' ":
                    behind += 1
                if data[behind : behind + 1] == b":":
                    names += 1
                    block = add_name(block, data[at:end])
            before, at = ord("a"), end
            continue
        if byte == b"<":
            before = ord("<")
            name = at + (2 if data[at + 1 : at + 2] == b"/" else 1)
            end = run(name, min(len(data), name + 48))
            if end == name or data[end : end + 1] != b">":
                at += 1
                continue
            tags += 1
            tag_hash = add_name(add(tag_hash, ord("<") if name == at + 1 else ord("/")), data[name:end])
            folded = bytes(b | 0x20 for b in data[name:end])
            if folded.decode("latin-1") in REASONING_TAGS:
                bits |= Elicitation.INLINE_TAGS
            at = end + 1
            continue
        if byte in (b"{", b"["):
            if depth == 0:
                block, names = secret.skeleton, 0
            depth += 1
            block = add(block, byte[0])
        elif byte in (b"}", b"]") and depth:
            depth -= 1
            block = add(block, byte[0])
            if depth == 0 and names:
                best = block
        if byte[0] > 0x20 and byte not in (b'"', b"'"):
            before = byte[0]
        at += 1
    if best:
        return best, bits | Elicitation.FORMAT
    return (tag_hash if tags >= 2 else 0), bits


def raw_hash(secret: Secret, data: bytes) -> int:
    state = secret.raw[1]
    whole = len(data) - len(data) % 16
    for at in range(0, whole + 1, 16):
        low = int.from_bytes(data[at : at + 8], "little")
        high = int.from_bytes(data[at + 8 : at + 16], "little")
        state = mum(low ^ secret.raw[0], high ^ state)
    return mum(state ^ len(data), secret.raw[2])


def cell(words: list[Token]) -> int | None:
    eligible = words[8:-8] if len(words) > 24 else words
    first = 8 if len(words) > 24 else 0
    counted = [public(w.text) | 1 for i, w in enumerate(eligible, first) if w.long and i < 16_384]
    if not counted:
        return None
    places = (1, 17, 33, 49, 2, 18, 34, 50, 16, 32)
    return sum(
        (2 * sum(p >> place & 1 for p in counted) > len(counted)) << bit for bit, place in enumerate(places)
    )


def _phrase_words() -> list[tuple[int, list[str]]]:
    return [
        (int(bit), [w.text for w in words_of(tokens(phrase.replace("#", "0").encode())[0])])
        for bit, phrases in PHRASES.items()
        for phrase in phrases
    ]


PHRASE_WORDS = _phrase_words()


def elicitation(words: list[Token]) -> int:
    texts = [w.text for w in words]
    joined = " " + " ".join(texts) + " "
    return sum({bit for bit, phrase in PHRASE_WORDS if " " + " ".join(phrase) + " " in joined})


def _voters() -> dict[int, int]:
    slots: dict[int, int] = {}
    for lane, listed in enumerate(STOP_WORDS.values()):
        for word in listed:
            folded = tokens(word.encode())[0][0].text
            slots.setdefault((public(folded) >> 8) % 16_384, lane)
    return slots


VOTERS = _voters()


def language(words: list[Token], markers: dict[int, int]) -> str:
    counts = [0] * 32
    for word in words:
        if word.script > 1:
            counts[word.script] += 1
    if sum(counts) and 3 * sum(counts) >= len(words):
        best = max(range(2, 28), key=lambda script: (counts[script], -script))
        if best in (2, 3):
            return "ja" if 8 * counts[3] >= counts[2] else "zh"
        if best == 5 and 10 * markers.get(6, 0) >= counts[5]:
            return "uk"
        if best == 8 and 5 * markers.get(10, 0) >= counts[8]:
            return "ur"
        if best == 8 and 20 * markers.get(9, 0) >= counts[8]:
            return "fa"
        return SCRIPTS[best]
    votes = [0] * 7
    for word in words[:128]:
        slot = (public(word.text) >> 8) % 16_384
        if slot in VOTERS:
            votes[VOTERS[slot]] += 1
    most = max(votes)
    return list(STOP_WORDS)[votes.index(most)] if most and 12 * most >= min(len(words), 128) else "und"


def whole(secret: Secret, words: list[Token], kind: int) -> int | None:
    if not words:
        return None
    state = secret.chain
    for word in words:
        state = mum(state ^ word_hash(word.text, secret.w0, secret.w1), secret.chain)
    return text_key(secret, state, kind)


def fingerprint(secret: Secret, row: dict[str, bytes | None]) -> dict[str, object]:
    """Fingerprint one row; values are bytes or None."""
    system, history, prompt, tools = (row[n] or b"" for n in ("system", "history", "prompt", "tools"))
    system_words = words_of(tokens(system)[0])
    out: dict[str, object] = {
        "keys": None,
        "system_fp": whole(secret, system_words, 7),
        "tools_fp": whole(secret, words_of(tokens(tools)[0]), 8),
        "item_fp": None,
        "prefix_fp": None,
        "cell": None,
        "language": None,
        "elicitation": elicitation(system_words) & ~int(Elicitation.PERSONA) if system_words else None,
    }
    if history:
        before = raw_hash(secret, system) if system else 0
        value = mum(before ^ secret.raw[0], raw_hash(secret, history) ^ secret.history)
        out["prefix_fp"] = signed(siphash(secret.text, value.to_bytes(8, "little") + b"\x21"))
    if row["prompt"] is None:
        return out
    found, markers = tokens(prompt)
    words = words_of(found)
    out["keys"] = prompt_keys(secret, prompt, words)
    if words:
        state = secret.item
        for token in found:
            state = mum(state ^ word_hash(token.text, secret.w0, secret.w1), secret.item)
        out["item_fp"] = signed(siphash(secret.text, state.to_bytes(8, "little") + b"\x20"))
    out["cell"] = cell(words)
    out["language"] = language(words, markers)
    bits = elicitation(words) | skeleton(secret, prompt)[1]
    out["elicitation"] = (out["elicitation"] or 0) | bits
    return out


def hash_column(secret: Secret, value: bytes, kind: int) -> int:
    return signed(siphash(secret.column, bytes([kind]) + value) & ~15 | kind)


VECTOR_PROMPTS = (
    "",
    "Why is the sky blue?",
    "ＷＨＹ is\u200b the ský  BLUE?",
    "Item 17 of 2,048: is 12.5 more than 9?",
    "请一步一步思考，用JSON格式回答：２０２６年有多少天？",
    "Объясни шаг за шагом, как работает эта программа",
    "ステップバイステップで考えてください。ｶﾞｷﾞｸﾞ",
    'Grade the answer on a scale of 1 to 10 and reply with {"score": 5, "why": "text"} only.',
    "First <think>reason</think>, then <answer>42</answer>.",
    "supercalifragilisticexpialidocious " + "antidisestablishmentarianism " * 3,
    " ".join(f"{chr(97 + i * 7 % 26)}{chr(97 + i * 11 % 23)}{chr(97 + i * 3 % 19)}word" for i in range(700)),
)


def vectors(key: bytes) -> dict[str, object]:
    """Test vectors for other implementations, as this reference computes them."""
    secret = Secret(key)
    context = (
        (None, None, None),
        ("You are a careful judge.", "user\nhello\nassistant\nhi\n", '[{"name": "search"}]'),
    )
    rows = []
    for i, prompt in enumerate(VECTOR_PROMPTS):
        system, history, tools = context[i % 2]
        row = {"system": system, "history": history, "prompt": prompt, "tools": tools}
        encoded = {name: None if text is None else text.encode() for name, text in row.items()}
        rows.append({"text": row, "fingerprint": fingerprint(secret, encoded)})
    columns = [
        {"value": value, "kind": kind, "hash": hash_column(secret, value.encode(), kind)}
        for kind in (9, 11)
        for value in ("", "a", "account-1", "1234567", "12345678", "ключ")
    ]
    return {"version": 1, "key": key.hex(), "rows": rows, "columns": columns}


if __name__ == "__main__":
    import json
    import sys

    json.dump(vectors(bytes(range(32))), sys.stdout, ensure_ascii=True, indent=1, default=int)
    sys.stdout.write("\n")
