"""What keys are for: they survive what varies, and shared templates share them."""

from __future__ import annotations

import random

import pytest
from fingerprint_cases import KEY_BYTES, rows_of
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint
from stillwatch.model.views import KIND_MASK, KeyKind

KEY = FingerprintKey.from_bytes(KEY_BYTES)
words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20)
prompts = st.lists(words | st.integers(0, 10**9).map(str), min_size=1, max_size=80)
SECTION = (
    "Read the passage below with great care and then answer the question that follows it using only facts "
    "which the passage itself states; whenever the passage leaves something open say plainly that it does."
)
CLOSING = "Finish with a single line that names the most convincing sentence of the passage and nothing more."


def one(text: str) -> dict[str, object]:
    return fingerprint(rows_of([None, text]), KEY).to_pylist()[1]


def slot(seed: int, count: int) -> str:
    chosen = random.Random(seed)
    return " ".join("".join(chosen.choices("abcdefghijklmnopqrst", k=7)) for _ in range(count))


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@given(prompts, st.randoms(use_true_random=False))
def test_spelling_does_not_matter(parts, chosen):
    plain = one(" ".join(parts))
    hidden = " ".join("\u200b".join(part) for part in parts)
    cased = " ".join(part.upper() if chosen.random() < 0.5 else part.title() for part in parts)
    spaced = ", \t".join(parts) + "!"
    for other in (hidden, cased, spaced, full_width(" ".join(parts)), "\ufeff" + " ".join(parts)):
        assert one(other) == plain


@given(prompts)
def test_numbers_do_not_matter_for_keys_but_for_the_item(parts):
    changed = [str(int(part) + 1) if part.isdigit() else part for part in parts]
    before, after = one(" ".join(parts)), one(" ".join(changed))
    assert before["keys"] == after["keys"]
    assert (before["item_fp"] == after["item_fp"]) is (parts == changed)


def test_accents_and_ligatures_do_not_matter():
    assert one("Étude ﬁne Straße cafe\u0301") == one("etude fine strasse café")


@pytest.mark.parametrize("size", [0, 10, 100, 1000, 60_000])
def test_a_template_around_a_slot_keeps_its_keys(size):
    first, second = (set(one(f"{SECTION}\n{slot(seed, size)}\n{CLOSING}")["keys"]) for seed in (1, 2))
    kinds = {KeyKind(key & KIND_MASK) for key in first & second}
    assert {KeyKind.PREFIX_SHORT, KeyKind.PREFIX_MEDIUM, KeyKind.SUFFIX} <= kinds
    if size:
        assert first != second


@pytest.mark.parametrize("seed", range(20))
def test_a_template_in_the_middle_is_found_by_its_shingles(seed):
    template = slot(seed + 1000, 300)
    first, second = (
        set(one(f"{slot(s, 30)} {template} {slot(s + 1, 30)}")["keys"]) for s in (seed, seed + 500)
    )
    assert {key & KIND_MASK for key in first & second} == {KeyKind.SHINGLE}


def test_different_texts_share_nothing():
    seen: set[int] = set()
    for seed in range(50):
        keys = set(one(slot(seed, 60))["keys"])
        assert not keys & seen
        seen |= keys


@pytest.mark.parametrize(
    ("count", "kinds"),
    [(1, {1}), (8, {1}), (9, {1, 2, 5}), (16, {1, 2, 5}), (17, {1, 2, 3, 5}), (40, {1, 2, 3, 5})],
)
def test_a_prompt_is_covered_as_a_whole_by_one_prefix(count, kinds):
    found = {key & KIND_MASK for key in one(slot(7, count))["keys"]}
    assert found - {KeyKind.SHINGLE} == kinds


def test_shingles_are_kept_at_one_in_thirty_two():
    rows = fingerprint(rows_of([slot(seed, 203) for seed in range(400)]), KEY).to_pylist()
    kept = [sum(key & KIND_MASK == KeyKind.SHINGLE for key in row["keys"]) for row in rows]
    assert 5.7 < sum(kept) / len(kept) < 6.7  # 200 shingles, 6.25 expected, few above the bound of 12


def test_cells_spread_over_their_range():
    cells = fingerprint(rows_of([slot(seed, 40) for seed in range(3000)]), KEY)["cell"].to_pylist()
    assert min(cells) >= 0
    assert max(cells) <= 1023
    assert len(set(cells)) > 800


def test_the_cell_leaves_out_both_ends():
    middle = slot(1, 30)
    assert (
        one(f"{slot(2, 8)} {middle} {slot(3, 8)}")["cell"]
        == one(f"{slot(4, 8)} {middle} {slot(5, 8)}")["cell"]
    )
