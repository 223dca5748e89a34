from hypothesis import given
from hypothesis import strategies as st

from stillwatch.lineage.scorers_grams import byte_units, gram_hashes, word_units


@given(st.lists(st.text(st.sampled_from("abc "), max_size=12), min_size=1, max_size=6), st.integers(1, 4))
def test_grams_are_equal_exactly_when_their_units_are(texts, size):
    for cut, parts in ((word_units, [t.split() for t in texts]), (byte_units, [list(t) for t in texts])):
        hashes, rows = gram_hashes(cut(texts, 100), size)
        expected = [
            (row, tuple(part[i : i + size]))
            for row, part in enumerate(parts)
            for i in range(len(part) - size + 1)
        ]
        assert rows.tolist() == [row for row, _ in expected]
        pairs = {(int(h), gram) for h, (_, gram) in zip(hashes, expected, strict=True)}
        assert len(pairs) == len({h for h, _ in pairs}) == len({g for _, g in pairs})
