"""Groups of customers and strangers are divided before they are judged."""

import numpy as np
import pytest

from stillwatch.detect.declared import Confirmed, declared_parts


def group(made, size):
    return Confirmed(np.arange(3), made.membership(made.strands(range(size), np.full((size, 3), 4))))


def parts(made, org):
    org = np.array(org)
    found = declared_parts(group(made, org.size), made.book(np.full((org.size, 3), 9), org_id=org), 8)
    return [part.membership.strands.account.tolist() for part in found]


def test_an_organisation_and_those_who_copy_it_are_two_groups(made):
    assert parts(made, [5] * 30 + [-1] * 40) == [list(range(30)), list(range(30, 70))]


def test_every_organisation_among_many_strangers_is_judged_by_itself(made):
    found = parts(made, [5] * 10 + [6] * 12 + [7] + [8] * 2 + [-1] * 40)
    assert found == [list(range(10)), list(range(10, 22)), [22, *range(25, 65)]]


def test_a_verified_customer_is_not_named_among_strangers(made):
    org, verified = np.array([5, 6] + [-1] * 40), np.array([1, 0] + [1] * 40)
    book = made.book(np.full((42, 3), 9), org_id=org, verified=verified)
    (strangers,) = declared_parts(group(made, 42), book, 8)
    assert strangers.membership.strands.account.tolist() == list(range(1, 42))


@pytest.mark.parametrize(
    "org",
    [
        pytest.param([-1] * 40, id="nobody is declared"),
        pytest.param([5] * 40, id="all are of one organisation"),
        pytest.param([5] * 40 + [-1] * 7, id="too few strangers"),
        pytest.param([5, 6, 7] + [-1] * 40, id="one account of each organisation"),
        pytest.param([5] * 10 + [6] * 10 + [7] * 10 + [-1] * 10, id="many organisations run one benchmark"),
    ],
)
def test_other_groups_are_left_whole(made, org):
    assert parts(made, org) == [list(range(len(org)))]


def test_parts_keep_their_own_numbers(made):
    book = made.book(np.full((70, 3), 9), org_id=np.array([5] * 30 + [-1] * 40))
    firm, strangers = declared_parts(group(made, 70), book, 8)
    for part, size in ((firm, 30), (strangers, 40)):
        assert part.membership.log_e.shape == (size,)
        assert part.membership.strands.hits.sum() == 12 * size
        assert part.membership.strands.days.shape == (size, 3)
        assert part.membership.sent == 60 * size


@pytest.mark.parametrize(
    ("org", "unrecorded", "named"),
    [
        pytest.param(
            [5] * 30 + [-1] * 40, 4, range(34, 70), id="beside an organisation, where records are usual"
        ),
        pytest.param([5] * 30 + [-1] * 40, 20, range(30, 70), id="where they are not"),
        pytest.param([5] * 3 + [-1] * 40, 4, range(3, 43), id="beside nobody who is set apart"),
    ],
)
def test_nobody_without_a_record_is_named_where_records_divide(made, org, unrecorded, named):
    org, nobody = np.array(org), org.count(5)
    known = np.ones(org.size, np.bool_)
    known[nobody : nobody + unrecorded] = False
    book = made.book(np.full((org.size, 3), 9), org_id=org, known=known)
    found = declared_parts(group(made, org.size), book, 8)[-1]
    assert found.membership.strands.account.tolist() == list(named)
