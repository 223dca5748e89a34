import random

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.cases.graph import HEIGHT, MOST_LINKS, MOST_NODES, WIDTH, draw
from stillwatch.model.findings import Link, Verdict

LINKS = st.lists(st.builds(Link, st.integers(-2, 40), st.integers(-2, 40), st.integers(0, 99)), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINKS)
def test_any_links_give_a_drawing_inside_its_frame(make_group, links):
    drawing = draw(
        msgspec.structs.replace(make_group("g", Verdict.CAMPAIGN, accounts=30), links=tuple(links))
    )
    pairs = {frozenset((link.a, link.b)) for link in links if link.a != link.b and min(link.a, link.b) >= 0}
    pairs = {pair for pair in pairs if max(pair) < 30}
    if not pairs:
        assert drawing is None
        return
    assert drawing.links == len(pairs)
    assert len(drawing.nodes) == len(frozenset().union(*pairs))
    assert len(drawing.nodes) + drawing.left_out == 30
    assert all(0 <= node.x <= WIDTH and 0 <= node.y <= HEIGHT for node in drawing.nodes)


def test_large_graphs_are_cut_and_what_is_cut_is_counted(make_group):
    rng = random.Random(3)
    links = tuple(Link(rng.randrange(900), rng.randrange(900), rng.randrange(50)) for _ in range(20_000))
    drawing = draw(msgspec.structs.replace(make_group("g", Verdict.CAMPAIGN, accounts=900), links=links))
    assert len(drawing.nodes) == MOST_NODES
    assert drawing.left_out == 900 - MOST_NODES
    assert drawing.links <= MOST_LINKS


def test_linked_accounts_come_to_lie_together(make_group):
    ring = [Link(index, (index + 1) % 10, 5) for index in range(10)]
    other = [Link(10 + index, 10 + (index + 1) % 10, 5) for index in range(10)]
    group = make_group("g", Verdict.CAMPAIGN, accounts=20)
    group = msgspec.structs.replace(group, links=tuple(ring + other))
    where = {node.title.split(":")[0]: (node.x, node.y) for node in draw(group).nodes}
    points = [where[member.account_id] for member in group.members]

    def spread(mine):
        return max(abs(a[0] - b[0]) for a in mine for b in mine)

    assert min(spread(points[:10]), spread(points[10:])) < spread(points)
