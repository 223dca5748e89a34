"""Skeletons say what prompts share, without their words."""

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detect.ledger import Keys
from stillwatch.detect.skeletons import describe, strongest
from stillwatch.model.views import Elicitation, KeyKind

GRADING, FORMAT = int(Elicitation.GRADING), int(Elicitation.FORMAT)


def rows(*sent):
    """Rows of mark, account, elicitation and reference."""
    group, account, bits, ref = zip(*sent, strict=True) if sent else ((), (), (), ())
    return pa.table(
        {
            "group": pa.array(group, pa.int64()),
            "account_fp": pa.array(account, pa.int64()),
            "elicitation": pa.array(bits, pa.int32()),
            "source_ref": pa.array(ref, pa.string()),
        }
    )


def test_the_most_used_keys_are_shown():
    keys = Keys(np.arange(9), np.ones(9, int), np.ones(9, int), np.array([5, 1, 9, 3, 9, 0, 7, 2, 8]))
    assert strongest(keys, np.arange(9)).tolist() == [2, 4, 8, 6, 0]
    assert strongest(keys, np.array([1, 5])).tolist() == [1, 5]


def test_a_skeleton_counts_accounts_and_exchanges_of_its_own_mark():
    table = rows(
        (3, 10, GRADING, "b"), (3, 10, GRADING | FORMAT, "a"), (3, 11, FORMAT, "c"), (4, 12, None, "d"), (9, 13, 0, "e"),
    )  # fmt: skip
    raw = [
        np.array([(5 << 4) | KeyKind.PREFIX_LONG, -16 | KeyKind.SUFFIX]),
        np.array([7 << 4 | KeyKind.SYSTEM]),
    ]
    first, second = describe(table, raw, 40, 3)
    assert (first.accounts, first.sampled_accounts, first.exchanges) == (2, 40, 3)
    assert first.keys == ("0000000000000053", "fffffffffffffff5")
    assert first.kinds == ("prefix_long", "suffix")
    assert set(first.asks_for) == {"grading", "format"}
    assert first.sample_refs == ("a", "c"), "one reference an account, the smallest"
    assert first.text is None
    assert (second.accounts, second.exchanges, second.asks_for) == (1, 1, ())
    assert second.kinds == ("system",)


def test_what_half_of_the_exchanges_ask_for_is_not_most():
    (found,) = describe(rows((0, 1, GRADING, "a"), (0, 2, 0, "b")), [np.array([16 | KeyKind.FORMAT])], 2, 0)
    assert found.asks_for == ()


def test_a_mark_that_nobody_carries_has_no_skeleton():
    assert describe(rows((0, 1, 0, "a")), [np.array([17])], 2, 5) == []
    assert describe(rows(), [np.array([17])], 2, 0) == []


@pytest.mark.parametrize("accounts", [1, 500])
def test_references_are_few_and_the_same_for_any_order_of_rows(accounts):
    sent = [(0, n % accounts, 0, f"r{n:04d}") for n in range(1000)]
    raw = [np.array([17])]
    (found,), (again,) = (
        describe(rows(*sent), raw, accounts, 0),
        describe(rows(*sent[::-1]), raw, accounts, 0),
    )
    assert found == again
    assert len(found.sample_refs) == min(accounts, 20)
